"""A sweep from its plan to its last row: record the run, start an engine, keep account."""

import contextlib
import signal
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from types import FrameType
from typing import Protocol

from polars.exceptions import PanicException

from lrsym.errors import UsageError
from lrsym.results.store.imported import refuse_imported
from lrsym.results.store.live import remove_stale_live
from lrsym.results.store.part_file import run_part
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.sweep.execution.checkpoint import list_checkpoints, remove_stale_checkpoints
from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.grid_stop_rules import GRID_RULES
from lrsym.sweep.execution.lease import Lease, remove_stale_leases, require_alone
from lrsym.sweep.execution.metered_queue import MeteredQueue
from lrsym.sweep.execution.pack_source import PackSource, PlannedPacks
from lrsym.sweep.execution.part import WHOLE, Part
from lrsym.sweep.execution.progress import Display
from lrsym.sweep.execution.provenance import run_row
from lrsym.sweep.execution.queue import Listener, PackQueue
from lrsym.sweep.execution.shared_packs import SharedPacks
from lrsym.sweep.execution.task import Task, TrainTask
from lrsym.sweep.pilot.choice import Choice, choose_packing
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.packing import PackList
from lrsym.sweep.planning.plan import NO_FAILURES, Plan, make_plan
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.sweep.workers.processes import STOP_SIGNALS
from lrsym.vocabulary import FAILED_STATUSES


class Engine(Protocol):
    """Runs a task on every pack of a queue, on a number of workers; returns when all have ended."""

    def __call__(self, queue: PackQueue, task: Task, *, workers: int) -> None:
        """Run the task on every pack."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What a run left behind: how trials ended, how many were not reached, and the first signal that came.

    `finished` tells whether all had ended by then, so that it stopped nothing. `hours` are the core-hours, or
    GPU-hours, that its packs took. `fitting_size` is the pack size that was gone down to where larger packs did not fit
    into memory, None where all did. `statuses` counts the rows of this run in the store; `elsewhere` are trials that
    other sweeps finished meanwhile, `others` who those are.
    """

    run_id: str
    statuses: Counter[str]
    pending: int
    stopped_by: signal.Signals | None
    seconds: float
    hours: float = 0.0
    fitting_size: int | None = None
    elsewhere: int = 0
    others: tuple[str, ...] = ()
    finished: bool = False

    @property
    def interrupted(self) -> bool:
        """Whether a signal stopped it."""
        return self.stopped_by is not None and not self.finished


def with_cluster_gpus(settings: Settings) -> Settings:
    """Return the settings with the GPUs of the Ray cluster, where workers run on one. Raises UsageError without any."""
    if settings.device == "cpu" or not settings.on_cluster:
        return settings
    return replace(settings, gpus=import_module("lrsym.sweep.engines.ray_tune.connection").count_cluster_gpus())


def plan_sweep(sweep: Sweep, store: Store, settings: Settings, *, part: Part = WHOLE) -> Plan:
    """Return the plan of `part` of `sweep` against `store`, in packs of the default size."""
    statuses = store.statuses(stop_rule=sweep.stop)
    any_failed = not {*FAILED_STATUSES}.isdisjoint(statuses.values())
    return make_plan(
        sweep,
        statuses,
        workers=settings.max_workers,
        device=settings.device,
        pack_size=settings.pack_size,
        checkpoints=list_checkpoints(store.root, stop_rule=sweep.stop),
        stop=GRID_RULES.get(sweep.stop or ""),
        chosen=part.places(sweep),
        limit=part.limit,
        retry=part.retry,
        failures=store.failures() if any_failed else NO_FAILURES,
    )


def plan_and_choose(
    sweep: Sweep,
    store: Store,
    settings: Settings,
    *,
    want_cost: bool = False,
    n_trials: int | None = None,
    part: Part = WHOLE,
    on_message: Callable[[str], None] = lambda text: None,
) -> Choice:
    """Return the plan of what `store` lacks of `part` of `sweep`, with its pack size and workers chosen.

    With `n_trials` it is about so many of them, spread over the sweep, where others are to be chosen later.

    With `want_cost` nothing is going to be written, and a pilot runs for short sweeps too. Otherwise raises OSError,
    before any pilot, where rows could not be written; not with a limit of hours, which may turn out too low, and then
    nothing must be written. Where nothing is left to train, what killed runs left behind is removed. `on_message` gets
    a line before a pilot runs, and a warning where it fails.
    """
    if not want_cost:
        store.require_no_damage()
    plan = plan_sweep(sweep, store, settings, part=part)
    if n_trials is not None:
        plan = plan.sample(n_trials)
    if plan.pending and not want_cost and settings.max_hours is None:
        store.prove_writable()
    if not plan.pending and not want_cost:
        with contextlib.suppress(OSError):  # a store that others may only read
            clear_leftovers(store)
    with _stop_signals() as signals:
        try:
            choice = choose_packing(plan, settings, want_cost=want_cost, on_message=on_message)
        except KeyboardInterrupt:
            if signals.first not in (None, signal.SIGINT):
                raise SystemExit(128 + signals.first) from None
            raise
    if choice.warning:
        on_message(f"warning: {choice.warning}")
    return choice


def clear_leftovers(store: Store) -> None:
    """Remove what killed runs left behind and nobody needs any more, as far as it can be removed. Raises OSError."""
    store.remove_stale_temp_files()
    remove_stale_checkpoints(store)
    remove_stale_live(store.files)
    remove_stale_leases(store.files)


