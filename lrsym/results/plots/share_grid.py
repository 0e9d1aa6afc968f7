"""A grid of cells, each filled from below by the shares of its seeds in several classes, such as paths or phases."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise, product
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.plots import theme
from lrsym.results.plots.interaction import Chosen
from lrsym.results.plots.palette import is_dark

MAX_FACETS = 6
"""Panels that fit on a screen or a page."""

_GAP = 0.04
"""Of a cell's side, left free on either side of it."""

_LINE = 12
"""Pixels of a line of text."""

_MIN_PANEL_HEIGHT, _MIN_WIDTH = 230, 560
"""Pixels of a panel whose y has a title, and of all panels side by side, so that the title stands above them."""


class ShareGrid:
    """Panels of `cells`, which have the axes, n, n_trials and by name of a class how many of the seeds are in it.

    `colours` has the classes in their order from below, `legend` what is said of each, `kind` what a class is called;
    `text` gives the lines written in a cell, at its top, or, where `strip` gives a class, as many as have room on the
    part of that class; `cell` are its pixels. Cells stand at whole numbers, so that a part of one
    can be filled.
    """

    def __init__(
        self,
        cells: pl.DataFrame,
        x: str,
        y: str | None,
        facet: str | None,
        *,
        kind: str,
        colours: Mapping[str, str],
        legend: Mapping[str, str],
        text: Callable[[dict[str, Any]], str],
        cell: tuple[int, int],
        strip: Callable[[dict[str, Any]], str | None] = lambda _: None,
    ) -> None:
        self._cells, self._x, self._y, self._facet, self._most = cells, x, y, facet, cells["n"].max()
        self._text, self._strip = text, strip
        self._kind, self._colours, self._legend = kind, colours, legend
        self._chosen = Chosen(kind)
        self._rows = cells.partition_by(facet, maintain_order=True) if facet else [cells]
        if len(self._rows) > MAX_FACETS:
            raise UsageError(
                f"{facet} has {len(self._rows)} values, a picture has room for {MAX_FACETS} panels; "
                "choose another --facet, or keep fewer values with --where"
            )
        self._columns = 2 if len(self._rows) in (2, 4) else min(3, len(self._rows))
        self._xs = theme.format_values(cells[x])
        self._ys = theme.format_values(cells[y])[::-1] if y else [""]
        self._width = max(cell[0] * len(self._xs), _MIN_WIDTH // self._columns)
        self._height = max(cell[1] * len(self._ys), _MIN_PANEL_HEIGHT if y else 0)

    @property
    def width(self) -> int:
        """Pixels of all panels side by side."""
        return self._columns * self._width

    def chart(self) -> alt.ConcatChart:
        """Return the panels, one for each value of the facet."""
        panels = []
        for row in self._rows:
            heading = f"{self._facet} = {theme.format_value(row[self._facet][0])}" if self._facet else ""
            panels.append(self._panel(row, heading))
        return self._chosen.on(alt.concat(*panels, columns=self._columns, spacing=28))

    def _panel(self, cells: pl.DataFrame, heading: str) -> alt.LayerChart:
        """Return the frames of all places, the parts of the cells that are there, and their texts."""
        found = [self._place(cell) for cell in cells.iter_rows(named=True)]
        trained = {(place["x"], place["y"]) for place in found}
        absent = [self._frame(i, j) for i, j in product(range(len(self._xs)), range(len(self._ys)))]
        frames = [*found, *(frame for frame in absent if (frame["x"], frame["y"]) not in trained)]
        names = [axis for axis in (self._x, self._y) if axis]
        counts = [alt.Tooltip(f"{name}:Q") for name in ("n", *self._colours)]
        cell = [*(alt.Tooltip(f"{name}:N") for name in names), *counts, alt.Tooltip("n_trials:Q")]
        cell += theme.trials_told(cells.columns)
        share = [alt.Tooltip(f"{self._kind}:N"), alt.Tooltip("share:Q", format=".0%"), *cell]
        colour = (
            alt.Color(f"{self._kind}:N")
            .scale(domain=[*self._colours], range=[*self._colours.values()])
            .legend(
                title=None,
                orient="bottom",
                columns=1,
                symbolType="square",
                symbolSize=220,
                symbolStrokeWidth=0,
                labelExpr=f"{json.dumps(self._legend)}[datum.value]",
            )
        )
        corners = {"x2": "x2:Q", "y2": "y2:Q"}
        return alt.LayerChart(
            layer=[
                self._chart(frames).mark_rect(fill=theme.PAPER, stroke=theme.FAINT).encode(**corners, tooltip=cell),
                self._chart([part for place in found for part in self._parts(place)])
                .mark_rect()
                .encode(colour, **corners, tooltip=share, opacity=self._chosen.opacity()),
                self._chart(frames, x="middle", y="top")
                .mark_text(baseline="line-top", lineHeight=_LINE, fontSize=11, fontWeight="bold", lineBreak="\n")
                .encode(text="text:N", color=alt.Color("ink:N", scale=None)),
            ],
            width=self._width,
            height=self._height,
            title=alt.TitleParams(heading, fontSize=15, offset=8),
        )

    def _frame(self, column: int, line: int) -> dict[str, Any]:
        """Return the place of a cell, from the left and from above, as that of one that has no trials."""
        left, top, across = column + _GAP, line + _GAP, 1 - 2 * _GAP
        middle = {"middle": column + 0.5, "top": top + 3 * len(self._ys) / self._height}
        return {
            "x": left,
            "x2": left + across,
            "y": top + across,
            "y2": top,
            **middle,
            "text": "no trials",
            "ink": theme.INK,
        }

    def _place(self, cell: dict[str, Any]) -> dict[str, Any]:
        column = self._xs.index(theme.format_value(cell[self._x]))
        line = self._ys.index(theme.format_value(cell[self._y])) if self._y else 0
        place = {**cell, **self._frame(column, line), "text": self._text(cell)}
        parts = [*self._parts(place)]
        own = next((part for part in parts if part[self._kind] == self._strip(cell)), None)
        place |= {} if own is None else self._on(own)
        at = place["top"] + _LINE * len(self._ys) / self._height / 2
        behind = next((part for part in parts if part["y2"] < at < part["y"]), None)
        return place if behind is None else {**place, "ink": self._ink(behind)}

    def _ink(self, part: dict[str, Any]) -> str:
        """Return the colour of a text on a part of a cell."""
        return theme.ON_DARK if is_dark(self._colours[part[self._kind]]) else theme.ON_LIGHT

    def _on(self, part: dict[str, Any]) -> dict[str, Any]:
        """Return the text of a cell, of as many lines as have room in the middle of a part of it, and its top."""
        line = _LINE * len(self._ys) / self._height
        lines = part["text"].split("\n")[: int((part["y"] - part["y2"]) / line + 1e-9)]
        return {"text": "\n".join(lines), "top": (part["y"] + part["y2"] - len(lines) * line) / 2}

    def _parts(self, place: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the rectangles that fill a cell from below, one for each class that has seeds."""
        height = place["y2"] - place["y"]
        ends = pairwise(accumulate((place[name] for name in self._colours), initial=0))
        for name, (below, above) in zip(self._colours, ends, strict=True):
            if above > below:
                edges = {"y": place["y"] + height * below / self._most, "y2": place["y"] + height * above / self._most}
                yield {**place, **edges, self._kind: name, "share": (above - below) / place["n"]}

    def _chart(self, rows: list[dict[str, Any]], *, x: str = "x", y: str = "y") -> alt.Chart:
        return alt.Chart(theme.inline(rows)).encode(
            alt.X(f"{x}:Q", title=theme.fitting_title(self._x, pixels=self._width))
            .scale(domain=[0, len(self._xs)], nice=False)
            .axis(**_between(self._xs)),
            alt.Y(f"{y}:Q", title=theme.fitting_title(self._y, pixels=self._height) if self._y else None)
            .scale(domain=[len(self._ys), 0], nice=False)
            .axis(**_between(self._ys)),
        )


def _between(labels: Sequence[str]) -> dict[str, Any]:
    """Return the settings of an axis that says `labels` in the middle between whole numbers."""
    return {
        "values": [place + 0.5 for place in range(len(labels))],
        "labelExpr": f"{json.dumps(labels)}[floor(datum.value)]",
        "grid": False,
        "ticks": False,
        "domain": False,
    }
