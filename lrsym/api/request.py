"""What is asked of a sweep in a results folder, resolved once for `plan` and `run_sweep`, in Python and as commands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from lrsym.api.arguments import AnySweep, as_folder, as_sweep
from lrsym.api.execution import Execution, make_settings
from lrsym.errors import UsageError
from lrsym.results.store.place import warning_of_place
from lrsym.results.store.store import Store
from lrsym.sweep.driver import plan_and_choose
from lrsym.sweep.execution.part import Part
from lrsym.sweep.pilot.choice import Choice
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_table import MAX_BUDGET
from lrsym.sweep.spec.sweep import Sweep

if TYPE_CHECKING:
    from lrsym.sweep.search.run import SearchPlan


@dataclass(frozen=True)
class Request:
    """A sweep or a search, the store that has its rows, how it is executed, and which `part` of it is meant.

    `budget`, in cells, stands in place of that of a search.
    """

    sweep: Sweep | Search
    store: Store
    settings: Settings
    part: Part
    budget: int | None

    @classmethod
    def of(
        cls,
        sweep: AnySweep,
        results: str | Path,
        *,
        changes: Sequence[str] = (),
        where: str | None = None,
        limit: int | None = None,
        shard: str | None = None,
        retry: str | Sequence[str] | None = None,
        budget: int | None = None,
        **execution: Unpack[Execution],
    ) -> Self:
        """Return the request with these options. Raise UsageError for one that is not for such a sweep."""
        found, store = as_sweep(sweep, changes), Store(as_folder(results))
        if budget is not None:
            _check_budget(budget, found)
        part = Part.of(found, where=where, limit=limit, shard=shard, retry=retry)
        return cls(found, store, make_settings(**execution), part, budget)

    def choose(
        self, *, want_cost: bool = False, on_message: Callable[[str], None] = lambda text: None
    ) -> "Choice | SearchPlan":
        """Return what would be trained, in which packs and on how many workers; as `driver.plan_and_choose`."""
        if warning := warning_of_place(self.store.root):
            on_message(warning)
        if isinstance(self.sweep, Sweep):
            return plan_and_choose(
                self.sweep, self.store, self.settings, want_cost=want_cost, part=self.part, on_message=on_message
            )
        from lrsym.sweep.search.run import plan_search

        return plan_search(
            self.sweep, self.store, self.settings, budget=self.budget, retry=self.part.retry, want_cost=want_cost,
            on_message=on_message,
        )  # fmt: skip


def _check_budget(budget: int, found: Sweep | Search) -> None:
    if not isinstance(found, Search):
        raise UsageError(f"--budget is for searches, {found.name} is a grid; leave it out")
    if budget > MAX_BUDGET:
        raise UsageError(f"--budget must be a number of cells from 1 to {MAX_BUDGET:,}, got {budget:,}; lower it")
    found.check_size(budget)
