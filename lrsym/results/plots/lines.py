"""Lines: the mean of one or more metrics along an axis, in bands, a colour for each value of another axis.

Steps to an accuracy have a median, in which never is later than any step, as on the map: the mean would be that of the
seeds that get there.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import Frame, with_trial_ids
from lrsym.results.analysis.cell_numbers import STEPS_TO
from lrsym.results.analysis.lines import BANDS, is_geometric, is_nominal, lines
from lrsym.results.analysis.metrics import as_metrics, metric_columns
from lrsym.results.analysis.varied_axes import SWEEP, check_single_cells, choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.interaction import Chosen, zoomed
from lrsym.results.plots.line_cells import LinePlot, chance_of, losses_in_words, lost, middle
from lrsym.results.plots.line_heading import explain_lines
from lrsym.vocabulary import PHASE_METRIC, is_accuracy

MAX_PANELS, MAX_COLOURS = 12, 12
"""Panels, and colours in one, that a reader can still tell apart."""

_WIDTHS, _HEIGHT = {1: 460, 2: 380}, 260
"""Pixels of a panel: its width by the number of metrics, and its height."""

_WIDTH, _MARGIN, _MAX_TICKS = 310, 70, 12

_POINT_SIZE, _CROSS_SIZE, _OPACITY = 42, 70, 0.15

_EDGE = 6
"""Pixels from the edge of a panel to the middle of a mark that stands there, so that it is whole."""

_PADDING = 4
"""Pixels beyond the ends of y, so that no point at one of them is cut in half."""


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
        subtitle=explain_lines(plot, trials),
        width=len(metrics) * (_width(plot) + _MARGIN),
        frame=cells,
    )


def _width(plot: LinePlot) -> int:
    """Return the pixels of a panel."""
    return _WIDTHS.get(len(plot.metrics), _WIDTH)


def _check_values(plot: LinePlot, trials: pl.DataFrame) -> None:
    """Raise UsageError where a metric has neither mean nor median, or where there is more to draw than can be read."""
    for metric in plot.metrics:
        cells = plot.cells.filter(metric=metric)
        if not cells[middle(metric)].count():
            told = losses_in_words(cells)
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
    has_middle = pl.col(middle(metric)).is_not_null()

    def chart(condition: pl.Expr, *, opacity: float = 1) -> alt.Chart:
        drawn = alt.Chart(theme.inline(cells.filter(condition))).encode(_x(plot), tooltip=_tooltip(plot, metric))
        return drawn.encode(opacity=chosen.opacity(opacity) if plot.color else alt.value(opacity))

    hue, y = _hue(plot), _y(plot, metric, middle(metric))
    ring: dict[str, Any] = {"filled": False, "strokeWidth": 2, "clip": True}
    cross: dict[str, Any] = {"shape": "cross", "angle": 45, "color": theme.ALARM, "filled": True, "clip": True}
    chance = chance_of(metric)
    layers: list[Any] = [
        chart(pl.col("low").is_not_null(), opacity=_OPACITY)
        .mark_area(clip=True)
        .encode(_y(plot, metric, "low"), hue, y2="high:Q"),
        chart(pl.col("low").is_not_null() & (pl.col("low").count().over("hue") == 1))  # an area needs two points
        .mark_rule(strokeWidth=2, clip=True)
        .encode(_y(plot, metric, "low"), hue, y2="high:Q"),
        *([] if chance is None else [theme.dashed_rule(theme.ALARM, told="chance").encode(y=alt.datum(chance))]),
        chart(has_middle).mark_line(strokeWidth=2.4, clip=True).encode(y, hue),
        chart(has_middle & ~pl.col("apart")).mark_point(size=_POINT_SIZE, filled=True, clip=True).encode(y, hue),
        chart(has_middle & pl.col("apart")).mark_point(size=_POINT_SIZE, fill=theme.PAPER, **ring).encode(y, hue),
        chart(has_middle & lost()).mark_point(size=3 * _POINT_SIZE, color=theme.ALARM, **ring).encode(y),
        chart(pl.col("n") == 0).mark_point(size=_CROSS_SIZE, **cross).encode(y=alt.value(_HEIGHT - _EDGE)),
    ]
    if cells["n_never"].sum():
        never = chart(~has_middle & (pl.col("n") > 0)).mark_point(
            size=_CROSS_SIZE, shape="triangle-up", filled=True, clip=True
        )
        layers.append(never.encode(hue, y=alt.value(_EDGE)))
    heading = alt.TitleParams(title, fontSize=15, offset=8)
    return alt.LayerChart(layer=layers, width=_width(plot), height=_HEIGHT, title=heading)


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
    chance = chance_of(metric)
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
        *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in (middle(metric), "low", "high", "lowest", "highest")),
        *(alt.Tooltip(f"{name}:Q") for name in ("n", *never, "n_diverged", "n_failed", "n_stopped")),
        alt.Tooltip("apart:N", title="one seed apart"),
        *theme.trials_told(plot.cells.columns),
    ]
