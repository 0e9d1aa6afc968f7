"""A search: a space, what is sought in it, and how; the trials are chosen while it runs."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lrsym.errors import UsageError
from lrsym.sweep.spec.cells import Cell
from lrsym.sweep.spec.search_space import Choice, SearchSpace
from lrsym.sweep.spec.sweep import MAX_TRIALS, Head, Sweep
from lrsym.toml_source import TomlSource

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


@dataclass(frozen=True)
class Objective:
    """What is sought: SQL over the rows of a cell in the table trials, or one column of it, and in which direction."""

    sql: str
    maximise: bool

    @property
    def words(self) -> str:
        """The objective as a person names it."""
        return f"{'maximise' if self.maximise else 'minimise'} {self.sql}"

    @property
    def is_column(self) -> bool:
        """Whether it is one column, which stands for its mean over the replicates."""
        return re.fullmatch(r"\w+", self.sql) is not None


@dataclass(frozen=True, repr=False)
class Search:
    """At most `budget` cells of `space`, each under every seed of `seeds`, chosen by `sampler` for `objectives`.

    `source` is the file, for messages; `warnings` say what is missing in it. With `reuse` finished trials of any sweep
    that lie in the space are told to the sampler before it is asked.
    """

    name: str
    source: TomlSource
    space: SearchSpace
    objectives: tuple[Objective, ...]
    sampler: str
    budget: int
    seed: int
    stop: str
    reuse: bool
    seeds: range
    head: Head
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        sought = ", ".join(objective.words for objective in self.objectives)
        return f"Search(name={self.name!r}, sampler={self.sampler!r}, budget={self.budget:,} cells, {sought})"

    @property
    def replicates(self) -> int:
        """Seeds of each cell."""
        return len(self.seeds)

    def check_size(self, budget: int) -> None:
        """Raise UsageError where `budget` cells have more trials than a sweep may have."""
        if (count := budget * self.replicates) > MAX_TRIALS:
            message = f"a search has at most {MAX_TRIALS:,} trials, {budget:,} cells have {count:,}; lower the budget"
            raise self.error("budget", message)

    def trials_frame(self, results: "str | Path" = "results") -> "pl.LazyFrame":
        """Return the rows that the folder `results` has of the cells that it has chosen, one for each trial.

        Raise UsageError where there is no such folder, and where it has not begun.
        """
        import lrsym  # a part of the interface that is reached from here, as a user would

        return lrsym.trials_frame(self, results)

    @cached_property
    def key(self) -> str:
        """Identity: what is asked for and how, but not the budget; 64 bits in hex."""
        fixed = [self.space.cell(point).trial_ids([self.seeds.start]) for point in self.space.valid_corners]
        excluded = sorted(json.dumps(point, sort_keys=True) for point in self.space.excluded)
        axes = [
            [axis.key, [*axis.values]] if isinstance(axis, Choice) else [axis.key, axis.low, axis.high, axis.log]
            for axis in self.space.axes
        ]
        parts = [
            fixed, axes, excluded, [objective.words for objective in self.objectives], self.sampler, self.seed,
            self.stop, self.reuse, self.replicates,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def alone(self) -> str:
        """The name under which only one process at a time may run it in the same results."""
        return f"search {self.key}"

    def sweep(self, points: Iterable[Mapping[str, Any]]) -> Sweep:
        """Return the sweep of the cells at `points`, each once."""
        cells = dict.fromkeys(self.space.cell(point) for point in points)
        return self.sweep_of(cells)

    def sweep_of(self, cells: Iterable[Cell]) -> Sweep:
        """Return the sweep of `cells`."""
        stop = None if self.stop == "none" else self.stop
        return Sweep(
            self.name,
            self.source.name,
            (*cells,),
            self.seeds,
            self.space.keys,
            self.head,
            self.warnings,
            stop,
            self.source.changes,
        )

    def error(self, key: str, message: str) -> UsageError:
        """Return (do not raise) a UsageError that names the line of `key` in the table of the search."""
        return self.source.error(f"search.{key}", message)
