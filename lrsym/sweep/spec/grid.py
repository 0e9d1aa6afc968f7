"""The cells of a sweep, and the trials of each cell.

A *factor* is what the product runs over: one axis of `[grid]`, or all columns of one `[[zip]]`.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.sweep.spec.messages import SECTIONS, part_type, show_cell, table_name, wrong_part
from lrsym.toml_source import Source, show

Coordinate = tuple[int, ...]


@dataclass(frozen=True)
class Factor:
    """Axes that move together: `rows[i]` has a value for each of `keys`."""

    keys: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass
class Design:
    """What varies in a sweep file, what does not, and where in the file each axis stands."""

    source: Source
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
    def n_cells(self) -> int:
        """Size of the product, excluded cells counted."""
        return math.prod(len(factor.rows) for factor in self.factors)

    def cells(self) -> Iterator[Coordinate]:
        """The row of each factor, the last factor fastest, without the excluded cells."""
        for cell in itertools.product(*(range(len(factor.rows)) for factor in self.factors)):
            if not any(all(map(set.__contains__, left_out, cell)) for left_out in self.excluded):
                yield cell

    def varied_values(self, cell: Coordinate) -> dict[str, Any]:
        """The values of `cell` on the axes that vary."""
        chosen = zip(self.factors, cell, strict=True)
        return {key: value for factor, row in chosen for key, value in zip(factor.keys, factor.rows[row], strict=True)}

    def claim(self, table: str, key: str) -> None:
        """Note that `key` stands in `table`; raises UsageError where it has stood before."""
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


def build_trials(design: Design, *, seeds: range) -> tuple[Trial, ...]:
    """Every trial of `design`: cells in their order, the seeds of one cell side by side.

    Raises UsageError, naming the first cell, where a value is not allowed or two cells are the same trial.
    """
    parts = _Parts()
    seen: dict[tuple[int, ...], Coordinate] = {}
    trials: list[Trial] = []
    for cell in design.cells():
        values = design.base | design.varied_values(cell)
        trial: dict[str, Any] = {section: _part(design, parts, section, values, cell) for section in SECTIONS}
        identity = tuple(map(id, trial.values()))
        if identity in seen:
            raise _same_trial(design, seen[identity], cell)
        seen[identity] = cell
        trials += (Trial(**trial, seed=seed) for seed in seeds)
    if not trials:
        message = f"no cells left: the [[exclude]] tables leave out all {design.n_cells:,}; drop one of them"
        raise design.source.error("exclude", message)
    return tuple(trials)


class _Parts:
    """Validated parts of trials. Each distinct one exists once, so that equal parts are the same object."""

    def __init__(self):
        self._by_values: dict[tuple[Any, ...], BaseModel] = {}
        self._distinct: dict[BaseModel, BaseModel] = {}

    def get(self, section: str, values: Mapping[str, Any]) -> BaseModel:
        # The type belongs to the key: 1, 1.0 and true are equal in Python, but not all of them are allowed.
        given = (section, *((name, type(value), value) for name, value in values.items()))
        if given not in self._by_values:
            part = part_type(section).model_validate(values)
            self._by_values[given] = self._distinct.setdefault(part, part)
        return self._by_values[given]


def _part(design: Design, parts: _Parts, section: str, values: Mapping[str, Any], cell: Coordinate) -> BaseModel:
    prefix = f"{section}."
    mine = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    try:
        return parts.get(section, mine)
    except ValidationError as error:
        keys, message = wrong_part(section, error.errors(include_url=False)[0])
        path = next((design.paths[key] for key in keys if key in design.paths), "")
        where = f" (first in the cell {show_cell(design.varied_values(cell))})" if design.factors else ""
        raise design.source.error(path, message + where) from None


def _same_trial(design: Design, first: Coordinate, second: Coordinate) -> UsageError:
    rows = list(zip(design.factors, first, second, strict=True))
    differing = [(factor, i, j) for factor, i, j in rows if i != j]
    factor, *_ = differing[0]
    told = [
        f"{' and '.join(factor.keys)}: entries {i + 1} ({', '.join(map(show, factor.rows[i]))}) "
        f"and {j + 1} ({', '.join(map(show, factor.rows[j]))})"
        for factor, i, j in differing
    ]
    message = f"two cells are the same trial, {'; '.join(told)}; remove one of the two"
    return design.source.error(design.paths[factor.keys[0]], message)
