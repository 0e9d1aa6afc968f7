"""Plot data of lines: the mean of each metric in each cell, of steps to an accuracy the median, with its band."""

from collections.abc import Iterable, Sequence

import polars as pl

from lrsym.results.analysis.aggregate import Frame, summarise
from lrsym.results.analysis.cell_intervals import cell_intervals
from lrsym.results.analysis.cell_numbers import STEPS_TO, cell_medians
from lrsym.results.analysis.intervals import interval_of
from lrsym.vocabulary import is_accuracy

BANDS = {"interval": "95 % interval of the mean", "range": "lowest to highest"}
"""What the band around a line shows."""

MIN_APART = 0.05
"""Accuracy by which one seed must differ from the mean to be called apart: of less nobody speaks as of a failure."""

_COLUMNS = (
    "low", "high", "apart", "n", "mean", "sd", "lowest", "highest", "n_failed", "n_diverged", "n_stopped", "n_censored",
    "median", "n_never",
)  # fmt: skip


def lines(trials: Frame, *, by: Sequence[str], metrics: Sequence[str], band: str = "interval") -> pl.DataFrame:
    """Return one row for each metric and combination of `by`, ascending: metric, `by`, low, high, apart and a summary.

    The summary is that of `summarise`. low and high are the ends of the band, null where fewer than two trials have a
    value; the interval is that which `interval_of` names, so that of an accuracy lies in 0..1. apart tells whether one
    trial lies apart from all others of the cell, an accuracy by MIN_APART or more.

    Steps to an accuracy have a median and n_never, as of `cell_medians`, in place of mean and sd: their band goes from
    lowest to highest, high is null where a trial never gets there, and none lies apart. Of others median is null.
    """
    return pl.concat(_lines_of(metric, trials, by=by, band=band) for metric in metrics)


def _lines_of(metric: str, trials: Frame, *, by: Sequence[str], band: str) -> pl.DataFrame:
    if metric.startswith(STEPS_TO):
        return _medians_of(metric, trials, by=by)
    frame = summarise(trials, by=by, metric=metric)
    interval = interval_of(metric) if band == "interval" else "t"  # which takes every number
    far = MIN_APART if is_accuracy(metric) else 0.0
    own = cell_intervals(trials, by=by, metric=metric, interval=interval, far=far)
    frame = frame.join(own, on=by, how="left", nulls_equal=True, maintain_order="left")
    if band == "range":
        several = pl.col("n") > 1
        frame = frame.with_columns(low=pl.when(several).then("lowest"), high=pl.when(several).then("highest"))
    frame = frame.with_columns(median=pl.lit(None, dtype=pl.Float64), n_never=pl.lit(0, dtype=pl.Int64))
    return frame.select(pl.lit(metric).alias("metric"), *by, *_COLUMNS)


def _medians_of(metric: str, trials: Frame, *, by: Sequence[str]) -> pl.DataFrame:
    none, several = pl.lit(None, dtype=pl.Float64), pl.col("n") > 1
    frame = cell_medians(trials, by=by, metric=metric).with_columns(
        mean=none,
        sd=none,
        low=pl.when(several).then("lowest"),
        high=pl.when(several, pl.col("n_never") == 0).then("highest"),
        apart=pl.lit(value=False),
    )
    return frame.select(pl.lit(metric).alias("metric"), *by, *_COLUMNS)


def is_nominal(values: Iterable[object]) -> bool:
    """Return whether any of the values of an axis is no number, or absent: then they stand side by side."""
    return any(isinstance(value, bool) or not isinstance(value, int | float) for value in values)


def is_geometric(values: Sequence[object]) -> bool:
    """Return whether numbers, all positive, span a power of ten and are spaced as evenly by ratio as by distance."""
    import numpy as np

    if is_nominal(values):
        return False
    ordered = np.unique(np.array(values, dtype=float))
    if len(ordered) < 2 or ordered[0] <= 0 or ordered[-1] < 10 * ordered[0]:
        return False
    steps, ratios = np.diff(ordered), np.diff(np.log(ordered))
    return bool(ratios.std() / ratios.mean() <= steps.std() / steps.mean())
