"""How far a sweep is: trials by status, those in unfinished packs with a checkpoint, hours, and what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from lrsym.results.store.attempts import stopped_by
from lrsym.results.store.store import Store, load
from lrsym.sweep.execution.checkpoint import list_checkpoints
from lrsym.sweep.execution.part import WHOLE, Part
from lrsym.sweep.execution.running import Running, running
from lrsym.sweep.planning.plan import MAX_FAILED_RUNS
from lrsym.sweep.planning.settings import units_per_worker
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.vocabulary import FAILED_STATUSES, FINAL_STATUSES

MAX_MESSAGES = 5
"""Distinct messages that a status holds: a sweep that fails mostly fails in one or two ways."""

_GIVEN_UP = pl.col("status").is_in(FAILED_STATUSES) & (pl.col("attempts") >= MAX_FAILED_RUNS)


@dataclass(frozen=True)
class FailureMessage:
    """A message that `n_trials` trials of one status left in the store."""

    status: str
    message: str
    n_trials: int


@dataclass(frozen=True)
class SweepStatus:
    """Where a sweep stands; `checkpointed` trials, `completed` 0..1 of their steps, are among the unfinished ones.

    `stopped` counts the trials that were ended early by the rule that ended them. `running` says who trains unfinished
    ones now; `given_up` failed ones are tried no more. `core_hours` and `gpu_hours` are what its finished and stopped
    trials took.
    """

    trials: int
    statuses: Mapping[str, int]
    stopped: Mapping[str, int]
    missing: int
    checkpointed: int
    completed: float
    messages: tuple[FailureMessage, ...]
    core_hours: float = 0.0
    gpu_hours: float = 0.0
    running: Running = field(default_factory=Running)
    given_up: int = 0


def sweep_status(sweep: Sweep, root: str, *, part: Part = WHOLE, n_to_come: int = 0) -> SweepStatus:
    """Return where `part` of `sweep` stands in the store at `root`, which need not exist yet.

    Trials that the sweep's own stop rule has ended are finished. `statuses` counts the trials with a row by their
    status, `missing` those without one. `completed` is the mean over the `checkpointed` trials, 0 where there are
    none. `messages` are the most frequent ones, at most MAX_MESSAGES. The time left counts `n_to_come` trials more,
    which a search has not chosen yet.
    """
    ids, chosen = sweep.trial_ids(), part.places(sweep)
    trials = pl.DataFrame({"trial_id": ids}, schema={"trial_id": pl.String}).with_row_index("place")
    trials, store = trials if chosen is None else trials[[*chosen]], Store(str(root))
    rows = store.outcomes().join(trials, on="trial_id", how="semi", maintain_order="left")
    statuses = dict(rows.group_by("status").len().sort("status").iter_rows())
    finished = pl.col("status").is_in(FINAL_STATUSES) | stopped_by(sweep.stop)
    left = trials.join(rows.filter(finished), on="trial_id", how="anti")
    places = dict(zip(left["trial_id"], left["place"], strict=True))
    unfinished = places.keys()
    started = list_checkpoints(root, stop_rule=sweep.stop)
    checkpoints = [(len(pack), fraction) for pack, fraction in started if unfinished >= {*pack}]
    hours = _hours_by_device(rows, root)
    checkpointed, given_up = sum(n for n, _ in checkpoints), rows.filter(_GIVEN_UP).height
    return SweepStatus(
        trials=trials.height,
        statuses=statuses,
        stopped=dict(rows.drop_nulls("stop_rule").group_by("stop_rule").len().sort("stop_rule").iter_rows()),
        missing=trials.height - rows.height,
        checkpointed=checkpointed,
        completed=sum(n * fraction for n, fraction in checkpoints) / max(1, checkpointed),
        messages=_most_frequent_messages(rows),
        core_hours=hours["cpu"],
        gpu_hours=hours["cuda"],
        running=running(
            rows.filter(finished),
            unfinished,
            store,
            n_steps=lambda trial_id: sweep.trials[places[trial_id]].n_steps,
            n_given_up=given_up,
            n_to_come=n_to_come,
        ),
        given_up=given_up,
    )


def _hours_by_device(rows: pl.DataFrame, root: str) -> dict[str, float]:
    """Return core-hours under cpu, GPU-hours under cuda; a trial whose run has no row took one core."""
    finished = (
        rows.filter(pl.col("status").is_in([*FINAL_STATUSES, "stopped"]))
        .group_by("run_id")
        .agg(pl.col("seconds").sum())
    )
    runs = load(root, "runs").select("run_id", "device", "threads", "workers", "gpus").collect()
    hours = {"cpu": 0.0, "cuda": 0.0}
    for seconds, device, threads, workers, gpus in finished.join(runs, "run_id", "left").drop("run_id").iter_rows():
        units = units_per_worker(device or "cpu", threads=threads or 1, workers=workers or 1, gpus=gpus)
        hours[device or "cpu"] += seconds * units / 3600
    return hours


def _most_frequent_messages(rows: pl.DataFrame) -> tuple[FailureMessage, ...]:
    # Those of stopped trials, which differ in their step, say nothing that `stopped` does not.
    messages = (
        rows.filter(pl.col("message").is_not_null(), pl.col("stop_rule").is_null()).group_by("status", "message").len()
    )
    most_frequent = messages.sort(["len", "status", "message"], descending=[True, False, False]).limit(MAX_MESSAGES)
    return tuple(FailureMessage(*row) for row in most_frequent.iter_rows())
