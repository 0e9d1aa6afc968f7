"""The map of mechanisms: for each cell of two axes the shares of its seeds that read order by which path."""

import json
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise, product
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.path_shares import path_shares
from lrsym.results.analysis.varied_axes import choose_axes
from lrsym.results.plots import theme
from lrsym.vocabulary import AT_CHANCE, ORDERED, PATHS, by_name

PATH_COLOURS = by_name(
    PATHS, {"value": "#6a2c91", "ep": "#e8894a", "pp": "#3b8ac9", "mixed": "#f2cf63", "none": "#dfe2e7"}
)
"""Told apart by lightness as well as by hue, for readers who do not see all hues."""

_LEGEND = by_name(
    PATHS,
    {
        "value": "value: the position in the values (VP)",
        "ep": "ep: the position-key terms of the scores, EP above all",
        "pp": "pp: the position-key terms of the scores, PP above all",
        "mixed": "mixed: EP and PP alike, or scores and values",
        "none": "none: order not learned",
    },
)

MAX_FACETS = 6
"""Panels that fit on a screen or a page."""

_CELL_WIDTH, _CELL_HEIGHT = 54, 42  # pixels

_GAP = 0.04
"""Of a cell's side, left free on either side of it."""

_MIN_PANEL_HEIGHT, _MIN_WIDTH = 230, 560
"""Pixels of a panel whose y has a title, and of all panels side by side, so that the title stands above them."""


def plot_mechanism(
    trials: Frame, *, x: str | None = None, y: str | None = None, facet: str | None = None, prefer: Sequence[str] = ()
) -> theme.Chart:
    """Return each cell filled by the shares of its seeds on each path, a panel for each value of `facet`.

    `trials` is the table of that name; axes not given are the first varied ones, those in `prefer` before others. A
    cell is as full as it has seeds beside the cell with most, and says their number where it is not full. Raises
    UsageError if no trial has a path, or if more axes vary than a picture has room for.
    """
    table = trials.lazy().collect()
    if "path" not in table.columns:
        raise UsageError("rows have no column path; give a sweep, or rows of the table trials with all their columns")
    if table["path"].is_null().all():
        raise UsageError(
            f"none of {table.height} trials has a path, which the table ablations tells: it has score terms where the "
            "first block reads token + position embeddings itself (model.layer_norm none or post, model.positions "
            "learned), and unseen pairs where two or more labels are held out; choose such trials"
        )
    x, y, facet = choose_axes(table, x=x, y=y, facet=facet, prefer=prefer)
    cells = path_shares(table, x=x, y=y, facet=facet)
    rows = cells.partition_by(facet, maintain_order=True) if facet else [cells]
    if len(rows) > MAX_FACETS:
        raise UsageError(
            f"{facet} has {len(rows)} values, a picture has room for {MAX_FACETS} panels; "
            "choose another --facet, or keep fewer values with --where"
        )
    headings = [f"{facet} = {theme.format_value(row[facet][0])}" for row in rows] if facet else [""]
    columns = 2 if len(rows) in (2, 4) else min(3, len(rows))
    grid = _Grid(cells, x, y, columns=columns)
    panels = [grid.panel(row, heading) for row, heading in zip(rows, headings, strict=True)]
    return theme.finish(
        alt.concat(*panels, columns=columns, spacing=28),
        title="How order on unseen pairs is read",
        subtitle=[*_explain(table, cells), *theme.stopped_early(table)],
        width=columns * grid.width,
    )


def _explain(trials: pl.DataFrame, cells: pl.DataFrame) -> list[str]:
    """Return sentences: what a full cell is, the rule in short, how many trials there are."""
    without, most = trials["path"].null_count(), cells["n"].max()
    seeds = f"{most} seed{'' if most == 1 else 's'}"
    return [
        f"A full cell is {seeds}, each on one path. Ordered: above {ORDERED}; at chance: below "
        f"{AT_CHANCE}. Scores: at chance without EP+PP+BP, ordered without VP; values: the other way round.",
        f"{trials.height:,} trials, {without:,} without a path." if without else f"{trials.height:,} trials.",
    ]


