"""What a worker does with a pack: the task that engines run, and the one that trains."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.store import Store
from lrsym.sweep.execution.checkpoint import CheckpointFile
from lrsym.sweep.execution.events import Failure, PackEvent, text_of
from lrsym.sweep.execution.live_rows import LiveFile
from lrsym.sweep.execution.queue import Recorder
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.execution.traceback_log import logged_failure
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.workers.processes import select_device

Report = Callable[[float], None]
"""Takes the fraction of a pack's training that is done."""


class Task(Recorder, Protocol):
    """A function from a pack to how its trials ended, which can be sent to another process."""

    @property
    def root(self) -> str:
        """The results folder, which workers must see."""
        ...

    @property
    def run_id(self) -> str:
        """Identity of the run."""
        ...

    @property
    def device(self) -> str:
        """Where it runs: cpu or cuda."""
        ...

    @property
    def threads(self) -> int:
        """Threads that it uses."""
        ...

    @property
    def timeout(self) -> float | None:
        """The seconds that a pack may take; None is no limit."""
        ...

    def for_worker(self, number: int) -> Self:
        """Return the task as the worker with that number runs it; called once in the worker."""
        ...

    def __call__(self, pack: Pack, report: Report) -> Counter[str] | Failure:
        """Do the work and write the rows. Raises OSError where they cannot be written."""
        ...


def run_task(task: Task, pack: Pack, report: Report) -> PackEvent:
    """Return the event that ends `pack`: the task's outcome, or what it raised. Both engines call it in the worker.

    On a GPU a worker that met any error but a timeout is not used again.
    """
    try:
        outcome = task(pack, report)
    except OSError as error:
        return PackEvent(pack.id, 1.0, store_error=text_of(error))
    except Exception as error:
        outcome = logged_failure(error, task.root)
    if isinstance(outcome, Counter):
        return PackEvent(pack.id, 1.0, outcome)
    if not isinstance(outcome, Failure):
        outcome = Failure("crashed", f"the task must return how trials ended, or a Failure, it returned {outcome!r}")
    # After some errors of CUDA, and after a recording that failed, every later call of the process fails as well.
    ends_worker = task.device != "cpu" and outcome.status != "timeout"
    return PackEvent(pack.id, 1.0, failure=replace(outcome, ends_worker=ends_worker))


@dataclass(frozen=True)
class TrainTask:
    """Train packs and write their rows; the same for each pack of a run.

    `timeout` is in seconds for a pack; with `save_weights` the final parameters of done trials are kept. A pack that is
    finished in the store already (engines may deliver one twice) is left alone; one that was killed goes on from its
    checkpoint. Weights are written before the rows: of a trial that counts as finished they are there. With
    `must_exist` the results folder is there, and is not made again where it was removed or moved.
    """

    root: str
    run_id: str
    device: str
    threads: int
    timeout: float | None = None
    save_weights: bool = False
    must_exist: bool = False

    @classmethod
    def of(cls, store: Store, run_id: str, settings: Settings) -> Self:
        """Return the task of a run with these settings."""
        return cls(
            store.files.uri(), run_id, settings.device, settings.threads, settings.timeout, settings.save_weights,
            must_exist=store.files.exists(),
        )  # fmt: skip

    def for_worker(self, number: int) -> Self:
        """Return the task with the worker's device; what takes seconds to import is imported before the first pack."""
        import lrsym.sweep.execution.train_pack  # noqa: F401  the first pack has it loaded

        return replace(self, device=select_device(self.device, number))

    def __call__(self, pack: Pack, report: Report) -> Counter[str] | Failure:
        """Return how the trials of `pack` ended, or why it gave no result. Raises OSError of the store."""
        import torch

        from lrsym.sweep.execution.train_pack import PackTimeoutError, run_pack

        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        store = Store(self.root, must_exist=self.must_exist)
        if finished := store.part_statuses(pack.part):
            return finished
        torch.set_num_threads(self.threads)
        checkpoint, live = CheckpointFile(store.files, pack), LiveFile(store.files, pack)
        try:
            trained = run_pack(
                pack.trials,
                run_id=self.run_id,
                device=torch.device(self.device),
                stop=pack.stop,
                deadline=deadline,
                report=report,
                checkpoint=checkpoint,
                live=live,
            )
        except PackTimeoutError as error:
            return Failure("timeout", f"pack took more than {self.timeout:g} s, {error}")
        except Exception as error:
            return logged_failure(error, self.root)
        if self.save_weights:
            from lrsym.sweep.execution.weights import save_pack

            save_pack(store.files, trained.last)
        store.write(pack.part, trained.tables)
        checkpoint.remove()
        live.remove()
        return Counter(trained.tables["trials"]["status"].to_pylist())

    def record_failure(self, pack: Pack, failure: Failure, attempts: Sequence[int]) -> Counter[str]:
        """Write the rows of a pack that gave no result, in a part of their own that never replaces a result."""
        store = Store(self.root, must_exist=self.must_exist)
        if finished := store.part_statuses(pack.part):
            return finished
        rows = status_rows(
            pack.trials, status=failure.status, message=failure.message, run_id=self.run_id, attempts=attempts
        )
        store.write(f"{pack.id}-failed", rows)
        LiveFile(store.files, pack).remove()
        return Counter({failure.status: len(pack)})

    def discard_checkpoint(self, pack: Pack) -> None:
        """Remove the checkpoint of `pack`, and what it has shown."""
        CheckpointFile(self.root, pack).remove()
        LiveFile(open_filesystem(self.root), pack).remove()
