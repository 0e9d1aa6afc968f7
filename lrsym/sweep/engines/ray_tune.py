"""The Ray engine: Ray Tune runs the packs, one Tune trial for each.

Tune is the scheduler here and no more: rows go from the worker to the store, and what is left to do comes from the
store, never from Tune's pickled state. Settings and their measurements: docs/decisions/engines.md.
"""

import contextlib
import logging
import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

import lrsym
from lrsym.errors import UsageError
from lrsym.sweep.execution.task import WORKER_RETRIES, Job, Progress, execute, record_dead_worker, worker_environment
from lrsym.sweep.planning.plan import Pack, pack_id

# Read by Ray when it is imported: no CSV, JSON and TensorBoard files, workers stay in the driver's folder, the
# experiment state is written rarely, usage is not reported, and a CPU worker does not lose sight of a GPU.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "60")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import tune

REPORT_SECONDS = 2.0
"""`tune.report` blocks the trial for milliseconds, so progress is reported no more often than this."""


def run_ray(packs: Sequence[Pack], job: Job, *, workers: int, listen: Callable[[Progress], None]) -> None:
    """Train `packs` with Ray Tune, at most `workers` at a time; returns when each has its rows.

    Connects to the cluster at RAY_ADDRESS, else starts Ray on this machine with `workers` slots. KeyboardInterrupt
    (SIGINT) stops Tune and passes on.
    """
    manifest = {pack_id(pack): pack for pack in packs}
    ended: set[str] = set()

    def hear(news: Progress) -> None:
        if news.statuses is not None:
            ended.add(news.pack)
        listen(news)

    listener = _Listener(hear)
    os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", str(2 * workers))
    with _ray(workers, job), _tune_folder(job) as folder:
        resources = {"cpu": job.threads, "gpu": _gpu_share(workers) if job.device == "cuda" else 0}
        train = tune.with_parameters(_train_pack, manifest=manifest, job=asdict(job))
        trainable, todo = tune.with_resources(train, resources), list(manifest)
        errors: dict[str | None, Exception] = {}
        for again in range(WORKER_RETRIES + 1):
            tuner = tune.Tuner(
                trainable,
                param_space={"pack_id": tune.grid_search(todo)},
                tune_config=tune.TuneConfig(max_concurrent_trials=workers, reuse_actors=True),
                run_config=tune.RunConfig(
                    name=f"lrsym-{job.run_id}-{again}",
                    storage_path=folder,
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=WORKER_RETRIES),
                    checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
                    callbacks=[listener],
                ),
            )
            try:
                results = tuner.fit()
            except tune.TuneError:  # Tune wraps what a callback raises, as text
                if listener.blind:
                    raise UsageError(listener.blind) from None
                raise
            # A trial whose actor never started has no config.
            errors |= {(result.config or {}).get("pack_id"): result.error for result in results if result.error}
            todo = sorted(listener.given_up)
            listener.given_up.clear()
            if not todo or not ended.union(listener.dead, todo).issuperset(manifest):  # all is over, or SIGINT
                break
        else:
            listener.dead.update(todo)
        for name in sorted(listener.dead):
            reason = f"worker died ({type(errors[name]).__name__})" if name in errors else "worker did not start"
            hear(Progress(name, 1.0, record_dead_worker(manifest[name], job, reason=reason)))
    if not ended.issuperset(manifest):  # after SIGINT Tune stops and returns as if all were well
        raise KeyboardInterrupt


class _Listener(tune.Callback):
    """Turns what Tune hears of its trials into `Progress`."""

    def __init__(self, listen: Callable[[Progress], None]) -> None:
        self._listen = listen
        self.dead: set[str] = set()
        self.given_up: set[str] = set()
        self.blind: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _Listener, (_ignore,)  # Tune pickles its set-up for a restore that we never do

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Called by Tune in the driver."""
        if node := result.get("blind"):
            self.blind = (
                f"node {node} of the Ray cluster does not see the results folder, so its rows would be lost; "
                "give --results a folder that all nodes share"
            )
            raise UsageError(self.blind)
        statuses = result.get("statuses")
        ended = None if statuses is None else Counter(statuses)
        self._listen(Progress(trial.config["pack_id"], result["fraction"], ended))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Called by Tune when it ends a trial; an interrupted one may carry the error of an earlier try.

        A worker that dies while Tune hands it the next pack fails twice, and then Tune ends the trial with tries left.
        """
        tries_left = trial.num_failures <= WORKER_RETRIES
        (self.given_up if tries_left else self.dead).add(trial.config["pack_id"])


def _ignore(news: Progress) -> None:
    """Hears nothing."""


def _train_pack(config: Mapping[str, Any], *, manifest: Mapping[str, Pack], job: Mapping[str, Any]) -> None:
    """The Tune trainable: stateless, one pack."""
    if not _marker(Job(**job)).exists():
        tune.report({"fraction": 0.0, "blind": platform.node()})
        return
    pack, last = manifest[config["pack_id"]], [time.monotonic()]

    def report(fraction: float) -> None:
        if time.monotonic() - last[0] > REPORT_SECONDS:
            last[0] = time.monotonic()
            tune.report({"fraction": fraction})

    statuses = execute(pack, Job(**job), report=report)
    tune.report({"fraction": 1.0, "statuses": dict(statuses)})


def _marker(job: Job) -> Path:
    """A file of the driver: a worker that does not see it would write its rows to a disk of its own."""
    return Path(job.root) / ".tune" / job.run_id / "driver"


@contextlib.contextmanager
def _tune_folder(job: Job) -> Iterator[str]:
    """Where Tune keeps its state while it runs: beside the tables, because every node must see it."""
    folder = _marker(job).parent
    folder.mkdir(parents=True)
    _marker(job).touch()
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run is using it
            folder.parent.rmdir()


@contextlib.contextmanager
def _ray(workers: int, job: Job) -> Iterator[None]:
    """A connection to Ray, closed at the end if it was opened here."""
    if ray.is_initialized():
        yield
        return
    if "://" in os.environ.get("RAY_ADDRESS", ""):
        raise UsageError(
            f"RAY_ADDRESS must be host:port of the cluster's head, or auto, got {os.environ['RAY_ADDRESS']}; "
            "http:// addresses are for ray job submit --address"
        )
    if os.environ.get("RAY_ADDRESS"):
        settings: dict[str, Any] = {"runtime_env": {"env_vars": worker_environment(job.threads)}}
    else:  # started here, so workers inherit; a runtime environment would cost seconds
        os.environ.update(worker_environment(job.threads))
        # Ray's workers look into the driver's folder, too: what is named lrsym there, as a clone is, is no package.
        here, given = str(Path(lrsym.__file__).parents[1]), os.environ.get("PYTHONPATH", "").split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join([here, *(path for path in given if path not in ("", here))])
        settings = {"address": "local", "num_cpus": workers * job.threads, "include_dashboard": False}
    ray.init(logging_level=logging.ERROR, log_to_driver=False, **settings)
    try:
        yield
    finally:
        ray.shutdown()


def _gpu_share(workers: int) -> float:
    """The part of a GPU that one worker gets: 1/n, because Ray takes no other fractions."""
    gpus = int(ray.cluster_resources().get("GPU", 0))
    if not gpus:
        raise UsageError("device cuda needs a GPU in the Ray cluster, it has none; use --device cpu")
    return 1 / ceil(workers / gpus)
