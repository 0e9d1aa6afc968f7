"""The cells of a sweep file: a product of factors, without the cells that `[[exclude]]` leaves out.

A *factor* is what the product runs over: one axis of `[grid]`, or all columns of one `[[zip]]`. The place of a cell in
the whole product is its *number*; `rows` are the rows of the factors that a number stands for.
"""

import itertools
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, overload

from pydantic import BaseModel, ValidationError

from lrsym.errors import UsageError
from lrsym.sweep.spec.messages import SECTIONS, section_type, show_cell, table_name, wrong_section
from lrsym.sweep.spec.sweep import Cell
from lrsym.toml_source import TomlSource, show

KEPT_SECTIONS = 2**15
"""Validated sections that are kept, of each kind: some tens of MB, where a grid may have a million."""


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
    excluded: list[list[set[int]]] = field(default_factory=list)
    """One entry for each `[[exclude]]`: for each factor, the rows that are left out together."""
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
        return itertools.filterfalse(self._excludes, self._product()) if self.excluded else self._product()

    def numbers(self) -> Sequence[int]:
        """Return the numbers of `cells`."""
        if not self.excluded:
            return range(self.size)
        return array("L", (number for number, rows in enumerate(self._product()) if not self._excludes(rows)))

    def _product(self) -> Iterator[tuple[int, ...]]:
        return itertools.product(*(range(len(factor.rows)) for factor in self.factors))

    def _excludes(self, rows: tuple[int, ...]) -> bool:
        return any(all(map(set.__contains__, left_out, rows)) for left_out in self.excluded)

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
                f"(line {self.source.line(earlier)}); keep one of them",
                last=True,
            )
        self.paths[key] = path


class Cells(Sequence[Cell]):
    """The cells of a design, made when they are asked for; a slice is a tuple.

    A cell that no trial can be raises UsageError when it is asked for.
    """

    def __init__(self, design: Design):
        self._design = design
        self._numbers = design.numbers()
        self._sections = [_SharedSections(name, design) for name in SECTIONS]
        if not self._numbers:
            message = f"no cells left: the [[exclude]] tables leave out all {design.size:,}; drop one of them"
            raise design.source.error("exclude", message)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Cell]:
        return map(self._cell, self._design.cells())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cells) and len(self) == len(other) and all(map(Cell.__eq__, self, other))

    @overload
    def __getitem__(self, index: int) -> Cell: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Cell, ...]: ...
    def __getitem__(self, index: int | slice) -> Cell | tuple[Cell, ...]:
        chosen = self._numbers[index]
        if isinstance(chosen, int):
            return self._cell(self._design.rows(chosen))
        return tuple(self._cell(self._design.rows(number)) for number in chosen)

    def _cell(self, rows: Sequence[int]) -> Cell:
        sections: list[Any] = []
        for section in self._sections:
            try:
                sections.append(section.get(*[rows[factor] for factor in section.factors]))
            except ValidationError as error:
                raise _invalid_cell(self._design, section.name, error, rows) from None
        return Cell(*sections)

    def check_distinct(self, identities: Sequence[str]) -> None:
        """Raise UsageError where two cells are the same trial; `identities` has one of each cell's replicates."""
        if len(set(identities)) == len(identities):
            return
        seen: dict[str, int] = {}
        for identity, number in zip(identities, self._numbers, strict=True):
            first = seen.setdefault(identity, number)
            if first != number:
                raise _same_trial(self._design, self._design.rows(first), self._design.rows(number))


class _SharedSections:
    """The sections called `name` of all cells: one object for each choice of rows of `factors`, which alone have axes
    in it."""

    def __init__(self, name: str, design: Design):
        prefix = f"{name}."
        self.name = name
        self._base = {key.removeprefix(prefix): value for key, value in design.base.items() if key.startswith(prefix)}
        columns = [
            [(column, key.removeprefix(prefix)) for column, key in enumerate(factor.keys) if key.startswith(prefix)]
            for factor in design.factors
        ]
        self.factors = [number for number, axes in enumerate(columns) if axes]
        self._columns = [(design.factors[number], columns[number]) for number in self.factors]
        self._validated = section_type(name).model_validate
        self.get = lru_cache(maxsize=KEPT_SECTIONS)(self._validate)

    def _validate(self, *rows: int) -> BaseModel:
        values = self._base.copy()
        for (factor, columns), row in zip(self._columns, rows, strict=True):
            for column, axis in columns:
                values[axis] = factor.rows[row][column]
        return self._validated(values)


def _invalid_cell(design: Design, section: str, error: ValidationError, rows: Sequence[int]) -> UsageError:
    keys, message = wrong_section(section, error.errors(include_url=False)[0])
    path = next((design.paths[key] for key in keys if key in design.paths), "")
    where = f" (first in the cell {show_cell(design.varied_values(rows))})" if design.factors else ""
    return design.source.error(path, message + where)


def _same_trial(design: Design, first: Sequence[int], second: Sequence[int]) -> UsageError:
    differing = [(factor, i, j) for factor, i, j in zip(design.factors, first, second, strict=True) if i != j]
    entries = [
        f"{' and '.join(factor.keys)}: entries {i + 1} ({', '.join(map(show, factor.rows[i]))}) "
        f"and {j + 1} ({', '.join(map(show, factor.rows[j]))})"
        for factor, i, j in differing
    ]
    message = f"two cells are the same trial, {'; '.join(entries)}; remove one of the two"
    return design.source.error(design.paths[differing[0][0].keys[0]], message)
