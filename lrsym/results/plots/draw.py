"""Draw a sweep: choose the rows and axes by the kind of picture, draw, or say why there is nothing to draw."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.contrasts import contrast, in_words
from lrsym.results.analysis.metrics import as_metrics, metric_columns
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.plots import theme
from lrsym.results.plots.ablations import plot_ablation
from lrsym.results.plots.boundary import plot_boundary
from lrsym.results.plots.contrast import plot_contrast
from lrsym.results.plots.cost import plot_cost
from lrsym.results.plots.curves import plot_curves
from lrsym.results.plots.lines import plot_line
from lrsym.results.plots.mechanism_map import plot_mechanism
from lrsym.results.plots.onset import plot_onset
from lrsym.results.plots.phase_diagram import plot_phase
from lrsym.results.plots.phase_minus import plot_minus
from lrsym.results.plots.phase_probabilities import plot_probabilities
from lrsym.results.plots.profiles import plot_profile
from lrsym.results.plots.refined import plot_refined
from lrsym.results.plots.sweep_rows import NothingToDrawError, Sweep, SweepRows, join, rows_of
from lrsym.results.plots.symmetry import plot_symmetry
from lrsym.results.store.query import filter_trials
from lrsym.results.store.schema import TABLES
from lrsym.toml_source import suggest
from lrsym.vocabulary import METRICS, PHASE_METRIC, PICTURES, by_name, is_accuracy

PLOTS: Mapping[str, Callable[..., theme.Chart]] = by_name(
    [kind for kind in PICTURES if kind != "search"],
    {
        "phase": plot_phase,
        "probabilities": plot_probabilities,
        "boundary": plot_boundary,
        "line": plot_line,
        "curves": plot_curves,
        "ablation": plot_ablation,
        "mechanism": plot_mechanism,
        "onset": plot_onset,
        "symmetry": plot_symmetry,
        "profile": plot_profile,
        "cost": plot_cost,
    },
)
"""What draws the rows of each kind that is of the trials of a sweep; a search is drawn of its suggestions."""

BESIDE = {"onset": "measure_curves", "symmetry": "terms"}
"""A second table that a kind of picture takes, as its argument `beside`."""


def draw(
    kind: str, sweep: Sweep, root: str, *, where: str | None = None, live: bool = False, **options: Any
) -> theme.Chart:
    """Return the picture of the trials of `sweep` in the store at `root` that meet the SQL condition `where`.

    `kind` is one of PICTURES, but not search; `options` are those of its function, such as `metric` of `plot_phase`.
    With `live` trials in training are drawn as they were last evaluated, in pictures of the tables trials and curves.
    Raises NothingToDrawError where the store has no rows for it, UsageError where they do not fit into one picture.
    """
    return draw_rows(kind, SweepRows(sweep, root, where, live), **options)


def draw_rows(kind: str, rows: SweepRows, **options: Any) -> theme.Chart:
    """Return the picture of `rows`; `kind`, `options` and errors as of `draw`."""
    table = PICTURES[kind]
    shown = rows.require(table)
    if kind == "ablation" and {*shown["term"]} == {"none"}:
        raise NothingToDrawError(f"nothing to draw: {rows.why_nothing(table)}")
    if second := BESIDE.get(kind):
        options["beside"] = rows.table(second)
    prefer = options.pop("prefer", ()) or rows.prefer
    if table == "trials":
        options["prefer"] = prefer
    notes = rows.notes() + rows.in_training(shown["trial_id"])
    if table != "trials":  # such a picture says it itself
        notes += [*theme.not_at_end(rows.trials), *theme.stopped_early(rows.trials)]
    return _with_notes(PLOTS[kind](shown, **options), notes)


def draw_lines(sweeps: Sequence[Sweep], root: str, *, where: str | None = None, **options: Any) -> theme.Chart:
    """Return the picture of lines of `sweeps`, each with panels of its own; `options` are those of `plot_line`.

    Raises as `draw`.
    """
    as_metrics(options.get("metric", PHASE_METRIC))
    return draw_several("line", sweeps, root, where=where, **options)


def draw_phases(
    sweeps: Sequence[Sweep], root: str, *, minus: bool = False, where: str | None = None, **options: Any
) -> theme.Chart:
    """Return the phase diagrams of `sweeps` side by side on one scale, or the first `minus` the second, paired.

    `options` are those of `plot_phase`, with `minus` of `plot_minus`. Raises as `draw`, and for `minus` without two.
    """
    check_phase_metric(options.get("metric", PHASE_METRIC))
    if not minus:
        return draw_several("phase", sweeps, root, where=where, **options)
    if len(sweeps) != 2:
        raise UsageError(f"--minus takes two sweeps, the first minus the second, got {len(sweeps)}; name two files")
    if options.pop("live", False):
        raise UsageError("--live shows one sweep while it runs, not a difference; leave it or --minus out")
    if sweeps[0].name == sweeps[1].name and sweeps[0].trial_ids() == sweeps[1].trial_ids():
        raise UsageError(f"--minus takes two sweeps, got the trials of {sweeps[0].name} twice; name another file")
    both = [SweepRows(sweep, root, where) for sweep in sweeps]
    left, right = (rows.require() for rows in both)
    names, prefer = (sweeps[0].name, sweeps[1].name), options.pop("prefer", ()) or both[0].prefer
    return _with_notes(plot_minus(left, right, names=names, prefer=prefer, **options), _notes(both))


def check_phase_metric(metric: str) -> None:
    """Raise UsageError unless `metric` is what a phase diagram can show: an accuracy, or another column of numbers."""
    if not is_accuracy(metric) and metric not in (others := metric_columns()):
        if "," in metric:
            raise UsageError(f"a phase diagram has one metric, got {metric}; draw each, or all of them with plot line")
        if near := suggest(metric, others):
            raise UsageError(f"metric must be an accuracy or another column of numbers, got {metric}; {near}")
        split_and_metric(metric)


def draw_several(
    kind: str, sweeps: Sequence[Sweep], root: str, *, where: str | None = None, **options: Any
) -> theme.Chart:
    """Return the picture of that `kind` of one sweep, or of several whose rows the column `sweep` tells apart.

    Raises as `draw`, and where two have the same name.
    """
    if len(sweeps) == 1:
        return draw(kind, sweeps[0], root, where=where, **options)
    if options.pop("live", False):
        raise UsageError(f"--live shows one sweep while it runs, got {len(sweeps)}; name one, or leave it out")
    several = rows_of(sweeps, root, where)
    joined, prefer = join(several), options.pop("prefer", ()) or several[0].prefer
    return _with_notes(PLOTS[kind](joined, prefer=prefer, **options), _notes(several))


def _notes(several: Sequence[SweepRows]) -> list[str]:
    """Return what `SweepRows.notes` does of several sweeps, by their names."""
    return [*several[0].condition(), *(note for rows in several for note in rows.missing(rows.sweep.name))]


def draw_contrast(sweep: Sweep, root: str, *, where: str | None = None, **options: Any) -> theme.Chart:
    """Return the picture of a contrast in `sweep`; `options` are those of `contrast_of_rows`, errors also of `draw`."""
    rows = SweepRows(sweep, root, where)
    as_metrics(options.get("metric", PHASE_METRIC))
    return _with_notes(contrast_of_rows(rows.require(), **options), rows.notes())


def contrast_of_rows(
    trials: pl.DataFrame,
    *,
    of: Mapping[str, Any],
    against: Mapping[str, Any],
    metric: str | Sequence[str] = PHASE_METRIC,
    by: str | None = None,
) -> theme.Chart:
    """Return the picture of a contrast in rows of the table trials, with the arguments of `contrast`; raises as it."""
    found = contrast(trials, of=of, against=against, metrics=as_metrics(metric), by=by)
    return plot_contrast(found, of=in_words(of), against=in_words(against), by=by)


def draw_refined(
    sweep: Sweep, root: str, *, cells: pl.DataFrame, where: str | None = None, **options: Any
) -> theme.Chart:
    """Return the picture of a boundary over `cells`, those of `sweep`, that meet the SQL condition `where` on axes.

    `options` are those of `plot_refined`. Raises as `draw`.
    """
    rows = SweepRows(sweep, root, where)
    trials = rows.require()
    chosen = cells if where is None else filter_trials(cells, where)
    notes = [*theme.stopped_early(trials), *rows.notes()]
    return _with_notes(plot_refined(trials, cells=chosen, prefer=rows.prefer, **options), notes)


def _with_notes(chart: theme.Chart, notes: list[str]) -> theme.Chart:
    if notes:
        assert isinstance(chart.title, alt.TitleParams)
        chart.title.subtitle += notes
    return chart


def check_picture(kind: str, *, where: str | None = None, metric: str | None = None) -> None:
    """Raise UsageError for what could not be drawn of any rows: a wrong condition, a metric that does not exist."""
    if kind not in PLOTS:
        raise UsageError(f"kind must be a picture of a grid, {', '.join(PLOTS)}, got {kind}; choose one of them")
    if where is not None:
        filter_trials(TABLES["trials"].empty, where)
    if kind == "phase" and metric is not None:
        check_phase_metric(metric)
    if kind in ("probabilities", "boundary") and metric is not None:
        split_and_metric(metric)
    if kind == "line" and metric is not None:
        as_metrics(metric)
    if kind == "curves" and metric is not None and metric not in (*METRICS, "loss"):
        raise UsageError(f"metric must be one of {', '.join(METRICS)}, loss, got {metric}; choose one of them")
