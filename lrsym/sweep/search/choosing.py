"""The next batch of a search: what the sampler asks for, moved to where a trial can be, and told apart from repeats."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from lrsym.sweep.search.optuna_sampler import make_asker, random_point
from lrsym.sweep.search.suggestions import Suggestion
from lrsym.sweep.spec.cells import Cell
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_space import RefusedError

MAX_REPEATS = 20
"""Repeated cells in a row after which the nearest one that is not trained is taken."""

MAX_DRAWS = 500
"""Random points that are tried where no trial can be near what was asked for."""


@dataclass(frozen=True)
class Batch:
    """Suggestions that were asked for together; `cells` are those to train, by the trial_id of their first seed.

    `exhausted` says that the space has no other.
    """

    suggestions: tuple[Suggestion, ...]
    cells: Mapping[str, Cell]
    exhausted: bool


class Chooser:
    """Asks the sampler of `search`. `ended` has the trials with an outcome, `known` the first trial of every cell that
    the search has asked for; both are looked at when a batch is chosen."""

    def __init__(self, search: Search, *, first_budget: int, ended: Container[str], known: Container[str]) -> None:
        self._search, self._ended, self._known = search, ended, known
        self._asker = make_asker(search, first_budget=first_budget)

    def choose(self, log: Sequence[Suggestion], *, wanted: int, budget: int) -> Batch:
        """Return the batch behind `log`, with `wanted` cells to train, fewer where the space has no more."""
        own = [suggestion for suggestion in log if suggestion.number >= 0]
        last = max((s.batch for s in own if s.batch is not None), default=-1)
        pending = tuple(s.number for s in own if s.batch == last or not s.known)
        self._asker.begin(log, pending)
        batch, cells, repeats = list[Suggestion](), dict[str, Cell](), 0
        while len(cells) < wanted:
            number = len(own) + len(batch)
            asked = self._asker.ask(number)
            point, cell = self._valid(asked, number)
            if repeats >= MAX_REPEATS and self._is_repeated(cell, cells):
                untried = self._untried(asked, cells, number)
                if untried is None:
                    return Batch(tuple(batch), cells, exhausted=True)
                point, cell = untried
            ids = tuple(cell.trial_ids(self._search.seeds))
            origin = "repeated" if self._is_repeated(cell, cells) else "asked"
            if origin == "asked":
                cells[ids[0]] = cell
            repeats = repeats + 1 if origin == "repeated" else 0
            now = datetime.now(UTC)
            batch.append(Suggestion(number, last + 1, origin, point, asked, ids, budget, pending=pending, asked_at=now))
        return Batch(tuple(batch), cells, exhausted=False)

    def _is_repeated(self, cell: Cell, asked_now: Iterable[str]) -> bool:
        """Return whether the search has asked for the cell before, or all its trials have an outcome."""
        ids = cell.trial_ids(self._search.seeds)
        return ids[0] in self._known or ids[0] in asked_now or all(trial_id in self._ended for trial_id in ids)

    def _valid(self, asked: dict[str, Any], number: int) -> tuple[dict[str, Any], Cell]:
        """Return the point nearest to `asked` that a trial can be, and its cell."""
        space = self._search.space
        for draw in range(MAX_DRAWS):
            if point := space.nearest(asked if draw == 0 else random_point(self._search, -MAX_DRAWS * number - draw)):
                return point, space.cell(point)
        raise self._search.error("space", f"none of {MAX_DRAWS} random points of this space can be a trial; widen it")

    def _untried(
        self, asked: dict[str, Any], asked_now: Iterable[str], number: int
    ) -> tuple[dict[str, Any], Cell] | None:
        """Return the nearest point on the discrete axes that has not been tried, else any of a small space, or where
        other axes are continuous a random one; None if there is no other."""
        space = self._search.space
        draws = range(1, MAX_DRAWS if space.size is None else 1)
        drawn = (space.nearest(random_point(self._search, -MAX_DRAWS * number - draw)) for draw in draws)
        for point in chain(space.around(asked), space.points() if space.is_small else filter(None, drawn)):
            try:
                cell = space.cell(point)
            except RefusedError:
                continue
            if not self._is_repeated(cell, asked_now):
                return point, cell
        return None
