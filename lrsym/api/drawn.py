"""What the functions that draw take: rows of the table trials, or sweeps whose rows are read from a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lrsym.api.arguments import AnySweep, as_folder, as_grid, as_grids, as_trained_folder
from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.plots import draw
from lrsym.results.plots.theme import Chart
from lrsym.results.store.query import filter_trials
from lrsym.results.store.schema import axis_columns
from lrsym.results.store.store import load
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep
from lrsym.vocabulary import PICTURES

Rows = Sweep | Search | str | Path | pl.DataFrame | pl.LazyFrame
"""A sweep, its file, or rows of the table trials."""


def chosen(rows: Frame, where: str | None) -> pl.DataFrame:
    """Return those of `rows` that meet the SQL condition `where`."""
    table = rows.lazy().collect()
    return table if where is None else filter_trials(table, where)


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
    return draw.read_several(as_grids(trials, root), root, where=where)


def draw_any(
    kind: str,
    trials: Rows,
    results: str | Path,
    where: str | None,
    *,
    prefer: Sequence[str] = (),
    live: bool = False,
    **options: Any,
) -> Chart:
    """Return a picture of what `trials`, a sweep or rows, have in the table that pictures of `kind` show.

    `prefer` are axes that come first where `options` name none; a sweep has an order of its own.
    """
    if not isinstance(trials, pl.DataFrame | pl.LazyFrame):
        grid, root = stored(trials, results)
        return draw.draw(kind, grid, root, where=where, live=live, **options)
    if live:
        raise UsageError("live shows a sweep while it runs, got rows; give a sweep, or leave it out")
    plot, table, second = draw.PLOTS[kind], PICTURES[kind], draw.BESIDE.get(kind)
    if table == "trials" and not second:
        return plot(chosen(trials, where), prefer=prefer, **options)
    rows = trials.lazy().collect()
    if not _are_of_trials(rows):
        if second:
            raise UsageError(f"it is drawn of the tables {table} and {second}; give a sweep, or rows of trials")
        return plot(rows, **options)
    trained, root = chosen(rows, where), as_trained_folder(results)
    if second:
        options["beside"] = load(root, second, trial_ids=trained["trial_id"])
    if table == "trials":
        return plot(trained, prefer=prefer, **options)
    axes = trained.lazy().select("trial_id", *(name for name in axis_columns() if name in trained.columns))
    shown = load(root, table, trial_ids=trained["trial_id"]).join(axes, on="trial_id").collect()
    if shown.is_empty():
        raise UsageError(f"the {trained.height} trials have no rows of the table {table} in {root}; check results")
    return plot(shown, **options)


def _are_of_trials(rows: pl.DataFrame) -> bool:
    if "trial_id" not in rows.columns:
        raise UsageError("rows must have the column trial_id, as those of lrsym.load_trials; give these, or a sweep")
    return "status" in rows.columns
