"""What Tune calls in the driver: for packs, with what becomes of them, and whether to end.

Tune pickles these with its set-up for a restore that we never do; what they hold stays out of that.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.exceptions import OutOfMemoryError
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from lrsym.errors import UsageError
from lrsym.sweep.engines.patience import give_up, overdue
from lrsym.sweep.engines.ray_tune.board import Sighting, answer, kill
from lrsym.sweep.engines.ray_tune.slots import Slots
from lrsym.sweep.execution.events import Failure, PackEvent
from lrsym.sweep.execution.queue import PackQueue

WATCH_SECONDS = 1.0
"""How often the driver looks for packs that are overdue."""


@dataclass(frozen=True)
class Driven:
    """A run in the driver: its queue, the slots of its cluster, the actor that has the packs in training.

    A pack may take `timeout` seconds; None is no limit.
    """

    queue: PackQueue
    slots: Slots
    board: Any
    timeout: float | None

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()


def _nothing() -> None:
    return None


class QueueSearcher(Searcher):
    """Gives Tune the packs of a queue, one when it has a slot for it."""

    def __init__(self, driven: Driven) -> None:
        super().__init__()
        self._driven = driven

    # Tune's own annotation leaves out the text that says that nothing will come.
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the next pack as the configuration of a Tune trial; None where there is none now."""
        queue, slots = self._driven.queue, self._driven.slots
        pack = queue.next() if slots.any_free else None
        if pack is None:
            return Searcher.FINISHED if queue.finished else None
        answer(self._driven.board.put.remote(pack))
        slots.add(trial_id)
        return {"pack_id": pack.id}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Free the slot; the callback gets the reason."""
        self._driven.slots.remove(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Write an empty file: what is left to do comes from the store."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a Tune run is never restored."""


class QueueCallback(tune.Callback):
    """Tells the queue what Tune reports of its trials, and ends workers that are not waited for any more.

    `error` is what the queue raised: it ends the run.
    """

    def __init__(self, driven: Driven) -> None:
        self._driven, self._left, self._watched = driven, set[str](), time.monotonic()
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Look whether the run is to end, or a worker; called by Tune several times a second."""
        self._driven.queue.require_running()
        with self._kept():
            self._driven.slots.require_sight()
            if time.monotonic() - self._watched > WATCH_SECONDS:
                self._watched = time.monotonic()
                self._end_overdue()

    def _end_overdue(self) -> None:
        """Kill workers whose pack has had its time, or that give no sign of life."""
        taken: dict[str, Sighting] = answer(self._driven.board.sightings.remote())
        for pack_id, worker in taken.items():
            timeout = None if worker.trained else self._driven.timeout
            failure = overdue(busy=worker.busy, silent=worker.silent, timeout=timeout)
            if failure is None or worker.tune_trial in self._left:
                continue
            kill(worker)
            self._left.add(worker.tune_trial)
            answer(self._driven.board.leave.remote(pack_id, worker))
            give_up(self._driven.queue, pack_id, failure)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Take in that a worker has begun."""
        self._driven.slots.on_start(trial.trial_id)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass on an event, or that a worker does not see the results."""
        queue, slots, pack_id = self._driven.queue, self._driven.slots, trial.config["pack_id"]
        if trial.trial_id in self._left and not slots.is_blind(result):  # killed for being late
            return
        with self._kept():
            if slots.is_blind(result):
                if news := slots.on_report(trial.trial_id, result):
                    self._left.add(trial.trial_id)
                    queue.give_back(pack_id, news)
                return
            event = _event(pack_id, result)
            if event.ends_worker:
                self._left.add(trial.trial_id)
            queue.on_event(event)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Pass on the death of a worker; called by Tune when it ends a trial."""
        if trial.trial_id in self._left:  # that is known, and its pack may be in training again
            return
        self._left.add(trial.trial_id)  # nor is it watched any more
        error = trial.get_pickled_error()
        reason = f"worker died ({type(error).__name__})" if error else "worker did not start"
        out_of_memory = isinstance(error, OutOfMemoryError) or "low on memory" in str(error)
        with self._kept():
            self._driven.queue.on_death(trial.config["pack_id"], reason, out_of_memory=out_of_memory)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        """Keep what is raised meanwhile: Tune passes it on as text."""
        try:
            yield
        except (UsageError, OSError) as error:
            self.error = error
            raise


class PatientScheduler(FIFOScheduler):
    """Lets a worker that is starting have its Tune trial: one that is free takes the next.

    Tune would give the free one the oldest trial that waits, and end the one that is starting for it: where packs take
    less time than a start, few ever get up. Once no new trial comes, Tune gives the free ones those that wait.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """Return None: Tune goes through its trials, those without a worker first."""
        return None


class BlindStopper(Stopper):
    """Ends Tune trials that wait on nodes without the results, once all packs have ended."""

    def __init__(self, driven: Driven) -> None:
        self._driven = driven

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return False: a Tune trial ends by itself."""
        return False

    def stop_all(self) -> bool:
        """Return whether nothing but such trials is left; called by Tune several times a second."""
        return self._driven.slots.any_blind and self._driven.queue.finished


def _event(pack_id: str, result: Mapping[str, Any]) -> PackEvent:
    """Return the event that a worker reported."""
    statuses, failure = result.get("statuses"), result.get("failure")
    return PackEvent(
        pack_id,
        result["completed"],
        None if statuses is None else Counter(statuses),
        None if failure is None else Failure(*failure),
        result.get("store_error"),
    )
