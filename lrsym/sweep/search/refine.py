"""Refinement of a sweep: train only those of its trials that tell where an accuracy crosses a level."""

import hashlib
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import replicate_value
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.analysis.surface import fit_surface, to_logit
from lrsym.results.analysis.surface_boundary import Grid, SurfaceBoundary, check_level, make_grid, no_value
from lrsym.results.store.store import Store, read_again
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.checkpoint import list_checkpoints
from lrsym.sweep.execution.grid_stop_rules import GRID_RULES
from lrsym.sweep.execution.lease import require_alone
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.plan import hopeless
from lrsym.sweep.search.next_cells import coarse_start, next_cells
from lrsym.sweep.spec.sweep import Sweep
from lrsym.vocabulary import FINAL_STATUSES

MIN_BATCH, MIN_CHOICES = 8, 10
"""Batches of 8 are those of the replay on two axes (docs/refine.md); larger ones are those of a budget that still makes
10 of them."""


@dataclass(frozen=True)
class Refinement:
    """Where column `metric` of a sweep crosses `level`, and how far to go for it.

    `budget` is the number of trials of the sweep that have rows in the end, those that were there before included;
    `undecided` the share of cells with which it ends sooner, once no more are undecided; None spends the budget. Raises
    UsageError for what cannot be asked of this sweep.
    """

    sweep: Sweep
    metric: str
    level: float
    budget: int
    undecided: float | None = None

    def __post_init__(self) -> None:
        split_and_metric(self.metric)
        check_level(self.level)
        if self.undecided is not None and not 0 <= self.undecided < 1:
            raise UsageError(
                f"--interval must be at least 0 and below 1, a share of the cells, got {self.undecided:g}; "
                "leave it out to spend the whole budget"
            )
        if self.budget < (n := len(self.coarse)):
            raise UsageError(
                f"--budget must be at least {n}, the trials of a coarse start, got {self.budget}; raise it"
            )

    @cached_property
    def along(self) -> str:
        """The axis with most values: along it a boundary has the fewest crossings to list."""
        return max(self.grid.axes, key=lambda axis: len(self.grid.values[self.grid.axes.index(axis)]))

    @cached_property
    def alone(self) -> str:
        """The name under which only one process at a time may run it in the same results."""
        identity = hashlib.sha256("".join(self.sweep.trial_ids()).encode()).hexdigest()[:16]
        return f"refinement {identity} of {self.metric} at {self.level:g}"

    @cached_property
    def grid(self) -> Grid:
        """The cells on the axes that vary."""
        return make_grid(cell_table(self.sweep), where=self.sweep.name)

    @cached_property
    def coarse(self) -> list[int]:
        """The cells to begin with."""
        return coarse_start(self.grid.ranks, replicates=self.sweep.replicates)


