"""Plan and train from Python: the steps of `lrsym plan`, `lrsym sweep` and `lrsym refine`, quiet but on a terminal."""

import math
import multiprocessing
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from lrsym.api.arguments import AnySweep, as_grid
from lrsym.api.execution import Execution, Planning
from lrsym.api.request import Request
from lrsym.errors import UsageError, counted, printable
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.driver import Outcome, run
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


def plan(
    sweep: AnySweep,
    results: str | Path = "results",
    *,
    where: str | None = None,
    limit: int | None = None,
    shard: str | None = None,
    retry: str | Sequence[str] | None = None,
    budget: int | None = None,
    **options: Unpack[Planning],
) -> "Choice | SearchPlan":
    """Return what `sweep` would train and cost: its `plan` (new, done, failed, pending), pack size, workers, cost.

    As `lrsym plan`, with its options: for a long sweep a pilot measures some seconds. Raise UsageError for what the
    user can put right.
    """
    require_main_process("plan")
    asked = Request.of(sweep, results, where=where, limit=limit, shard=shard, retry=retry, budget=budget, **options)
    return asked.choose(want_cost=True, on_message=_say)


def run_sweep(
    sweep: AnySweep,
    results: str | Path = "results",
    *,
    where: str | None = None,
    limit: int | None = None,
    shard: str | None = None,
    retry: str | Sequence[str] | None = None,
    budget: int | None = None,
    **options: Unpack[Execution],
) -> "pl.LazyFrame":
    """Train what the folder `results` lacks of `sweep`; return the rows of its trials, as `load_trials`.

    As `lrsym sweep`, with its options; a search goes on until its budget is spent. With `where`, an SQL condition on
    axes, `limit` or `shard`, such as "3/8", it trains that part of a grid, with `retry`, statuses of failures, what
    failed so alone, of searches, too; the rows are those of all of it. Progress is shown where standard error is a
    terminal. What failed, is given up or left is told by a warning. Raise UsageError for what the user can put right;
    after Ctrl-C, KeyboardInterrupt, with finished packs kept: the same call goes on.
    """
    require_main_process("run_sweep")
    asked = Request.of(sweep, results, where=where, limit=limit, shard=shard, retry=retry, budget=budget, **options)
    found, choice = asked.sweep, asked.choose(on_message=_say)
    if not isinstance(choice, Choice):
        if (ran := _run_search(choice, asked.store, asked.settings)) is not None:
            _end(found, asked.store, ran[0], asked.settings, left=ran[1])
        found, given_up = as_grid(found, asked.store.root), choice.given_up
    else:
        assert isinstance(found, Sweep)
        if choice.plan.pending:
            _say_choice(choice, asked.settings)
            outcome = run(choice.plan, asked.store, asked.settings, display=show_progress)
            _end(found, asked.store, outcome, asked.settings, left=outcome.pending)
        given_up = choice.plan.given_up
    _warn_of_given_up(given_up, found)
    return load_trials(asked.store.root, trial_ids=found.trial_ids())


def refine(
    sweep: AnySweep,
    results: str | Path = "results",
    *,
    budget: int,
    metric: str = PHASE_METRIC,
    level: float = PHASE_THRESHOLD,
    interval: float | None = None,
    **options: Unpack[Execution],
) -> "SurfaceBoundary | None":
    """Train only those trials of `sweep` that tell where `metric` crosses `level`; return the boundary, None without
    any value. As `lrsym refine`, with its options; errors as `run_sweep`."""
    from lrsym.api.refinement import RefinementRequest

    require_main_process("refine")
    given = RefinementRequest.of(
        sweep, results, budget=budget, metric=metric, level=level, interval=interval, **options
    )
    if not given.source.exhausted:
        outcome, _ = given.train(
            on_message=_say, on_choice=partial(_say_choice, settings=given.settings), display=show_progress
        )
        _end(given.asked.sweep, given.store, outcome, given.settings, left=outcome.pending)
    _warn_of_given_up(given.source.given_up, given.asked.sweep)
    return given.source.boundary


def _warn_of_given_up(given_up: Counter[str], found: Sweep) -> None:
    if n := given_up.total():
        again = f"try again by run_sweep with retry={sorted(given_up)}"
        warnings.warn(f"given up: {counted(n, 'trial')} of {found.name}; {again}", stacklevel=3)


def _run_search(plan: "SearchPlan", store: Store, settings: "Settings") -> tuple[Outcome, int] | None:
    """Train cells until the budget is spent; return what came of it and the cells that are left, None if none were."""
    from lrsym.sweep.search.run import cells_left, require_objective, run_search

    if plan.over:
        require_objective(plan.search, store)
        return None
    _say_choice(plan.choice, settings)
    outcome = run_search(plan, store, settings, display=show_progress)
    return outcome, cells_left(plan, store)


def _end(found: Sweep | Search, store: Store, outcome: Outcome, settings: "Settings", *, left: int) -> None:
    """Go on with the signal that stopped a run, and warn of the trials, or cells, that it `left`."""
    if outcome.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if outcome.stopped_by:
        raise SystemExit(128 + outcome.stopped_by)
    source = found.source if isinstance(found, Sweep) else found.source.name
    if n := retried(outcome.statuses):
        why = command("status", source, store.root)
        odd = failures(outcome.statuses).removeprefix(", ")
        longer = f"; give them longer than timeout={settings.timeout:g}" if outcome.statuses["timeout"] else ""
        warnings.warn(f"{counted(n, 'trial')} of {found.name} failed ({odd}); see why: {why}{longer}", stacklevel=4)
    elif left and settings.max_hours is not None:
        what = counted(left, "trial" if isinstance(found, Sweep) else "cell")
        limit, _, hours = settings.limit.removeprefix("--").partition(" ")
        limit = limit.replace("-", "_")
        warnings.warn(f"left out by {limit}={hours}: {what} of {found.name}", stacklevel=4)


def _say(text: str) -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        print(printable(text), file=sys.stderr)


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
