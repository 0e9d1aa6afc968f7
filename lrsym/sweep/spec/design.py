"""The design of a sweep file: the product of its factors, without the cells that `[[exclude]]` leaves out.

A *factor* is what the product runs over: one axis of `[grid]`, or all columns of one `[[zip]]`. The place of a cell in
the whole product is its *number*; its *rows* are the rows of the factors that the number stands for.
"""

import itertools
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import not_
from typing import Any

from lrsym.sweep.spec.messages import table_name
from lrsym.toml_source import TomlSource


@dataclass(frozen=True)
class Factor:
    """Axes that move together: `rows[i]` has a value for each of `keys`."""

    keys: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass
class Design:
    """What varies in a sweep file, what does not, and where in the file each axis stands."""

    source: TomlSource
    base: dict[str, Any] = field(default_factory=dict)
    factors: list[Factor] = field(default_factory=list)
    excluded: list[list[list[bool]]] = field(default_factory=list)
    """One entry for each `[[exclude]]`: for each row of each factor, whether it is one of those left out together."""
    paths: dict[str, str] = field(default_factory=dict)

    @property
    def varied(self) -> tuple[str, ...]:
        """Dotted keys of the axes that vary, `[grid]` first."""
        return tuple(key for factor in self.factors for key in factor.keys)

    @property
    def size(self) -> int:
        """Size of the product, excluded cells counted."""
        return math.prod(len(factor.rows) for factor in self.factors)

    def cells(self) -> Iterator[tuple[int, ...]]:
        """Yield the rows of every cell that no `[[exclude]]` leaves out, the last factor fastest."""
        product = itertools.product(*(range(len(factor.rows)) for factor in self.factors))
        return itertools.compress(product, self._kept()) if self.excluded else product

    def numbers(self) -> Sequence[int]:
        """Return the numbers of `cells`."""
        everything = range(self.size)
        return array("L", itertools.compress(everything, self._kept())) if self.excluded else everything

    def _kept(self) -> Iterator[bool]:
        """Yield for each number whether no `[[exclude]]` leaves it out."""
        left_out = [map(all, itertools.product(*rows)) for rows in self.excluded]
        return map(not_, map(any, zip(*left_out, strict=True)))

    def rows(self, number: int) -> tuple[int, ...]:
        """Return the row of each factor in the cell with `number`."""
        rows = []
        for factor in reversed(self.factors):
            number, row = divmod(number, len(factor.rows))
            rows.append(row)
        return tuple(reversed(rows))

    def varied_values(self, rows: Sequence[int]) -> dict[str, Any]:
        """Return the values of a cell on the axes that vary."""
        chosen = zip(self.factors, rows, strict=True)
        return {key: value for factor, row in chosen for key, value in zip(factor.keys, factor.rows[row], strict=True)}

    def register(self, table: str, key: str) -> None:
        """Note that `key` stands in `table`. Raise UsageError where it has stood before."""
        path = f"{table}.{key}"
        if key in self.paths:
            earlier = self.paths[key]
            raise self.source.error(
                path,
                f"{key} is given in {table_name(table)} and already in {table_name(earlier.removesuffix(f'.{key}'))} "
                f"({self.source.place(earlier)}); keep one of them",
                last=True,
            )
        self.paths[key] = path
