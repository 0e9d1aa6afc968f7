"""What is asked of a refinement, resolved and trained once for `lrsym.refine` and the command."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, Unpack

from lrsym.api.arguments import AnySweep, as_folder, as_sweep
from lrsym.api.execution import Execution, make_settings
from lrsym.errors import UsageError
from lrsym.results.store.place import warning_of_place
from lrsym.results.store.store import Store
from lrsym.sweep.driver import Outcome, plan_and_choose, run
from lrsym.sweep.execution.progress import Display
from lrsym.sweep.pilot.choice import Choice
from lrsym.sweep.planning.packing import PackList
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.search.refine import Refinement, RefinementSource
from lrsym.sweep.spec.search import Search


@dataclass(frozen=True)
class RefinementRequest:
    """A refinement, what gives its packs, the store that has its rows, and how it is executed."""

    asked: Refinement
    source: RefinementSource
    store: Store
    settings: Settings

    @classmethod
    def of(
        cls,
        sweep: AnySweep,
        results: str | Path,
        *,
        budget: int,
        metric: str,
        level: float,
        interval: float | None,
        changes: Sequence[str] = (),
        **execution: Unpack[Execution],
    ) -> Self:
        """Return the request with these options. Raise UsageError for a search, and for what cannot be asked."""
        found, settings = as_sweep(sweep, changes), make_settings(**execution)
        if isinstance(found, Search):
            raise UsageError(f"a boundary is refined over a grid, {found.name} is a search; name a sweep with a grid")
        store, asked = Store(as_folder(results)), Refinement(found, metric, level, budget, interval)
        _check_scenes(asked)
        return cls(asked, RefinementSource(asked, store), store, settings)

    def train(
        self,
        *,
        on_message: Callable[[str], None],
        on_choice: Callable[[Choice], None],
        display: Callable[[PackList], Display] = Display,
    ) -> tuple[Outcome, Choice]:
        """Train what the source chooses, in packs and on workers that suit a sample of the trials that are left.

        `on_choice` hears of these before the first pack. Errors as of `driver.run`.
        """
        if warning := warning_of_place(self.store.root):
            on_message(warning)
        choice = plan_and_choose(
            self.asked.sweep, self.store, self.settings, n_trials=self.source.left, on_message=on_message
        )
        chosen = choice.pack_size
        self.source.pack_size = chosen if self.settings.pack_size else min(chosen, self.source.largest_batch)
        on_choice(choice)
        return run(choice.plan, self.store, self.settings, source=self.source, display=display), choice


def _check_scenes(asked: Refinement) -> None:
    """Raise UsageError before anything is trained if the metric's split is empty in every cell."""
    from lrsym.results.analysis.phases import split_and_metric
    from lrsym.results.analysis.surface_boundary import no_value
    from lrsym.testbed.data.datasets import splits

    split, seed = split_and_metric(asked.metric)[0], asked.sweep.seeds[0]
    if not any(splits(cell.scenes, seed=seed)[split].size for cell in asked.sweep.cells):
        raise no_value(asked.metric)
