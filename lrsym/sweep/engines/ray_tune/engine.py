"""Ray Tune runs the packs, one Tune trial for each try of a pack.

Tune is the scheduler here and no more: it asks the queue for packs, rows go from the worker to the store, and what is
left to do comes from the store, never from Tune's pickled state. Settings and their measurements:
docs/decisions/engines.md.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import astuple
from typing import Any

from ray import tune

from lrsym.results.store.filesystem import open_filesystem
from lrsym.sweep.engines.ray_tune.board import answer, signs_of_life, start_board, this_worker
from lrsym.sweep.engines.ray_tune.connection import connected, gpu_share
from lrsym.sweep.engines.ray_tune.hooks import BlindStopper, Driven, PatientScheduler, QueueCallback, QueueSearcher
from lrsym.sweep.engines.ray_tune.slots import Slots, marker, wait_until_seen, why_unseen
from lrsym.sweep.execution.queue import PackQueue
from lrsym.sweep.execution.task import Task, run_task
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.workers.processes import LEFT_AFTER_ERROR, exit_now

REPORT_SECONDS = 2.0
"""`tune.report` blocks the trial for milliseconds, so progress is reported no more often than this."""


def run_ray(queue: PackQueue, task: Task, *, workers: int) -> None:
    """Run `task` on the packs of `queue` with Ray Tune, at most `workers` at a time; return when all have ended.

    Connects to the cluster at RAY_ADDRESS, else starts Ray on this machine with `workers` slots. Raises what the queue
    raises; that and KeyboardInterrupt end the workers.
    """
    with connected(workers, task.threads), _tune_folder(task) as folder:
        driven = Driven(queue, Slots(workers, why_driver_unseen=lambda: why_unseen(task)), start_board(), task.timeout)
        listener = QueueCallback(driven)
        resources = {"cpu": task.threads, "gpu": gpu_share(workers) if task.device == "cuda" else 0}
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(run_pack_task, board=driven.board, task=task), resources),
            tune_config=tune.TuneConfig(
                search_alg=QueueSearcher(driven), scheduler=PatientScheduler(), num_samples=-1, reuse_actors=True
            ),
            run_config=tune.RunConfig(
                name=f"lrsym-{task.run_id}",
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),  # the queue decides what is tried again
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
                callbacks=[listener],
                stop=BlindStopper(driven),
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


def run_pack_task(config: Mapping[str, Any], *, board: Any, task: Task) -> None:
    """Run the task on one pack: the trainable, which keeps nothing between trials."""
    if why := why_unseen(task):
        wait_until_seen(task, why, tune.report)
        return
    worker = this_worker(tune.get_context().get_trial_id())
    pack: Pack = answer(board.take.remote(config["pack_id"], worker))
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
    # Where a mount has gone, its folder may still be there: rows that went onto the disk below it are lost.
    if (event.statuses is not None or event.store_error is not None) and (why := why_unseen(task)):
        wait_until_seen(task, why, tune.report)
        return
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


@contextlib.contextmanager
def _tune_folder(task: Task) -> Iterator[str]:
    """Yield where Tune keeps its state while it runs, a folder on the driver's disk, with the marker in the results.

    Nothing reads that state again: what is left to do comes from the store.
    """
    files = open_filesystem(task.root, must_exist=True)
    files.put(marker(task), b"")
    with tempfile.TemporaryDirectory(prefix="lrsym-tune-") as folder:
        try:
            yield folder
        finally:
            files.delete_folder(f".tune/{task.run_id}")
