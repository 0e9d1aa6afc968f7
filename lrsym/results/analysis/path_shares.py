"""The mechanism of each cell: how many of its seeds read order by which path."""

import polars as pl

from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.varied_axes import check_axes, check_single_cells
from lrsym.vocabulary import PATHS


def path_shares(trials: Frame, *, x: str, y: str | None = None, facet: str | None = None) -> pl.DataFrame:
    """Return one row for each cell, ascending: its axes, n_trials, n, and by path the number of trials on it.

    `trials` are rows of the table of that name; n counts those that have a path. Raises UsageError if more axes vary
    than those given.
    """
    table = trials.lazy().collect()
    by = [axis for axis in (facet, y, x) if axis is not None]
    check_axes(by)
    check_single_cells(table, by=by)
    path = pl.col("path")
    counts = {name: (path == name).sum().cast(pl.Int64) for name in PATHS}
    return table.group_by(by).agg(n_trials=pl.len().cast(pl.Int64), n=path.count().cast(pl.Int64), **counts).sort(by)
