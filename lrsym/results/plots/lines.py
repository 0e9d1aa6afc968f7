"""Lines: the mean of one or more metrics along an axis, in bands, a colour for each value of another axis.

Steps to an accuracy have a median, in which never is later than any step, as on the map: the mean would be that of the
seeds that get there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import SHARED, Frame, with_trial_ids
from lrsym.results.analysis.cell_numbers import STEPS_TO
from lrsym.results.analysis.intervals import interval_of
from lrsym.results.analysis.lines import BANDS, is_geometric, is_nominal, lines
from lrsym.results.analysis.metrics import as_metrics, metric_columns
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.analysis.varied_axes import SWEEP, check_single_cells, choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.interaction import Chosen, zoomed
from lrsym.vocabulary import CHANCE, METRICS, PHASE_METRIC, SPLITS, is_accuracy

MAX_PANELS, MAX_COLOURS = 12, 12
"""Panels, and colours in one, that a reader can still tell apart."""

_WIDTHS, _HEIGHT = {1: 460, 2: 380}, 260
"""Pixels of a panel: its width by the number of metrics, and its height."""

_WIDTH, _MARGIN, _MAX_TICKS = 310, 70, 12

_LOSSES = {"diverged": "diverged", "failed": "failed", "censored": "cut short"}
"""Counts of `summarise`, with their words."""

_POINT_SIZE, _CROSS_SIZE, _OPACITY = 42, 70, 0.15

_EDGE = 6
"""Pixels from the edge of a panel to the middle of a mark that stands there, so that it is whole."""

_PADDING = 4
"""Pixels beyond the ends of y, so that no point at one of them is cut in half."""


@dataclass(frozen=True)
class LinePlot:
    """The rows of `lines` with the axes that they are drawn along."""

    cells: pl.DataFrame
    metrics: list[str]
    x: str
    color: str | None
    rows: list[str]
    """Columns with a row of panels for each combination of their values."""
    band: str

    @property
    def x_values(self) -> list[Any]:
        """The values of x, ascending."""
        return self.cells[self.x].unique().sort(nulls_last=True).to_list()

    @property
    def width(self) -> int:
        """Pixels of a panel."""
        return _WIDTHS.get(len(self.metrics), _WIDTH)


def plot_line(
    trials: Frame,
    *,
    metric: str | Sequence[str] = PHASE_METRIC,
    x: str | None = None,
    color: str | None = None,
    facet: str | None = None,
    band: str = "interval",
    prefer: Sequence[str] = (),
) -> theme.Chart:
    """Return the mean of each metric along `x`: a panel a metric, a colour a value of `color`, a row a `facet` value.

    `trials` is the table of that name; with a column `sweep` each sweep has rows of panels. `metric` is one column, or
    several, as a list or with commas; axes not given are the first varied ones, those in `prefer` before others. The
    band is the 95 % interval of the mean, or the range of the seeds; steps to an accuracy have medians, in the range. A
    ring is red where a cell lost trials, a red cross stands where it lost all. Raises UsageError if more axes vary than
    a picture has room for, or if there is nothing to draw.
    """
    metrics = as_metrics(metric)
    if band not in BANDS:
        raise UsageError(f"band must be one of {', '.join(BANDS)}, got {band}; choose one of them")
    trials = trials.lazy().collect()
    if trials.is_empty():
        raise UsageError("there are no trials to draw; train a sweep first, or load the folder that has its rows")
    if missing := [name for name in metrics if name not in trials.columns]:
        raise UsageError(f"the rows have no column {missing[0]}; give rows of the table trials, or leave it out")
    first, sweeps = trials, []
    if SWEEP in trials.columns and trials[SWEEP].n_unique() > 1:
        first, sweeps = trials.filter(pl.col(SWEEP) == trials[SWEEP][0]), [SWEEP]
    x, color, facet = choose_axes(first, x=x, y=color, facet=facet, prefer=prefer)
    rows = [*sweeps, *([facet] if facet else [])]
    by = [*rows, *([color] if color else []), x]
    check_single_cells(trials, by=by, choices="--x, --color, --facet")
    cells = with_trial_ids(lines(trials, by=by, metrics=metrics, band=band), trials, by=by)
    plot = LinePlot(cells, metrics, x, color, rows, band)
    _check_values(plot, trials)
    chosen = Chosen("hue")
    panels = zoomed(alt.concat(*_panels(plot, chosen), columns=len(metrics), spacing=30), along=["x"])
    return theme.finish(
        chosen.on(panels) if color else panels,
        title=f"{', '.join(metrics)} by {theme.axis_title(x)}",
        subtitle=_explain(plot, trials),
        width=len(metrics) * (plot.width + _MARGIN),
        frame=cells,
    )


def _check_values(plot: LinePlot, trials: pl.DataFrame) -> None:
    """Raise UsageError where a metric has neither mean nor median, or where there is more to draw than can be read."""
    for metric in plot.metrics:
        cells = plot.cells.filter(metric=metric)
        lost = {what: int(cells[f"n_{name}"].sum()) for name, what in _LOSSES.items()}
        if not cells[_middle(metric)].count():
            told = ", ".join(f"{n} {what}" for what, n in lost.items() if n)
            why = f", of {trials.height} {told}" if told else ""
            never = int(cells["n_never"].sum())
            none = f"no cell has a median of {metric}, {counted(never, 'trial')} never" if never else ""
            raise UsageError(
                f"{none or f'no trial has a value of {metric}'}{why}; choose another --metric, or others with --where"
            )
    n_rows = plot.cells.select(plot.rows).n_unique() if plot.rows else 1
    if len(plot.metrics) * n_rows > MAX_PANELS:
        fewer = f", or keep fewer values of {plot.rows[-1]} with --where" if plot.rows else ""
        raise UsageError(
            f"{len(plot.metrics) * n_rows} panels to draw, {len(plot.metrics)} metrics in {n_rows} rows, a picture has "
            f"room for {MAX_PANELS}; give fewer to --metric{fewer}"
        )
    if plot.color:
        theme.check_limit("colours", plot.cells[plot.color].n_unique(), limit=MAX_COLOURS, varied=[plot.color])


def _panels(plot: LinePlot, chosen: Chosen) -> list[alt.LayerChart]:
    """Return a row of panels, one for each metric, for each combination of the values of `plot.rows`."""
    parts = plot.cells.partition_by(plot.rows, maintain_order=True) if plot.rows else [plot.cells]
    panels = []
    for cells in parts:
        heading = ", ".join(_row_heading(name, cells[name][0]) for name in plot.rows)
        for metric in plot.metrics:
            title = f"{heading}: {metric}" if heading else metric
            panels.append(_panel(plot, cells.filter(metric=metric), chosen, metric=metric, title=title))
    return panels


def _row_heading(name: str, value: object) -> str:
    return str(value) if name == SWEEP else f"{name} = {theme.format_value(value)}"


def _panel(plot: LinePlot, cells: pl.DataFrame, chosen: Chosen, *, metric: str, title: str) -> alt.LayerChart:
    texts = [theme.format_value(value) for value in cells[plot.color]] if plot.color else [metric] * cells.height
    x_texts = [theme.format_value(value) for value in cells[plot.x]]
    cells = cells.with_columns(pl.Series("hue", texts, dtype=pl.String), pl.Series("x_text", x_texts, dtype=pl.String))
    top = max((value for name in ("highest", "median") if (value := cells[name].max()) is not None), default=None)
    cells = cells.with_columns(high=pl.when(pl.col("n_never") > 0).then(top).otherwise("high"))
    middle = _middle(metric)
    drawn, lost = pl.col(middle).is_not_null(), _lost()

    def chart(condition: pl.Expr, *, opacity: float = 1) -> alt.Chart:
        drawn = alt.Chart(theme.inline(cells.filter(condition))).encode(_x(plot), tooltip=_tooltip(plot, metric))
        return drawn.encode(opacity=chosen.opacity(opacity) if plot.color else alt.value(opacity))

    hue, y = _hue(plot), _y(plot, metric, middle)
    ring: dict[str, Any] = {"filled": False, "strokeWidth": 2, "clip": True}
    cross: dict[str, Any] = {"shape": "cross", "angle": 45, "color": theme.ALARM, "filled": True, "clip": True}
    chance = _chance(metric)
    layers: list[Any] = [
        chart(pl.col("low").is_not_null(), opacity=_OPACITY)
        .mark_area(clip=True)
        .encode(_y(plot, metric, "low"), hue, y2="high:Q"),
        chart(pl.col("low").is_not_null() & (pl.col("low").count().over("hue") == 1))  # an area needs two points
        .mark_rule(strokeWidth=2, clip=True)
        .encode(_y(plot, metric, "low"), hue, y2="high:Q"),
        *([] if chance is None else [theme.dashed_rule(theme.ALARM, told="chance").encode(y=alt.datum(chance))]),
        chart(drawn).mark_line(strokeWidth=2.4, clip=True).encode(y, hue),
        chart(drawn & ~pl.col("apart")).mark_point(size=_POINT_SIZE, filled=True, clip=True).encode(y, hue),
        chart(drawn & pl.col("apart")).mark_point(size=_POINT_SIZE, fill=theme.PAPER, **ring).encode(y, hue),
        chart(drawn & lost).mark_point(size=3 * _POINT_SIZE, color=theme.ALARM, **ring).encode(y),
        chart(pl.col("n") == 0).mark_point(size=_CROSS_SIZE, **cross).encode(y=alt.value(_HEIGHT - _EDGE)),
    ]
    if cells["n_never"].sum():
        never = chart(~drawn & (pl.col("n") > 0)).mark_point(
            size=_CROSS_SIZE, shape="triangle-up", filled=True, clip=True
        )
        layers.append(never.encode(hue, y=alt.value(_EDGE)))
    heading = alt.TitleParams(title, fontSize=15, offset=8)
    return alt.LayerChart(layer=layers, width=plot.width, height=_HEIGHT, title=heading)


def _middle(metric: str) -> str:
    """Return the column that the line of a metric is drawn from."""
    return "median" if metric.startswith(STEPS_TO) else "mean"


def _chance(metric: str) -> float | None:
    """Return the accuracy by chance; None where there is none, or the metric is no accuracy."""
    return CHANCE.get(split_and_metric(metric)[1]) if is_accuracy(metric) else None


def _x(plot: LinePlot) -> alt.X:
    title, values = theme.axis_title(plot.x), plot.x_values
    if is_nominal(values):
        return alt.X("x_text:O", title=title).scale(domain=theme.format_values(plot.cells[plot.x])).axis(labelAngle=0)
    few: dict[str, Any] = {"values": values} if len(values) <= _MAX_TICKS else {}
    scale: dict[str, Any] = {"type": "log"} if is_geometric(values) else {"zero": False}
    scale |= {"domain": [values[0], values[-1]]} if len(values) > 1 else {}
    return (
        alt.X(f"{plot.x}:Q", title=title)
        .scale(nice=False, padding=8, **scale)
        .axis(grid=False, labelOverlap="greedy", format=".6~g", **few)
    )


def _y(plot: LinePlot, metric: str, column: str) -> alt.Y:
    """Return the place of `column` upwards.

    Accuracies have their full scale, or from below chance on; what is never negative has no band below 0.
    """
    cells, unit = plot.cells.filter(metric=metric), metric_columns()[metric].unit
    if not is_accuracy(metric):
        title = f"{metric} ({unit})" if unit else metric
        negative = (cells["lowest"] < 0).any()
        scale: dict[str, Any] = {"zero": False} if negative else {"domainMin": 0}
        if cells["n_never"].sum():  # the band goes to the top, so no tick may lie above it
            scale["nice"] = False
        return alt.Y(f"{column}:Q", title=title).scale(padding=_PADDING, **scale)
    chance = _chance(metric)
    ends = cells.select(pl.min_horizontal("low", "mean").min()).row(0)
    lowest = 0.0 if chance is None else min(chance - 0.1, *ends)
    return alt.Y(f"{column}:Q", title="accuracy").scale(domain=[lowest, 1], nice=False, padding=_PADDING)


def _hue(plot: LinePlot) -> alt.Color:
    if plot.color is None:
        return alt.Color("hue:N").scale(range=[theme.LINE]).legend(None)
    return theme.axis_colour("hue:N", plot.color, theme.format_values(plot.cells[plot.color]))


def _tooltip(plot: LinePlot, metric: str) -> list[alt.Tooltip]:
    never = ["n_never"] if metric.startswith(STEPS_TO) else []
    axes = [name for name in (*plot.rows, plot.color, plot.x) if name]
    return [
        alt.Tooltip("metric:N"),
        *(alt.Tooltip(f"{axis}:N") for axis in axes),
        *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in (_middle(metric), "low", "high", "lowest", "highest")),
        *(alt.Tooltip(f"{name}:Q") for name in ("n", *never, "n_diverged", "n_failed", "n_stopped")),
        alt.Tooltip("apart:N", title="one seed apart"),
        *theme.trials_told(plot.cells.columns),
    ]


def _explain(plot: LinePlot, trials: pl.DataFrame) -> list[str]:
    """Return sentences: what the metrics are, what the band is and of how many seeds, and what it does not tell."""
    named = [split_and_metric(metric) for metric in plot.metrics if is_accuracy(metric)]
    others = [metric_columns()[metric] for metric in plot.metrics if not is_accuracy(metric)]
    return [
        *(f"{split}: {SPLITS[split]}." for split in dict.fromkeys(split for split, _ in named)),
        *(f"{name}: {METRICS[name]}." for name in dict.fromkeys(name for _, name in named)),
        *(f"{column.name}: {column.sentence}" for column in others),
        *_explain_band(plot),
        *_explain_medians(plot),
        *_explain_losses(plot, trials.height),
        *_explain_apart(plot),
        *theme.stopped_early(trials),
    ]


def _explain_band(plot: LinePlot) -> list[str]:
    """Return what line and band of the means are, in a sentence; nothing where there are medians alone."""
    metrics = [metric for metric in plot.metrics if _middle(metric) == "mean"]
    cells = plot.cells.filter(pl.col("n") > 0, pl.col("metric").is_in(metrics))
    if not metrics:
        return []
    single, seeds = cells.filter(pl.col("n") == 1).height, theme.seed_count(cells["n"])
    chance = " Red, dashed: chance." if any(_chance(metric) is not None for metric in metrics) else ""
    if single == cells.height:
        return [f"Line: the one seed of each cell; there is no band, which takes replicates.{chance}"]
    kinds = {interval_of(metric) for metric in metrics}
    how = " (of accuracies on logits)" if plot.band == "interval" and "logit" in kinds else ""
    without = f" {single} of {cells.height} cells have one seed and no band." if single else ""
    bare = cells.filter(pl.col("n") > 1, pl.col("low").is_null())
    for metric, n in bare.group_by("metric", maintain_order=True).len().iter_rows():
        why = "trials of a pack share its time" if metric in SHARED else "equal seeds tell no spread"
        without += f" {n} of {cells.filter(metric=metric).height} cells have none of {metric}, as {why}."
    if single + bare.height == cells.height:
        return [f"Line: mean of {seeds} in each cell; there is no band.{without}{chance}"]
    return [f"Line: mean; band: {BANDS[plot.band]}{how}, {seeds} in each cell.{without}{chance}"]


def _explain_medians(plot: LinePlot) -> list[str]:
    """Return what line and band of each metric with medians are."""
    sentences = []
    for metric in plot.metrics:
        cells = plot.cells.filter(pl.col("n") > 0, metric=metric)
        if _middle(metric) == "mean":
            continue
        never, beyond = int(cells["n_never"].sum()), cells["median"].null_count()
        sentences.append(
            f"{metric}, line: median of {theme.seed_count(cells['n'])} in each cell (never: later than any step); "
            f"band: lowest to highest seed{', to the top where one never gets there' if never else ''}."
        )
        if never:
            sentences.append(f"{never} of {int(cells['n'].sum())} trials never get there.")
        if beyond:
            sentences.append(f"Triangles: {counted(beyond, 'cell')} whose median is never.")
    return sentences


def _explain_losses(plot: LinePlot, n_trials: int) -> list[str]:
    """Return which trials have no value, by metric, and what marks their cells."""
    sentences = []
    for metric in plot.metrics:
        cells = plot.cells.filter(metric=metric)
        lost = {what: int(cells[f"n_{name}"].sum()) for name, what in _LOSSES.items()}
        n_without = n_trials - int(cells["n"].sum())
        told = ", ".join(f"{n} {what}" for what, n in lost.items() if n)
        if n_without:
            sentences.append(f"{metric}: {n_without} of {n_trials} trials have no value{f' ({told})' if told else ''}.")
    ringed = plot.cells.filter(pl.coalesce("mean", "median").is_not_null(), _lost())
    rings = [] if ringed.is_empty() else ["Red rings: cells that lost trials."]
    return [*sentences, *rings, *(["Red crosses: no seed has a value."] if (plot.cells["n"] == 0).any() else [])]


def _lost() -> pl.Expr:
    """Return whether a cell lost trials."""
    return pl.sum_horizontal(f"n_{name}" for name in _LOSSES) > 0


def _explain_apart(plot: LinePlot) -> list[str]:
    apart = plot.cells.filter(pl.col("apart")).height
    told = (
        f"Hollow: one seed lies apart from the others ({apart} of {plot.cells.height} means); how often one does, so "
        "few seeds cannot tell, and their interval may miss the mean."
    )
    return [told] if apart else []
