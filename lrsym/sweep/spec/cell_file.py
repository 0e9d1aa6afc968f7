"""A sweep file of one cell, such as the best of a search, to train it under seeds of its own."""

import json
from pathlib import Path

from lrsym.config.axes import axes
from lrsym.config.trial import Trial
from lrsym.sweep.spec.shipped import check_new_name


def cell_file(trial: Trial, *, path: Path, question: str, replicates: int, first: int) -> str:
    """Return the text of a sweep file at `path` that trains the cell of `trial` under `replicates` seeds from `first`.

    It gives the axes that are not at their default. Raises UsageError for a path that names no sweep.
    """
    check_new_name(path)
    values = {key: value for key, value in trial.values().items() if key != "seed" and value is not None}
    defaults = {axis.key: axis.default for axis in axes()}
    base = {key: value for key, value in values.items() if value != defaults[key]}
    if Trial.from_axes({**base, "seed": trial.seed}).trial_id != trial.trial_id:  # a default depends on another axis
        base = values
    lines = [
        f"# Question: {question}",
        f"# Cost: lrsym plan {path} tells it",
        f"# Command: lrsym sweep {path}",
        f"name = {json.dumps(path.stem)}",
        f"replicates = {replicates}",
        "[base]",
        *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in base.items()),
        "[seed]",
        f"first = {first}",
    ]
    return "\n".join(lines) + "\n"
