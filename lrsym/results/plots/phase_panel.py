"""A panel of a phase diagram: its cells, coloured and with their texts, and marks for what was lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from lrsym.results.plots import theme
from lrsym.results.plots.phase_grid import LINE_HEIGHT, PhaseGrid

_NUMBER_HEIGHT, _CORNER = 19, 12  # pixels

_POINT_SIZE = 4
"""The size at which Vega draws one unit of a symbol's path as one pixel."""


@dataclass(frozen=True)
class Shown:
    """What a panel shows: the column `name`, its texts in `name`_text and `name`_below, in `colour`.

    Where the condition `dark` holds the texts are white; `framed`, a condition on the columns, frames a cell.
    """

    name: str
    colour: alt.Color
    tooltip: Sequence[alt.Tooltip]
    dark: Any = None
    font_size: int = 15
    framed: pl.Expr | None = None


def panel(grid: PhaseGrid, cells: pl.DataFrame, shown: Shown, *, heading: str) -> alt.LayerChart:
    """Return the panel of `cells`, some of those of `grid`."""
    width, height = grid.cell_width, grid.cell_height
    here, lost = pl.col(shown.name).is_not_null(), pl.col("loss") != ""
    below = max(len(text.splitlines()) for text in grid.cells[f"{shown.name}_below"])
    top = -(_NUMBER_HEIGHT + below * LINE_HEIGHT) / 2
    big: dict[str, Any] = {"fontSize": shown.font_size, "fontWeight": "bold"}
    small: dict[str, Any] = {"fontSize": 11, "lineBreak": "\n", "lineHeight": LINE_HEIGHT}
    symbol: dict[str, Any] = {"size": _POINT_SIZE, "opacity": 1}

    def chart(condition: pl.Expr) -> alt.Chart:
        return _chart(grid, cells.filter(condition), shown)

    ink = alt.value(theme.ON_LIGHT) if shown.dark is None else theme.text_colour(shown.dark)
    frame = [] if shown.framed is None else [
        chart(here & shown.framed).mark_point(
            shape=_rectangle(width - 6, height - 6), color=theme.ON_LIGHT, filled=False, strokeWidth=2, **symbol
        )
    ]  # fmt: skip
    return alt.LayerChart(
        layer=[
            chart(here).mark_rect(stroke=theme.PAPER, strokeWidth=2).encode(shown.colour),
            chart(~here).mark_point(shape=_hatching(width - 4, height - 4), color=theme.FAINT, filled=False, **symbol),
            *frame,
            chart(lost).mark_point(
                shape=_corner(width - 2, height - 2, size=_CORNER), color=theme.ALARM, filled=True, **symbol
            ),
            chart(here).mark_text(dy=top, baseline="top", **big).encode(color=ink, text=f"{shown.name}_text:N"),
            chart(here)
            .mark_text(dy=top + _NUMBER_HEIGHT, baseline="top", **small)
            .encode(color=ink, text=f"{shown.name}_below:N"),
            chart(~here).mark_text(dy=-4, fontWeight="bold", color=theme.INK, **small).encode(text="absence:N"),
        ],
        width=grid.width,
        height=height * len(grid.y_labels),
        title=alt.TitleParams(heading, fontSize=15, offset=8),
    )


def _chart(grid: PhaseGrid, cells: pl.DataFrame, shown: Shown) -> alt.Chart:
    tooltip = cell_tooltip(cells, grid.axes, shown)
    x = alt.X("column:N", title=theme.fitting_title(grid.x, pixels=grid.width)).scale(domain=grid.x_labels, padding=0)
    y = alt.Y("line:N", title=grid.y_title).scale(domain=grid.y_labels, padding=0)
    return alt.Chart(theme.inline(cells)).encode(
        x.axis(labelAngle=0, grid=False), y.axis(ticks=False, grid=False), tooltip=tooltip
    )


def cell_tooltip(cells: pl.DataFrame, axes: Sequence[str], shown: Shown) -> list[alt.Tooltip]:
    """Return what the mouse tells of a cell: where it lies on `axes`, its numbers, its trials where they are named."""
    return [*(alt.Tooltip(f"{axis}:N") for axis in axes), *shown.tooltip, *theme.trials_told(cells.columns)]


def _corner(width: float, height: float, *, size: float) -> str:
    """Return the path of a triangle in the upper right corner of a rectangle around the origin."""
    return f"M{width / 2},{-height / 2}h{-size}l{size},{size}Z"


def _rectangle(width: float, height: float) -> str:
    """Return the path of a rectangle around the origin."""
    return f"M{-width / 2},{-height / 2}h{width}v{height}h{-width}Z"


def _hatching(width: float, height: float) -> str:
    """Return the path of diagonals, clipped to a rectangle around the origin."""
    x, y, apart = width / 2, height / 2, 8
    shifts = range(int(-x - y) + apart, int(x + y), apart)
    ends = [(max(-x, shift - y), min(x, shift + y), shift) for shift in shifts]
    return "".join(f"M{a:.1f},{s - a:.1f}L{b:.1f},{s - b:.1f}" for a, b, s in ends)
