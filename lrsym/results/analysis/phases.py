"""The phase of each cell: which of the nested accuracies train, seen, unseen is the first to miss the threshold."""

from collections.abc import Sequence

import polars as pl
from polars import selectors as cs

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, replicate_value, summarise, with_trial_ids
from lrsym.results.analysis.varied_axes import check_axes, check_single_cells
from lrsym.results.store.schema import axis_columns
from lrsym.toml_source import suggest
from lrsym.vocabulary import METRICS, PHASE_METRIC, PHASE_THRESHOLD, PHASES, SPLITS

ROUNDING = 1e-9
"""Lets a mean of exactly the threshold survive the rounding of its sum."""

NESTED = ("train", "seen", "unseen")
"""The splits that decide the phase, in the order in which they are asked."""


def split_and_metric(column: str) -> tuple[str, str]:
    """Return the split and the metric that an accuracy column such as `unseen_order` is named after.

    Raises UsageError for any other name.
    """
    split, _, metric = column.partition("_")
    if split not in SPLITS or metric not in METRICS:
        near = suggest(column, [f"{split}_{metric}" for split in SPLITS for metric in METRICS] if metric else ())
        raise UsageError(
            f"metric must be a split and a metric, such as unseen_order, got {column}; {near}{' ' * bool(near)}"
            f"splits: {', '.join(SPLITS)}; metrics: {', '.join(METRICS)}"
        )
    return split, metric


def phases(
    trials: Frame,
    *,
    x: str,
    y: str | None = None,
    metric: str = PHASE_METRIC,
    threshold: float = PHASE_THRESHOLD,
    facet: str | None = None,
) -> pl.DataFrame:
    """Return one row for each cell: its axes, the summary of `metric`, three accuracies and the phase they make.

    Columns: `facet` and `y` where given, `x`, those of `summarise`, then train, seen and unseen (the cell's means
    in the metric of `metric`), phase, and trial_ids as of `with_trial_ids`. Phases are nested: the first of the three
    means that misses `threshold` decides. Without held-out layouts (seen is null) or unseen pairs, nothing beyond the
    training scenes or beyond layouts can be credited. A cell that finished no trial has phase null, as have all where
    rows of others lack the accuracy on train. Raises UsageError if more axes vary than those given, because trials of
    one cell may differ in their seed alone.
    """
    return phases_by(
        trials, by=[axis for axis in (facet, y, x) if axis is not None], metric=metric, threshold=threshold
    )


def phases_by(trials: Frame, *, by: Sequence[str], metric: str, threshold: float) -> pl.DataFrame:
    """Return what `phases` does for cells that the axes `by` tell apart."""
    _, accuracy = split_and_metric(metric)
    read = ["trial_id", *axis_columns(), "status", "stop_rule", metric, *(f"{split}_{accuracy}" for split in NESTED)]
    table = trials.lazy().select(cs.by_name(read, require_all=False)).collect()  # of a million trials half the columns
    table = table.with_columns(
        pl.lit(None, dtype=pl.Float64).alias(name)
        for name in (f"{split}_{accuracy}" for split in NESTED)
        if name not in table.columns and name != metric
    )
    check_axes(by)
    check_single_cells(table, by=by)
    frame = summarise(table, by=by, metric=metric)
    means = table.group_by(by).agg(replicate_value(f"{split}_{accuracy}").mean().alias(split) for split in NESTED)
    frame = frame.join(means, on=by, how="left", nulls_equal=True, maintain_order="left")
    return with_trial_ids(frame.with_columns(phase=phase_of_means(threshold)), table, by=by)


def phase_of_means(threshold: float) -> pl.Expr:
    """Return the phase, at `threshold`, of a row with the means train, seen and unseen; null where train is."""
    phase = {name: pl.lit(name) for name in PHASES}
    # A comparison with null is null, which `when` takes as false: an accuracy that does not exist reaches nothing.
    reached = {split: pl.col(split) >= threshold - ROUNDING for split in NESTED}
    shown = pl.when(pl.col("seen").is_null()).then(reached["unseen"]).otherwise(reached["seen"])
    return (
        pl.when(pl.col("train").is_null())
        .then(None)
        .when(~reached["train"])
        .then(phase["confusion"])
        .when(shown & reached["unseen"])
        .then(phase["relational generalisation"])
        .when(shown)
        .then(phase["layout generalisation"])
        .otherwise(phase["memorisation"])
    )