class RefinementSource:
    """Gives packs of the trials that are most worth training, after those that are in the store.

    A `PackSource`: workers wait for nothing but the end, so trials in training count as tried, with the value that is
    expected. A batch is of `pack_size` trials, a pack for each static shape among them. Raises UsageError where as many
    trials as a coarse start has have ended without a value.
    """

    def __init__(self, refinement: Refinement, store: Store) -> None:
        self._asked, self._store = refinement, store
        self._stop = GRID_RULES.get(refinement.sweep.stop or "")
        self.pack_size = 1
        """To be set before the first pack is asked for."""
        self._ids = refinement.sweep.trial_ids()
        self._places = {trial_id: place for place, trial_id in enumerate(self._ids)}
        self.values: dict[int, float] = {}
        """Accuracy of each trial, by its place in the sweep, that has one."""
        self._ready: deque[Pack] = deque()
        self._boundary: SurfaceBoundary | None = None
        self._n_fitted = 0
        store.require_no_damage()
        require_alone(store.files, self.alone)
        statuses, failures = store.statuses(stop_rule=refinement.sweep.stop), store.failures()
        final = [place for place, name in enumerate(self._ids) if statuses.get(name) in FINAL_STATUSES]
        given_up = [name for name in hopeless(statuses, failures) if name in self._places]
        self.n_there, self.given_up = len(final), Counter(statuses[name] for name in given_up)
        """Trials of the sweep that had a result before; by status, those that are tried no more."""
        self._tried = sorted([*final, *map(self._places.__getitem__, given_up)])
        """Places of trials with a result or given up, in the order of the sweep, then of those given out."""
        self._ended = len(self._tried)
        self._read(self._ids)
        self._check_values()
        self._take_up_checkpoints()

    @property
    def alone(self) -> str:
        """The refinement: two at once would choose the same trials, and each spend the budget."""
        return self._asked.alone

    @property
    def n_trials(self) -> int:
        """Trials of the sweep with a result, given up or given out."""
        return len(self._tried)

    @property
    def left(self) -> int:
        """Trials that the budget still allows."""
        return min(self._asked.budget, len(self._ids)) - self.n_trials

    @property
    def largest_batch(self) -> int:
        """Trials to choose at once at most: with more, too little is learnt between two choices."""
        return max(MIN_BATCH, self.left // MIN_CHOICES)

    @property
    def boundary(self) -> SurfaceBoundary | None:
        """The boundary by all values so far; None before the first."""
        if self.values and len(self.values) != self._n_fitted:
            places = sorted(self.values)  # in whatever order they came, the same rows give the same surface
            accuracies = [self.values[place] for place in places]
            surface = fit_surface(self._asked.grid.ranks, [*map(self._cell, places)], accuracies)
            self._n_fitted, self._boundary = len(places), SurfaceBoundary(self._asked.grid, surface, self._asked.level)
        return self._boundary

    @property
    def exhausted(self) -> bool:
        """Whether the budget is spent, or the boundary is as narrow as asked."""
        return not self._ready and (self.left <= 0 or self._is_narrow())

    def next(self) -> Pack | None:
        """Return the pack to train next; None behind the last."""
        if self.exhausted:
            return None
        if not self._ready:
            self._choose(min(self.pack_size, self.left))
        return self._ready.popleft()

    def on_end(self, pack: Pack, statuses: Counter[str]) -> None:
        """Read the values of a pack, or of a part of it."""
        self._read(pack.trial_ids)
        self._ended += statuses.total()
        self._check_values()

    def _cell(self, place: int) -> int:
        return place // self._asked.sweep.replicates

    def _is_narrow(self) -> bool:
        if self._asked.undecided is None or self.boundary is None or self._coarse_left():
            return False
        return self.boundary.sides().count("undecided") <= self._asked.undecided * len(self._asked.grid)

    def _choose(self, n: int) -> None:
        """Make packs of the next `n` trials, the replicates of a cell in their order."""
        sweep, taken, groups = self._asked.sweep, {*self._tried}, dict[int, list[int]]()
        for cell in self._coarse_left()[:n] or self._by_surface(n):
            replicates = range(cell * sweep.replicates, (cell + 1) * sweep.replicates)
            place = next(place for place in replicates if place not in taken)
            taken.add(place)
            groups.setdefault(sweep.shape_numbers()[cell], []).append(place)
        for places in groups.values():
            self._give(places)

    def _coarse_left(self) -> list[int]:
        """Return the cells of the coarse start that are not tried yet, or not often enough, in its order."""
        tried, left = Counter(map(self._cell, self._tried)), []
        for cell in self._asked.coarse:
            if tried[cell]:
                tried[cell] -= 1
            else:
                left.append(cell)
        return left

    def _by_surface(self, n: int) -> list[int]:
        asked, surface = self._asked, self.boundary and self.boundary.surface
        for place in self._tried:
            if surface is not None and place not in self.values:
                surface = surface.expecting(self._cell(place))
        tried, level = [*map(self._cell, self._tried)], float(to_logit(asked.level))
        return next_cells(asked.grid.ranks, tried, surface, level=level, n=n, replicates=asked.sweep.replicates)

    def _take_up_checkpoints(self) -> None:
        """Give packs that were killed first, as they are, to go on from where they were."""
        for trial_ids, completed in list_checkpoints(self._store.root, stop_rule=self._asked.sweep.stop):
            places = [self._places[trial_id] for trial_id in trial_ids if trial_id in self._places]
            new = len(places) == len(trial_ids) and {*self._tried}.isdisjoint(places)
            if new and len(places) <= self.left:
                self._give(places, completed=completed)

    def _give(self, places: list[int], *, completed: float = 0.0) -> None:
        self._tried += places
        trials = tuple(self._asked.sweep.trials[place] for place in places)
        self._ready.append(Pack(trials, completed, self._stop))

    def _check_values(self) -> None:
        if not self.values and self._ended >= len(self._asked.coarse):
            raise no_value(self._asked.metric)

    def _read(self, trial_ids: Iterable[str]) -> None:
        value = replicate_value(self._asked.metric).alias("value")
        asked = pl.col("trial_id").is_in([*trial_ids])
        rows = read_again(lambda: self._store.scan("trials").filter(asked).select("trial_id", value).collect())
        for trial_id, found in rows.drop_nulls().iter_rows():
            self.values[self._places[trial_id]] = found


def cell_table(sweep: Sweep) -> pl.DataFrame:
    """Return a row for each cell of `sweep`, with its axes as columns."""
    rows = ({**axis_values(cell.trial(sweep.seeds[0])), "seed": None} for cell in sweep.cells)
    return pl.DataFrame(rows, infer_schema_length=None).drop("trial_id", "seed")
