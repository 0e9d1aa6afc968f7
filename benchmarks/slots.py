"""How busy the slots of a cluster are kept, by packs that take five seconds and train nothing.

On 100 slots the engine is simulated: packs take their time on a clock that nobody waits for. The driver is real, plan,
lease, queue and account: whatever it does, packing messages included, passes on that clock as long as it takes, one
thing after the other, but for what it waits for a core that others have. What workers do, their rows, does not. On Ray
all is real, but that workers sleep, 32 of them on this machine, and write rows of nothing but a status. They need no
torch.
"""

import heapq
import itertools
import os
import pickle
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl

from benchmarks import fresh
from benchmarks.figures import Figure
from benchmarks.null_sweep import NullTask, write_sweep
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep import driver
from lrsym.sweep.driver import Engine, plan_sweep, run
from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.queue import PackQueue
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.execution.task import Task, TrainTask, run_task
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.sweep_file import load

REPORTS = 10
"""How often a pack that sleeps reports."""


def measure(*, trials: int, pack: int, seconds: float, slots: int, repeats: int) -> list[Figure]:
    """Figures of sweeps of so many trials, in packs of `pack` that take `seconds`, on `slots` that are simulated."""
    taken = [fresh.call(_simulated, trials, pack, seconds, slots) for _ in range(repeats)]
    named = f"{trials:,} trials in packs of {pack} on {slots} simulated slots"
    return [Figure.of([one[key] for one in taken], benchmark=named, variant=key, unit=UNITS[key]) for key in taken[0]]


def measure_ray(*, trials: int, pack: int, seconds: float, slots: int) -> list[Figure]:
    """Figures of one sweep on Ray, as `measure` has them."""
    named = f"{trials:,} trials in packs of {pack} on {slots} slots of Ray"
    taken = fresh.call(_on_ray, trials, pack, seconds, slots)
    return [Figure.of([value], benchmark=named, variant=key, unit=UNITS[key]) for key, value in taken.items()]


UNITS = {
    "slots": "worker processes", "slots busy": "% of their time", "the driver busy": "% of its time",
    "the driver, for each pack": "ms",
    "until the first pack has begun": "s", "until every slot has had a pack": "s",
    "slots busy, from then until the last pack has begun": "% of their time",
}  # fmt: skip


def _simulated(trials: int, pack: int, seconds: float, slots: int) -> dict[str, float]:
    engine = SimulatedEngine(seconds)
    with _planned(trials, pack, slots, engine="local") as (plan, store, settings):
        with mock.patch.object(driver, "load_engine", return_value=engine):
            outcome = run(plan, store, settings, make_task=NullTask.of)
        _require_done(outcome.statuses, trials)
    return {
        "slots busy": 100 * engine.packs * seconds / (slots * engine.now),
        "the driver busy": 100 * engine.spent / engine.now,
        "the driver, for each pack": 1e3 * engine.spent / engine.packs,
    }


