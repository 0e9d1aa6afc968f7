"""Draw from Python: a picture of a sweep, or of rows that a query or `run_sweep` gave."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lrsym.api.arguments import AnySweep, as_file, as_folder, as_grids, as_sweep, as_trained_folder, check_sides
from lrsym.api.drawn import draw_any, require_known
from lrsym.api.rows import Rows, chosen, stored
from lrsym.errors import UsageError
from lrsym.results.analysis.metrics import metric_columns
from lrsym.results.plots import draw
from lrsym.results.plots import save as files
from lrsym.results.plots.theme import Chart, in_theme
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import command
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD, is_accuracy


def plot_phase(
    trials: Rows | Sequence[AnySweep],
    *,
    metric: str = PHASE_METRIC,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    column: str | None = None,
    threshold: float = PHASE_THRESHOLD,
    minus: bool = False,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
    live: bool = False,
    theme: str = "light",
) -> Chart:
    """Return, left, the mean of `metric` in each cell, right its phase at `threshold`; a row of panels a facet value.

    With `column`, an axis, each of its values has a column of panels, means above phases. `trials` are rows of that
    table, a sweep, whose rows are read from the folder `results`, or a list of sweeps, which are drawn side by side on
    one scale; `minus` draws the first of two minus the second, paired by seed. A metric that is no accuracy, such as
    steps_to_unseen_order or seconds, is drawn as its median, without phases. `where` keeps the trials for which this
    SQL condition holds; with `live` those in training are drawn as they were last evaluated, of one sweep. Axes not
    given are the first varied ones. Raise UsageError where there is nothing to draw, or more than a picture has room
    for. `theme` is light or dark; a dark chart cannot be put beside others, `save` darkens those.
    """
    options: dict[str, Any] = {"metric": metric, "x": x, "y": y, "facet": facet}
    if minus and column is not None:
        raise UsageError(f"minus draws no columns of panels, got column {column}; leave it out")
    if minus and threshold != PHASE_THRESHOLD:
        raise UsageError(f"threshold is for phases, which minus does not draw, got {threshold:g}; leave it out")
    if threshold != PHASE_THRESHOLD and metric in metric_columns() and not is_accuracy(metric):
        raise UsageError(f"threshold is for phases, which {metric} has none of, got {threshold:g}; leave it out")
    options |= {} if minus else {"threshold": threshold, "column": column}
    if not isinstance(trials, pl.DataFrame | pl.LazyFrame):
        root = as_folder(results)
        grids = as_grids(trials, root)
        return in_theme(
            draw.draw_phases(grids, root, minus=minus, where=where, live=live, prefer=prefer, **options), theme
        )
    if minus:
        raise UsageError("minus takes two sweeps, got rows; give a list of two sweeps")
    require_known(trials, options)
    draw.check_phase_metric(metric)
    return in_theme(draw_any("phase", trials, results, where, prefer=prefer, live=live, **options), theme)


def plot_line(
    trials: Rows | Sequence[AnySweep],
    *,
    metric: str | Sequence[str] = PHASE_METRIC,
    x: str | None = None,
    color: str | None = None,
    facet: str | None = None,
    band: str = "interval",
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
    live: bool = False,
    theme: str = "light",
) -> Chart:
    """Return the mean of each `metric` along `x`, a panel a metric, a colour a value of `color`, a row a `facet` value.

    `trials` are rows of that table, a sweep, or a list of sweeps, each of which has rows of panels. `band` is
    `interval`, that of 95 % of the mean, or `range`, from the lowest to the highest seed; steps to an accuracy have
    medians, in which never is later than any step, in the range. `results`, `where`, `live`, axes that are not given
    and errors as of `plot_phase`.
    """
    options: dict[str, Any] = {"metric": metric, "x": x, "color": color, "facet": facet, "band": band}
    if not isinstance(trials, pl.DataFrame | pl.LazyFrame):
        root = as_folder(results)
        return in_theme(
            draw.draw_lines(as_grids(trials, root), root, where=where, live=live, prefer=prefer, **options), theme
        )
    return in_theme(draw_any("line", trials, results, where, prefer=prefer, live=live, **options), theme)


def plot_curves(
    trials: Rows,
    *,
    metric: str = "order",
    color: str | None = None,
    results: str | Path = "results",
    where: str | None = None,
    live: bool = False,
    theme: str = "light",
) -> Chart:
    """Return the mean of `metric` over optimiser steps, in a band from the lowest to the highest seed.

    `trials` are a sweep or rows of that table; their curves are read from the folder `results`. Each cell has a panel
    and each split a colour; with `color`, an axis, each of its values has a colour. `live` and UsageError as of
    `plot_phase`.
    """
    return in_theme(draw_any("curves", trials, results, where, live=live, metric=metric, color=color), theme)


def plot_contrast(
    trials: Rows,
    *,
    of: Mapping[str, Any],
    against: Mapping[str, Any],
    metric: str | Sequence[str] = PHASE_METRIC,
    by: str | None = None,
    results: str | Path = "results",
    where: str | None = None,
    theme: str = "light",
) -> Chart:
    """Return the differences that `contrast` gives with these arguments, each with its interval, a panel a metric."""
    check_sides(of=of, against=against)
    if isinstance(trials, pl.DataFrame | pl.LazyFrame):
        return in_theme(
            draw.contrast_of_rows(chosen(trials, where), of=of, against=against, metric=metric, by=by), theme
        )
    grid, root = stored(trials, results)
    return in_theme(draw.draw_contrast(grid, root, of=of, against=against, metric=metric, by=by, where=where), theme)


def plot_cost(
    trials: Rows,
    *,
    by: str | None = None,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
    theme: str = "light",
) -> Chart:
    """Return where the hours of `trials` went by outcome, and what one trial takes, along the axis `by`.

    `trials`, `results`, `where`, an axis that is not given and errors as of `plot_phase`.
    """
    return in_theme(draw_any("cost", trials, results, where, prefer=prefer, by=by), theme)


def plot_search(search: AnySweep, *, results: str | Path = "results", theme: str = "light") -> Chart:
    """Return how a search went, which axes decide, and the objective along each; of several the Pareto front.

    Raise UsageError where no cell has an objective yet.
    """
    from lrsym.results.plots import search as picture
    from lrsym.results.store.store import Store
    from lrsym.sweep.search.importance import search_frames

    found = as_sweep(search)
    if not isinstance(found, Search):
        phases = found.command("plot phase", as_folder(results))
        raise UsageError(f"this picture is of searches, {found.source} has no [search]; draw its phases: {phases}")
    root = as_trained_folder(results)
    frames = search_frames(found, Store(root))
    verb, what = ("sweep", "train some") if frames.suggestions.is_empty() else ("status", "see how they ended")
    remedy = f"{what}: {command(verb, found.source.name, root, changes=found.source.changes)}"
    return in_theme(picture.plot_search(frames, name=found.name, remedy=remedy), theme)


def save(chart: Chart, path: str | Path, *, theme: str = "light") -> list[Path]:
    """Write `chart` to `path`, whose suffix names the format: .html, .png, .svg or .json; without one, all of them.

    `theme` dark redraws a chart in dark colours; one that is dark already stays so.

    HTML works without a network. Return the paths. Raise UsageError for another suffix, for what is no chart, and
    where it cannot be written.
    """
    return files.save_as(chart, as_file(path), theme=theme)
