"""Statistics over replicates: what trials that differ only in their seed say together.

In all frames `n` counts the replicates behind a mean; `lowest` and `highest` are their extremes.
"""

from collections.abc import Iterable, Sequence

import polars as pl

from lrsym.results.store.attempts import stopped_by
from lrsym.vocabulary import FAILED_STATUSES, GRID_STOP_RULES, STATUSES

SHARED = ("seconds",)
"""Columns in which the trials of a pack have one value, so that they tell nothing of its spread."""

MAX_NAMED, MAX_CELLS = 5, 2_000
"""Trials of a cell that are named, more would fill the screen; and cells whose trials are."""

Frame = pl.DataFrame | pl.LazyFrame


def summarise(trials: Frame, *, by: Sequence[str], metric: str) -> pl.DataFrame:
    """Return one row for each combination of `by`, ascending: n, mean, sd, lowest, highest, and who ended otherwise.

    n counts the trials that the four statistics are taken over: those with an outcome, and a finite value of `metric`.
    A trial that diverged is counted in n_diverged alone, whatever value it left; n_failed counts the infrastructure's
    losses. n_stopped counts the trials that a rule stopped; n_censored those of them that have no outcome. sd is the
    sample standard deviation, null for n = 1; all four statistics are null for n = 0.
    """
    status, value = pl.col("status"), replicate_value(metric)
    stopped = status == "stopped"
    return (
        trials.lazy()
        .group_by(by)
        .agg(
            n=value.count().cast(pl.Int64),
            mean=value.mean(),
            sd=value.std(),
            lowest=value.min(),
            highest=value.max(),
            n_failed=status.is_in(FAILED_STATUSES).sum().cast(pl.Int64),
            n_diverged=(status == "diverged").sum().cast(pl.Int64),
            n_stopped=stopped.sum().cast(pl.Int64),
            n_censored=(stopped & ~has_outcome()).sum().cast(pl.Int64),
        )
        .sort(by)
        .collect()
    )


def with_trial_ids(cells: pl.DataFrame, trials: Frame, *, by: Sequence[str]) -> pl.DataFrame:
    """Return `cells`, a row for each combination of `by`, with the column trial_ids: a text that names its trials.

    `trials` has one row of each; they are named by their seeds. Rows of others, without ids, get no such column, nor do
    more than MAX_CELLS cells, which no picture has room for.
    """
    rows = trials.lazy()
    columns = rows.collect_schema().names()
    if "trial_id" not in columns or cells.height > MAX_CELLS:
        return cells
    by_seed = pl.col("trial_id").sort_by("seed") if "seed" in columns else pl.col("trial_id")
    ids = [by_seed.head(MAX_NAMED), pl.len().alias("_n")]
    named = (rows.group_by(by).agg(*ids) if by else rows.select(ids[0].implode(), ids[1])).collect()
    named = named.select(*by, named_trials("trial_id", n=pl.col("_n")))
    if not by:
        return cells.join(named, how="cross")
    return cells.join(named, on=by, how="left", nulls_equal=True, maintain_order="left")


def named_trials(ids: str, *, n: pl.Expr | None = None) -> pl.Expr:
    """Return the text that names the trials in a column of lists of ids: the first MAX_NAMED, the others counted.

    `n` is how many there are where the lists have no more than those.
    """
    more = (pl.col(ids).list.len() if n is None else n).cast(pl.Int64) - MAX_NAMED
    others = pl.when(more > 0).then(pl.format(" and {} more", more)).otherwise(pl.lit(""))
    return (pl.col(ids).list.head(MAX_NAMED).list.join(", ") + others).alias("trial_ids")


def shares_value(metric: str, columns: Iterable[str]) -> pl.Expr:
    """Return whether a trial, a row with `columns`, shares its value of `metric` with others of its pack."""
    if metric in SHARED and "pack_size" in {*columns}:
        return (pl.col("pack_size") > 1).fill_null(value=True)
    return pl.lit(value=False)


def ended_otherwise(trials: pl.DataFrame) -> str:
    """Return how many of `trials` did not come to their end: `4 diverged, 1 crashed`; empty where all did."""
    counts = dict(trials.group_by("status").len().iter_rows())
    return ", ".join(
        f"{counts[name]} {name.replace('_', ' ')}" for name in STATUSES if name != "done" and name in counts
    )


def lost_all(trials: pl.DataFrame) -> str:
    """Return how `trials` ended where none of them has an outcome; empty where one has."""
    return "" if trials.select(has_outcome().any()).item() else ended_otherwise(trials)


def replicate_value(metric: str) -> pl.Expr:
    """Return what a trial contributes to statistics of `metric`: its value if that is a finite outcome, else null."""
    number = pl.col(metric).cast(pl.Float64)
    return pl.when(has_outcome(), number.is_finite()).then(number)


def has_outcome() -> pl.Expr:
    """Return whether the last accuracies of a trial are its outcome: it is done, or decided when it was stopped.

    What a search stopped is censored: its values are those of a training that had not come to its end.
    """
    return (pl.col("status") == "done") | stopped_by(*GRID_STOP_RULES)


def mean_and_range(rows: Frame, *, by: Sequence[str]) -> pl.DataFrame:
    """Return mean, lowest, highest and n of the finite values in column value, for each combination of `by`."""
    value = pl.col("value")
    return (
        rows.lazy()
        .filter(value.is_finite())
        .group_by(by)
        .agg(mean=value.mean(), lowest=value.min(), highest=value.max(), n=value.count().cast(pl.Int64))
        .sort(by)
        .collect()
    )
