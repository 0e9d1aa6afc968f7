"""Plan and train from Python: the steps of `lrsym plan`, `lrsym sweep` and `lrsym refine`, quiet but on a terminal."""

import math
import multiprocessing
import signal
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lrsym.api.arguments import AnySweep, Count, as_folder, as_sweep, make_settings, with_one_error
from lrsym.errors import UsageError
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.driver import Outcome, plan_and_choose, run
from lrsym.sweep.execution.part import Part
from lrsym.sweep.execution.progress import Display, failures, retried
from lrsym.sweep.pilot.choice import Choice
from lrsym.sweep.pilot.summary import in_words
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep, command
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD

if TYPE_CHECKING:
    import polars as pl

    from lrsym.results.analysis.surface_boundary import SurfaceBoundary
    from lrsym.sweep.planning.settings import Settings
    from lrsym.sweep.search.run import SearchPlan

show_progress = partial(Display, quiet_seconds=math.inf)
"""What shows the progress of packs: nothing but on a terminal."""


@with_one_error
def plan(
    sweep: AnySweep,
    results: str | Path = "results",
    *,
    workers: Count = None,
    pack: Count = None,
    device: str = "auto",
    engine: str = "auto",
    no_pilot: bool = False,
    where: str | None = None,
    limit: int | None = None,
    shard: str | None = None,
    retry: str | Sequence[str] | None = None,
    budget: int | None = None,
    max_core_hours: float | None = None,
    max_gpu_hours: float | None = None,
) -> "Choice | SearchPlan":
    """Return what `sweep` would train and cost: its `plan` (new, done, failed, pending), pack size, workers, cost.

    As `lrsym plan`, with its options: for a long sweep a pilot measures some seconds. Raise UsageError for what the
    user can put right.
    """
    require_main_process("plan")
    found, store = as_sweep(sweep), Store(as_folder(results))
    cells, part = _budget(budget, found), Part.of(found, where=where, limit=limit, shard=shard, retry=retry)
    settings = make_settings(
        workers=workers, pack=pack, device=device, engine=engine, no_pilot=no_pilot, max_core_hours=max_core_hours,
        max_gpu_hours=max_gpu_hours,
    )  # fmt: skip
    if isinstance(found, Sweep):
        return plan_and_choose(found, store, settings, want_cost=True, part=part, on_message=_say)
    from lrsym.sweep.search.run import plan_search

    return plan_search(found, store, settings, budget=cells, want_cost=True, on_message=_say)


@with_one_error
def run_sweep(
    sweep: AnySweep,
    results: str | Path = "results",
    *,
    workers: Count = None,
    pack: Count = None,
    device: str = "auto",
    engine: str = "auto",
    timeout: float | None = None,
    no_pilot: bool = False,
    save_weights: bool = False,
    where: str | None = None,
    limit: int | None = None,
    shard: str | None = None,
    retry: str | Sequence[str] | None = None,
    budget: int | None = None,
    max_core_hours: float | None = None,
    max_gpu_hours: float | None = None,
) -> "pl.LazyFrame":
    """Train what the folder `results` lacks of `sweep`; return the rows of its trials, as `load_trials`.

    As `lrsym sweep`, with its options; a search goes on until its budget is spent. With `where`, an SQL condition on
    axes, `limit`, `shard`, such as "3/8", or `retry`, statuses of failures, it trains that part of a grid; the rows are
    those of all of it. Progress is shown where standard error is a terminal. Trials that failed, or are left, are told
    by a warning. Raise UsageError for what the user can put right; after Ctrl-C, KeyboardInterrupt, with finished packs
    kept: the same call goes on.
    """
    require_main_process("run_sweep")
    found, store = as_sweep(sweep), Store(as_folder(results))
    cells, part = _budget(budget, found), Part.of(found, where=where, limit=limit, shard=shard, retry=retry)
    settings = make_settings(
        workers=workers, pack=pack, device=device, engine=engine, timeout=timeout, no_pilot=no_pilot,
        save_weights=save_weights, max_core_hours=max_core_hours, max_gpu_hours=max_gpu_hours,
    )  # fmt: skip
    if isinstance(found, Search):
        found = _run_search(found, store, settings, budget=cells)
    else:
        choice = plan_and_choose(found, store, settings, part=part, on_message=_say)
        if choice.plan.pending:
            _say_choice(choice, settings)
            _end(found, store, run(choice.plan, store, settings, display=show_progress), settings)
        if n := choice.plan.given_up.total():
            statuses = sorted(choice.plan.given_up)
            warnings.warn(
                f"{n} trials of {found.name} are given up; try them again with retry={statuses}", stacklevel=3
            )
    return load_trials(store.root, trial_ids=found.trial_ids())


