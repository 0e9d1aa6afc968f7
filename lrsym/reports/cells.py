"""Plot data of the map: for each cell of a sweep what its seeds say together, and how many were lost."""

from collections.abc import Sequence

import polars as pl

from lrsym.reports.planned import CELL, Planned
from lrsym.results.analysis.aggregate import replicate_value, summarise
from lrsym.results.analysis.lines import lines
from lrsym.results.analysis.phases import NESTED, phase_of_means
from lrsym.vocabulary import METRICS, PATHS, SPLITS

MAX_MEANS = 40_000
"""Means with an interval that a page holds: some megabytes, and some seconds to estimate."""

MAX_VALUES = 20_000_000
"""Values of seeds that these means are estimated from: some seconds."""

COUNTS = ("n_diverged", "n_failed", "n_stopped", "n_missing")
"""What became of the seeds of a cell that are not done."""


def map_metrics(trials: pl.DataFrame, *, metric: str, n_cells: int) -> list[str]:
    """Return the accuracies that any of `trials` has, `metric` first, as many as MAX_MEANS and MAX_VALUES allow."""
    return known_metrics(trials, metric=metric)[: _room(trials, n_cells)]


def fewer_metrics(trials: pl.DataFrame, *, metric: str, n_cells: int) -> list[str]:
    """Return in a sentence how many of the accuracies a map shows; nothing where it shows all."""
    known, room = known_metrics(trials, metric=metric), _room(trials, n_cells)
    return [f"The map shows {room} of {len(known)} outcomes: --metric chooses the first."] if room < len(known) else []


def _room(trials: pl.DataFrame, n_cells: int) -> int:
    return max(1, min(MAX_MEANS // max(1, n_cells), MAX_VALUES // max(1, trials.height)))


def known_metrics(trials: pl.DataFrame, *, metric: str) -> list[str]:
    """Return `metric`, and the other accuracies that any of `trials` has."""
    named = [f"{split}_{accuracy}" for accuracy in METRICS for split in ("unseen", *SPLITS)]
    ordered = dict.fromkeys([metric, *named])
    return [name for name in ordered if name == metric or trials[name].count()]


def cell_means(trials: pl.DataFrame, *, metrics: Sequence[str]) -> pl.DataFrame:
    """Return a row for each metric and cell that has trials: metric, cell, n, mean, low, high (95 % interval), apart.

    `trials` are rows of the table of that name with the column cell.
    """
    frame = lines(trials, by=[CELL], metrics=metrics)
    return frame.select("metric", CELL, "n", "mean", "low", "high", "apart")


def cell_counts(trials: pl.DataFrame, planned: Planned, *, replicates: int) -> pl.DataFrame:
    """Return a row for each planned cell: cell, n_trials (that have a row), those of COUNTS, and one for each path."""
    frame = summarise(trials, by=[CELL], metric="seconds")
    path = pl.col("path")
    paths = trials.group_by(CELL).agg(
        n_trials=pl.len().cast(pl.Int64), **{name: (path == name).sum().cast(pl.Int64) for name in PATHS}
    )
    cells = pl.DataFrame({CELL: range(planned.cells.height)}, schema={CELL: pl.Int64})
    found = frame.select(CELL, "n_diverged", "n_failed", "n_stopped").join(paths, on=CELL)
    counted = cells.join(found, on=CELL, how="left", maintain_order="left").fill_null(0)
    return counted.with_columns(n_missing=replicates - pl.col("n_trials"))


def cell_phases(trials: pl.DataFrame, *, accuracy: str, threshold: float) -> pl.DataFrame:
    """Return cell and phase of each cell that has trials, by its means of `accuracy`, such as order, at `threshold`."""
    means = trials.group_by(CELL).agg(replicate_value(f"{split}_{accuracy}").mean().alias(split) for split in NESTED)
    return means.select(CELL, phase=phase_of_means(threshold)).sort(CELL)
