"""The packs of a search: asked for in batches while others train, and told to the sampler when their rows are there.

A batch fills the workers once. When it is asked for, the sampler knows the outcome of every batch but the last one: so
workers never wait for a batch to end, and what is asked for does not depend on which pack of it ends first.
"""

from collections import Counter, deque
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from math import ceil
from typing import Any

import polars as pl

from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.execution.checkpoint import list_checkpoints
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.packing import even_lengths
from lrsym.sweep.planning.workload import work
from lrsym.sweep.search.objective import objective_values
from lrsym.sweep.search.optuna_sampler import make_asker, random_point
from lrsym.sweep.search.reuse import reused
from lrsym.sweep.search.suggestions import Suggestion, SuggestionLog
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_space import RefusedError
from lrsym.sweep.spec.sweep import Cell
from lrsym.vocabulary import FINAL_STATUSES

CELLS_AT_ONCE = 8
"""Cells that are asked for together where that is enough for the workers: more cost a search its aim
(docs/decisions/search.md)."""

MAX_REPEATS = 20
"""Repeated cells in a row after which the nearest one that is not trained is taken."""

MAX_DRAWS = 500
"""Random points that are tried where no trial can be near what was asked for."""


class SearchSource:
    """A source of packs that asks a sampler for cells until `budget` of them are trained or the space is exhausted.

    Reads and writes the store: a search that was killed goes on from its rows. Raises OSError of the store.
    """

    def __init__(self, search: Search, store: Store, *, budget: int, pack_size: int, workers: int) -> None:
        self._search, self._store, self._budget = search, store, budget
        self.log = SuggestionLog(store, search)
        if not self.log.all:
            self.log.ask(reused(store, search, budget=budget))
        first = next((s.budget for s in self.log.all if s.number >= 0), budget)
        self._asker = make_asker(search, first_budget=first)
        self._ended = {trial_id: status for trial_id, status in store.statuses().items() if status in FINAL_STATUSES}
        self._cells_in_pack = max(1, pack_size // search.replicates)
        self._batch_size = max(workers, min(CELLS_AT_ONCE, workers * self._cells_in_pack))
        self._cells_in_pack = min(self._cells_in_pack, ceil(self._batch_size / workers))
        self._cells: dict[str, Cell] = {s.trial_ids[0]: search.space.cell(s.point) for s in self._asked}
        self._running: dict[str, tuple[str, ...]] = {}
        self._exhausted = False
        self._packs = deque[Pack]()
        self._resume()

    @property
    def _asked(self) -> list[Suggestion]:
        return [s for s in self.log.all if s.number >= 0]

    @property
    def spent(self) -> int:
        """The cells that were chosen to be trained."""
        return sum(s.origin == "asked" for s in self.log.all)

    @property
    def exhausted(self) -> bool:
        """Whether the budget is spent, or the space, and all packs are given out."""
        return not self._packs and (self._exhausted or self.spent >= self._budget)

    def next(self) -> Pack | None:
        """Return a pack of the batch that is at hand, else of a new one."""
        if not self._packs and not self.exhausted:
            self._ask_batch()
        return self._packs.popleft() if self._packs else None

    def on_end(self, pack: Pack, statuses: Counter[str]) -> None:
        """Tell the outcome of the cells that have all their rows now."""
        rows = self._rows_of(pack)
        self._ended |= dict(zip(rows["trial_id"], rows["status"], strict=True))
        for identity, ids in [*self._running.items()]:
            if all(trial_id in self._ended for trial_id in ids):
                del self._running[identity]
                self._tell(identity)

    def _rows_of(self, pack: Pack) -> pl.DataFrame:
        for part in (pack.part, f"{pack.id}-failed"):
            rows = self._store.read_part("trials", part)
            if not rows.is_empty():
                return rows
        return self._read(pack.trial_ids)

    def _read(self, trial_ids: Sequence[str]) -> pl.DataFrame:
        return load_trials(self._store.root, trial_ids=trial_ids).sort("seed").collect()

    def _resume(self) -> None:
        """Give out again what was running or has failed, and tell what has come to its end since."""
        for suggestion in self._asked:
            if suggestion.origin == "asked" and not self._has_ended(suggestion.trial_ids):
                self._running[suggestion.trial_ids[0]] = suggestion.trial_ids
        for identity in {s.trial_ids[0] for s in self._asked if not s.known} - self._running.keys():
            self._tell(identity)
        cells = [self._cells[identity] for identity in self._running]
        trials = {trial.trial_id: trial for cell in cells for trial in map(cell.trial, self._search.seeds)}
        waiting = {trial_id: trial for trial_id, trial in trials.items() if trial_id not in self._ended}
        for of_pack, completed in list_checkpoints(self._store.root):
            if waiting.keys() >= {*of_pack}:
                self._packs.append(Pack(tuple(waiting.pop(trial_id) for trial_id in of_pack), completed))
        self._packs += self._pack(cells, only=waiting)

    def _has_ended(self, trial_ids: Iterable[str]) -> bool:
        return all(trial_id in self._ended for trial_id in trial_ids)

    def _tell(self, identity: str) -> None:
        """Write the outcome of every suggestion of the cell with that identity."""
        of_cell = [s for s in self._asked if s.trial_ids[0] == identity]
        ids = of_cell[0].trial_ids
        complete = all(self._ended[trial_id] in FINAL_STATUSES for trial_id in ids)
        objective = objective_values(self._search.objectives, self._read(ids)) if complete else None
        self.log.tell(s.told(objective) for s in of_cell if not s.known or s.objective != objective)

    def _ask_batch(self) -> None:
        """Ask for the next cells, write them down, and gather them into packs."""
        last = max((s.batch for s in self._asked if s.batch is not None), default=-1)
        pending = tuple(s.number for s in self._asked if s.batch == last or not s.known)
        self._asker.begin(self.log.all, pending)
        wanted = min(self._batch_size, self._budget - self.spent)
        batch, cells, repeats = list[Suggestion](), dict[str, Cell](), 0
        while len(cells) < wanted:
            number = self.log.next_number + len(batch)
            asked = self._asker.ask(number)
            point, cell = self._valid(asked, number)
            if repeats >= MAX_REPEATS and self._is_known(cell, cells):
                untried = self._nearest_untried(asked, cells)
                if untried is None:
                    self._exhausted = True
                    break
                point, cell = untried
            ids = tuple(cell.trial_ids(self._search.seeds))
            origin = "repeated" if self._is_known(cell, cells) else "asked"
            if origin == "asked":
                cells[ids[0]] = cell
            repeats = repeats + 1 if origin == "repeated" else 0
            now = datetime.now(UTC)
            batch.append(
                Suggestion(number, last + 1, origin, point, asked, ids, self._budget, pending=pending, asked_at=now)
            )
        self._take_in(batch, cells)

    def _take_in(self, batch: Sequence[Suggestion], cells: Mapping[str, Cell]) -> None:
        self.log.ask(batch)
        self._cells |= cells
        self._running |= {s.trial_ids[0]: s.trial_ids for s in batch if s.origin == "asked"}
        for identity in {s.trial_ids[0] for s in batch} - self._running.keys():
            self._tell(identity)
        trial_ids = {trial_id for s in batch if s.origin == "asked" for trial_id in s.trial_ids}
        self._packs += self._pack(cells.values(), only=trial_ids - self._ended.keys())

    def _is_known(self, cell: Cell, asked_now: Iterable[str]) -> bool:
        """Whether the search has asked for the cell before, or all its trials are finished."""
        ids = cell.trial_ids(self._search.seeds)
        return self._has_ended(ids) or ids[0] in self._cells or ids[0] in asked_now

    def _valid(self, asked: dict[str, Any], number: int) -> tuple[dict[str, Any], Cell]:
        """Return the point nearest to `asked` that a trial can be, and its cell."""
        space = self._search.space
        for draw in range(MAX_DRAWS):
            if point := space.nearest(asked if draw == 0 else random_point(self._search, -MAX_DRAWS * number - draw)):
                return point, space.cell(point)
        raise self._search.error("space", f"none of {MAX_DRAWS} random points of this space can be a trial; widen it")

    def _nearest_untried(self, asked: dict[str, Any], asked_now: Iterable[str]) -> tuple[dict[str, Any], Cell] | None:
        for point in self._search.space.around(asked):
            try:
                cell = self._search.space.cell(point)
            except RefusedError:
                continue
            if not self._is_known(cell, asked_now):
                return point, cell
        return None

    def _pack(self, cells: Iterable[Cell], *, only: Container[str]) -> list[Pack]:
        """Return packs of whole cells of one shape, of the trials `only`, the longest training first."""
        by_shape: dict[object, list[Cell]] = {}
        for cell in cells:
            by_shape.setdefault(cell.static_shape, []).append(cell)
        packs = []
        for alike in by_shape.values():
            for a, b in pairwise([0, *accumulate(even_lengths(len(alike), self._cells_in_pack))]):
                trials = (cell.trial(seed) for cell in alike[a:b] for seed in self._search.seeds)
                packs.append(Pack(tuple(trial for trial in trials if trial.trial_id in only)))
        return sorted(filter(len, packs), key=lambda pack: -work(pack.trials[0], len(pack)))
