"""Boundaries and phases from Python: where seeds reach a level, with which probability a cell is in which phase."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lrsym.api.arguments import AnySweep, as_folder, as_grids, refuse_searches
from lrsym.api.drawn import draw_any
from lrsym.api.rows import Rows, chosen, stored, trials_of
from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.plots import draw, refined
from lrsym.results.plots.theme import Chart, in_theme
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD

if TYPE_CHECKING:
    from lrsym.results.analysis.boundary import Boundary


def boundary(
    trials: Rows | Sequence[AnySweep],
    *,
    x: str | None = None,
    by: str | None = None,
    color: str | None = None,
    metric: str = PHASE_METRIC,
    level: float = PHASE_THRESHOLD,
    minus: bool = False,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
) -> pl.DataFrame:
    """Return where along the axis `x` half of the seeds reach `level` in `metric`, a row a value of `by` and `color`.

    `trials` are rows of that table, a sweep, or a list of sweeps, which take the place of `color`; with `minus` the
    rows are how far each boundary lies from that of the first colour or sweep, paired by seed. Columns:
    docs/boundaries.md. `results`, `where` and axes that are not given as of `plot_phase`. Raise UsageError for what is
    no accuracy or no axis of numbers, where more axes vary, and where no trial has a value.
    """
    found = boundary_whole(
        trials, x=x, by=by, color=color, metric=metric, level=level, prefer=prefer, results=results, where=where
    )
    return found.differences() if minus else found.frame()


def boundary_whole(
    trials: Rows | Sequence[AnySweep],
    *,
    metric: str,
    level: float,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
    **axes: str | None,
) -> "Boundary":
    """Return all that `boundary` knows, with its arguments."""
    from lrsym.results.analysis.boundary import find_boundary

    refuse_searches(trials, "a boundary")
    rows, first = trials_of(trials, results, where)
    return find_boundary(rows, metric=metric, level=level, prefer=prefer or first, **axes)


def plot_boundary(
    trials: Rows | Sequence[AnySweep],
    *,
    x: str | None = None,
    by: str | None = None,
    color: str | None = None,
    metric: str = PHASE_METRIC,
    level: float = PHASE_THRESHOLD,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
    theme: str = "light",
) -> Chart:
    """Return the boundary that `boundary` gives with these arguments, of several also how far they lie apart."""
    options: dict[str, Any] = {"x": x, "by": by, "color": color, "metric": metric, "level": level}
    if isinstance(trials, pl.DataFrame | pl.LazyFrame):
        return in_theme(draw_any("boundary", trials, results, where, prefer=prefer, **options), theme)
    refuse_searches(trials, "a boundary")
    root = as_folder(results)
    return in_theme(
        draw.draw_several("boundary", as_grids(trials, root), root, where=where, prefer=prefer, **options), theme
    )


def phase_probabilities(
    trials: Rows,
    *,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    metric: str = PHASE_METRIC,
    threshold: float = PHASE_THRESHOLD,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
) -> pl.DataFrame:
    """Return the share of each cell's seeds in each phase, with its 95 % interval (Wilson): a row a cell and phase.

    Columns: the axes, phase, count, n, probability, low, high. `trials`, `results`, `where`, the axes and errors as of
    `plot_phase`.
    """
    from lrsym.results.analysis import class_shares
    from lrsym.results.analysis.varied_axes import choose_axes

    rows, first = trials_of(trials, results, where)
    x, y, facet = choose_axes(rows, x=x, y=y, facet=facet, prefer=prefer or first)
    return class_shares.phase_probabilities(rows, x=x, y=y, facet=facet, metric=metric, threshold=threshold)


def plot_probabilities(
    trials: Rows,
    *,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    metric: str = PHASE_METRIC,
    threshold: float = PHASE_THRESHOLD,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
    theme: str = "light",
) -> Chart:
    """Return each cell filled by the shares of its seeds in each phase; arguments as of `phase_probabilities`."""
    options: dict[str, Any] = {"x": x, "y": y, "facet": facet, "metric": metric, "threshold": threshold}
    return in_theme(draw_any("probabilities", trials, results, where, prefer=prefer, **options), theme)


def plot_refined(
    sweep: Rows,
    *,
    metric: str = PHASE_METRIC,
    level: float = PHASE_THRESHOLD,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    results: str | Path = "results",
    where: str | None = None,
    cells: Frame | None = None,
    theme: str = "light",
) -> Chart:
    """Return where `metric` crosses `level` over the cells of a sweep, and what was trained when, as `refine` left it.

    In place of a sweep, rows of the table trials with the axes of all `cells`. Raise UsageError as `plot_phase`.
    """
    from lrsym.sweep.search.refine import cell_table

    options: dict[str, Any] = {"metric": metric, "level": level, "x": x, "y": y, "facet": facet}
    if isinstance(sweep, pl.DataFrame | pl.LazyFrame):
        if cells is None:
            raise UsageError("rows do not say which cells there are to train; give a sweep, or cells= with their axes")
        return in_theme(refined.plot_refined(chosen(sweep, where), cells=chosen(cells, where), **options), theme)
    grid, root = stored(sweep, results)
    return in_theme(draw.draw_refined(grid, root, cells=cell_table(grid), where=where, **options), theme)
