"""The packs of a search: asked for in batches while others train, and told to the sampler when their rows are there.

A batch fills the workers once. When it is asked for, the sampler knows the outcome of every batch but the last one: so
workers never wait for a batch to end, and what is asked for does not depend on which pack of it ends first.
"""

from collections import Counter, deque
from collections.abc import Collection, Container, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate, groupby, pairwise
from math import ceil, nan
from operator import attrgetter

import polars as pl

from lrsym.results.store.store import Store, load, read_again
from lrsym.sweep.execution.checkpoint import list_checkpoints
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.packing import even_lengths
from lrsym.sweep.planning.stop_rule import StopRule
from lrsym.sweep.planning.workload import work
from lrsym.sweep.search.choosing import Batch, Chooser
from lrsym.sweep.search.objective import objective_values
from lrsym.sweep.search.optuna_sampler import replays
from lrsym.sweep.search.reuse import reused
from lrsym.sweep.search.search_stop_rules import make_rule
from lrsym.sweep.search.standing import Untrained
from lrsym.sweep.search.suggestions import Suggestion, SuggestionLog
from lrsym.sweep.spec.cells import Cell
from lrsym.sweep.spec.search import Search
from lrsym.vocabulary import FINAL_STATUSES

CELLS_AT_ONCE = 8
"""Cells that are asked for together where that is enough for the workers: more cost a search its aim
(docs/decisions/search.md)."""


