"""The boundary of an accuracy: its surface with the line where it crosses a level, and what was trained when."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import Frame, replicate_value
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.analysis.surface_boundary import SIDES, SurfaceBoundary, trained_boundary
from lrsym.results.analysis.varied_axes import choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.contours import Plane, level_lines, level_strips
from lrsym.results.plots.palette import SHADES, UNTRIED
from lrsym.vocabulary import CHANCE, METRICS, PHASE_METRIC, PHASE_THRESHOLD, SPLITS

MAX_FACETS = 6
"""Rows of panels that fit on a screen or a page."""

_CELL_WIDTH, _CELL_HEIGHT = 56, 46  # pixels


@dataclass(frozen=True)
class RefinedMap:
    """A boundary with its trials, and the axes to the right, upwards and by rows of panels."""

    boundary: SurfaceBoundary
    trials: pl.DataFrame
    """Those with a value: their axes and `order`, 1 for the one that ended first."""
    x: str
    y: str | None
    facet: str | None
    column: str

    @property
    def chance(self) -> float:
        """The accuracy of guessing, 0 where it depends on the sweep."""
        return CHANCE.get(split_and_metric(self.column)[1], 0.0)

    @cached_property
    def cells(self) -> pl.DataFrame:
        """Each cell with its surface, ranks on the plane, number of trials and the order of its first one."""
        axes, ranks = self.boundary.grid.axes, self.boundary.grid.ranks
        first = self.trials.group_by(axes).agg(n=pl.len(), first=pl.col("order").min())
        cells = self.boundary.cells().with_columns(pl.Series(axis, self._values(axis)) for axis in axes)
        cells = cells.join(first, on=axes, how="left", maintain_order="left")
        rank = {axis: ranks[:, axes.index(axis)] if axis else [0.0] * len(cells) for axis in (self.x, self.y)}
        return cells.with_columns(
            x_rank=pl.Series(rank[self.x]), y_rank=pl.Series(rank[self.y]),
            mean_text=pl.col("mean").map_elements(lambda mean: f"{mean:.2f}", return_dtype=pl.String),
        )  # fmt: skip

    def _values(self, axis: str) -> list[float]:
        return [self.boundary.grid.cell(number)[axis] for number in range(len(self.boundary.grid))]

    def plane(self, value: float | None) -> Plane:
        """Return the surface around the cells with that `value` on the facet."""
        grid = self.boundary.grid
        fixed = (
            {self.facet: grid.values[grid.axes.index(self.facet)].index(value)}
            if self.facet and value is not None
            else {}
        )
        sizes = {axis: len(grid.values[grid.axes.index(axis)]) for axis in (self.x, self.y) if axis}
        return Plane.of(self.boundary, x=self.x, y=self.y, sizes=sizes, fixed=fixed)


def plot_refined(
    trials: Frame,
    *,
    cells: pl.DataFrame,
    metric: str = PHASE_METRIC,
    level: float = PHASE_THRESHOLD,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    prefer: Sequence[str] = (),
) -> theme.Chart:
    """Return, left, the expected `metric` of each of `cells` with the line at `level` and its band, right what was
    trained when; a row of panels for each facet value.

    Both frames have the axes as columns; trials that are not done do not count. Raises UsageError if more axes vary
    than a picture has room for, if they are not numbers, or if no trial has a value.
    """
    split, accuracy = split_and_metric(metric)
    trials = trials.lazy().collect()
    boundary = trained_boundary(cells, trials, metric=metric, level=level)
    x, y, facet = choose_axes(cells, x=x, y=y, facet=facet, prefer=prefer)
    if extra := {*boundary.grid.axes} - {x, y, facet}:
        raise UsageError(
            f"a boundary is drawn over three axes at most, and {', '.join(sorted(extra))} varies besides; "
            f"hold it fixed with --where '{min(extra)} = ...'"
        )
    known = trials.with_columns(value=replicate_value(metric)).drop_nulls("value").sort("finished_at", "trial_id")
    shown = RefinedMap(boundary, known.with_row_index("order", offset=1), x, y, facet, metric)
    sides = boundary.sides()
    return theme.finish(
        alt.concat(*_panels(shown), columns=2, spacing=36).resolve_scale(color="independent"),
        title=f"Where {accuracy} accuracy on {split} crosses {level:g}",
        subtitle=[
            f"{split}: {SPLITS[split]}.",
            f"{accuracy}: {METRICS[accuracy]}.",
            f"{counted(known.height, 'trial')} in {shown.cells['n'].count()} of {len(sides)} cells, "
            "smoothed by a Gaussian process. Line: the boundary; pale: where its 95 % interval holds the level. "
            f"Of the cells {', '.join(f'{sides.count(side)} are {side}' for side in SIDES)}.",
        ],
        width=2 * _CELL_WIDTH * shown.cells["x_rank"].n_unique(),
        frame=shown.cells.drop("x_rank", "y_rank"),
    )


def _panels(shown: RefinedMap) -> list[alt.LayerChart]:
    """Return two panels for each facet value; the last two carry the legends of all."""
    values = sorted({*shown.cells[shown.facet]}) if shown.facet else [None]
    if len(values) > MAX_FACETS:
        raise UsageError(
            f"{shown.facet} has {len(values)} values, a picture has room for {MAX_FACETS} rows of panels; "
            "choose another --facet, or keep fewer values with --where"
        )
    panels = []
    for value in values:
        cells = shown.cells if shown.facet is None else shown.cells.filter(pl.col(shown.facet) == value)
        heading = "" if shown.facet is None else f"{shown.facet} = {theme.format_value(value)}: "
        plane, last = shown.plane(value), value == values[-1]
        line = [_line(plane, theme.PAPER, 5), _line(plane, theme.INK, 2.5)]
        surface = [_rectangles(shown, cells, _mean_colour(shown, last=last)), _band(plane), *line]
        surface += _text(shown, cells, "mean_text")
        trained = cells.drop_nulls("n")
        when = [
            _rectangles(shown, cells, alt.value(UNTRIED)), _rectangles(shown, trained, _order_colour(shown, last=last)),
            *line, *_text(shown, trained, "n"),
        ]  # fmt: skip
        panels += [
            _layers(shown, surface, f"{heading}{shown.column}, expected mean over seeds"),
            _layers(shown, when, f"{heading}trials of each cell, and when it was first trained"),
        ]
    return panels


def _size(shown: RefinedMap) -> tuple[int, int]:
    """Return the width and the height of a panel in pixels."""
    grid = shown.boundary.grid
    n_columns, n_rows = (len(grid.values[grid.axes.index(axis)]) if axis else 1 for axis in (shown.x, shown.y))
    return _CELL_WIDTH * n_columns, max(_CELL_HEIGHT * n_rows, theme.MIN_PANEL_HEIGHT)


def _layers(shown: RefinedMap, layers: list[alt.Chart], heading: str) -> alt.LayerChart:
    width, height = _size(shown)
    return alt.LayerChart(
        layer=layers, width=width, height=height,
        title=alt.TitleParams(heading, fontSize=15, offset=8),
    )  # fmt: skip


def _scale(shown: RefinedMap, axis: str | None, *, pixels: int) -> tuple[alt.Scale, Any]:
    """Return the scale of ranks, half a step beyond the ends, and its labels: the values."""
    if axis is None:
        return alt.Scale(domain=[-0.5, 0.5], nice=False), alt.Axis(labels=False, ticks=False, grid=False, title=None)
    values = shown.boundary.grid.values[shown.boundary.grid.axes.index(axis)]
    labels = [theme.format_value(value) for value in values]
    return alt.Scale(domain=[-0.5, len(values) - 0.5], nice=False), alt.Axis(
        values=[*range(len(values))], labelExpr=f"{labels}[datum.value]", labelAngle=0, grid=False,
        title=theme.fitting_title(axis, pixels=pixels),
    )  # fmt: skip


def _place(shown: RefinedMap, chart: alt.Chart) -> alt.Chart:
    width, height = _size(shown)
    (x_scale, x_axis), (y_scale, y_axis) = _scale(shown, shown.x, pixels=width), _scale(shown, shown.y, pixels=height)
    return chart.encode(
        alt.X("x:Q", scale=x_scale, axis=x_axis), alt.Y("y:Q", scale=y_scale, axis=y_axis)
    )  # fmt: skip


def _rectangles(shown: RefinedMap, cells: pl.DataFrame, colour: Any) -> alt.Chart:
    rank = {"x": pl.col("x_rank") - 0.5, "x2": pl.col("x_rank") + 0.5, "y": pl.col("y_rank") - 0.5}
    frame = cells.with_columns(**rank, y2=pl.col("y_rank") + 0.5)
    axes = [alt.Tooltip(f"{axis}:N") for axis in shown.boundary.grid.axes]
    numbers = [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "low", "high")]
    tooltip = [*axes, *numbers, alt.Tooltip("side:N"), alt.Tooltip("n:Q"), alt.Tooltip("first:Q")]
    chart = alt.Chart(theme.inline(frame)).mark_rect(stroke=theme.PAPER, strokeWidth=1)
    return _place(shown, chart).encode(x2="x2:Q", y2="y2:Q", color=colour, tooltip=tooltip)


def _mean_colour(shown: RefinedMap, *, last: bool) -> alt.Color:
    title = f"{shown.column}, expected" + (f"; {shown.chance:g} is chance" if shown.chance else "")
    legend = alt.Legend(
        orient="bottom", direction="horizontal", title=title, gradientLength=260, gradientThickness=14, format=".1f"
    )
    scale = alt.Scale(scheme="viridis", domain=[shown.chance, 1], clamp=True)
    return alt.Color("mean:Q", scale=scale, legend=legend if last else None)


def _order_colour(shown: RefinedMap, *, last: bool) -> alt.Color:
    legend = alt.Legend(
        orient="bottom", direction="horizontal", title="first trained as trial number", gradientLength=260,
        gradientThickness=14, format="d",
    )  # fmt: skip
    scale = alt.Scale(range=[*SHADES], domain=[1, shown.trials.height])
    return alt.Color("first:Q", scale=scale, legend=legend if last else None)


def _band(plane: Plane) -> alt.Chart:
    strips = alt.Chart(theme.inline(level_strips(plane))).mark_rect(color=theme.ON_DARK, opacity=0.45)
    return strips.encode(x="x:Q", x2="x2:Q", y="y:Q", y2="y2:Q")


def _line(plane: Plane, colour: str, width: float) -> alt.Chart:
    line = alt.Chart(theme.inline(level_lines(plane)))
    line = line.mark_rule(color=colour, strokeWidth=width, strokeCap="round")
    return line.encode(x="x:Q", x2="x2:Q", y="y:Q", y2="y2:Q")


def _text(shown: RefinedMap, cells: pl.DataFrame, column: str) -> list[alt.Chart]:
    """Return the text of each cell over a white copy of itself that is wider, so that it reads on any ground."""
    frame = cells.with_columns(x=pl.col("x_rank"), y=pl.col("y_rank"), text=pl.col(column).cast(pl.String))
    base = _place(shown, alt.Chart(theme.inline(frame))).encode(text="text:N")
    halo = base.mark_text(fontSize=12, stroke=theme.PAPER, strokeWidth=3, strokeOpacity=0.9, strokeJoin="round")
    return [halo, base.mark_text(fontSize=12, color=theme.INK)]
