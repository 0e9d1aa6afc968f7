"""Ray Tune runs the packs, one Tune trial for each try of a pack.

Tune is the scheduler here and no more: it asks the queue for packs, rows go from the worker to the store, and what is
left to do comes from the store, never from Tune's pickled state. Settings and their measurements:
docs/decisions/engines.md.
"""

import contextlib
import os
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import OutOfMemoryError
from ray.tune.search import Searcher

from lrsym.errors import UsageError
from lrsym.results.store.filesystem import LocalFolder, open_filesystem
from lrsym.sweep.engines.patience import give_up, overdue
from lrsym.sweep.engines.ray_tune.board import kill, signs_of_life, start_board, this_worker
from lrsym.sweep.engines.ray_tune.connection import connected, gpu_share
from lrsym.sweep.execution.events import Failure, PackEvent
from lrsym.sweep.execution.queue import PackQueue
from lrsym.sweep.execution.task import Task, run_task
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.workers.processes import LEFT_AFTER_ERROR, exit_now

REPORT_SECONDS = 2.0
"""`tune.report` blocks the trial for milliseconds, so progress is reported no more often than this."""

WATCH_SECONDS = 1.0
"""How often the driver looks for packs that are overdue."""


def run_ray(queue: PackQueue, task: Task, *, workers: int) -> None:
    """Run `task` on the packs of `queue` with Ray Tune, at most `workers` at a time; return when all have ended.

    Connects to the cluster at RAY_ADDRESS, else starts Ray on this machine with `workers` slots. Raises what the queue
    raises; that and KeyboardInterrupt end the workers.
    """
    os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", str(2 * workers))
    with connected(workers, task.threads), _tune_folder(task) as folder:
        board = start_board()
        listener = QueueCallback(queue, board, timeout=task.timeout)
        resources = {"cpu": task.threads, "gpu": gpu_share(workers) if task.device == "cuda" else 0}
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(run_pack_task, board=board, task=task), resources),
            tune_config=tune.TuneConfig(
                search_alg=QueueSearcher(queue, board), num_samples=-1, max_concurrent_trials=workers, reuse_actors=True
            ),
            run_config=tune.RunConfig(
                name=f"lrsym-{task.run_id}",
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),  # the queue decides what is tried again
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
                callbacks=[listener],
            ),
        )
        try:
            tuner.fit()
        except tune.TuneError:  # Tune wraps what a callback raises, as text
            if listener.error is None:
                raise
        if listener.error is not None:
            raise listener.error
    if not queue.finished:
        raise KeyboardInterrupt


class QueueSearcher(Searcher):
    """Gives Tune the packs of a queue, one when it has a slot for it."""

    def __init__(self, queue: PackQueue | None, board: Any) -> None:
        super().__init__()
        self._queue, self._board = queue, board

    def __reduce__(self) -> tuple[Any, ...]:
        return QueueSearcher, (None, None)  # Tune pickles its set-up for a restore that we never do

    # Tune's own annotation leaves out the text that says that nothing will come.
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the next pack as the configuration of a Tune trial; None where there is none now."""
        assert self._queue is not None
        pack = self._queue.next()
        if pack is None:
            return Searcher.FINISHED if self._queue.finished else None
        ray.get(self._board.put.remote(pack))
        return {"pack_id": pack.id}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: the callback gets it with the reason."""

    def save(self, checkpoint_path: str) -> None:
        """Write an empty file: what is left to do comes from the store."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a Tune run is never restored."""


