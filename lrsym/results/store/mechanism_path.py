"""By which way each trial reads order from the image: the column `path` of the table `trials`.

    loss(t) = order as trained - order with t left out, on unseen pairs

The thresholds ORDERED and AT_CHANCE lie where few trials do; EP and PP share the work by degrees, so they are held
against each other (docs/mechanisms.md counts both).
"""

from collections.abc import Callable, Sequence

import polars as pl

from lrsym.vocabulary import AT_CHANCE, ORDERED, POSITION_KEY

_SCORES = "+".join(POSITION_KEY)

_LEFT_OUT = ("none", "EP", "PP", _SCORES, "VP")
"""What the rule asks for, as in column `term` of the table `ablations`."""

_DOMINANCE = 2
"""How many times the loss of the other of EP and PP the loss of one must be for it to be called the path."""


def paths(ablations: pl.LazyFrame, *, by: Sequence[str] = ("trial_id",)) -> pl.LazyFrame:
    """Return path for each combination of `by` in `ablations`, rows of that table; null where a term is missing."""
    value = pl.col("value")
    order = {term: value.filter(pl.col("term") == term).first() for term in _LEFT_OUT}
    asked = (pl.col("split") == "unseen", pl.col("metric") == "order", pl.col("term").is_in(_LEFT_OUT))
    by_trial = ablations.filter(*asked, value.is_finite()).group_by(by).agg(**order)
    return by_trial.select(*by, path=_path())


def with_paths(trials: pl.LazyFrame, read: Callable[[pl.Series], pl.DataFrame]) -> pl.LazyFrame:
    """Return `trials` with the column path; `read` gives what `paths` does for these trial_ids.

    It is called when the column is asked for, and not otherwise.
    """

    def derive(ids: pl.Series) -> pl.Series:
        return ids.to_frame("trial_id").join(read(ids), on="trial_id", how="left", maintain_order="left")["path"]

    return trials.with_columns(path=pl.col("trial_id").map_batches(derive, return_dtype=pl.String))


def _path() -> pl.Expr:
    order = {term: pl.col(term) for term in _LEFT_OUT}
    loss = {term: order["none"] - order[term] for term in ("EP", "PP")}

    def needs(path: str, *, not_: str) -> pl.Expr:
        return (order[path] < AT_CHANCE) & (order[not_] > ORDERED)

    def outweighs(one: str, other: str) -> pl.Expr:
        return (loss[one] > 0) & (loss[one] > _DOMINANCE * loss[other])

    by_scores = needs(_SCORES, not_="VP")
    return (
        pl.when(pl.any_horizontal(order[term].is_null() for term in _LEFT_OUT))
        .then(None)
        .when(order["none"] <= ORDERED)
        .then(pl.lit("none"))
        .when(needs("VP", not_=_SCORES))
        .then(pl.lit("value"))
        .when(by_scores & outweighs("EP", "PP"))
        .then(pl.lit("ep"))
        .when(by_scores & outweighs("PP", "EP"))
        .then(pl.lit("pp"))
        .otherwise(pl.lit("mixed"))
    )
