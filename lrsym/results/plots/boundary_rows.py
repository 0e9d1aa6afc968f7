"""Rows of a picture of boundaries: where each line stands, in which colour, and what is written at its end."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from lrsym.results.analysis.boundary import Boundary
from lrsym.results.analysis.varied_axes import SWEEP
from lrsym.results.plots import theme

COLOURS = [theme.INK, "#c8553d", "#2a9d7f", "#6a2c91", "#3b8ac9", "#b8860b"]
"""Of boundaries: told apart by lightness as well as by hue."""

_ROW, _LEAST = 32, 240
"""Pixels of a row with one line, and of a panel at least."""

_MAX_TICKS = 12


class Rows:
    """The rows of `found`, one for each value of its axis `by`; lines of several colours lie in one row."""

    def __init__(self, found: Boundary, *, width: int) -> None:
        self.width = width
        self._found = found
        self.groups = list(dict.fromkeys(self.group(line.key) for line in found.lines))
        values = {line.key[found.by] for line in found.lines} if found.by else {None}
        self._values = sorted(values, key=lambda value: (value is None, value))
        self._places = sorted({place for line in found.lines for place in line.outcomes.places.tolist()})

    @property
    def height(self) -> int:
        """Pixels of a panel."""
        return max(_LEAST, len(self._values) * max(_ROW, 20 * len(self.groups)))

    @property
    def x_values(self) -> list[float]:
        """The values of the axis, ascending."""
        return [2**place if self._found.by_ratio else place for place in self._places]

    def label(self, key: Mapping[str, Any]) -> str:
        """Return the value of `by` of a line, as text."""
        return theme.format_value(key[self._found.by]) if self._found.by else ""

    def row(self, key: Mapping[str, Any], group: str) -> float:
        """Return the height of a line among the rows."""
        rank = self._values.index(key[self._found.by]) if self._found.by else 0
        place, n = self.groups.index(group), len(self.groups)
        return rank + (n - 1 - 2 * place) * 0.3 / max(1, n - 1) if n > 1 else float(rank)

    def group(self, key: Mapping[str, Any]) -> str:
        """Return the value of the colour of a line, as text."""
        return theme.format_value(key[self._found.color]) if self._found.color else ""

    def x(self, field: str) -> alt.X:
        """Return the place of `field`, a value of the axis, to the right."""
        values = self.x_values
        few: dict[str, Any] = {"values": values} if len(values) <= _MAX_TICKS else {}
        scale: dict[str, Any] = {"type": "log"} if self._found.by_ratio else {"zero": False}
        return (
            alt.X(field, title=theme.axis_title(self._found.x))
            .scale(nice=False, padding=14, domain=[values[0], values[-1]], **scale)
            .axis(grid=False, labelOverlap="greedy", format=".6~g", **few)
        )

    def y(self) -> alt.Y:
        """Return the place of a line upwards."""
        labels = [theme.format_value(value) if self._found.by else "" for value in self._values]
        return (
            alt.Y("row:Q", title=theme.fitting_title(self._found.by, pixels=self.height) if self._found.by else None)
            .scale(domain=[-0.5, len(labels) - 0.5], nice=False)
            .axis(
                values=[*range(len(labels))], labelExpr=f"{labels}[datum.value]", grid=False, ticks=False, domain=False
            )
        )

    def hue(self, *, legend: bool = True) -> Any:
        """Return the colour of a line, where there are several with a `legend`."""
        if len(self.groups) < 2:
            return alt.value(COLOURS[0])
        colour = alt.Color("group:N").scale(domain=self.groups, range=COLOURS[: len(self.groups)])
        if not legend:
            return colour.legend(None)
        title = "sweep" if self._found.color == SWEEP else theme.axis_title(self._found.color or "")
        return colour.legend(title=title, orient="bottom", symbolType="circle", symbolOpacity=1)


def add_rows(frame: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """Return `frame`, whose rows are of lines, with their height `row`, colour `group`, and the text at their end."""
    records = frame.to_dicts()
    groups = [rows.group(record) for record in records]
    heights = [rows.row(record, group) for record, group in zip(records, groups, strict=True)]
    labels = [rows.label(record) for record in records]
    placed = frame.with_columns(
        pl.Series("row", heights, dtype=pl.Float64), pl.Series("group", groups, dtype=pl.String),
        pl.Series("row_label", labels, dtype=pl.String),
    )  # fmt: skip
    if "told" not in frame.columns:
        return placed
    return placed.with_columns(pl.Series("short", [_short(record) for record in records], dtype=pl.String))


def _short(record: Mapping[str, Any]) -> str:
    """Return what is written at the end of a row: the boundary with its interval, or what there is instead."""
    at, low, high = record["at"], record["low"], record["high"]
    if at is None:
        beyond = "" if low is None and high is None else f": <{high:.3g}" if low is None else f": >{low:.3g}"
        return record["told"].partition(";")[0].partition(",")[0].partition(":")[0] + beyond
    if record["n_seeds"] == 1:
        return f"{at:.3g}, one seed"
    ends = ("..." if end is None else f"{end:.3g}" for end in (low, high))
    return f"{at:.3g} [{', '.join(ends)}]"
