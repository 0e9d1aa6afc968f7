"""What a study of another tool holds, and its rows in a folder of imported trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.store.imported import CURVE_COLUMNS, OWN_COLUMNS, Source, column, column_names, now, write_source

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class OtherTrial:
    """One trial that has ended: how, with `state` in the tool's own word, and what it gave."""

    number: str
    status: str
    state: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    curves: Mapping[str, Points] = field(default_factory=dict)
    message: str | None = None
    seconds: float | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class OtherStudy:
    """The trials of one study of `tool`; `left_out` counts those that have not ended."""

    tool: str
    address: str
    name: str
    trials: Sequence[OtherTrial]
    left_out: int = 0


@dataclass(frozen=True)
class Imported:
    """What an import wrote: trials, points of their curves, and how many trials it left out."""

    tool: str
    study: str
    trials: int
    points: int
    left_out: int


def write_trials(study: OtherStudy, results: str) -> Imported:
    """Write a study into the folder `results`. Raises UsageError where it has no trial that has ended."""
    if not study.trials:
        more = f", and {study.left_out} that have not" if study.left_out else ""
        raise UsageError(f"{study.name} in {study.address} has no trial that has ended{more}; import it once some have")
    trials = study.trials
    names = [[*dict.fromkeys(name for trial in trials for name in getattr(trial, kind))] for kind in _NAMED]
    parameters, metrics = column_names(*names)
    ids = {trial.number: f"{study.tool}:{study.name}:{trial.number}" for trial in trials}
    rows = pl.DataFrame(
        {
            "trial_id": [*ids.values()],
            "imported_from": study.tool,
            "study": study.name,
            "stop_rule": None,
            **{name: [getattr(trial, name) for trial in trials] for name in _OUTCOME},
        },
        schema=OWN_COLUMNS,
    ).with_columns(
        *(column(to, [trial.metrics.get(name) for trial in trials]) for name, to in metrics.items()),
        *(column(to, [trial.parameters.get(name) for trial in trials]) for name, to in parameters.items()),
    )
    points = [
        (ids[trial.number], step, metrics.get(name, name), value)
        for trial in trials
        for name, curve in trial.curves.items()
        for step, value in curve
    ]
    curves = pl.DataFrame(points, schema=CURVE_COLUMNS, orient="row")
    numbers = [name for name in metrics.values() if rows.schema[name].is_numeric()]
    source = Source(study.tool, study.address, study.name, (*parameters.values(),), (*numbers,), now())
    write_source(results, source, rows, curves)
    return Imported(study.tool, study.name, rows.height, curves.height, study.left_out)


_NAMED = ("parameters", "metrics")

_OUTCOME = ("status", "state", "message", "seconds", "finished_at")
