"""A trial as trackers of experiments have it: a run with parameters, metrics along steps, and tags."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import polars as pl

from lrsym.exchange.selection import Selection

Scalar = str | int | float | bool

FORMAT = 1
"""Raised when the same trial is to be written in another way: what is there is then written anew."""

MAX_NAME = 120
"""Bytes of a name: file systems take 255, with what tools add to it."""

STATUS_TAG, TRIAL_TAG = "lrsym.status", "lrsym.trial_id"

_TAGS = ("trial_id", "status", "message", "run_id", "stop_rule", "path", "imported_from", "study", "state")
"""Columns of trials that are told as tags."""

_RUN_TAGS = ("sweep", "commit", "lrsym_version", "hardware")
"""Columns of the table runs that are."""


@dataclass(frozen=True)
class Run:
    """One trial.

    `metrics` are its last numbers and `curves` lists of (step, value) by name; numbers that are not finite stay as they
    are. `ended` is when it was finished, `seconds` how long it took; both may be unknown. `varied` names the parameters
    that a sweep varies, none where no sweep was asked for.
    """

    trial_id: str
    name: str
    experiment: str
    parameters: Mapping[str, Scalar]
    metrics: Mapping[str, float]
    curves: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    ended: datetime | None = None
    seconds: float | None = None
    varied: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """What tells whether a run that is there already is this one."""
        said = [FORMAT, *(getattr(self, name) for name in self.__dataclass_fields__)]
        return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()[:32]

    @property
    def started(self) -> datetime | None:
        """When it began, as far as that is known."""
        return None if self.ended is None else self.ended - timedelta(seconds=self.seconds or 0)

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """Return (step, value) of every metric: its curve, or its last number at the last step."""
        last = max((points[-1][0] for points in self.curves.values()), default=0)
        return {**{name: [(last, value)] for name, value in self.metrics.items()}, **self.curves}

    def by_step(self) -> dict[int, dict[str, float]]:
        """Return the same by step, ascending."""
        found: dict[int, dict[str, float]] = {}
        for name, points in self.series().items():
            for step, value in points:
                found.setdefault(step, {})[name] = value
        return dict(sorted(found.items()))


def runs(chosen: Selection) -> Iterator[Run]:
    """Yield a run for each trial that was selected, in the order of their ids."""
    curves, trained_by = _curves(chosen.tables.get("curves")), _trained_by(chosen.tables.get("runs"))
    for row in chosen.trials.iter_rows(named=True):
        told = {name: row[name] for name in _TAGS if row.get(name)} | trained_by.get(row.get("run_id"), {})
        yield Run(
            row["trial_id"],
            _name(row, chosen),
            chosen.name,
            {name: row[name] for name in chosen.parameters if row.get(name) is not None},
            {name: row[name] for name in chosen.metrics if row.get(name) is not None},
            curves.get(row["trial_id"], {}),
            {f"lrsym.{name}": value for name, value in told.items()},
            row["finished_at"],
            row["seconds"],
            (*chosen.varied, "seed") if chosen.varied else (),
        )


def _curves(rows: pl.DataFrame | None) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return the curves of each trial by the name that the metric has in the table trials, such as unseen_order."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    if rows is None:
        return found
    metric = pl.concat_str("split", "metric", separator="_") if "split" in rows.columns else pl.col("metric")
    points = rows.filter(pl.col("value").is_not_null()).select("trial_id", "step", "value", metric=metric).sort("step")
    grouped = points.group_by("trial_id", "metric", maintain_order=True).agg("step", "value")
    for trial_id, name, steps, values in grouped.sort("trial_id", "metric").iter_rows():
        found.setdefault(trial_id, {})[name] = [*zip(steps, values, strict=True)]
    return found


def _trained_by(rows: pl.DataFrame | None) -> dict[str | None, dict[str, str]]:
    """Return what is told of the `lrsym sweep` that trained a trial, by its run_id."""
    if rows is None:
        return {}
    return {row["run_id"]: {name: row[name] for name in _RUN_TAGS if row[name]} for row in rows.iter_rows(named=True)}


def plain_name(text: str, odd: str, instead: str, *, most: int) -> str:
    """Return `text` with `instead` of what the pattern `odd` finds, in at most so many bytes.

    One that is another then ends in hex digits of its own, so that no two become one.
    """
    plain = re.sub(odd, instead, text)
    if plain == text and len(plain.encode()) <= most:
        return text
    digits = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{plain.encode()[: most - 9].decode(errors='ignore')}-{digits}"


def _name(row: Mapping[str, object], chosen: Selection) -> str:
    """Return a name for a reader and for a folder, the same whatever else is exported."""
    trial_id = str(row["trial_id"])
    if not chosen.varied:
        return plain_name(trial_id, r"[^\w=-]+", "-", most=MAX_NAME)
    values = ",".join(f"{name}={row[name]}" for name in (*chosen.varied, "seed"))
    return re.sub(r"[^\w.,=+-]+", "_", f"{values[:MAX_NAME]}-{trial_id[:8]}")
