"""What frames and pictures are made of: rows of the table trials as they are given, or those of sweeps in a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lrsym.api.arguments import AnySweep, as_grid, as_sweep, as_trained_folder
from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.store.query import filter_trials
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep

Rows = Sweep | Search | str | Path | pl.DataFrame | pl.LazyFrame
"""A sweep, its file, or rows of the table trials."""


def stored(sweep: AnySweep, results: str | Path) -> tuple[Sweep, str]:
    """Return a sweep, of a search the cells that it has chosen, and the folder that has rows."""
    found, root = as_sweep(sweep), as_trained_folder(results)
    return as_grid(found, root), root


def several_stored(trials: AnySweep | Sequence[AnySweep], results: str | Path) -> tuple[list[Sweep], str]:
    """Return one sweep or a list of them as `stored` does."""
    sweeps: Sequence[Any] = trials if isinstance(trials, list | tuple) else [trials]
    if not sweeps:
        raise UsageError("trials must be rows, a sweep or a list of sweeps, got an empty list; name a sweep")
    found = [stored(sweep, results) for sweep in sweeps]
    return [grid for grid, _ in found], found[0][1]


def chosen(rows: Frame, where: str | None) -> pl.DataFrame:
    """Return the rows that meet `where`."""
    table = rows.lazy().collect()
    return table if where is None else filter_trials(table, where)


def trials_of(trials: Rows, results: str | Path, where: str | None) -> tuple[pl.DataFrame, list[str]]:
    """Return rows of the table trials that meet `where`, given or of a sweep in `results`, and axes to show first.

    The axes are those that the sweep varies, in its order; none of rows.
    """
    return trials_of_several(
        trials if isinstance(trials, pl.DataFrame | pl.LazyFrame) else as_sweep(trials), results, where
    )


def trials_of_several(
    trials: Rows | Sequence[AnySweep], results: str | Path, where: str | None
) -> tuple[pl.DataFrame, list[str]]:
    """Return the same of rows, a sweep or a list of sweeps, whose rows the column `sweep` tells apart."""
    from lrsym.results.plots.draw import preferred, read_several

    if isinstance(trials, pl.DataFrame | pl.LazyFrame):
        return chosen(trials, where), []
    grids, root = several_stored(trials, results)
    return read_several(grids, root, where=where), preferred(grids[0])
