"""One trial of the store by the beginning of its trial_id."""

import re
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from lrsym.config.axes import axes
from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.results.store.store import load_trials

SHORTEST, _MOST_LISTED = 4, 5


def find_trial(root: Path, prefix: str) -> tuple[Trial, pl.DataFrame]:
    """The done trial whose trial_id starts with `prefix`, and its row of the table `trials`.

    Raises UsageError where no trial or several match, where the trial left no model (diverged, failed), or where
    another version of the trainer wrote its row.
    """
    if not re.fullmatch(rf"[0-9a-fA-F]{{{SHORTEST},32}}", prefix):
        raise UsageError(
            f"a trial is named by {SHORTEST} to 32 hex digits of its trial_id, got {prefix}; see them: {_listing(root)}"
        )
    if not root.is_dir():
        raise UsageError(f"there are no results in {root}; train a sweep first, or name their folder with --results")
    row = load_trials(root).filter(pl.col("trial_id").str.starts_with(prefix.lower())).sort("trial_id").collect()
    if row.is_empty():
        raise UsageError(f"no trial in {root} starts with {prefix}; see them: {_listing(root)}")
    if row.height > 1:
        shown = ", ".join(row["trial_id"].head(_MOST_LISTED))
        more = f" and {row.height - _MOST_LISTED} more" if row.height > _MOST_LISTED else ""
        raise UsageError(f"{row.height} trials start with {prefix}: {shown}{more}; give more digits")
    trial_id, status, message = row.select("trial_id", "status", "message").row(0)
    if status != "done":
        raise UsageError(
            f"trial {trial_id} is {status} ({message}), so there is no trained model to explain; choose a done one: "
            f"{_listing(root)}"
        )
    return _rebuild(row), row


def _rebuild(row: pl.DataFrame) -> Trial:
    """The trial from its axes."""
    values = row.row(0, named=True)
    try:
        trial = Trial.from_axes({axis.key: values[axis.name] for axis in axes()})
    except ValidationError:
        trial = None
    if trial is None or trial.trial_id != values["trial_id"]:
        raise UsageError(
            f"trial {values['trial_id']} was trained by another version of lrsym; run its sweep again to have rows of "
            "this one"
        )
    return trial


def _listing(root: Path) -> str:
    folder = "" if root == Path("results") else f" --results {root}"
    return f'lrsym query "select trial_id, status from trials"{folder}'
