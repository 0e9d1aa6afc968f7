"""Draw a sweep: read its rows from the store, choose the axes, draw by kind, or say why there is nothing to draw."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.contrasts import contrast, in_words
from lrsym.results.analysis.metrics import as_metrics, metric_columns
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.analysis.varied_axes import SWEEP
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
from lrsym.results.plots.read_rows import read_rows
from lrsym.results.plots.refined import plot_refined
from lrsym.results.plots.symmetry import plot_symmetry
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.live import LiveRows, read_live
from lrsym.results.store.query import filter_trials
from lrsym.results.store.schema import ALONG_TRAINING, TABLES
from lrsym.results.store.store import load, read_again
from lrsym.vocabulary import METRICS, PHASE_METRIC, PICTURES, by_name, is_accuracy

_DRAW: Mapping[str, Callable[..., theme.Chart]] = by_name(
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
"""Kinds that are drawn of the trials of a sweep; that of a search is drawn of its suggestions (`search.py`)."""

BESIDE = {"onset": "measure_curves", "symmetry": "terms"}
"""A second table that a kind of picture takes, as its argument `beside`."""


class Sweep(Protocol):
    """What a picture needs to know of a sweep."""

    @property
    def name(self) -> str:
        """Its name, for messages."""
        ...

    @property
    def varied(self) -> Sequence[str]:
        """The keys of the axes that it varies, in its order, such as `scenes.n_pair_labels`."""
        ...

    def trial_ids(self) -> list[str]:
        """Return the identities of its trials."""
        ...

    def command(self, verb: str, results: str) -> str:
        """Return what to type for `verb`."""
        ...


class NothingToDrawError(UsageError):
    """The store has no rows for a picture; the message says why and what to do."""


def draw(
    kind: str, sweep: Sweep, root: str, *, where: str | None = None, live: bool = False, **options: Any
) -> theme.Chart:
    """Return the picture of the trials of `sweep` in the store at `root` that meet the SQL condition `where`.

    `kind` is one of PICTURES, but not search; `options` are those of its function, such as `metric` of `plot_phase`.
    With `live` trials in training are drawn as they were last evaluated, in pictures of the tables trials and curves.
    Raises NothingToDrawError where the store has no rows for it, UsageError where they do not fit into one picture.
    """
    table = PICTURES[kind]
    so_far = read_live(open_filesystem(root), sweep.trial_ids()) if live else None
    rows = read_rows(root, table, trial_ids=sweep.trial_ids(), where=where, live=so_far)
    if rows.is_empty() or (kind == "ablation" and {*rows["term"]} == {"none"}):
        raise NothingToDrawError(f"nothing to draw: {_why_nothing(sweep, root, table, where=where)}")
    if second := BESIDE.get(kind):
        options["beside"] = read_rows(root, second, trial_ids=sweep.trial_ids(), where=where)
    if table == "trials":
        options["prefer"] = preferred(sweep)
    notes = _notes(sweep, root=root, where=where) + _in_training(so_far, rows["trial_id"])
    if table != "trials":  # such a picture says it itself
        notes += theme.stopped_early(read_rows(root, "trials", trial_ids=sweep.trial_ids(), where=where))
    return _with_notes(_DRAW[kind](rows, **options), notes)


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
    left, right = (_rows_of(sweep, root, where=where) for sweep in sweeps)
    names = (sweeps[0].name, sweeps[1].name)
    chart = plot_minus(left, right, names=names, prefer=preferred(sweeps[0]), **options)
    return _with_notes(chart, _notes(*sweeps, root=root, where=where))


def check_phase_metric(metric: str) -> None:
    """Raise UsageError unless `metric` is what a phase diagram can show: an accuracy, or another column of numbers."""
    if not is_accuracy(metric) and metric not in metric_columns():
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
    chart = _DRAW[kind](read_several(sweeps, root, where=where), prefer=preferred(sweeps[0]), **options)
    return _with_notes(chart, _notes(*sweeps, root=root, where=where))


def read_several(sweeps: Sequence[Sweep], root: str, *, where: str | None = None) -> pl.DataFrame:
    """Return the rows of the trials of `sweeps`, of more than one with a column `sweep`; raises as `draw_several`."""
    names = [sweep.name for sweep in sweeps]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"sweeps side by side must differ in their names, got {twice} twice; leave one out")
    if len(sweeps) == 1:
        return read_trials(sweeps[0], root, where=where)
    tables = [_rows_of(sweep, root, where=where) for sweep in sweeps]
    return pl.concat(rows.with_columns(pl.lit(name).alias(SWEEP)) for rows, name in zip(tables, names, strict=True))


def _rows_of(sweep: Sweep, root: str, *, where: str | None) -> pl.DataFrame:
    rows = read_rows(root, "trials", trial_ids=sweep.trial_ids(), where=where)
    if rows.is_empty():
        raise NothingToDrawError(f"nothing to draw: {_why_nothing(sweep, root, 'trials', where=where)}")
    return rows


def preferred(sweep: Sweep) -> list[str]:
    """Return the axes that a sweep varies, in its order."""
    return [key.rpartition(".")[2] for key in sweep.varied]


def _notes(*sweeps: Sweep, root: str, where: str | None) -> list[str]:
    """Return which trials are shown, and how many of the sweeps are missing, as sentences."""
    return [*([] if where is None else [f"Only trials with {where}."]), *_missing(*sweeps, root=root)]


def draw_contrast(
    sweep: Sweep,
    root: str,
    *,
    of: Mapping[str, Any],
    against: Mapping[str, Any],
    metric: str | Sequence[str] = PHASE_METRIC,
    by: str | None = None,
    where: str | None = None,
) -> theme.Chart:
    """Return the picture of a contrast in `sweep`, with the arguments of `contrast`; raises as it and as `draw`."""
    metrics, rows = as_metrics(metric), _rows_of(sweep, root, where=where)
    found = contrast(rows, of=of, against=against, metrics=metrics, by=by)
    chart = plot_contrast(found, of=in_words(of), against=in_words(against), by=by)
    return _with_notes(chart, _notes(sweep, root=root, where=where))


def draw_refined(
    sweep: Sweep, root: str, *, cells: pl.DataFrame, where: str | None = None, **options: Any
) -> theme.Chart:
    """Return the picture of a boundary over `cells`, those of `sweep`, that meet the SQL condition `where` on axes.

    `options` are those of `plot_refined`. Raises as `draw`.
    """
    rows = _rows_of(sweep, root, where=where)
    chosen = cells if where is None else filter_trials(cells, where)
    notes = [*theme.stopped_early(rows), *_notes(sweep, root=root, where=where)]
    return _with_notes(plot_refined(rows, cells=chosen, prefer=preferred(sweep), **options), notes)


def _missing(*sweeps: Sweep, root: str) -> list[str]:
    """Return how many trials of each sweep have a row, as sentences; none where all have: cells without do not show."""
    sentences = []
    for sweep in sweeps:
        ids, name = sweep.trial_ids(), "The sweep" if len(sweeps) == 1 else sweep.name
        trained = read_again(lambda ids=ids: load(root, "trials", trial_ids=ids).select(pl.len()).collect().item())
        sentences += [] if trained == len(ids) else [f"{name} has {len(ids):,} trials, {trained:,} are there."]
    return sentences


def _in_training(live: LiveRows | None, shown: pl.Series) -> list[str]:
    """Return how many of the trials `shown` are not at their end, as a sentence; none where all are."""
    if live is None:
        return []
    steps = live.training.filter(pl.col("trial_id").is_in(shown.unique().implode()))["trained_steps"]
    if steps.is_empty():
        return []
    fewest, most = steps.min(), steps.max()
    at = f"step {fewest}" if fewest == most else f"steps {fewest} to {most}"
    trials = "1 trial is" if len(steps) == 1 else f"{len(steps):,} trials are"
    return [f"{trials} not at the end of training, drawn as last evaluated, at {at}."]


def _with_notes(chart: theme.Chart, notes: list[str]) -> theme.Chart:
    if notes:
        assert isinstance(chart.title, alt.TitleParams)
        chart.title.subtitle += notes
    return chart


def check_picture(kind: str, *, where: str | None = None, metric: str | None = None) -> None:
    """Raise UsageError for what could not be drawn of any rows: a wrong condition, a metric that does not exist."""
    if kind not in _DRAW:
        raise UsageError(f"kind must be a picture of a grid, {', '.join(_DRAW)}, got {kind}; choose one of them")
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


def read_trials(sweep: Sweep, root: str, *, where: str | None = None, live: bool = False) -> pl.DataFrame:
    """Return the rows of the trials of `sweep` that meet the SQL condition `where`; UsageError where there is none.

    With `live` those in training are among them, as they were last evaluated.
    """
    so_far = read_live(open_filesystem(root), sweep.trial_ids()) if live else None
    rows = read_rows(root, "trials", trial_ids=sweep.trial_ids(), where=where, live=so_far)
    if rows.is_empty():
        raise UsageError(_why_nothing(sweep, root, "trials", where=where))
    return rows


def _why_nothing(sweep: Sweep, root: str, table: str, *, where: str | None) -> str:
    """Return why the store has no rows of `table`, with the remedy."""
    trained = read_rows(root, "trials", trial_ids=sweep.trial_ids())
    if trained.is_empty():
        return f"no trial of {sweep.name} in {root}; train first: {sweep.command('sweep', root)}"
    chosen = trained if where is None else filter_trials(trained, where)
    if chosen.is_empty():
        return f"no trial of {sweep.name} in {root} where {where}; leave --where out"
    if table in ALONG_TRAINING.values():
        return (
            f"the {chosen.height} trials of {sweep.name} have no {table}: the mechanism along training is told of "
            'trials with eval.mechanism = "points"; ask for it in the sweep file, as sweeps/onset.toml does'
        )
    if table in ("ablations", "terms"):
        return (
            f"the {chosen.height} trials of {sweep.name} have no {table}: there are terms where the first block reads "
            "token + position embeddings itself, with model.layer_norm none or post; rows of older versions lack them"
        )
    return f"no {table} of {sweep.name} in {root}; see how the trials ended: {sweep.command('status', root)}"
