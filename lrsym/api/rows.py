"""Rows of the table trials as functions take them: given, or those of sweeps in a folder."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lrsym.api.arguments import AnySweep, as_folder, as_grid, as_grids
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.plots.sweep_rows import missing_in_words, read_trials
from lrsym.results.store.query import filter_trials
from lrsym.results.store.store import load_trials
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep

Rows = Sweep | Search | str | Path | pl.DataFrame | pl.LazyFrame
"""A sweep, its file, or rows of the table trials."""


def chosen(rows: Frame, where: str | None) -> pl.DataFrame:
    """Return those of `rows` that meet the SQL condition `where`."""
    table = rows.lazy().collect()
    if "stop_rule" not in table.columns:  # rows of others
        table = table.with_columns(stop_rule=pl.lit(None, dtype=pl.String))
    return table if where is None else filter_trials(table, where)


def unfinished(sweeps: Sequence[Sweep], results: str | Path) -> list[str]:
    """Return how many trials of each sweep have a row, as sentences; none of those that are complete."""
    root, lines = as_folder(results), list[str]()
    for sweep in sweeps:
        n = load_trials(root, trial_ids=sweep.trial_ids()).select(pl.len()).collect().item()
        lines += missing_in_words(sweep.name, len(sweep), n)
    return lines


def stored(sweep: AnySweep, results: str | Path) -> tuple[Sweep, str]:
    """Return a sweep, of a search the cells that it has chosen, and the name of the folder."""
    root = as_folder(results)
    return as_grid(sweep, root), root


def trials_of(
    trials: Rows | Sequence[AnySweep], results: str | Path, where: str | None
) -> tuple[pl.DataFrame, list[str]]:
    """Return rows of the table trials that meet `where`, and the axes to show first, none of rows.

    They are given, or those of a sweep in the folder `results`, or of a list of sweeps, which the column `sweep` tells
    apart. Raise UsageError where there are none.
    """
    if isinstance(trials, pl.DataFrame | pl.LazyFrame):
        return chosen(trials, where), []
    root = as_folder(results)
    return read_trials(as_grids(trials, root), root, where=where)
