"""How far a sweep is: its trials by status, those in unfinished packs with a checkpoint, and what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lrsym.results.store.store import load_trials
from lrsym.sweep.execution.checkpoint import list_checkpoints
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.vocabulary import FINAL_STATUSES

MAX_MESSAGES = 5
"""Distinct messages that a status holds: a sweep that fails mostly fails in one or two ways."""


@dataclass(frozen=True)
class FailureMessage:
    """A message that `n_trials` trials of one status left in the store."""

    status: str
    message: str
    n_trials: int


@dataclass(frozen=True)
class SweepStatus:
    """Where a sweep stands; `checkpointed` trials, `completed` 0..1 of their steps, are among the unfinished ones."""

    trials: int
    statuses: Mapping[str, int]
    missing: int
    checkpointed: int
    completed: float
    messages: tuple[FailureMessage, ...]


def sweep_status(sweep: Sweep, root: str) -> SweepStatus:
    """Return where `sweep` stands in the store at `root`, which need not exist yet.

    `statuses` counts the trials with a row by their status, `missing` those without one. `completed` is the mean over
    the `checkpointed` trials, 0 where there are none. `messages` are the most frequent ones, at most MAX_MESSAGES.
    """
    trial_ids = {*sweep.trial_ids()}
    rows = load_trials(root, trial_ids=trial_ids).select("trial_id", "status", "message").collect()
    statuses = dict(rows.group_by("status").len().sort("status").iter_rows())
    unfinished = trial_ids.difference(rows.filter(pl.col("status").is_in(FINAL_STATUSES))["trial_id"])
    checkpoints = [(len(pack), fraction) for pack, fraction in list_checkpoints(root) if unfinished.issuperset(pack)]
    checkpointed = sum(n for n, _ in checkpoints)
    return SweepStatus(
        trials=len(trial_ids),
        statuses=statuses,
        missing=len(trial_ids) - rows.height,
        checkpointed=checkpointed,
        completed=sum(n * fraction for n, fraction in checkpoints) / max(1, checkpointed),
        messages=_most_frequent_messages(rows),
    )


def _most_frequent_messages(rows: pl.DataFrame) -> tuple[FailureMessage, ...]:
    messages = rows.filter(pl.col("message").is_not_null()).group_by("status", "message").len()
    most_frequent = messages.sort(["len", "status", "message"], descending=[True, False, False]).limit(MAX_MESSAGES)
    return tuple(FailureMessage(*row) for row in most_frequent.iter_rows())
