"""Draw from Python: a picture of a sweep, or of rows that a query or `run_sweep` gave."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lrsym.api.arguments import AnySweep, as_file, as_sweep, as_trained_folder, check_sides, with_one_error
from lrsym.api.rows import Rows, chosen, several_stored, stored
from lrsym.errors import UsageError
from lrsym.results.analysis.phases import check_threshold
from lrsym.results.plots import (
    ablations,
    cost,
    curves,
    draw,
    lines,
    mechanism_map,
    onset,
    phase_diagram,
    profiles,
    symmetry,
)
from lrsym.results.plots import save as files
from lrsym.results.plots.theme import Chart
from lrsym.results.store.schema import axis_columns
from lrsym.results.store.store import load
from lrsym.sweep.spec.search import Search
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD


@with_one_error
def plot_phase(
    trials: Rows | Sequence[AnySweep],
    *,
    metric: str = PHASE_METRIC,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    threshold: float = PHASE_THRESHOLD,
    minus: bool = False,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
) -> Chart:
    """Return, left, the mean of `metric` in each cell, right its phase at `threshold`; a row of panels a facet value.

    `trials` are rows of that table, a sweep, whose rows are read from the folder `results`, or a list of sweeps, which
    are drawn side by side on one scale; `minus` draws the first of two minus the second, paired by seed. A metric that
    is no accuracy, such as steps_to_unseen_order or seconds, is drawn as its median, without phases. `where` keeps the
    trials for which this SQL condition holds. Axes not given are the first varied ones. Raise UsageError where there is
    nothing to draw, or more than a picture has room for.
    """
    options: dict[str, Any] = {"metric": metric, "x": x, "y": y, "facet": facet}
    check_threshold(threshold)
    options |= {} if minus else {"threshold": threshold}
    if isinstance(trials, pl.DataFrame | pl.LazyFrame):
        if minus:
            raise UsageError("minus takes two sweeps, got rows; give a list of two sweeps")
        draw.check_phase_metric(metric)
        return phase_diagram.plot_phase(chosen(trials, where), prefer=prefer, **options)
    grids, root = several_stored(trials, results)
    return draw.draw_phases(grids, root, minus=minus, where=where, **options)


@with_one_error
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
) -> Chart:
    """Return the mean of each `metric` along `x`, a panel a metric, a colour a value of `color`, a row a `facet` value.

    `trials` are rows of that table, a sweep, or a list of sweeps, each of which has rows of panels. `band` is
    `interval`, that of 95 % of the mean, or `range`, from the lowest to the highest seed. `results`, `where`, axes that
    are not given and errors as of `plot_phase`.
    """
    options: dict[str, Any] = {"metric": metric, "x": x, "color": color, "facet": facet, "band": band}
    if isinstance(trials, pl.DataFrame | pl.LazyFrame):
        return lines.plot_line(chosen(trials, where), prefer=prefer, **options)
    grids, root = several_stored(trials, results)
    return draw.draw_lines(grids, root, where=where, **options)


@with_one_error
def plot_curves(
    trials: Rows,
    *,
    metric: str = "order",
    color: str | None = None,
    results: str | Path = "results",
    where: str | None = None,
) -> Chart:
    """Return the mean of `metric` over optimiser steps, in a band from the lowest to the highest seed.

    `trials` are a sweep or rows of that table; their curves are read from the folder `results`. Each cell has a panel
    and each split a colour; with `color`, an axis, each of its values has a colour. Raise UsageError as `plot_phase`.
    """
    return _draw("curves", curves.plot_curves, trials, results, where, metric=metric, color=color)


@with_one_error
def plot_ablation(
    trials: Rows, *, split: str = "unseen", results: str | Path = "results", where: str | None = None
) -> Chart:
    """Return the accuracies on `split` with each score term left out at inference.

    `trials` are a sweep or rows of that table; their ablations are read from the folder `results`. Raise UsageError as
    `plot_phase`.
    """
    return _draw("ablation", ablations.plot_ablation, trials, results, where, split=split)


@with_one_error
def plot_mechanism(
    trials: Rows,
    *,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
) -> Chart:
    """Return by which path the seeds of each cell read order on unseen pairs, a panel a facet value.

    `trials`, `results`, `where`, the axes and errors as of `plot_phase`.
    """
    options: dict[str, Any] = {"x": x, "y": y, "facet": facet}
    if isinstance(trials, pl.DataFrame | pl.LazyFrame):
        return mechanism_map.plot_mechanism(chosen(trials, where), prefer=prefer, **options)
    grid, root = stored(trials, results)
    return draw.draw("mechanism", grid, root, where=where, **options)


@with_one_error
def plot_onset(trials: Rows, *, results: str | Path = "results", where: str | None = None) -> Chart:
    """Return when order on unseen pairs, attention by side and path come along training, a row of panels a cell.

    `trials` are a sweep or rows of that table, with `eval.mechanism = "points"`; what they have along training is read
    from the folder `results`. Raise UsageError as `plot_phase`.
    """
    return _draw("onset", onset.plot_onset, trials, results, where)


@with_one_error
def plot_symmetry(
    trials: Rows,
    *,
    x: str | None = None,
    color: str | None = None,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
) -> Chart:
    """Return the moments over seeds of the slope of the position-key terms along `x`, a colour for each size `color`.

    `trials` are a sweep or rows of that table; their terms are read from the folder `results`. `where`, the axes and
    errors as of `plot_phase`.
    """
    options: dict[str, Any] = {"x": x, "color": color}
    if isinstance(trials, pl.DataFrame | pl.LazyFrame):
        rows = chosen(trials, where)
        terms = load(as_trained_folder(results), "terms", trial_ids=rows["trial_id"])
        return symmetry.plot_symmetry(rows, beside=terms, prefer=prefer, **options)
    grid, root = stored(trials, results)
    return draw.draw("symmetry", grid, root, where=where, **options)


@with_one_error
def plot_profile(trials: Rows, *, results: str | Path = "results", where: str | None = None) -> Chart:
    """Return what each head adds to the logit along the pixels, term by term, for trials of one cell.

    `trials` are a sweep or rows of that table; their terms are read from the folder `results`. Raise UsageError as
    `plot_phase`.
    """
    return _draw("profile", profiles.plot_profile, trials, results, where)


@with_one_error
def plot_contrast(
    trials: Rows,
    *,
    of: Mapping[str, Any],
    against: Mapping[str, Any],
    metric: str | Sequence[str] = PHASE_METRIC,
    by: str | None = None,
    results: str | Path = "results",
    where: str | None = None,
) -> Chart:
    """Return the differences that `contrast` gives with these arguments, each with its interval, a panel a metric."""
    from lrsym.results.analysis import contrasts
    from lrsym.results.analysis.metrics import as_metrics
    from lrsym.results.plots import contrast

    check_sides(of=of, against=against)
    if not isinstance(trials, pl.DataFrame | pl.LazyFrame):
        grid, root = stored(trials, results)
        return draw.draw_contrast(grid, root, of=of, against=against, metric=metric, by=by, where=where)
    rows = chosen(trials, where)
    found = contrasts.contrast(rows, of=of, against=against, metrics=as_metrics(metric), by=by)
    return contrast.plot_contrast(found, of=contrasts.in_words(of), against=contrasts.in_words(against), by=by)


@with_one_error
def plot_cost(
    trials: Rows,
    *,
    by: str | None = None,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
) -> Chart:
    """Return where the hours of `trials` went by outcome, and what one trial takes, along the axis `by`.

    `trials`, `results`, `where`, an axis that is not given and errors as of `plot_phase`.
    """
    if isinstance(trials, pl.DataFrame | pl.LazyFrame):
        return cost.plot_cost(chosen(trials, where), by=by, prefer=prefer)
    grid, root = stored(trials, results)
    return draw.draw("cost", grid, root, where=where, by=by)


@with_one_error
def plot_search(search: AnySweep, *, results: str | Path = "results") -> Chart:
    """Return how a search went, which axes decide, and the objective along each; of several the Pareto front.

    Raise UsageError where no cell has an objective yet.
    """
    from lrsym.results.plots import search as picture
    from lrsym.results.store.store import Store
    from lrsym.sweep.search.importance import search_frames

    found = as_sweep(search)
    if not isinstance(found, Search):
        raise UsageError(f"this picture is of searches, {found.name} is a grid; draw plot_phase")
    return picture.plot_search(search_frames(found, Store(as_trained_folder(results))), name=found.name)


@with_one_error
def save(chart: Chart, path: str | Path) -> list[Path]:
    """Write `chart` to `path`, whose suffix names the format: .html, .png, .svg or .json; without one, all of them.

    HTML works without a network. Return the paths. Raise UsageError for another suffix, for what is no chart, and
    where it cannot be written.
    """
    return files.save_as(chart, as_file(path))


def _draw(
    kind: str, plot: Callable[..., Chart], trials: Rows, results: str | Path, where: str | None, **options: Any
) -> Chart:
    """Return a picture of what `trials`, a sweep or rows, have in the table that pictures of `kind` show."""
    if not isinstance(trials, pl.DataFrame | pl.LazyFrame):
        grid, root = stored(trials, results)
        return draw.draw(kind, grid, root, where=where, **options)
    rows = trials.lazy().collect()
    table, second = draw.PICTURES[kind], draw.BESIDE.get(kind)
    if _is_of_trials(rows):
        kept = chosen(rows, where)
        columns = [name for name in axis_columns() if name in kept.columns]
        axes = kept.lazy().select("trial_id", *columns)
        root = as_trained_folder(results)
        rows = load(root, table, trial_ids=kept["trial_id"]).join(axes, on="trial_id").collect()
        if rows.is_empty():
            raise UsageError(f"the {kept.height} trials have no rows of the table {table} in {root}; check results")
        if second:
            options["beside"] = load(root, second, trial_ids=kept["trial_id"])
    elif second:
        raise UsageError(f"it is drawn of the tables {table} and {second}; give a sweep, or rows of the table trials")
    return plot(rows, **options)


def _is_of_trials(rows: pl.DataFrame) -> bool:
    if "trial_id" not in rows.columns:
        raise UsageError("rows must have the column trial_id, as those of lrsym.load_trials; give these, or a sweep")
    return "status" in rows.columns