class QueueCallback(tune.Callback):
    """Tells the queue what Tune reports of its trials, and ends those whose pack takes longer than `timeout` seconds or
    whose process stands still. `error` is what the queue raised: it ends the run."""

    def __init__(self, queue: PackQueue | None, board: Any, *, timeout: float | None = None) -> None:
        self._queue, self._board, self._timeout = queue, board, timeout
        self._left, self._watched = set[str](), time.monotonic()
        self.error: Exception | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return QueueCallback, (None, None)  # as above

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Look whether the run is to end, or a worker; called by Tune in the driver, several times a second."""
        assert self._queue is not None
        self._queue.require_running()
        if time.monotonic() - self._watched < WATCH_SECONDS:
            return
        self._watched = time.monotonic()
        taken: Any = ray.get(self._board.sightings.remote())
        for pack_id, worker in taken.items():
            timeout = None if worker.trained else self._timeout
            failure = overdue(busy=worker.busy, silent=worker.silent, timeout=timeout)
            if failure is None or worker.tune_trial in self._left:
                continue
            kill(worker)
            self._left.add(worker.tune_trial)
            ray.get(self._board.leave.remote(pack_id, worker))
            with self._kept_error():
                give_up(self._queue, pack_id, failure)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass on an event; called by Tune in the driver."""
        assert self._queue is not None
        if trial.trial_id in self._left:
            return
        with self._kept_error():
            event = _event(trial.config["pack_id"], result)
            if event.ends_worker:
                self._left.add(trial.trial_id)
            self._queue.on_event(event)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Pass on the death of a worker; called by Tune when it ends a trial."""
        assert self._queue is not None
        if trial.trial_id in self._left:  # that is known, and its pack may be in training again
            return
        error = trial.get_pickled_error()
        reason = f"worker died ({type(error).__name__})" if error else "worker did not start"
        out_of_memory = isinstance(error, OutOfMemoryError) or "low on memory" in str(error)
        with self._kept_error():
            self._queue.on_death(trial.config["pack_id"], reason, out_of_memory=out_of_memory)

    @contextlib.contextmanager
    def _kept_error(self) -> Iterator[None]:
        """Keep what the queue raises: Tune passes it on as text."""
        try:
            yield
        except (UsageError, OSError) as error:
            self.error = error
            raise


def run_pack_task(config: Mapping[str, Any], *, board: Any, task: Task) -> None:
    """Run the task on one pack: the trainable, which keeps nothing between trials."""
    try:
        why = "" if open_filesystem(task.root).exists(_marker(task)) else "it is not there"
    except (OSError, UsageError) as error:
        why = str(error)
    if why:
        tune.report({"completed": 0.0, "node_without_store": platform.node(), "why": why})
        return
    worker = this_worker(tune.get_context().get_trial_id())
    pack: Pack = ray.get(board.take.remote(config["pack_id"], worker))
    last = time.monotonic()

    def report(completed: float) -> None:
        nonlocal last
        if completed >= 1:
            board.sign.remote(pack.id, trained=True)
        if time.monotonic() - last > REPORT_SECONDS:
            last = time.monotonic()
            tune.report({"completed": completed})

    with signs_of_life(board, pack.id, worker):
        event = run_task(task, pack, report)
    tune.report(
        {
            "completed": 1.0,
            "statuses": None if event.statuses is None else dict(event.statuses),
            "failure": event.failure and [*astuple(event.failure)],
            "store_error": event.store_error,
        }
    )
    if event.ends_worker:  # an actor that is lost is not reused; the driver has the report when `tune.report` returns
        exit_now(LEFT_AFTER_ERROR)


def _event(pack_id: str, result: Mapping[str, Any]) -> PackEvent:
    """Return the event that a worker reported. Raises UsageError from a node that does not see the results folder."""
    if node := result.get("node_without_store"):
        raise UsageError(
            f"node {node} of the Ray cluster does not see the results folder ({result['why']}), so its rows would be "
            "lost; give --results a folder that all nodes share, or an object store that all of them have access to"
        )
    statuses, failure = result.get("statuses"), result.get("failure")
    return PackEvent(
        pack_id,
        result["completed"],
        None if statuses is None else Counter(statuses),
        None if failure is None else Failure(*failure),
        result.get("store_error"),
    )


def _marker(task: Task) -> str:
    """Return the name of a file of the driver: a worker that does not see it would write rows to a disk of its own."""
    return f".tune/{task.run_id}/driver"


@contextlib.contextmanager
def _tune_folder(task: Task) -> Iterator[str]:
    """Yield where Tune keeps its state while it runs: beside the tables or, of an object store, on the driver's disk.

    Nothing reads it again: what is left to do comes from the store.
    """
    files, folder = open_filesystem(task.root), f".tune/{task.run_id}"
    files.put(_marker(task), b"")
    with tempfile.TemporaryDirectory(prefix="lrsym-tune-") as on_disk:
        try:
            yield files.uri(folder) if isinstance(files, LocalFolder) else on_disk
        finally:
            files.delete_folder(folder)