class _Grid:
    """The axes that all panels share; cells stand at whole numbers, so that a part of one can be filled."""

    def __init__(self, cells: pl.DataFrame, x: str, y: str | None, *, columns: int) -> None:
        self.x, self.y, self.most = x, y, cells["n"].max()
        self.xs = theme.format_values(cells[x])
        self.ys = theme.format_values(cells[y])[::-1] if y else [""]
        self.width = max(_CELL_WIDTH * len(self.xs), _MIN_WIDTH // columns)
        self.height = max(_CELL_HEIGHT * len(self.ys), _MIN_PANEL_HEIGHT if y else 0)

    def panel(self, cells: pl.DataFrame, heading: str) -> alt.LayerChart:
        """Return the frames of all places, the parts of the cells that are there, and the numbers of those not full."""
        found = [self._place(cell) for cell in cells.iter_rows(named=True)]
        trained = {(place["x"], place["y"]) for place in found}
        absent = [self._frame(i, j) for i, j in product(range(len(self.xs)), range(len(self.ys)))]
        frames = [*found, *(frame for frame in absent if (frame["x"], frame["y"]) not in trained)]
        names = [axis for axis in (self.x, self.y) if axis]
        counts = [alt.Tooltip(f"{name}:Q") for name in ("n", *PATHS)]
        cell = [*(alt.Tooltip(f"{name}:N") for name in names), *counts, alt.Tooltip("n_trials:Q", title="trials")]
        share = [alt.Tooltip("path:N"), alt.Tooltip("share:Q", format=".0%"), *cell]
        colour = (
            alt.Color("path:N")
            .scale(domain=[*PATHS], range=[*PATH_COLOURS.values()])
            .legend(
                title=None,
                orient="bottom",
                columns=1,
                symbolType="square",
                symbolSize=220,
                symbolStrokeWidth=0,
                labelExpr=f"{json.dumps(_LEGEND)}[datum.value]",
            )
        )
        corners = {"x2": "x2:Q", "y2": "y2:Q"}
        return alt.LayerChart(
            layer=[
                self._chart(frames).mark_rect(fill="white", stroke=theme.FAINT).encode(**corners, tooltip=cell),
                self._chart([part for place in found for part in self._parts(place)])
                .mark_rect()
                .encode(colour, **corners, tooltip=share),
                self._chart(frames, x="middle", y="top")
                .mark_text(baseline="top", dy=3, fontSize=11, fontWeight="bold", color=theme.INK)
                .encode(text="text:N"),
            ],
            width=self.width,
            height=self.height,
            title=alt.TitleParams(heading, fontSize=15, offset=8),
        )

    def _frame(self, column: int, line: int) -> dict[str, Any]:
        """Return the place of a cell, from the left and from above, as that of one that has no trials."""
        left, top, across = column + _GAP, line + _GAP, 1 - 2 * _GAP
        middle = {"middle": column + 0.5, "top": top}
        return {"x": left, "x2": left + across, "y": top + across, "y2": top, **middle, "text": "no trials"}

    def _place(self, cell: dict[str, Any]) -> dict[str, Any]:
        column = self.xs.index(theme.format_value(cell[self.x]))
        line = self.ys.index(theme.format_value(cell[self.y])) if self.y else 0
        n = cell["n"]
        text = "" if n == self.most else f"n={n}" if n else "no path"
        return {**cell, **self._frame(column, line), "text": text}

    def _parts(self, place: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the rectangles that fill a cell from below, one for each path that has seeds."""
        height = place["y2"] - place["y"]
        ends = pairwise(accumulate((place[path] for path in PATHS), initial=0))
        for path, (below, above) in zip(PATHS, ends, strict=True):
            if above > below:
                edges = {"y": place["y"] + height * below / self.most, "y2": place["y"] + height * above / self.most}
                yield {**place, **edges, "path": path, "share": (above - below) / place["n"]}

    def _chart(self, rows: list[dict[str, Any]], *, x: str = "x", y: str = "y") -> alt.Chart:
        return alt.Chart(alt.InlineData(values=rows)).encode(
            alt.X(f"{x}:Q", title=theme.axis_title(self.x))
            .scale(domain=[0, len(self.xs)], nice=False)
            .axis(**_between(self.xs)),
            alt.Y(f"{y}:Q", title=theme.axis_title(self.y) if self.y else None)
            .scale(domain=[len(self.ys), 0], nice=False)
            .axis(**_between(self.ys)),
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
