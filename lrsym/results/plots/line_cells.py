"""The cells that a picture of lines shows, and what of each metric is drawn."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from lrsym.results.analysis.cell_numbers import STEPS_TO
from lrsym.results.analysis.phases import split_and_metric
from lrsym.vocabulary import CHANCE, is_accuracy

_LOSSES = {"diverged": "diverged", "failed": "failed", "censored": "cut short"}
"""Counts of `summarise`, with their words."""


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


def middle(metric: str) -> str:
    """Return the column that the line of a metric is drawn from."""
    return "median" if metric.startswith(STEPS_TO) else "mean"


def chance_of(metric: str) -> float | None:
    """Return the accuracy by chance; None where there is none, or the metric is no accuracy."""
    return CHANCE.get(split_and_metric(metric)[1]) if is_accuracy(metric) else None


def lost() -> pl.Expr:
    """Return whether a cell lost trials."""
    return pl.sum_horizontal(f"n_{name}" for name in _LOSSES) > 0


def losses_in_words(cells: pl.DataFrame) -> str:
    """Return how many trials of the cells were lost, and how; empty where none was."""
    counts = {what: int(cells[f"n_{name}"].sum()) for name, what in _LOSSES.items()}
    return ", ".join(f"{n} {what}" for what, n in counts.items() if n)
