"""`python -m tests.sweep.engines.made_up_task ENGINE RESULTS ...`: a run whose task trains nothing and misbehaves.

The task takes a moment for each pack, writes rows of the table trials, and does to the trials of some seeds what it is
told. Neither driver nor workers load torch.
"""

import argparse
import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.results.store.store import Store
from lrsym.sweep import driver
from lrsym.sweep.engines import patience
from lrsym.sweep.execution.events import Failure
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.planning.settings import Settings
from tests.small_trials import sweep_of

ROOM, TRIAL_BYTES = 150 * 2**20, 64 * 2**20
"""What a worker may take besides what it has, and what a trial takes where memory is short."""

broken = False
"""Whether the GPU of this process has met an error that outlives it."""


class UnspeakableError(Exception):
    """An error that cannot be shown."""

    def __str__(self):
        raise ValueError("no words")


@dataclass(frozen=True)
class MadeUpTask:
    """See above; `behaviour` by seed: kill, kill once, freeze and freeze once (stand still), memory (of more than one
    trial), allocate (what the pack takes, of little memory), fault (once, and then in every pack of the process),
    faulty (each time), unspeakable, binary, full, trained (and then its evaluation takes the seconds)."""

    root: str
    run_id: str
    device: str = "cpu"
    threads: int = 1
    seconds: float = 0.02
    timeout: float | None = None
    behaviour: dict[int, str] = field(default_factory=dict)

    def for_worker(self, number):
        return self

    def __call__(self, pack, report):
        assert "torch" not in sys.modules
        tries = Path(self.root, "tries")
        tries.mkdir(exist_ok=True)
        with (tries / pack.id).open("a") as file:
            file.write("x")
        if broken:
            raise RuntimeError("CUDA error: it goes on")
        for trial in pack.trials:
            if failure := self.misbehave(self.behaviour.get(trial.seed), pack):
                return failure
        report(1.0 if "trained" in self.behaviour.values() else 0.5)
        time.sleep(self.seconds)
        Store(self.root).write(pack.id, status_rows(pack.trials, status="done", message=None, run_id=self.run_id))
        return Counter(done=len(pack))

    def misbehave(self, how, pack):
        once = Path(self.root, f"killed-{pack.id}")
        if how == "kill" or (how == "kill once" and not once.exists()):
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "freeze" or (how == "freeze once" and not once.exists()):
            once.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        if how == "fault" and not once.exists():
            once.touch()
            global broken
            broken = True
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if how == "faulty":
            raise RuntimeError("CUDA error: device-side assert triggered")
        if how == "allocate":
            with little_memory():
                assert len(bytearray(TRIAL_BYTES * len(pack)))
        if how == "memory" and len(pack) > 1:
            return Failure("out_of_memory", "no room")
        if how == "unspeakable":
            raise UnspeakableError
        if how == "binary":
            raise RuntimeError("[red]\x1b[31m\udc80\nend")
        if how == "full":
            raise OSError(28, "No space left on device", "some/file")
        return None

    def record_failure(self, pack, failure, attempts):
        rows = status_rows(
            pack.trials, status=failure.status, message=failure.message, run_id=self.run_id, attempts=attempts
        )
        Store(self.root).write(f"{pack.id}-failed", rows)
        return Counter({failure.status: len(pack)})

    def discard_checkpoint(self, pack):
        pass


@contextlib.contextmanager
def little_memory():
    """Let this process have ROOM bytes more than it has now."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Unheard:
    """Sends its process a signal of which what its handler raises is lost."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        if self.number is not None:
            signal.raise_signal(self.number)
            raise AssertionError("the signal was not heeded")


def lose(number):
    """A listener that sends `number` once, where the first pack has ended."""

    def listen(pack, event):
        nonlocal number
        if event.statuses is not None:
            Unheard(number)
            number = None

    return listen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("results")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--pack", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=MadeUpTask.seconds)
    parser.add_argument("--behaviour", type=json.loads, default={})
    parser.add_argument("--max-core-hours", type=float)
    parser.add_argument("--task-device", default="cpu")
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--silence", type=float, default=patience.MAX_SILENCE_SECONDS)
    parser.add_argument("--lost-signal", type=int)
    asked = parser.parse_args()
    patience.MAX_SILENCE_SECONDS = asked.silence
    behaviour = {int(seed): how for seed, how in asked.behaviour.items()}
    store = Store(asked.results)
    settings = Settings.resolve(
        engine=asked.engine,
        device="cpu",
        workers=asked.workers,
        pack_size=asked.pack,
        max_core_hours=asked.max_core_hours,
    )
    plan = driver.plan_sweep(sweep_of([Trial(seed=s) for s in range(asked.trials)]), store, settings)
    try:
        outcome = driver.run(
            plan,
            store,
            settings,
            listener=lose(asked.lost_signal),
            make_task=lambda store, run_id, settings: MadeUpTask(
                store.files.uri(),
                run_id,
                asked.task_device,
                seconds=asked.seconds,
                timeout=asked.timeout,
                behaviour=behaviour,
            ),
        )
    except UsageError as error:
        sys.exit(f"error: {error}")
    assert "torch" not in sys.modules
    report = {
        "statuses": outcome.statuses,
        "pending": outcome.pending,
        "reused": plan.done,
        "seconds": outcome.hours * 3600,
        "fitting_size": outcome.fitting_size,
    }
    print(json.dumps(report))
    sys.exit(128 + outcome.stopped_by if outcome.stopped_by else 0)


if __name__ == "__main__":
    from tests.sweep.engines import made_up_task  # workers find the task under this name

    made_up_task.main()
