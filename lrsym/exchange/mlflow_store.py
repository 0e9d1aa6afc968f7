"""Trials as runs of an MLflow tracking store: parameters, metrics along steps, tags; an experiment for each sweep.

A run counts as written once it has the tag lrsym.digest, which is set last. Runs of the same trial and results folder
without it, or with another, are deleted once the right one is there; those of other folders, and runs without our tags,
are another's and stay.
"""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

from lrsym.errors import UsageError, first_line
from lrsym.exchange.outcome import Exported, taken, tool
from lrsym.exchange.run import STATUS_TAG, TRIAL_TAG, Run, plain_name, runs
from lrsym.exchange.selection import Selection
from lrsym.results.store.filesystem import LocalFolder, open_filesystem
from lrsym.results.store.object_access import shown
from lrsym.vocabulary import FAILED_STATUSES

DIGEST_TAG, FOLDER_TAG = "lrsym.digest", "lrsym.results"

MAX_METRICS, MAX_PARAMETERS = 1000, 100
"""How many of them MLflow takes at a time."""

MAX_VALUE, MAX_KEY = 6000, 250
"""Characters that MLflow takes as the value of a parameter, and as its name."""


@dataclass(frozen=True)
class _Written:
    """A run that an export has written: which, what is in it, and from which results folder."""

    run_id: str
    digest: str | None
    folder: str | None


def export_mlflow(chosen: Selection, out: str) -> Exported:
    """Write the trials into the tracking store `out`: a SQLite file, or the URI of any store that MLflow knows.

    Raises UsageError without mlflow, and where the store does not take them.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = tool("mlflow", to="mlflow")
    tool("sqlalchemy", to="mlflow")  # mlflow-skinny does not bring it
    uri = _uri(out)
    try:
        with _quiet():
            return _export(mlflow.MlflowClient(uri), chosen, uri)
    except mlflow.MlflowException as error:
        raise UsageError(
            f"{shown(uri)} does not take the runs: {shown(first_line(error))}; name another store with --out"
        ) from None


def _uri(out: str) -> str:
    if "://" in out:
        return out
    path = Path(out).absolute()
    if path.is_dir():
        raise taken(out, "is a folder and no SQLite file")
    if path.exists():
        with path.open("rb") as file:
            if file.read(6) not in (b"", b"SQLite"):
                raise taken(out, "is no SQLite file")
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep to warnings what MLflow tells of making its tables."""
    loggers = [logging.getLogger(name) for name in ("alembic", "mlflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _export(client: Any, chosen: Selection, uri: str) -> Exported:
    experiment_id = _experiment(client, chosen.name, uri)
    there, folder = _written(client, experiment_id), _address(chosen.root)
    written = kept = replaced = 0
    for run in runs(chosen):
        all_of_it = there.get(run.trial_id, [])
        old = [written for written in all_of_it if written.folder == folder]
        right = next((written.run_id for written in all_of_it if written.digest == run.digest), None)
        kept += right is not None
        if right is None:
            right = _write(client, experiment_id, run, folder)
            written, replaced = written + (not old), replaced + bool(old)
        for run_id in {written.run_id for written in old} - {right}:
            client.delete_run(run_id)
    told = shown(uri)
    return Exported(told, f"look at it: mlflow ui --backend-store-uri {quote(told)}", {}, written, kept, replaced)


def _address(root: str) -> str:
    """Return where the results lie, for all who may write to the same store."""
    files = open_filesystem(root)
    return f"{socket.gethostname()}:{files.uri()}" if isinstance(files, LocalFolder) else shown(files.root)


def _experiment(client: Any, name: str, uri: str) -> str:
    if found := client.get_experiment_by_name(name):
        return found.experiment_id
    folder = Path(uri.removeprefix("sqlite:///")).parent / "mlruns"
    place = folder.as_uri() if uri.startswith("sqlite:///") else None  # else it would be where the command runs
    return client.create_experiment(name, artifact_location=place)


def _written(client: Any, experiment_id: str) -> dict[str, list[_Written]]:
    """Return every run that an export has written, or begun, by trial_id."""
    found: dict[str, list[_Written]] = {}
    token: str | None = ""
    while token is not None:
        page = client.search_runs([experiment_id], f"tags.`{TRIAL_TAG}` LIKE '%'", page_token=token or None)
        for run in page:
            tags = run.data.tags
            found.setdefault(tags[TRIAL_TAG], []).append(
                _Written(run.info.run_id, tags.get(DIGEST_TAG), tags.get(FOLDER_TAG))
            )
        token = page.token or None
    return found


def _write(client: Any, experiment_id: str, run: Run, folder: str) -> str:
    """Write a run and return its id; the digest comes last."""
    entities = tool("mlflow.entities", to="mlflow")
    began, ended = _milliseconds(run.started), _milliseconds(run.ended)
    made = client.create_run(experiment_id, start_time=began, tags={**run.tags, FOLDER_TAG: folder}, run_name=run.name)
    run_id = made.info.run_id
    parameters = [entities.Param(_key(name), str(value)[:MAX_VALUE]) for name, value in run.parameters.items()]
    for start in range(0, len(parameters), MAX_PARAMETERS):
        client.log_batch(run_id, params=parameters[start : start + MAX_PARAMETERS])
    metrics = [
        entities.Metric(_key(name), value, ended or 0, step)
        for name, points in run.series().items()
        for step, value in points
    ]
    for start in range(0, len(metrics), MAX_METRICS):
        client.log_batch(run_id, metrics=metrics[start : start + MAX_METRICS])
    status = "FAILED" if run.tags[STATUS_TAG] in FAILED_STATUSES else "FINISHED"
    client.set_terminated(run_id, status, ended)
    client.set_tag(run_id, DIGEST_TAG, run.digest)
    return run_id


def _milliseconds(when: datetime | None) -> int | None:
    return None if when is None else int(when.timestamp() * 1000)


def _key(name: str) -> str:
    """Return a name in the characters that MLflow takes."""
    return plain_name(name, r"[^\w./ :-]", "_", most=MAX_KEY)
