"""A sweep: cells x seeds under a name. Its trials are made when they are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

from lrsym.config.trial import Trial
from lrsym.sweep.spec.cells import Cell, identify

MAX_TRIALS = 2_000_000
"""Beyond this a file is taken for a slip: two million identities take up to 18 seconds and some hundred MB."""


class Trials(Sequence[Trial]):
    """The trials of `cells` in their order, the replicates of a cell side by side; none is kept. A slice is a tuple."""

    def __init__(self, cells: Sequence[Cell], seeds: range):
        self._cells = cells
        self._seeds = seeds

    def __len__(self) -> int:
        return len(self._cells) * len(self._seeds)

    def __iter__(self) -> Iterator[Trial]:
        return (cell.trial(seed) for cell in self._cells for seed in self._seeds)

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Trial, ...]: ...
    def __getitem__(self, index: int | slice) -> Trial | tuple[Trial, ...]:
        chosen = range(len(self))[index]
        if isinstance(chosen, range):
            return tuple(map(self.__getitem__, chosen))
        cell, replicate = divmod(chosen, len(self._seeds))
        return self._cells[cell].trial(self._seeds[replicate])


@dataclass(frozen=True)
class Head:
    """What the comment on top of a sweep file says; empty where it says nothing."""

    question: str
    cost: str
    command: str


@dataclass(frozen=True, repr=False)
class Sweep:
    """Every cell of `cells` under every seed of `seeds`; `varied` are the dotted keys of the axes that vary.

    `source` names the file, `warnings` say what is missing in it; `stop` is the stop rule that it asks for.
    """

    name: str
    source: str
    cells: Sequence[Cell]
    seeds: range
    varied: tuple[str, ...]
    head: Head
    warnings: tuple[str, ...]
    stop: str | None = None

    def __len__(self) -> int:
        """The number of trials."""
        return len(self.cells) * len(self.seeds)

    def __repr__(self) -> str:
        cells, replicates = len(self.cells), self.replicates
        return f"Sweep(name={self.name!r}, cells={cells:,}, replicates={replicates:,}, trials={len(self):,})"

    @property
    def replicates(self) -> int:
        """Seeds of each cell."""
        return len(self.seeds)

    @property
    def trials(self) -> Trials:
        """The trials, made when asked for: cells in their order, the replicates of a cell side by side."""
        return Trials(self.cells, self.seeds)

    def trial_ids(self) -> list[str]:
        """Return the identities of `trials`, in the same order."""
        return list(self._facts[0])

    def shape_numbers(self) -> Sequence[int]:
        """Return a number for each cell, the same for cells of one static shape, from 0 in order of appearance."""
        return self._facts[1]

    @cached_property
    def _facts(self) -> tuple[list[str], Sequence[int]]:
        return identify(self.cells, self.seeds)
