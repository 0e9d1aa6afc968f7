"""The space of a search: fixed values, axes with a range or a list, and which points of it a trial can be."""

import heapq
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from operator import itemgetter
from typing import Any

from pydantic import ValidationError

from lrsym.config.messages import SECTIONS, section_type, wrong_section
from lrsym.config.section import Value
from lrsym.sweep.spec.cells import Cell
from lrsym.sweep.spec.tables import equal
from lrsym.toml_source import fits_64_bits

MAX_NEIGHBOURS = 20_000
"""Points that are tried around one that no trial can be; a space without a valid one among them counts as empty."""

NEAR = 1_000
"""Whole numbers of a range that are tried on either side of one."""

KEPT_SECTIONS = 2**12
"""Validated sections that a space keeps, refused ones among them: a few MB."""

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
    def ends(self) -> tuple[Value, Value]:
        """The first and the last value."""
        return self.values[0], self.values[-1]

    @property
    def size(self) -> int:
        """The number of its values."""
        return len(self.values)

    def has(self, value: Any) -> bool:
        """Return whether it takes `value`."""
        return any(equal(v, value) for v in self.values)

    def around(self, value: Value) -> list[tuple[float, Value]]:
        """Return distance 0..1 and value, the nearest to `value` first: numbers by their place, words all alike."""
        ordered = all(isinstance(v, int | float) for v in self.values)
        place = next(i for i, v in enumerate(self.values) if equal(v, value))
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
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return self.low, self.high

    @property
    def values(self) -> Sequence[Value]:
        """Its values, where it is not continuous."""
        return range(int(self.low), int(self.high) + 1) if self.whole else (self.low,)

    @property
    def whole(self) -> bool:
        """Whether it takes whole numbers."""
        return isinstance(self.low, int)

    @property
    def size(self) -> int | None:
        """The number of its values; None where it is continuous."""
        return int(self.high - self.low) + 1 if self.whole or self.low == self.high else None

    def has(self, value: Any) -> bool:
        """Return whether it takes `value`."""
        return is_number(value, whole=self.whole) and self.low <= value <= self.high

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

    @property
    def is_small(self) -> bool:
        """Whether it has few enough points to look at each."""
        return self.size is not None and self.size <= MAX_NEIGHBOURS

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield every point, refused ones too, of a space without a continuous axis."""
        for values in product(*(axis.values for axis in self.axes)):
            yield dict(zip(self.keys, values, strict=True))

    def cell(self, point: Point) -> Cell:
        """Return the cell at `point`. Raises RefusedError where no trial can be it."""
        if refusal := self.refusal(point):
            raise RefusedError(refusal)
        return Cell(*self._sections(point))

    def refusal(self, point: Point) -> str:
        """Return the rule that keeps a trial from being at `point`; empty where one can be."""
        if any(all(equal(point[key], value) for key, value in left_out.items()) for left_out in self.excluded):
            return "the [[exclude]] tables leave out what could be; drop one of them"
        return next((section for section in self._sections(point) if isinstance(section, str)), "")

    def _sections(self, point: Point) -> list[Any]:
        """Return each section of the cell at `point`, or the rule that it breaks."""
        return [self._section(name, *(point[key] for key in keys)) for name, keys in self._keys_by_section.items()]

    @cached_property
    def _keys_by_section(self) -> dict[str, list[str]]:
        return {name: [key for key in self.keys if key.startswith(f"{name}.")] for name in SECTIONS}

    @cached_property
    def _section(self) -> Callable[..., Any]:
        """Of the points near another one most share their sections."""
        return lru_cache(maxsize=KEPT_SECTIONS)(self._validate)

    def _validate(self, name: str, *values: Value) -> Any:
        given = {**self.base, **dict(zip(self._keys_by_section[name], values, strict=True))}
        prefix = f"{name}."
        of_section = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
        try:
            return section_type(name).model_validate(of_section)
        except ValidationError as error:
            return wrong_section(name, error.errors(include_url=False)[0])[1]

    def nearest(self, point: Point) -> dict[str, Any] | None:
        """Return the point nearest to `point`, itself included, that a trial can be; None where there is none.

        Only axes with a list of values or a range of whole numbers are moved.
        """
        return next((candidate for candidate in self.around(point) if not self.refusal(candidate)), None)

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
    def corners(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The points with the lowest (first) value of every axis, and with the highest (last)."""
        return {axis.key: axis.ends[0] for axis in self.axes}, {axis.key: axis.ends[1] for axis in self.axes}

    @cached_property
    def valid_corners(self) -> tuple[dict[str, Any], ...]:
        """The points nearest to `corners` that a trial can be; none in a space that counts as empty."""
        return tuple(point for corner in self.corners if (point := self.nearest(corner)) is not None)

    @property
    def corner(self) -> dict[str, Any]:
        """A point that a trial can be. Raises IndexError where there is none."""
        return self.valid_corners[0]


def is_number(value: Any, *, whole: bool) -> bool:
    """Return whether `value` is a finite number that the store can hold, and `whole` if it has to be."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return fits_64_bits(value)
    return isinstance(value, float) and not whole and math.isfinite(value)