class SimulatedEngine(Engine):
    """An engine whose packs take `seconds` on a clock of its own: `now`, of which the driver itself `spent` some."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.now, self.spent, self.packs = 0.0, 0.0, 0

    def __call__(self, queue: PackQueue, task: Task, *, workers: int) -> None:
        """Run the task on every pack, each at the moment at which its slot begins it."""
        free, numbers, coming = workers, itertools.count(), list[tuple[float, int, bytes]]()
        while not queue.finished:
            while free and (pack := self._spend(lambda: _sent(queue.next()))) is not None:
                free, self.packs = free - 1, self.packs + 1
                for event in _events(task, pack):
                    due = self.now + self._seconds * event.completed
                    heapq.heappush(coming, (due, next(numbers), pickle.dumps(event)))
            if not coming:
                continue
            due, _, content = heapq.heappop(coming)
            self.now = max(self.now, due)
            event: PackEvent = self._spend(lambda content=content: pickle.loads(content))
            self._spend(lambda event=event: queue.on_event(event))
            free += event.ends_pack

    def _spend(self, do: Callable[[], Any]) -> Any:
        """Return what `do` gives; the clock goes on by what it takes."""
        began = _seconds_with_a_core()
        result = do()
        taken = _seconds_with_a_core() - began
        self.now, self.spent = self.now + taken, self.spent + taken
        return result


def _seconds_with_a_core() -> float:
    """Return a time that does not pass for this thread while it waits for a core: other work may go on beside it.

    Only Linux tells these waits; elsewhere it passes.
    """
    waits = Path("/proc/thread-self/schedstat")
    return time.perf_counter() - (int(waits.read_text().split()[1]) / 1e9 if waits.exists() else 0.0)


def _sent(pack: Pack | None) -> Pack | None:
    """Return a pack after it was made ready to be sent to a worker."""
    pickle.dumps(pack)
    return pack


def _events(task: Task, pack: Pack) -> list[PackEvent]:
    """Return what a worker reports of a pack, whose rows it has written."""
    reports = list[float]()
    end = run_task(task, pack, reports.append)
    return [*(PackEvent(pack.id, completed) for completed in reports if completed < 1), end]


@dataclass(frozen=True)
class SleepTask(TrainTask):
    """Sleeps for each pack, and writes rows of a status alone, with the worker's process for a message."""

    seconds: float = 5.0

    def __call__(self, pack: Pack, report: Callable[[float], None]) -> Counter[str]:
        """Sleep, reporting now and then, and write the rows of `pack`."""
        if "torch" in sys.modules:
            raise RuntimeError("torch was loaded, which this task has no need of")
        for number in range(1, REPORTS + 1):
            time.sleep(self.seconds / REPORTS)
            report(number / REPORTS)
        rows = status_rows(pack.trials, status="done", message=f"{os.getpid()}", run_id=self.run_id)
        Store(self.root).write(pack.id, rows)
        return Counter(done=len(pack))


def _on_ray(trials: int, pack: int, seconds: float, slots: int) -> dict[str, float]:
    def make_task(store: Store, run_id: str, settings: Settings) -> SleepTask:
        return SleepTask(store.files.uri(), run_id, settings.device, settings.threads, seconds=seconds)

    with _planned(trials, pack, slots, engine="ray") as (plan, store, settings):
        started = time.time()
        outcome = run(plan, store, settings, make_task=make_task)
        _require_done(outcome.statuses, trials)
        packs = load_trials(store.root).select("message", ended=pl.col("finished_at").dt.epoch("us") / 1e6).unique()
        packs = packs.with_columns(began=pl.col("ended") - seconds).collect()
    workers = packs.group_by("message").agg(pl.col("began").min())
    first, last, end = min(packs["began"].to_list()), max(packs["began"].to_list()), max(packs["ended"].to_list())
    full = max(workers["began"].to_list())
    within = packs.select(pl.min_horizontal("ended", last) - pl.max_horizontal("began", full)).to_series().clip(0)
    return {
        "slots": workers.height,
        "slots busy": 100 * packs.height * seconds / (slots * (end - first)),
        "until the first pack has begun": first - started,
        "until every slot has had a pack": full - started,
        "slots busy, from then until the last pack has begun": 100 * sum(within.to_list()) / (slots * (last - full)),
    }


@contextmanager
def _planned(trials: int, pack: int, slots: int, *, engine: str) -> Iterator[tuple[Any, Store, Settings]]:
    """Yield the plan of a sweep of so many trials, an empty store for it, and the settings."""
    settings = Settings.resolve(engine=engine, device="cpu", workers=slots, pack_size=pack, pilot=False)
    with tempfile.TemporaryDirectory() as folder:
        sweep, store = load(write_sweep(Path(folder), trials=trials)), Store(f"{folder}/results")
        yield plan_sweep(sweep, store, settings), store, settings


def _require_done(statuses: Counter[str], trials: int) -> None:
    if statuses != {"done": trials}:
        raise RuntimeError(f"{trials} trials ended as {dict(statuses)}")
