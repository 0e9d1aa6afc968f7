"""The cells of a phase diagram: their texts, their places and the room they need."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.plots import theme
from lrsym.vocabulary import CHANCE, PHASES, by_name

CELL_HEIGHT, LINE_HEIGHT = 54, 13
"""Pixels of a cell with a number and two small lines, and of each small line more."""

_MIN_PANEL_HEIGHT, _TITLE_CHARACTER = 156, 8
"""Pixels of a panel that holds half a title of y, and of a letter of it."""

_SHORT_NAMES = by_name(
    PHASES,
    {
        "confusion": "confusion",
        "memorisation": "memorised",
        "layout generalisation": "layouts",
        "relational generalisation": "relational",
    },
)


@dataclass(frozen=True)
class PhaseGrid:
    """The cells with their texts, and what each panel needs to place and name them."""

    cells: pl.DataFrame
    x: str
    y: str | None
    facet: str | None
    column: str
    """The accuracy that is drawn, such as `unseen_order`."""
    threshold: float

    @property
    def metric(self) -> str:
        """The metric of `column`, such as `order`."""
        return split_and_metric(self.column)[1]

    @property
    def chance(self) -> float:
        """The accuracy of guessing, 0 where it depends on the sweep."""
        return CHANCE.get(self.metric, 0.0)

    @property
    def x_labels(self) -> list[str]:
        """The values of x as text, left to right."""
        return theme.format_values(self.cells[self.x])

    @property
    def y_labels(self) -> list[str]:
        """The values of y as text, top to bottom."""
        return theme.format_values(self.cells[self.y])[::-1] if self.y else [""]

    @property
    def cell_height(self) -> int:
        """Pixels: room for the longest report of losses, and for the title of y beside few cells."""
        lost = max(len(loss.splitlines()) for loss in self.cells["loss"])
        return max(CELL_HEIGHT + LINE_HEIGHT * lost, _MIN_PANEL_HEIGHT // len(self.y_labels) if self.y else 0)

    @property
    def y_title(self) -> str | list[str] | None:
        """The title of y, broken before its bracket where it would be longer than the panel is high."""
        title = theme.axis_title(self.y) if self.y else None
        short = title and len(self.y_labels) * self.cell_height < len(title) * _TITLE_CHARACTER
        return title.replace(" (", "\n(").splitlines() if title and short else title


def with_texts(frame: pl.DataFrame, x: str, y: str | None) -> pl.DataFrame:
    """Return `frame` with a column for each text of its cells, and with its axes as text."""
    texts = [
        {"column": theme.format_value(cell[x]), "line": theme.format_value(cell[y]) if y else "", **_cell_texts(cell)}
        for cell in frame.iter_rows(named=True)
    ]
    return frame.hstack(pl.DataFrame(texts))


def _cell_texts(cell: dict[str, Any]) -> dict[str, str]:
    mean, n = cell["mean"], cell["n"]
    lost = {"diverged": cell["n_diverged"], "failed": cell["n_failed"], "cut short": cell["n_censored"]}
    losses = [f"{n} {what}" for what, n in lost.items() if n]
    loss = "\n".join(losses)
    spread = f"{cell['lowest']:.2f}{theme.EN_DASH}{cell['highest']:.2f}" if n > 1 else ""
    return {
        "loss": loss,
        "absence": loss or "no value",
        "mean_text": "" if mean is None else f"{mean:.2f}",
        "mean_below": "\n".join(text for text in (spread, f"n={n}", loss) if text),
        "phase_text": _SHORT_NAMES.get(cell["phase"], ""),
        "phase_below": "\n".join(text for text in (f"n={n}" if n else "", loss) if text),
    }
