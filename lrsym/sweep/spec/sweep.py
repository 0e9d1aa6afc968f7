"""A sweep: cells x seeds under a name. Its trials are made when they are asked for."""

import html
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, overload

from lrsym.config.trial import Trial
from lrsym.sweep.spec.cells import Cell, identify
from lrsym.toml_source import show

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from lrsym.sweep.spec.search import Search

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


NO_HEAD = Head("", "", "")


MAX_HTML_CELLS, MAX_HTML_VALUES = 10_000, 12
"""Cells that are read, and values of an axis that are listed, for the table of a sweep in a notebook."""

Table = Mapping[str, Any]
"""Values, or lists of them, by dotted key of their axis."""

NO_TABLE: Table = MappingProxyType({})


@dataclass(frozen=True, repr=False)
class Sweep:
    """Every cell of `cells` under every seed of `seeds`; `varied` are the dotted keys of the axes that vary.

    `source` names the file, or the call where it is made in Python, `changes` what stands in place of its values, each
    as KEY=VALUE, `warnings` what is missing in it; `stop` is the stop rule that it asks for. Make one with `Sweep.grid`
    or `Sweep.of`, or load a file.
    """

    name: str
    source: str
    cells: Sequence[Cell]
    seeds: range
    varied: tuple[str, ...]
    head: Head
    warnings: tuple[str, ...]
    stop: str | None = None
    changes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of trials."""
        return len(self.cells) * len(self.seeds)

    def __repr__(self) -> str:
        cells, replicates = len(self.cells), self.replicates
        return f"Sweep(name={self.name!r}, cells={cells:,}, replicates={replicates:,}, trials={len(self):,})"

    def _repr_html_(self) -> str:
        rows = {
            "trials": f"{len(self):,} = {len(self.cells):,} cells x {self.replicates:,} replicates",
            **{key: self._values_in_words(key) for key in self.varied},
        }
        cells = "".join(
            f"<tr><th style='text-align: left'>{html.escape(name)}</th>"
            f"<td style='text-align: left'>{html.escape(text)}</td></tr>"
            for name, text in rows.items()
        )
        return f"<table><caption>{html.escape(f'Sweep {self.name}')}</caption>{cells}</table>"

    def _values_in_words(self, key: str) -> str:
        section, _, axis = key.partition(".")
        if len(self.cells) > MAX_HTML_CELLS or not hasattr(getattr(self.cells[0], section), axis):
            return "varies"
        values = [*dict.fromkeys(getattr(getattr(cell, section), axis) for cell in self.cells)]
        more = ", ..." if len(values) > MAX_HTML_VALUES else ""
        return ", ".join(map(show, values[:MAX_HTML_VALUES])) + more

    @classmethod
    def grid(
        cls,
        name: str,
        *,
        base: Table = NO_TABLE,
        grid: Table = NO_TABLE,
        zip: Table | Sequence[Table] = (),
        exclude: Table | Sequence[Table] = (),
        replicates: int = 1,
        first_seed: int = 0,
        stop: str | None = None,
    ) -> "Sweep":
        """Return the sweep that a file gives with the tables `[base]`, `[grid]`, `[[zip]]` and `[[exclude]]`.

        `zip` and `exclude` take one dict or a list of them. Raise UsageError, one message with the key, the rule, the
        value and the remedy, for anything that is not a valid sweep.
        """
        from lrsym.sweep.spec.python_tables import grid_sweep

        return grid_sweep(
            name, base=base, grid=grid, zips=zip, excludes=exclude, replicates=replicates, first_seed=first_seed,
            stop=stop,
        )  # fmt: skip

    @classmethod
    def of(cls, trials: Iterable[Trial], *, name: str) -> "Sweep":
        """Return the sweep of `trials`, whose cells must all have the same seeds; UsageError as `grid`."""
        from lrsym.sweep.spec.python_tables import listed_sweep

        return listed_sweep(trials, name=name)

    @classmethod
    def search(
        cls,
        name: str,
        *,
        space: Table,
        budget: int,
        maximise: str | Sequence[str] | None = None,
        minimise: str | Sequence[str] | None = None,
        base: Table = NO_TABLE,
        exclude: Table | Sequence[Table] = (),
        replicates: int = 1,
        first_seed: int = 0,
        sampler: str | None = None,
        seed: int | None = None,
        stop: str | None = None,
        reuse: bool | None = None,
    ) -> "Search":
        """Return the search that a file gives with the tables `[base]`, `[search]` and `[[exclude]]`.

        Ranges of `space` are dicts: `{"low": 1e-4, "high": 1e-2, "log": True}`. UsageError as `grid`.
        """
        from lrsym.sweep.spec.python_tables import search_of

        keys = {
            "budget": budget, "maximise": maximise, "minimise": minimise, "sampler": sampler, "seed": seed,
            "stop": stop, "reuse": reuse,
        }  # fmt: skip
        return search_of(
            name, space=space, base=base, excludes=exclude, replicates=replicates, first_seed=first_seed, keys=keys
        )

    def trials_frame(self, results: "str | Path" = "results") -> "pl.LazyFrame":
        """Return the rows that the folder `results` has of this sweep, one for each trial that has ended.

        Raise UsageError where there is no such folder.
        """
        import lrsym  # a part of the interface that is reached from here, as a user would

        return lrsym.trials_frame(self, results)

    def command(self, verb: str, results: str, **options: str) -> str:
        """Return what to type for `verb`, with `options`; as `command`."""
        return command(verb, self.source, results, changes=self.changes, **options)

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


def command(verb: str, source: str, results: str, *, changes: Sequence[str] = (), **options: str) -> str:
    """Return what to type for a verb that takes a sweep: a command line, or a call where `source` is one."""
    if source in ("Sweep.grid", "Sweep.of", "Sweep.search"):
        given = "".join(f", {name}={value!r}" for name, value in {"results": results, **options}.items())
        return f"lrsym.{'run_sweep' if verb == 'sweep' else verb.replace(' ', '_')}(sweep{given})"
    words = [word for change in changes for word in ("--set", change)]
    words += [word for name, value in options.items() for word in (f"--{name}", value)]
    return shlex.join(["lrsym", *verb.split(), source, *words, "--results", str(results)])
