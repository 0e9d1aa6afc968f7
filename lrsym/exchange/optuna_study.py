"""The trials of an Optuna study, read from its storage, in which nothing is made or changed.

Optuna makes a missing SQLite file, and tables in an empty one, when it is asked: so the file is looked at before, and
opened for reading alone.
"""

import sqlite3
import warnings
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lrsym.errors import UsageError, first_line
from lrsym.exchange.trials_of_others import OtherStudy, OtherTrial
from lrsym.results.store.object_access import shown

STATUS = {"COMPLETE": "done", "PRUNED": "stopped", "FAIL": "crashed"}
"""How a state of Optuna's is called here; others have not ended."""

_SQLITE = "sqlite:///"


def read_study(url: str, name: str | None = None) -> OtherStudy:
    """Return the study `name` of the storage at `url`, the only one where it is None. Raises UsageError."""
    import optuna

    told = shown(url)
    if url.startswith(_SQLITE):
        _require_storage(Path(url.removeprefix(_SQLITE)), told)
    names = _ask(url, lambda: optuna.get_all_study_names(_storage(url)))
    if name is None and len(names) != 1:
        raise UsageError(f"{told} has {len(names)} studies, {', '.join(sorted(names)[:10])}; choose one with --study")
    if name is not None and name not in names:
        raise UsageError(f"{told} has no study {name}; its studies are {', '.join(sorted(names)[:10])}")
    study = _ask(url, lambda: optuna.load_study(study_name=name or names[0], storage=_storage(url)))
    targets = study.metric_names or (
        ["value"] if len(study.directions) == 1 else [f"value_{n}" for n in range(len(study.directions))]
    )
    trials = _ask(url, lambda: study.get_trials(deepcopy=False))
    ended = [_trial(trial, targets) for trial in trials if trial.state.name in STATUS]
    return OtherStudy("optuna", told, study.study_name, ended, len(trials) - len(ended))


def _require_storage(path: Path, url: str) -> None:
    """Raise UsageError unless a SQLite file has tables of Optuna."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}; check the path of {url}")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"{path} is no SQLite file ({first_line(error)}); name the storage of an Optuna study"
        ) from None
    if not {"studies", "trials", "version_info"} <= tables:
        raise UsageError(f"{path} has no studies of Optuna; name the storage of one")


def _storage(url: str) -> Any:
    from optuna.storages import RDBStorage

    if url.startswith(_SQLITE):
        path = Path(url.removeprefix(_SQLITE)).absolute()
        url = f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true"
    return RDBStorage(url, skip_table_creation=True)


def _ask(url: str, question: Any) -> Any:
    """Return what `question` gives; what a storage does not give is the user's to put right."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return question()
    except ImportError as error:
        raise UsageError(
            f"{shown(url)} needs {error.name or 'the driver of its database'}, which is missing; install it"
        ) from None
    except (SQLAlchemyError, RuntimeError, ValueError) as error:
        why = shown(first_line(error))
        raise UsageError(f"{shown(url)} cannot be read as a storage of Optuna: {why}; check the URL") from None
    finally:
        optuna.logging.set_verbosity(before)


def _trial(trial: Any, targets: list[str]) -> OtherTrial:
    """Return a trial of Optuna's as ours. What it reported on the way need not end at the value of the first objective,
    so its curve has a name of its own."""
    values = trial.values or ()
    points = sorted(trial.intermediate_values.items())
    attributes = {f"attr_{name}": value for name, value in trial.user_attrs.items()}
    reason = trial.system_attrs.get("fail_reason")
    return OtherTrial(
        number=str(trial.number),
        status=STATUS[trial.state.name],
        state=trial.state.name,
        parameters=trial.params,
        metrics={**dict(zip(targets, values, strict=False)), **attributes},
        curves={f"{targets[0]}_reported": points} if points else {},
        message=None if reason is None else str(reason),
        seconds=None if trial.duration is None else trial.duration.total_seconds(),
        finished_at=None if trial.datetime_complete is None else trial.datetime_complete.astimezone(UTC),
    )
