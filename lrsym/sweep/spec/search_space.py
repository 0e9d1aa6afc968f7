"""The space of a search: fixed values, axes with a range or a list, and which points of it a trial can be."""

import heapq
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from pydantic import ValidationError

from lrsym.config.section import Value
from lrsym.sweep.spec.messages import SECTIONS, section_type, wrong_section
from lrsym.sweep.spec.sweep import Cell

MAX_NEIGHBOURS = 20_000
"""Points that are tried around one that no trial can be; a space without a valid one among them counts as empty."""

NEAR = 1_000
"""Whole numbers of a range that are tried on either side of one."""

Point = Mapping[str, Any]
"""A value for each axis of a space, by dotted key."""


class RefusedError(ValueError):
    """A point that no trial can be, with the rule that it breaks."""


@dataclass(frozen=True)
class Choice:
    """An axis that takes one of `values`."""

    key: str
    values: tuple[Value, ...]

    @property
    def low(self) -> Value:
        """The first value."""
        return self.values[0]

    @property
    def size(self) -> int:
        """The number of its values."""
        return len(self.values)

    def around(self, value: Value) -> list[tuple[float, Value]]:
        """Return distance 0..1 and value, the nearest to `value` first: numbers by their place, words all alike."""
        ordered = all(isinstance(v, int | float) for v in self.values)
        place = next(i for i, v in enumerate(self.values) if _same(v, value))
        far = max(1, self.size - 1)
        distances = [abs(i - place) / far if ordered else float(i != place) for i in range(self.size)]
        return sorted(zip(distances, self.values, strict=True), key=itemgetter(0))


@dataclass(frozen=True)
class Interval:
    """An axis of numbers from `low` to `high`, both included; whole ones where both are, on a log scale with `log`."""

    key: str
    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether it takes whole numbers."""
        return isinstance(self.low, int)

    @property
    def size(self) -> int | None:
        """The number of its values; None where it is continuous."""
        return int(self.high - self.low) + 1 if self.whole or self.low == self.high else None

    def around(self, value: Any) -> list[tuple[float, Value]]:
        """Return distance 0..1 and value, at most 2 x NEAR around `value`, the nearest first; of a continuous axis
        `value` alone."""
        if self.size is None:
            return [(0.0, value)]
        scale = math.log if self.log else float
        width = (scale(self.high) - scale(self.low)) or 1.0
        near = range(max(int(self.low), value - NEAR), min(int(self.high), value + NEAR) + 1) if self.whole else [value]
        return sorted(((abs(scale(v) - scale(value)) / width, v) for v in near), key=itemgetter(0))


SpaceAxis = Choice | Interval


@dataclass(frozen=True)
class SearchSpace:
    """Points with a value on each of `axes`, sorted by key; `base` fixes other axes, `excluded` leaves points out.

    A point is left out if it has all the values of one of `excluded`.
    """

    base: Mapping[str, Any]
    axes: tuple[SpaceAxis, ...]
    excluded: tuple[Point, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The dotted keys of the axes."""
        return tuple(axis.key for axis in self.axes)

    @property
    def size(self) -> int | None:
        """The number of points, refused ones counted; None where an axis is continuous."""
        sizes = [axis.size for axis in self.axes]
        return math.prod(size for size in sizes if size is not None) if None not in sizes else None

    def cell(self, point: Point) -> Cell:
        """Return the cell at `point`. Raises RefusedError where no trial can be it."""
        if any(all(_same(point[key], value) for key, value in left_out.items()) for left_out in self.excluded):
            raise RefusedError("[[exclude]] leaves it out")
        return Cell(*(self._section(name, point) for name in SECTIONS))

    def _section(self, name: str, point: Point) -> Any:
        prefix = f"{name}."
        given = {**self.base, **point}
        values = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
        try:
            return section_type(name).model_validate(values)
        except ValidationError as error:
            raise RefusedError(wrong_section(name, error.errors(include_url=False)[0])[1]) from None

    def nearest(self, point: Point) -> dict[str, Any] | None:
        """Return the point nearest to `point`, itself included, that a trial can be; None where there is none.

        Only axes with a list of values, a step or a range of whole numbers are moved.
        """
        for candidate in self.around(point):
            try:
                self.cell(candidate)
            except RefusedError:
                continue
            return candidate
        return None

    def around(self, point: Point) -> Iterator[dict[str, Any]]:
        """Yield the points on the discrete axes around `point`, the nearest first, at most MAX_NEIGHBOURS."""
        ladders = [axis.around(point[axis.key]) for axis in self.axes]
        start: tuple[int, ...] = (0,) * len(ladders)
        heap: list[tuple[float, tuple[int, ...]]] = [(0.0, start)]
        seen: set[tuple[int, ...]] = {start}
        for _ in range(MAX_NEIGHBOURS):
            if not heap:
                return
            _, places = heapq.heappop(heap)
            yield {
                axis.key: ladders[i][place][1] for i, (axis, place) in enumerate(zip(self.axes, places, strict=True))
            }
            for i, ladder in enumerate(ladders):
                further = (*places[:i], places[i] + 1, *places[i + 1 :])
                if further[i] < len(ladder) and further not in seen:
                    seen.add(further)
                    distance = sum(ladders[j][place][0] for j, place in enumerate(further))
                    heapq.heappush(heap, (distance, further))

    @property
    def corner(self) -> dict[str, Any]:
        """The point with the first or lowest value of every axis."""
        return {axis.key: axis.low for axis in self.axes}


def _same(a: Any, b: Any) -> bool:
    return isinstance(a, bool) == isinstance(b, bool) and a == b  # to Python true is 1