@with_one_error
def refine(
    sweep: AnySweep,
    results: str | Path = "results",
    *,
    budget: int,
    metric: str = PHASE_METRIC,
    level: float = PHASE_THRESHOLD,
    interval: float | None = None,
    workers: Count = None,
    pack: Count = None,
    device: str = "auto",
    engine: str = "auto",
    timeout: float | None = None,
    no_pilot: bool = False,
    save_weights: bool = False,
    max_core_hours: float | None = None,
    max_gpu_hours: float | None = None,
) -> "SurfaceBoundary | None":
    """Train only those trials of `sweep` that tell where `metric` crosses `level`; return the boundary, None without
    any value. As `lrsym refine`, with its options; errors as `run_sweep`."""
    from lrsym.sweep.search.refine import Refinement, RefinementSource

    require_main_process("refine")
    found, store = as_sweep(sweep), Store(as_folder(results))
    if isinstance(found, Search):
        raise UsageError("a boundary is refined over a grid, got a search; make a sweep with lrsym.Sweep.grid")
    settings = make_settings(
        workers=workers, pack=pack, device=device, engine=engine, timeout=timeout, no_pilot=no_pilot,
        save_weights=save_weights, max_core_hours=max_core_hours, max_gpu_hours=max_gpu_hours,
    )  # fmt: skip
    source = RefinementSource(Refinement(found, metric, level, budget, interval), store)
    if not source.exhausted:
        choice = plan_and_choose(found, store, settings, n_trials=source.left, on_message=_say)
        source.pack_size = choice.pack_size if settings.pack_size else min(choice.pack_size, source.largest_batch)
        _say_choice(choice, settings)
        outcome = run(choice.plan, store, settings, source=source, display=show_progress)
        _end(found, store, outcome, settings)
    return source.boundary


def _run_search(search: Search, store: Store, settings: "Settings", *, budget: int | None) -> Sweep:
    """Train cells until the budget is spent; return the sweep of all that were chosen."""
    from lrsym.sweep.search.run import plan_search, require_objective, run_search, searched_sweep

    plan = plan_search(search, store, settings, budget=budget, on_message=_say)
    if plan.left:
        _say_choice(plan.choice, settings)
        _end(search, store, run_search(plan, store, settings, display=show_progress), settings)
    else:
        require_objective(search, store)
    return searched_sweep(search, store)


def _budget(budget: int | None, found: Sweep | Search) -> int | None:
    from lrsym.sweep.spec.search_table import MAX_BUDGET

    if budget is None:
        return None
    if not isinstance(found, Search):
        raise UsageError(f"budget is for searches, {found.name} is a grid; leave it out")
    if not 1 <= budget <= MAX_BUDGET:
        raise UsageError(f"budget must be a number of cells from 1 to {MAX_BUDGET:,}, got {budget!r}")
    found.check_size(budget)
    return budget


def _end(found: Sweep | Search, store: Store, outcome: Outcome, settings: "Settings") -> None:
    """Go on with the signal that stopped a run, and warn of what it did not train."""
    if outcome.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if outcome.stopped_by:
        raise SystemExit(128 + outcome.stopped_by)
    source = found.source if isinstance(found, Sweep) else found.source.name
    if n := retried(outcome.statuses):
        why = command("status", source, store.root)
        odd = failures(outcome.statuses).removeprefix(", ")
        warnings.warn(f"{n} trials of {found.name} failed ({odd}); see why: {why}", stacklevel=4)
    elif outcome.pending and isinstance(found, Sweep) and settings.max_hours is not None:
        limit = settings.limit.removeprefix("--").replace("-", "_").replace(" ", "=")
        warnings.warn(f"{outcome.pending} trials of {found.name} are left out by {limit}", stacklevel=4)


def _say(text: str) -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        print(text, file=sys.stderr)


def _say_choice(choice: Choice, settings: "Settings") -> None:
    for line in in_words(choice, device=settings.device):
        _say(line)


def require_main_process(name: str) -> None:
    """Raise UsageError in a process that may not start others, such as one that imports its parent's script again."""
    process = multiprocessing.current_process()
    if getattr(process, "_inheriting", False):  # multiprocessing sets it while it imports the main module again
        raise UsageError(
            f"lrsym.{name} is called by a process that imports this script again; put what the script runs below a "
            'line `if __name__ == "__main__":`'
        )
    if process.daemon:
        raise UsageError(
            f"lrsym.{name} starts processes, which a worker of a multiprocessing.Pool may not; call it outside of one"
        )
