"""One trial of the store by the beginning of its trial_id."""

import shlex

import polars as pl

from lrsym.config.trial import MIN_PREFIX_LENGTH, Trial, begins_trial_id
from lrsym.errors import UsageError
from lrsym.results.store.place import require_results
from lrsym.results.store.store import load_trials
from lrsym.results.store.trial_row import trial_from_row

_MAX_LISTED = 5


def find_trial(root: str, prefix: str) -> tuple[Trial, pl.DataFrame]:
    """Return the done trial whose trial_id starts with `prefix`, and its row of the table `trials`.

    Raises UsageError where no trial or several match, where the trial left no model (diverged, failed), or where
    another version of the trainer wrote its row.
    """
    if not begins_trial_id(prefix):
        raise UsageError(
            f"a trial is named by {MIN_PREFIX_LENGTH} to 32 hex digits of its trial_id, a sweep by its file (.toml), "
            f"got {prefix}; see the trials: {_list_command(root)}"
        )
    require_results(root)
    row = load_trials(root).filter(pl.col("trial_id").str.starts_with(prefix.lower())).sort("trial_id").collect()
    if row.is_empty():
        raise UsageError(f"no trial in {root} starts with {prefix}; see them: {_list_command(root)}")
    if row.height > 1:
        shown = ", ".join(row["trial_id"].head(_MAX_LISTED))
        more = f" and {row.height - _MAX_LISTED} more" if row.height > _MAX_LISTED else ""
        raise UsageError(f"{row.height} trials start with {prefix}: {shown}{more}; give more digits")
    values = row.row(0, named=True)
    if values["status"] != "done":
        raise UsageError(
            f"trial {values['trial_id']} is {values['status']} ({values['message']}), so there is no trained model to "
            f"explain; choose a done one: {_list_command(root)}"
        )
    return trial_from_row(values), row


def _list_command(root: str) -> str:
    return f'lrsym query "select trial_id, status from trials" --results {shlex.quote(str(root))}'
