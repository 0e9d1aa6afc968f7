"""The cells of a design, each made and validated when it is asked for; equal sections of cells are made once."""

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, overload

from pydantic import TypeAdapter, ValidationError

from lrsym.config.messages import SECTIONS, section_type, wrong_section
from lrsym.config.model import ModelConfig
from lrsym.config.scene import SceneConfig
from lrsym.config.section import ConfigSection, Form
from lrsym.config.training import EvalConfig, OptimConfig
from lrsym.config.trial import Trial, n_steps, trial_ids
from lrsym.errors import UsageError
from lrsym.sweep.spec.design import Design
from lrsym.sweep.spec.messages import show_cell
from lrsym.toml_source import show

KEPT_SECTIONS, KEPT_CELLS = 2**15, 2**10
"""How many are kept, where a grid may have a million: validated sections of each kind, some tens of MB; cells that
were asked for by their number, as the replicates of a cell do one after the other."""


class Cell(NamedTuple):
    """A trial without its seed: four validated sections, which it shares with other cells."""

    scenes: SceneConfig
    model: ModelConfig
    optim: OptimConfig
    eval: EvalConfig

    def trial(self, seed: int) -> Trial:
        """Return the replicate of this cell with `seed`, which must be one of a sweep: nothing is validated again."""
        return Trial.model_construct(scenes=self.scenes, model=self.model, optim=self.optim, eval=self.eval, seed=seed)

    @property
    def static_shape(self) -> Hashable:
        """What its trials share with others of a pack (`Trial.static_shape`)."""
        return self.trial(0).static_shape

    def trial_ids(self, seeds: Iterable[int]) -> list[str]:
        """Return the identities of the replicates with `seeds`."""
        return identify([self], seeds)[0]


class Cells(Sequence[Cell]):
    """The cells of a design, made when they are asked for; a slice is a tuple.

    A cell that no trial can be raises UsageError when it is asked for.
    """

    def __init__(self, design: Design):
        self._design = design
        self._numbers = design.numbers()
        sections = [_Section(name, design) for name in SECTIONS]
        self._lookups = [(place, section.choice, section.facts) for place, section in enumerate(sections)]
        self._varied = [lookup for lookup, section in zip(self._lookups, sections, strict=True) if section.varies]
        self._numbered = lru_cache(KEPT_CELLS)(lambda number: next(self._made([design.rows(number)])))
        if not self._numbers:
            message = f"no cells left: the [[exclude]] tables leave out all {design.size:,}; drop one of them"
            raise design.source.error("exclude", message)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Cell]:
        return self._made()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cells) and len(self) == len(other) and all(map(Cell.__eq__, self, other))

    @overload
    def __getitem__(self, index: int) -> Cell: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Cell, ...]: ...
    def __getitem__(self, index: int | slice) -> Cell | tuple[Cell, ...]:
        chosen = self._numbers[index]
        return self._numbered(chosen) if isinstance(chosen, int) else tuple(map(self._numbered, chosen))

    def _made(self, cells: Iterable[tuple[int, ...]] | None = None) -> Iterator[Cell]:
        return (Cell._make(section for section, _, _ in facts) for facts in self.facts(cells))

    def facts(self, cells: Iterable[tuple[int, ...]] | None = None) -> "Iterator[list[Facts]]":
        """Yield the facts of the sections of each of `cells`, which are rows, in a list that the next one changes.

        By default of all.
        """
        facts: list[Any] = [None] * len(self._lookups)
        lookups = self._lookups
        for rows in self._design.cells() if cells is None else cells:
            try:
                for place, choice, facts_of in lookups:
                    facts[place] = facts_of(choice(rows))
            except ValidationError:
                self._note_invalid()
                self._design.source.raise_noted()
            yield facts
            lookups = self._varied  # the other sections are the same in every cell

    def _note_invalid(self) -> None:
        """Note the first cell in which each section is wrong."""
        for _, choice, facts_of in self._lookups:
            with self._design.source.noted():
                for rows in self._design.cells():
                    try:
                        facts_of(choice(rows))
                    except ValidationError as error:
                        raise _invalid_cell(self._design, error, rows) from None

    def check_distinct(self, identities: Sequence[str]) -> None:
        """Raise UsageError where two cells are the same trial; `identities` has one of each cell's replicates."""
        if len(set(identities)) == len(identities):
            return
        seen: dict[str, int] = {}
        for identity, number in zip(identities, self._numbers, strict=True):
            first = seen.setdefault(identity, number)
            if first != number:
                raise _same_trial(self._design, self._design.rows(first), self._design.rows(number))


Facts = tuple[Any, str, Hashable]
"""A section, and what identity and static shape of its cells need of it: canonical axes and shared axes."""


class _Section:
    """The sections called `name` of all cells: one for each `choice` of rows of the factors that have axes in it."""

    def __init__(self, name: str, design: Design):
        prefix = f"{name}."
        self._base = {key.removeprefix(prefix): value for key, value in design.base.items() if key.startswith(prefix)}
        axes = [
            (number, key.removeprefix(prefix), column)
            for number, factor in enumerate(design.factors)
            for column, key in enumerate(factor.keys)
            if key.startswith(prefix)
        ]
        factors = list(dict.fromkeys(number for number, _, _ in axes))
        self._axes = [(axis, design.factors[n].rows, factors.index(n), column) for n, axis, column in axes]
        kind = section_type(name)
        self._validated, self._form = TypeAdapter(kind).validator.validate_python, kind.form()
        self.varies, self.choice = bool(factors), _reader(factors)
        # With axes in every factor, it is another section in every cell: a pass over the cells finds none again.
        self.facts = self._facts if len(factors) == len(design.factors) else lru_cache(KEPT_SECTIONS)(self._facts)

    def _facts(self, choice: tuple[int, ...]) -> Facts:
        values = self._base.copy()
        for axis, rows, factor, column in self._axes:
            values[axis] = rows[choice[factor]][column]
        return _facts(self._validated(values), self._form)


def _facts(section: ConfigSection, form: Form) -> Facts:
    fields = section.__dict__
    return section, form.write(fields), form.shared_of(fields)


def identify(cells: Sequence[Cell], seeds: Iterable[int]) -> tuple[list[str], Sequence[int]]:
    """Return the identities of the trials of `cells` with `seeds`, and a number for the static shape of each cell.

    Cells of one static shape have one number, from 0 in order of appearance. Both come from one pass over the cells:
    each is made, validated and forgotten.
    """
    ids: list[str] = []
    numbers, known = array("i"), dict[Hashable, int]()
    each = cells.facts() if isinstance(cells, Cells) else ([_facts(s, s.form()) for s in cell] for cell in cells)
    for (scenes, of_s, shape_s), (model, of_m, shape_m), (optim, of_o, shape_o), (_, of_e, shape_e) in each:
        ids += trial_ids(scenes=of_s, model=of_m, optim=of_o, evaluation=of_e, seeds=seeds)
        shape = (n_steps(optim, scenes), model.drops, shape_s, shape_m, shape_o, shape_e)
        numbers.append(known.setdefault(shape, len(known)))
    return ids, numbers


def _reader(places: Sequence[int]) -> Callable[[tuple[int, ...]], tuple[int, ...]]:
    """Return what reads the items at `places` off a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    first = sum(places)
    return itemgetter(slice(first, first + len(places)))  # of one place alone, itemgetter gives no tuple


def _invalid_cell(design: Design, error: ValidationError, rows: Sequence[int]) -> UsageError:
    section = next(name for name in SECTIONS if section_type(name).__name__ == error.title)
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