def run(
    plan: Plan,
    store: Store,
    settings: Settings,
    *,
    source: PackSource | None = None,
    make_task: Callable[[Store, str, Settings], Task] = TrainTask.of,
    listener: Listener | None = None,
    display: Callable[[PackList], Display] = Display,
) -> Outcome:
    """Train what `plan` holds, up to the limit of hours. After SIGINT, SIGTERM or SIGHUP finished packs are kept and
    `stopped_by` is set; one that comes when all have ended disturbs nothing.

    With a `source` the packs come from there, and `plan` only says how much is expected. `make_task` gives what workers
    do with a pack, from the store, the run's id and the settings; `display` makes what shows the progress of the packs,
    and `listener` gets every event after it. Raises UsageError where rows cannot be written, and where the engine
    cannot start.
    """
    store.require_no_damage()
    refuse_imported(store.files)
    started_at, run_id = datetime.now(UTC), uuid.uuid4().hex[:16]
    clear_leftovers(store)
    given = source or PlannedPacks(plan.packs)
    require_alone(store.files, given.alone)
    row = run_row(plan, settings, run_id=run_id, started_at=started_at)
    _write_run(store, row)
    task, shown, stopped_by = make_task(store, run_id, settings), display(plan.packs), None
    finished = True
    listeners = [_check_run(store, run_id), shown.update, *([listener] if listener else [])]
    limit = settings.worker_seconds(plan.workers)
    lease = Lease(
        store.files, run_id, alone=given.alone,
        on_meet=lambda holder: shown.say(f"{holder} trains in {store.root} as well: work in common is shared"),
    )  # fmt: skip
    packs = SharedPacks(given, lease, store, on_elsewhere=shown.update, say=shown.say)
    with _stop_signals() as signals:
        queue = MeteredQueue(
            packs, recorder=task, listeners=listeners, stopped=lambda: signals.first is not None, limit=limit,
            failures=plan.failures, say=shown.say,
        )  # fmt: skip
        try:
            with shown, lease:
                try:
                    load_engine(settings.engine)(queue, task, workers=plan.workers)
                finally:
                    signals.raising = False  # what is left takes a moment
        except BaseException as error:
            # What polars asks of Python may meet the signal, which then is a panic.
            stops = isinstance(error, KeyboardInterrupt) or (signals.first and isinstance(error, PanicException))
            if not stops:  # what went wrong first is what the user must read
                with contextlib.suppress(OSError, UsageError):
                    _require_run(store, run_id)
                    _write_run(store, {**row, "finished_at": datetime.now(UTC)})
                raise
            stopped_by, finished = signal.SIGINT, queue.finished
        _require_run(store, run_id)
        finished_at = datetime.now(UTC)
        _write_run(store, {**row, "finished_at": finished_at})
        statuses = store.run_statuses(run_id)
        return Outcome(
            run_id=run_id,
            statuses=statuses,
            pending=plan.pending - max(shown.ended, statuses.total() + packs.elsewhere),
            stopped_by=signals.first or stopped_by,
            seconds=(finished_at - started_at).total_seconds(),
            hours=queue.worker_seconds() * settings.units_per_worker(plan.workers) / 3600,
            fitting_size=queue.fitting_size,
            elsewhere=packs.elsewhere,
            others=tuple(map(str, lease.met.values())),
            finished=finished,
        )


ENGINES = {"local": "lrsym.sweep.engines.local:run_local", "ray": "lrsym.sweep.engines.ray_tune.engine:run_ray"}
"""Module and function of each engine (`planning.settings.ENGINES`); imported only where it is used, Ray above all."""


def load_engine(name: str) -> Engine:
    """Return the engine of that name."""
    module, _, function = ENGINES[name].partition(":")
    return getattr(import_module(module), function)


@dataclass
class _StopSignals:
    """The first of the STOP_SIGNALS that was received; while they are `raising` it raises KeyboardInterrupt."""

    first: signal.Signals | None = None
    raising: bool = True


@contextlib.contextmanager
def _stop_signals() -> Iterator[_StopSignals]:
    """Let the STOP_SIGNALS stop as SIGINT does, and a second one not disturb the end; yield what is received.

    Where the KeyboardInterrupt is lost, only that tells of it, as the queue does: nothing is printed.
    """
    received = _StopSignals()

    def stop(number: int, frame: FrameType | None) -> None:
        if received.first is None:
            received.first = signal.Signals(number)
            if received.raising:
                raise KeyboardInterrupt

    # Handlers belong to the main thread; what a shell starts in the background ignores SIGINT, under nohup SIGHUP.
    in_main = threading.current_thread() is threading.main_thread()
    numbers = [n for n in STOP_SIGNALS if in_main and signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    report = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if isinstance(lost.exc_value, KeyboardInterrupt) else report(lost)
    try:
        yield received
    finally:
        sys.unraisablehook = report
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_run(store: Store, run_id: str) -> Listener:
    """Return what looks for the run's row whenever a pack has ended: rows that went elsewhere do not count."""

    def check(pack: Pack, event: PackEvent) -> None:
        if event.statuses is not None:
            _require_run(store, run_id)

    return check


def _require_run(store: Store, run_id: str) -> None:
    """Raise UsageError where the results folder is not the one any more that the run began in."""
    if not store.has_run(run_id):
        raise UsageError(
            f"the results folder {store.root} was removed, moved or replaced while the sweep ran, so rows may be "
            "missing; put it back and run the same command again: it trains what is not there"
        )


def _write_run(store: Store, row: dict[str, object]) -> None:
    store.write(run_part(str(row["run_id"])), {"runs": TABLES["runs"].build([row])})