class SearchSource:
    """A source of packs that asks a sampler for cells until `budget` of them are trained or the space is exhausted.

    With `retry` it asks for none, and trains again what ended in one of these statuses. Trials that failed too often
    are given up (`Untrained`). Reads and writes the store: a search that was killed goes on from its rows. Raises
    OSError of the store.
    """

    def __init__(
        self, search: Search, store: Store, *, budget: int, pack_size: int, workers: int, retry: Collection[str] = ()
    ) -> None:
        self._search, self._store, self._budget, self._retry = search, store, budget, retry
        self.log = SuggestionLog(store, search)
        if not self.log.all:
            self.log.ask(reused(store, search, budget=budget))
        self._cells_in_pack = max(1, pack_size // search.replicates)
        self._batch_size = max(workers, min(CELLS_AT_ONCE, workers * self._cells_in_pack))
        self._cells_in_pack = min(self._cells_in_pack, ceil(self._batch_size / workers))
        self._cells: dict[str, Cell] = {s.trial_ids[0]: search.space.cell(s.point) for s in self._own}
        self._untrained = Untrained(search, store, self.log.all, retry=retry)
        self._ended = self._untrained.ended
        self._running: dict[str, Suggestion] = {}
        self._lost = {*self._untrained.given_up}
        self._packs, self._exhausted = deque[Pack](), False
        first = next((s.budget for s in self._own), budget)
        self._chooser = Chooser(search, first_budget=first, ended=self._ended, known=self._cells)
        self._asking, self._ahead = ThreadPoolExecutor(1, "lrsym-search"), list[Future[Batch]]()
        self._resume()

    @property
    def alone(self) -> str:
        """The search: what is asked for depends on what the one driver knows."""
        return self._search.alone

    @property
    def _own(self) -> list[Suggestion]:
        return [s for s in self.log.all if s.number >= 0]

    @property
    def spent(self) -> int:
        """The cells that were chosen to be trained."""
        return sum(s.origin == "asked" for s in self.log.all)

    @property
    def exhausted(self) -> bool:
        """Whether all packs are given out and the budget is spent, or the space, or what a sampler waits for failed."""
        over = self._exhausted or self.spent >= self._budget or bool(self._retry)
        return not self._packs and (over or any(not self._lost.isdisjoint(s.trial_ids) for s in self._awaited))

    @property
    def _awaited(self) -> list[Suggestion]:
        """The suggestions whose outcome a later batch knew, and is not known any more, as their rows were removed.

        A sampler that goes through the log again must be told it before it is asked for more.
        """
        if not replays(self._search.sampler):
            return []

        def was_known(s: Suggestion) -> bool:
            later = (t for t in self._own if t.number > s.number and t.batch != s.batch)
            return any(s.number not in t.pending for t in later)

        return [s for s in self._own if not s.known and was_known(s)]

    def next(self) -> Pack | None:
        """Return a pack of the batch that is at hand, else of a new one."""
        if not self._packs and not self.exhausted and not self._awaited:
            self._take_in(self._ahead.pop().result() if self._ahead else self._choose())
        pack = self._packs.popleft() if self._packs else None
        self._ask_ahead()
        return pack

    def on_end(self, pack: Pack, statuses: Counter[str]) -> None:
        """Record the outcome of the cells that have one now. One with a trial that failed stays without, and is tried
        again by the next run, unless that gives it up."""
        rows = self._read("trials", pack.trial_ids, pack).filter(pl.col("status").is_in([*FINAL_STATUSES, "stopped"]))
        self._ended |= {*rows["trial_id"]}
        self._lost |= {*pack.trial_ids} - self._ended
        for identity, suggestion in [*self._running.items()]:
            if self._ended >= {*suggestion.trial_ids}:
                del self._running[identity]
                self._record_outcome(identity, pack)
        self._ask_ahead()

    def _resume(self) -> None:
        """Give out again what has no outcome, and record what has come to its end since."""
        own = self._own
        for s in own:  # answered from rows of others, too, where those were removed
            if not self._ended >= {*s.trial_ids}:
                self._running.setdefault(s.trial_ids[0], s)
        for identity in {s.trial_ids[0] for s in own if not s.known} - self._running.keys():
            self._record_outcome(identity)
        waiting = {
            trial.trial_id: (trial, suggestion)
            for identity, suggestion in self._running.items()
            for trial in map(self._cells[identity].trial, self._search.seeds)
            if trial.trial_id in self._untrained
        }
        for of_pack, completed in list_checkpoints(self._store.root, stop_rule=self._rule_name):
            if waiting.keys() >= {*of_pack}:
                trials, suggestions = zip(*map(waiting.pop, of_pack), strict=True)
                self._packs.append(Pack(trials, completed, self._rule(suggestions[0])))
        for _, batch in groupby(self._running.values(), key=attrgetter("batch")):
            self._packs += self._pack(batch, only=waiting)

    def _read(self, table: str, trial_ids: Sequence[str], pack: Pack | None = None) -> pl.DataFrame:
        """Return the rows of `trial_ids`: from the part of `pack` if it has them, for a store may have many parts."""
        if pack is not None and {*trial_ids} <= {*pack.trial_ids}:
            rows = self._store.read_part(table, pack.part).filter(pl.col("trial_id").is_in(trial_ids))
            if rows["trial_id"].n_unique() == len(trial_ids):
                return rows
        return read_again(lambda: load(self._store.root, table, trial_ids=trial_ids).collect())

    def _record_outcome(self, identity: str, pack: Pack | None = None) -> None:
        """Write the outcome of every suggestion of the cell with that identity, whose trials have all ended."""
        of_cell = [s for s in self._own if s.trial_ids[0] == identity]
        ids = of_cell[0].trial_ids
        objective = objective_values(self._search.objectives, self._read("trials", ids, pack).sort("seed"))
        intermediate = None if self._rule_name is None else self._curve(ids, pack)
        news = [s.with_outcome(objective, intermediate) for s in of_cell if not s.known or s.objective != objective]
        self.log.record_outcomes(news)

    def _curve(self, trial_ids: tuple[str, ...], pack: Pack | None) -> tuple[tuple[float, ...], ...]:
        """Return the objective's accuracy by evaluation and replicate; NaN where a replicate has none."""
        split, _, metric = self._search.objectives[0].sql.partition("_")
        curves = self._read("curves", trial_ids, pack).filter(split=split, metric=metric)
        values = {(step, trial_id): value for trial_id, step, value in curves["trial_id", "step", "value"].iter_rows()}
        steps = sorted({step for step, _ in values})
        return tuple(tuple(values.get((step, trial_id), nan) for trial_id in trial_ids) for step in steps)

    @property
    def _rule_name(self) -> str | None:
        return None if self._search.stop == "none" else self._search.stop

    def _rule(self, suggestion: Suggestion) -> StopRule | None:
        """Return the rule that may stop a cell: it knows what the sampler knew when it asked for the cell."""
        if self._rule_name is None:
            return None
        objective, hidden = self._search.objectives[0], {*suggestion.pending}
        history = [
            s.intermediate
            for s in self._own
            if s.batch != suggestion.batch
            and s.number < suggestion.number
            and s.number not in hidden
            and s.intermediate
        ]
        split, _, metric = objective.sql.partition("_")
        return make_rule(
            self._rule_name, history, split=split, metric=metric, minimise=not objective.maximise,
            replicates=self._search.replicates,
        )  # fmt: skip

    def _choose(self) -> Batch:
        wanted = min(self._batch_size, self._budget - self.spent)
        return self._chooser.choose(self.log.all, wanted=wanted, budget=self._budget)

    def _ask_ahead(self) -> None:
        """Begin to ask for the next batch, beside the workers, once all that it may know is known."""
        last = max((s.batch for s in self._own if s.batch is not None), default=-1)
        if self._packs or self._ahead or self.exhausted or any(s.batch != last and not s.known for s in self._own):
            return
        self._ahead.append(self._asking.submit(self._choose))

    def _take_in(self, batch: Batch) -> None:
        """Write a batch down and gather its cells into packs; one that only repeats cells of this search tells nothing.

        A space may be at its end, and each further run would write so many rows.
        """
        self._exhausted = batch.exhausted
        if {s.trial_ids[0] for s in batch.suggestions} <= {s.trial_ids[0] for s in self._own}:
            return
        self.log.ask(batch.suggestions)
        self._cells |= batch.cells
        chosen = [s for s in batch.suggestions if s.origin == "asked"]
        self._running |= {s.trial_ids[0]: s for s in chosen}
        for identity in {s.trial_ids[0] for s in batch.suggestions} - self._running.keys():
            self._record_outcome(identity)
        self._packs += self._pack(chosen, only=self._untrained)

    def _pack(self, suggestions: Iterable[Suggestion], *, only: Container[str]) -> list[Pack]:
        """Return packs of whole cells of one shape and batch, of the trials `only`, the longest training first."""
        by_shape: dict[object, list[Suggestion]] = {}
        for suggestion in suggestions:
            by_shape.setdefault(self._cells[suggestion.trial_ids[0]].static_shape, []).append(suggestion)
        packs = []
        for alike in by_shape.values():
            for a, b in pairwise([0, *accumulate(even_lengths(len(alike), self._cells_in_pack))]):
                cells = [self._cells[suggestion.trial_ids[0]] for suggestion in alike[a:b]]
                trials = (cell.trial(seed) for cell in cells for seed in self._search.seeds)
                left = tuple(trial for trial in trials if trial.trial_id in only)
                packs.append(Pack(left, stop=self._rule(alike[a])))
        return sorted(filter(len, packs), key=lambda pack: -work(pack.trials[0], len(pack)))
