"""A trial as columns of the table `trials`, and back."""

from collections.abc import Mapping
from typing import Any

from lrsym.config.axes import axes
from lrsym.config.trial import Trial
from lrsym.errors import UsageError


def axis_values(trial: Trial) -> dict[str, object]:
    """Return the trial's identity and axes as columns of the table `trials`."""
    return {"trial_id": trial.trial_id, **{key.rpartition(".")[2]: value for key, value in trial.values().items()}}


def trial_from_row(values: Mapping[str, Any]) -> Trial:
    """Return the trial of a row of the table `trials`, given by column name: the inverse of `axis_values`.

    Raises UsageError where the axes give another trial_id than the row's: another trainer version wrote it.
    """
    try:
        trial = Trial.from_axes({axis.key: values[axis.name] for axis in axes()})
    except UsageError:
        trial = None
    if trial is None or trial.trial_id != values["trial_id"]:
        raise UsageError(
            f"trial {values['trial_id']} was trained by another version of lrsym; run its sweep again to have rows of "
            "this one"
        )
    return trial
