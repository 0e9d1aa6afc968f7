"""How the suggestions of a search ended, and which of its cells are best."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from lrsym.results.analysis.aggregate import Frame

_PREFERRED = ("asked", "reused", "repeated")
"""Origins: of several suggestions of one cell the first of these stands for it."""

DIGITS = 12
"""Of two means that agree to so many neither is better: sums of the same values in another order differ by less."""


def with_outcomes(suggestions: pl.DataFrame, trials: Frame, *, replicates: int) -> pl.DataFrame:
    """Return rows of the table suggestions with the columns n_diverged, n_stopped, final and outcome.

    `trials` has the status of their trials. A suggestion is final where its objective rests on all `replicates`,
    trained to the end; `outcome` is one of SUGGESTION_OUTCOMES.
    """
    status = pl.col("status")
    ended = (
        suggestions.lazy()
        .select("number", trial_id="trial_ids")
        .explode("trial_id")
        .join(trials.lazy().select("trial_id", "status"), on="trial_id", how="left")
        .group_by("number")
        .agg(
            n_diverged=(status == "diverged").sum().cast(pl.Int64), n_stopped=(status == "stopped").sum().cast(pl.Int64)
        )
    )
    complete, stopped = pl.col("state") == "complete", pl.col("n_stopped") > 0
    outcome = (
        pl.when(~complete)
        .then("state")
        .when(stopped)
        .then(pl.lit("stopped"))
        .when(pl.col("origin") == "asked")
        .then(pl.lit("trained"))
        .otherwise("origin")
    )
    final = complete & ~stopped & (pl.col("trial_ids").list.len() == replicates)
    joined = suggestions.lazy().join(ended, on="number", how="left", maintain_order="left")
    return joined.with_columns(final=final, outcome=outcome).collect()


def candidate_cells(suggestions: pl.DataFrame, *, replicates: int) -> pl.DataFrame:
    """Return one row for each cell that has an objective and all its replicates, in the order of asking.

    `suggestions` are those of `with_outcomes`; a cell that was suggested several times keeps the row it was trained by.
    """
    return (
        suggestions.filter(pl.col("state") == "complete", pl.col("trial_ids").list.len() == replicates)
        .sort(pl.col("origin").cast(pl.Enum(_PREFERRED)), "number")
        .unique(pl.col("trial_ids").list.first(), keep="first", maintain_order=True)
        .sort("number")
    )


def rank_cells(cells: pl.DataFrame, *, maximise: Sequence[bool]) -> pl.DataFrame:
    """Return `cells`, with the columns objective and n_stopped, the best first and with the column rank.

    With one objective equal cells share a rank, and those that a rule stopped stand last and have none. With several
    there is no rank: the cells of the Pareto front are returned alone, in the order of the first objective.
    """
    first = pl.col("objective").list.first()
    if len(maximise) > 1:
        front = cells.filter(pareto_front(cells["objective"], maximise=maximise))
        return front.sort(first, descending=maximise[0], maintain_order=True).with_columns(
            rank=pl.lit(None, dtype=pl.Int64)
        )
    stopped = pl.col("n_stopped") > 0
    value = first.round_sig_figs(DIGITS)
    rank = pl.when(~stopped).then(value).rank("min", descending=maximise[0]).cast(pl.Int64)
    return cells.with_columns(rank=rank).sort(stopped, value, descending=[False, maximise[0]], maintain_order=True)


def pareto_front(objectives: pl.Series, *, maximise: Sequence[bool]) -> pl.Series:
    """Return whether no other of `objectives`, a list of values each, is as good in every value and better in one."""
    signs = [1.0 if better_high else -1.0 for better_high in maximise]
    values = np.array(objectives.to_list(), dtype=float).reshape(-1, len(signs)) * signs
    dominated = [((values >= one).all(axis=1) & (values > one).any(axis=1)).any() for one in values]
    return ~pl.Series(dominated, dtype=pl.Boolean)
