"""The cells of a phase diagram: their texts, their places and the room they need."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from lrsym.results.plots import theme

CELL_WIDTH, CELL_HEIGHT, LINE_HEIGHT = 72, 54, 13
"""Pixels of a cell with a number and two small lines, and of each small line more."""

_LOSSES = {"n_diverged": "diverged", "n_failed": "failed", "n_censored": "cut short"}


@dataclass(frozen=True)
class PhaseGrid:
    """The cells with their texts, and what each panel needs to place and name them."""

    cells: pl.DataFrame
    x: str
    y: str | None
    facet: str | None
    cell_width: int = CELL_WIDTH

    @property
    def axes(self) -> list[str]:
        """The axes that are shown."""
        return [axis for axis in (self.x, self.y, self.facet) if axis is not None]

    @property
    def x_labels(self) -> list[str]:
        """The values of x as text, left to right."""
        return theme.format_values(self.cells[self.x])

    @property
    def y_labels(self) -> list[str]:
        """The values of y as text, top to bottom."""
        return theme.format_values(self.cells[self.y])[::-1] if self.y else [""]

    @property
    def width(self) -> int:
        """Pixels of a panel."""
        return self.cell_width * len(self.x_labels)

    @property
    def cell_height(self) -> int:
        """Pixels: room for the longest report of losses, and for the title of y beside few cells."""
        lost = max(len(loss.splitlines()) for loss in self.cells["loss"])
        return max(CELL_HEIGHT + LINE_HEIGHT * lost, theme.MIN_PANEL_HEIGHT // len(self.y_labels) if self.y else 0)

    @property
    def y_title(self) -> str | list[str] | None:
        """The title of y, in lines where it would be longer than the panel is high."""
        return theme.fitting_title(self.y, pixels=len(self.y_labels) * self.cell_height) if self.y else None

    def rows(self) -> list[tuple[str, pl.DataFrame]]:
        """Return the cells of each value of `facet`, ascending, with what to write in front of their headings."""
        if not self.facet:
            return [("", self.cells)]
        parts = self.cells.sort(self.facet, nulls_last=True).partition_by(self.facet, maintain_order=True)
        return [(f"{self.facet} = {theme.format_value(part[self.facet][0])}: ", part) for part in parts]


def with_texts(
    frame: pl.DataFrame, x: str, y: str | None, texts: Callable[[dict[str, Any]], dict[str, str]]
) -> pl.DataFrame:
    """Return `frame` with its axes as text, what each cell lost in column loss, and the `texts` of each cell."""
    return frame.hstack(
        pl.DataFrame(
            [
                {
                    "column": theme.format_value(cell[x]),
                    "line": theme.format_value(cell[y]) if y else "",
                    "loss": losses(cell),
                    **texts(cell),
                }
                for cell in frame.iter_rows(named=True)
            ]
        )
    )


def losses(cell: dict[str, Any]) -> str:
    """Return what became of the seeds of a cell that have no outcome, a line for each way."""
    return "\n".join(f"{cell[name]} {what}" for name, what in _LOSSES.items() if cell.get(name))
