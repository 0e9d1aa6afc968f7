"""A search from its file to its last cell: what it will cost, running it, and the sweep of what it has chosen."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lrsym.errors import UsageError
from lrsym.results.store.place import name_place
from lrsym.results.store.store import Store
from lrsym.sweep.driver import Outcome, plan_and_choose, run
from lrsym.sweep.execution.lease import require_alone
from lrsym.sweep.execution.part import Part
from lrsym.sweep.execution.progress import Display, retried
from lrsym.sweep.execution.queue import Listener
from lrsym.sweep.pilot.choice import Choice
from lrsym.sweep.planning.packing import MAX_PACK_SIZE, PackList
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.search.objective import check_objectives
from lrsym.sweep.search.standing import Standing, standing
from lrsym.sweep.search.suggestions import Suggestion, SuggestionLog
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_space import Point
from lrsym.sweep.spec.sweep import Sweep, command
from lrsym.vocabulary import SUGGESTION_STATES

MAX_DRAWS = 5
"""Random cells that are drawn for each one that is expected: some of a small space are trained already."""


@dataclass(frozen=True)
class SearchPlan(Standing):
    """Where a search stands before it runs: `choice` says how cells like those to come are packed and what they cost.

    `reused` cells of other sweeps are told to the sampler. With `retry` only failures of these statuses are planned.
    """

    search: Search
    reused: int
    choice: Choice
    retry: tuple[str, ...]
    is_new: bool

    @property
    def running(self) -> int:
        """Cells that were chosen and have no outcome, and trials to train."""
        return len(self.begun)

    @property
    def over(self) -> bool:
        """Whether there is nothing to do; a search that is new has to tell what others have trained."""
        return not self.left and not self.is_new


def plan_search(
    search: Search,
    store: Store,
    settings: Settings,
    *,
    budget: int | None = None,
    retry: tuple[str, ...] = (),
    want_cost: bool = False,
    on_message: Callable[[str], None] = lambda text: None,
) -> SearchPlan:
    """Return what `search` would train, in packs and on workers that suit random cells of its space.

    `budget` in cells stands in place of the file's; `retry` as in `SearchPlan`. Raises UsageError for an objective that
    cannot be, else as `plan_and_choose`.
    """
    from lrsym.sweep.search.optuna_sampler import random_point
    from lrsym.sweep.search.reuse import reused

    check_objectives(search)
    if not want_cost:
        store.require_no_damage()
        require_alone(store.files, search.alone)
    total, log = search.budget if budget is None else budget, SuggestionLog(store, search).all
    where = standing(search, store, budget=total, retry=retry)
    points: list[Point] = [s.point for s in where.begun]
    for number in range(MAX_DRAWS * where.to_come):
        point = search.space.nearest(random_point(search, -1 - number))
        if point is not None and not where.ended >= {*search.space.cell(point).trial_ids(search.seeds)}:
            points.append(point)
        if len(points) >= where.left:
            break
    whole = replace(settings, max_hours=None)  # cells are trained with all their replicates, until the hours are spent
    sweep, part = search.sweep(points), Part(retry=retry)
    choice = plan_and_choose(sweep, store, whole, want_cost=want_cost, part=part, on_message=on_message)
    told = [s for s in log if s.origin == "reused"] if log else reused(store, search, budget=total)
    is_new = all(s.number < 0 for s in log) and not retry
    return SearchPlan(**vars(where), search=search, reused=len(told), choice=choice, retry=retry, is_new=is_new)


def run_search(
    plan: SearchPlan,
    store: Store,
    settings: Settings,
    *,
    listener: Listener | None = None,
    display: Callable[[PackList], Display] = Display,
) -> Outcome:
    """Train cells until the budget of `plan` or the hours are spent; as `driver.run`.

    Raises UsageError if none of the cells then has an objective.
    """
    from lrsym.sweep.search.loop import SearchSource

    store.prove_writable()
    pack_size = plan.choice.pack_size or settings.pack_size or MAX_PACK_SIZE[settings.device]
    workers = plan.choice.plan.workers
    source = SearchSource(
        plan.search, store, budget=plan.budget, pack_size=pack_size, workers=workers, retry=plan.retry
    )
    outcome = run(plan.choice.plan, store, settings, source=source, listener=listener, display=display)
    if not outcome.interrupted and not retried(outcome.statuses):
        require_objective(plan.search, store)
    return outcome


def cells_left(plan: SearchPlan, store: Store) -> int:
    """Return how many cells are still to be trained after a run of `plan`."""
    return standing(plan.search, store, budget=plan.budget, retry=plan.retry).left


def require_objective(search: Search, store: Store) -> None:
    """Raise UsageError where `search` has trained cells and none of them has an objective."""
    counts = count_cells(search, store)
    if counts["failed"] and not counts["complete"]:
        message = (
            f"no cell has a number to compare, got none in {counts['failed']}: a replicate diverged in each, or the "
            "objective is null; narrow the space, as by a lower optim.learning_rate, or seek another number"
        )
        raise search.error("space", message)


def chosen_so_far(search: Search, store: Store) -> list[Suggestion]:
    """Return the suggestions of `search` in the store, without those of other sweeps."""
    return [s for s in SuggestionLog(store, search).all if s.number >= 0]


def count_cells(search: Search, store: Store) -> dict[str, int]:
    """Return how many cells `search` has chosen to train, by their state."""
    counts = dict.fromkeys(SUGGESTION_STATES, 0)
    for suggestion in chosen_so_far(search, store):
        counts[suggestion.state] += suggestion.origin == "asked"
    return counts


def searched_sweep(search: Search, store: Store) -> Sweep:
    """Return the cells that `search` has chosen as a sweep. Raises UsageError where it has chosen none."""
    chosen = chosen_so_far(search, store)
    if not chosen:
        name = search.source.name
        raise UsageError(
            f"{name} is a search that has not begun in {name_place(store.root)}; run: "
            f"{command('sweep', name, store.root, changes=search.source.changes)}"
        )
    return search.sweep(s.point for s in chosen)
