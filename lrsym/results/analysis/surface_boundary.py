"""Where an accuracy crosses a level on the grid of a sweep: each cell above, below or undecided, and the crossings."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import replicate_value
from lrsym.results.analysis.surface import Surface, Z, fit_surface, to_accuracy, to_logit
from lrsym.results.analysis.varied_axes import varied_axes
from lrsym.vocabulary import PHASE_THRESHOLD

MAX_AXES = 4
"""With more axes than that a grid has too few values on each for a surface."""

MAX_CELLS = 5000
"""A surface keeps the covariance of every two cells: 200 MB for so many."""

_ENDS = ("at", "low", "high")

SIDES = {
    "above": "the 95 % interval of the cell lies above the level",
    "below": "the 95 % interval of the cell lies below the level",
    "undecided": "the 95 % interval of the cell holds the level",
}
"""What is known of a cell."""


@dataclass(frozen=True)
class Grid:
    """The cells of a sweep on its varied axes: `values` of each, ascending, and `ranks` [cell, axis] among them."""

    axes: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    ranks: np.ndarray

    def __len__(self) -> int:
        return len(self.ranks)

    def cell(self, number: int) -> dict[str, float]:
        """Return the values of a cell by axis."""
        chosen = zip(self.axes, self.values, self.ranks[number], strict=True)
        return {axis: values[int(rank)] for axis, values, rank in chosen}

    def value(self, axis: str, rank: float) -> float:
        """Return the value of `axis` at `rank`; between two of the grid in proportion."""
        values = self.values[self.axes.index(axis)]
        return float(np.interp(rank, range(len(values)), values))


def make_grid(cells: pl.DataFrame, *, where: str = "the sweep") -> Grid:
    """Return the grid of `cells`, a row each with axes as columns; axes that move together count as one.

    Raises UsageError, with `where` they come from, unless 1 to MAX_AXES axes vary, in numbers, over MAX_CELLS at most.
    """
    axes = varied_axes(cells)
    if not 1 <= len(axes) <= MAX_AXES:
        listed = f"{len(axes)} ({', '.join(axes)})" if axes else "none"
        remedy = "fix some of them under [base]" if axes else "give an axis several values under [grid]"
        raise UsageError(f"a boundary runs over 1 to {MAX_AXES} axes, {where} varies {listed}; {remedy}")
    for axis in axes:
        if not cells.schema[axis].is_numeric() or cells[axis].null_count():
            raise UsageError(
                f"a boundary runs over numbers, {where} varies {axis} over {_listed(cells[axis])}; "
                "fix it under [base], in a file for each of them"
            )
    if cells.height > MAX_CELLS:
        raise UsageError(f"a boundary runs over {MAX_CELLS:,} cells at most, {where} has {cells.height:,}; split it")
    ranks = cells.select(pl.col(axes).rank("dense").cast(pl.Float64) - 1).to_numpy()
    return Grid(tuple(axes), tuple(tuple(cells[axis].unique().sort()) for axis in axes), ranks)


@dataclass(frozen=True)
class SurfaceBoundary:
    """Where the `surface` over the cells of `grid` crosses an accuracy of `level`."""

    grid: Grid
    surface: Surface
    level: float

    @property
    def away(self) -> np.ndarray:
        """How far each cell lies above the level [logit]."""
        return self.surface.mean - to_logit(self.level)

    @property
    def within(self) -> np.ndarray:
        """Half of the 95 % interval of each cell [logit]."""
        return Z * self.surface.sd

    def sides(self) -> list[str]:
        """Return which of SIDES each cell is on."""
        decided = np.where(self.away > 0, "above", "below")
        return np.where(abs(self.away) <= self.within, "undecided", decided).tolist()

    def cells(self) -> pl.DataFrame:
        """Return a row for each cell: its axes, mean and 95 % interval low to high (accuracies), and side."""
        mean, within = self.surface.mean, self.within
        return pl.DataFrame([self.grid.cell(number) for number in range(len(self.grid))]).with_columns(
            mean=pl.Series(to_accuracy(mean)),
            low=pl.Series(to_accuracy(mean - within)),
            high=pl.Series(to_accuracy(mean + within)),
            side=pl.Series(self.sides()),
        )

    def crossings(self, *, along: str) -> pl.DataFrame:
        """Return where the level is crossed along one axis: a row a crossing, for each combination of the others.

        Columns: the other axes; `at` with its 95 % interval `low` to `high`, in values of `along`; `rises`, whether the
        accuracy does; `undecided`, how many of the `cells` of the combination are, and `undecided_at` which values.
        An end is null where the interval leaves the grid. A combination whose means do not cross has one row, with
        `at` null and `rises` whether they are above.
        """
        axis, rows = self.grid.axes.index(along), []
        for cells in self._lines(axis):
            names = {name: value for name, value in self.grid.cell(cells[0]).items() if name != along}
            away, within = self.away[cells], self.within[cells]
            open_at = [self.grid.cell(cell)[along] for cell in np.array(cells)[abs(away) <= within]]
            known = {"undecided": len(open_at), "cells": len(cells), "undecided_at": open_at}
            for *ends, rises in _line_crossings(self.grid.ranks[cells, axis], away, within):
                values = [None if rank is None else self.grid.value(along, rank) for rank in ends]
                rows.append({**names, **dict(zip(_ENDS, values, strict=True)), "rises": rises, **known})
        return pl.DataFrame(rows, schema_overrides=dict.fromkeys(_ENDS, pl.Float64), infer_schema_length=None)

    def _lines(self, axis: int) -> Iterator[list[int]]:
        """Yield the cells of each combination of the other axes, ascending along `axis`."""
        ranks = self.grid.ranks
        others = np.delete(ranks, axis, axis=1)
        order = np.lexsort((ranks[:, axis], *others.T[::-1]))
        for _, cells in groupby(order.tolist(), lambda cell: others[cell].tolist()):
            yield [*cells]


def trained_boundary(
    cells: pl.DataFrame, trials: pl.DataFrame, *, metric: str, level: float, where: str = "the sweep"
) -> SurfaceBoundary:
    """Return the boundary of `metric` over `cells` from the rows `trials`; only trials that are done count.

    Both have the axes as columns. Raises UsageError as `make_grid`, and where no trial has a value.
    """
    grid = make_grid(cells, where=where)
    known = trials.with_columns(value=replicate_value(metric)).drop_nulls("value")
    if known.is_empty():
        raise no_value(metric)
    placed = known.join(cells.select(grid.axes).with_row_index("cell"), on=grid.axes, maintain_order="left")
    return SurfaceBoundary(grid, fit_surface(grid.ranks, placed["cell"].to_list(), placed["value"].to_list()), level)


def no_value(metric: str) -> UsageError:
    """Return the error where no trial has a value of `metric`."""
    return UsageError(f"no trial has a value of {metric}; choose another --metric, one whose split has scenes")


def check_level(level: float) -> None:
    """Raise UsageError unless `level` is an accuracy strictly between 0 and 1."""
    if not 0 < level < 1:
        raise UsageError(f"--level must be above 0 and below 1, got {level:g}; the usual one is {PHASE_THRESHOLD:g}")


Crossing = tuple[float | None, float | None, float | None, bool]
"""Rank of a crossing, of both ends of its interval, and whether the line rises there."""


def _line_crossings(ranks: np.ndarray, away: np.ndarray, within: np.ndarray) -> Iterator[Crossing]:
    """Yield the crossings of zero by the line `away` over `ranks`, which is known to +- `within`."""
    found = False
    for i in range(len(ranks) - 1):
        if (away[i] >= 0) == (away[i + 1] >= 0):
            continue
        found, rises = True, bool(away[i + 1] >= 0)
        sign = 1 if rises else -1
        # Before the crossing the far bound is the last to be on the line's first side; behind it, the near one.
        low = _last_zero(ranks[: i + 2], sign * away[: i + 2] + within[: i + 2])
        high = _last_zero(ranks[i:][::-1], within[i:][::-1] - sign * away[i:][::-1])
        yield _zero(ranks[i], ranks[i + 1], away[i], away[i + 1]), low, high, rises
    if not found:
        yield None, None, None, bool(away[0] >= 0)


def _last_zero(ranks: np.ndarray, bound: np.ndarray) -> float | None:
    """Return where `bound`, which ends positive, turned so for the last time; None where it always was."""
    for i in range(len(ranks) - 2, -1, -1):
        if bound[i] < 0:
            return _zero(ranks[i], ranks[i + 1], bound[i], bound[i + 1])
    return None


def _zero(a: float, b: float, at_a: float, at_b: float) -> float:
    """Return where the straight line from `at_a` at a to `at_b` at b is zero."""
    return float(a + (b - a) * at_a / (at_a - at_b))


def _listed(values: pl.Series) -> str:
    return ", ".join("absent" if value is None else str(value) for value in values.unique().sort(nulls_last=True))
