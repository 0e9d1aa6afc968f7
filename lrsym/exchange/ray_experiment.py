"""The trials of a Ray Tune experiment, read from the JSON in its folder; its pickles are never opened.

    <folder>/experiment_state-<time>.json   how each trial ended, the newest one
    <folder>/<trial>/params.json            its configuration
    <folder>/<trial>/result.json            what it reported, a line each time
    <folder>/<trial>/error.txt              where it failed

Objects that Tune could only pickle stand in that JSON as hexadecimal text, which is left as such.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lrsym.errors import UsageError
from lrsym.exchange.trials_of_others import OtherStudy, OtherTrial

STATUS = {"TERMINATED": "done", "ERROR": "crashed"}
"""How a status of Tune's is called here; others have not ended. What a scheduler stopped early is TERMINATED, too."""

_ABOUT = {
    "config", "checkpoint_dir_name", "date", "done", "experiment_id", "experiment_tag", "hostname",
    "iterations_since_restore", "node_ip", "pid", "should_checkpoint", "time_since_restore", "time_this_iter_s",
    "timestamp", "timesteps_since_restore", "trial_id",
}  # fmt: skip
"""What Tune adds to every report, and is no metric."""

_STEP, _SECONDS = "training_iteration", "time_total_s"

_MOST, _YEAR_9999 = 1e15, 2.5e11
"""What a count of steps or seconds stays below, and a time in seconds."""


def read_experiment(folder: Path) -> OtherStudy:
    """Return the trials of the experiment in `folder`; raises UsageError for none, and for a damaged state."""
    state = _state(folder)
    places = {path.parent.name for name in ("result.json", "params.json") for path in folder.glob(f"*/{name}")}
    if not state and not places:
        raise UsageError(
            f"{folder} has no experiment_state-*.json and no folders with a result.json; name the folder of one Ray "
            "Tune experiment, which lies in that of its storage_path"
        )
    found = {place: _trial(folder / place, state.get(place, {})) for place in sorted({*places, *state})}
    told = Counter(trial.number for trial in found.values() if trial)
    ended = [  # a folder that was copied has the trial_id of the other
        replace(trial, number=place) if told[trial.number] > 1 else trial for place, trial in found.items() if trial
    ]
    whole = folder.absolute()
    return OtherStudy("ray", str(whole), whole.name, ended, len(found) - len(ended))


def _state(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return what the newest state says of each trial, by the name of its folder."""
    files = sorted(folder.glob("experiment_state-*.json"))
    if not files:
        return {}
    try:
        told = json.loads(files[-1].read_text())
        trials = [json.loads(one[0] if isinstance(one, list) else one) for one in told["trial_data"]]
        return {trial["relative_logdir"] or trial["trial_id"]: trial for trial in trials}
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{files[-1]} is no state of a Ray Tune experiment; restore it, or remove it") from None


def _trial(place: Path, state: Mapping[str, Any]) -> OtherTrial | None:
    """Return a trial by its folder and what the state says of it; None where it has not ended."""
    reports = [*_reports(place / "result.json")]
    last = reports[-1] if reports else {}
    error = _text(place / "error.txt")
    word = state.get("status") or ("ERROR" if error else "TERMINATED" if last.get("done") is True else "RUNNING")
    if not isinstance(word, str) or word not in STATUS:
        return None
    curves: dict[str, list[tuple[int, float]]] = {}
    for number, report in enumerate(reports, start=1):
        told = _finite(report.get(_STEP))
        step = number if told is None else told
        for name, value in _numbers(report):
            if name not in (_STEP, _SECONDS):
                curves.setdefault(name, []).append((int(step), float(value)))
    parameters = _json(place / "params.json")
    config, when = state.get("config"), _finite(last.get("timestamp"))
    if parameters is None:
        parameters = config if isinstance(config, dict) else {}
    return OtherTrial(
        number=str(state.get("trial_id") or last.get("trial_id") or place.name),
        status=STATUS[word],
        state=word,
        parameters=dict(_flat(parameters)),
        metrics=dict(_numbers(last)),
        curves=curves,
        message=error.strip().rpartition("\n")[2][:500] if error else None,
        seconds=_finite(last.get(_SECONDS)),
        finished_at=None if when is None or not 0 < when < _YEAR_9999 else datetime.fromtimestamp(when, UTC),
    )


def _finite(value: object) -> float | None:
    """Return a number that is one and finite; None of anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _MOST:
        return None
    return float(value)


def _numbers(report: Mapping[str, Any]) -> Iterator[tuple[str, int | float]]:
    """Yield the metrics of a report by name, truths as 0 and 1."""
    for name, value in _flat({name: value for name, value in report.items() if name not in _ABOUT}):
        if isinstance(value, float) or (isinstance(value, int) and abs(value) < _MOST):
            yield name, int(value) if isinstance(value, bool) else value


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what nested tables hold under names with "/" between their parts, as Tune's own data frames do."""
    for name, value in values.items():
        if isinstance(value, dict) and "_type" not in value:
            yield from _flat(value, f"{before}{name}/")
        else:
            yield f"{before}{name}", value


def _reports(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the reports in a file, but for a last one that was cut short."""
    for line in (_text(path) or "").splitlines():
        try:
            report = json.loads(line)
        except ValueError:
            return
        if isinstance(report, dict):
            yield report


def _json(path: Path) -> dict[str, Any] | None:
    """Return the table in a file; None where there is none."""
    try:
        found = json.loads(_text(path) or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _text(path: Path) -> str | None:
    return path.read_text(errors="replace") if path.is_file() else None
