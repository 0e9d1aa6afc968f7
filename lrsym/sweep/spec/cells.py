"""The cells of a design, each made and validated when it is asked for; equal sections of cells are made once."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, overload

from pydantic import BaseModel, ValidationError

from lrsym.errors import UsageError
from lrsym.sweep.spec.design import Design
from lrsym.sweep.spec.messages import SECTIONS, section_type, show_cell, wrong_section
from lrsym.sweep.spec.sweep import Cell
from lrsym.toml_source import show

KEPT_SECTIONS = 2**15
"""Validated sections that are kept, of each kind: some tens of MB, where a grid may have a million."""


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
        axes = [
            (number, key.removeprefix(prefix), column)
            for number, factor in enumerate(design.factors)
            for column, key in enumerate(factor.keys)
            if key.startswith(prefix)
        ]
        self.factors = list(dict.fromkeys(number for number, _, _ in axes))
        self._axes = [(axis, design.factors[n].rows, self.factors.index(n), column) for n, axis, column in axes]
        self._validated = section_type(name).model_validate
        self.get = lru_cache(maxsize=KEPT_SECTIONS)(self._validate)

    def _validate(self, *chosen: int) -> BaseModel:
        values = self._base.copy()
        for axis, rows, factor, column in self._axes:
            values[axis] = rows[chosen[factor]][column]
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
