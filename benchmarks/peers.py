"""The same trials asked of this store and of others: a study of Optuna, MLflow's tracking store, a folder of Ray Tune.

Each is asked for the mean of an accuracy by a parameter, through its own way to a data frame, in a fresh process whose
imports are over. Optuna and MLflow keep SQLite files. Trials have four parameters, one value and no curves. They are
written in bulk into the tables of these files, since their own ways take some ten milliseconds a trial, and so is the
folder of Ray Tune: the state of an experiment, and for each trial the `result.json` with its one report. Without MLflow
(the extra `mlflow`) that one is left out.
"""

import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import fresh
from benchmarks.figures import Figure, ratios
from benchmarks.scale import made_up_store
from lrsym.results.store.store import load_trials

AXES, VALUE = ("n_pair_labels", "layouts_per_pair", "embedding_scale", "seed"), "unseen_order"

LEVELS = 10
"""Values of the parameter by which the mean is asked."""


def measure(*, sizes: Mapping[int, int]) -> list[Figure]:
    """Figures of stores of so many trials each, a multiple of 1,000, each asked so often."""
    figures = list[Figure]()
    for size, repeats in sizes.items():
        with tempfile.TemporaryDirectory() as folder:
            _, results = made_up_store(Path(folder), n_trials=size)
            figures += _against_peers(Path(folder), results, size, repeats=repeats)
    return figures


def _against_peers(folder: Path, results: Path, size: int, *, repeats: int) -> list[Figure]:
    ways: dict[str, Callable[[], float]] = {"lrsym": lambda: fresh.call(_ask_store, results)}
    for name, (fill, ask) in _PEERS.items():
        if name.startswith("MLflow") and not importlib.util.find_spec("mlflow"):
            continue
        place = folder / name.partition(",")[0].lower()
        fresh.call(fill, place, results)
        ways[name] = lambda ask=ask, place=place: fresh.call(ask, place)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for name in fresh.in_turn([*ways], repeats):
        taken[name].append(ways[name]())
    named = {"benchmark": f"mean by label diversity, {size:,} trials"}
    figures = [Figure.of(own, variant=name, unit="s", **named) for name, own in taken.items()]
    return figures + [
        Figure.of(ratios(taken[name], taken["lrsym"]), variant="lrsym", unit=f"times as fast as {name}", **named)
        for name in ways
        if name != "lrsym"
    ]


def _rows(results: Path) -> pl.DataFrame:
    return load_trials(str(results)).select("trial_id", *AXES, VALUE).collect()


def _ask_store(results: Path) -> float:
    started = time.perf_counter()
    means = load_trials(str(results)).group_by("n_pair_labels").agg(pl.col(VALUE).mean()).collect()
    assert means.height == LEVELS
    return time.perf_counter() - started


def _seconds(frame: Callable[[], Any], *, by: str, value: str) -> float:
    """Return how long a frame of pandas and the means in it take."""
    started = time.perf_counter()
    assert len(frame().groupby(by)[value].mean()) == LEVELS
    return time.perf_counter() - started


def _fill_study(place: Path, results: Path) -> None:
    import optuna
    from optuna.distributions import FloatDistribution, distribution_to_json
    from optuna.storages._rdb import models
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(storage=f"sqlite:///{place}", study_name="scale", direction="maximize")
    space, now = distribution_to_json(FloatDistribution(0, 1e9)), datetime(2026, 1, 1)
    trials, params, values = [], [], []
    for number, row in enumerate(_rows(results).iter_rows(named=True)):
        of = {"trial_id": number + 1}
        times = {"datetime_start": now, "datetime_complete": now}
        trials.append({**of, "number": number, "study_id": 1, "state": TrialState.COMPLETE, **times})
        told = {**of, "distribution_json": space}
        params += [{**told, "param_name": axis, "param_value": float(row[axis])} for axis in AXES]
        finite = models.TrialValueModel.TrialValueType.FINITE
        values.append({**of, "objective": 0, "value": row[VALUE], "value_type": finite})
    _insert(place, {models.TrialModel: trials, models.TrialParamModel: params, models.TrialValueModel: values})


def _insert(place: Path, rows: Mapping[Any, list[dict[str, Any]]]) -> None:
    """Write rows into the tables of a SQLite file, by the classes of the tables."""
    sqlalchemy = import_module("sqlalchemy")
    with sqlalchemy.create_engine(f"sqlite:///{place}").begin() as connection:
        for model, of_model in rows.items():
            connection.execute(sqlalchemy.insert(model.__table__), of_model)


def _ask_study(place: Path) -> float:
    import optuna

    storage = f"sqlite:///{place}"
    return _seconds(
        lambda: optuna.load_study(storage=storage, study_name="scale").trials_dataframe(attrs=("value", "params")),
        by="params_n_pair_labels", value="value",
    )  # fmt: skip


def _fill_tracking_store(place: Path, results: Path) -> None:
    mlflow, models = import_module("mlflow"), import_module("mlflow.store.tracking.dbmodels.models")
    client = mlflow.MlflowClient(f"sqlite:///{place}")
    experiment = client.create_experiment("scale", artifact_location=(place.parent / "artifacts").as_uri())
    runs, params, metrics = [], [], []
    for row in _rows(results).iter_rows(named=True):
        run = {"run_uuid": row["trial_id"][:32]}
        runs.append(
            {
                **run, "name": "trial", "experiment_id": int(experiment), "status": "FINISHED", "start_time": 0,
                "end_time": 1500, "lifecycle_stage": "active", "artifact_uri": "none", "source_type": "LOCAL",
                "user_id": "",
            }
        )  # fmt: skip
        params += [{**run, "key": axis, "value": f"{row[axis]}"} for axis in AXES]
        metrics.append({**run, "key": VALUE, "value": row[VALUE], "timestamp": 0, "step": 3000, "is_nan": False})
    tables = {models.SqlRun: runs, models.SqlParam: params, models.SqlMetric: metrics}
    _insert(place, {**tables, models.SqlLatestMetric: metrics})


def _ask_tracking_store(place: Path) -> float:
    mlflow = import_module("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{place}")
    return _seconds(
        lambda: mlflow.search_runs(experiment_names=["scale"], max_results=10_000_000),
        by="params.n_pair_labels", value=f"metrics.{VALUE}",
    )  # fmt: skip


def _fill_experiment(place: Path, results: Path) -> None:
    from ray.train._internal.storage import StorageContext
    from ray.tune.experiment import Trial
    from ray.tune.utils.serialization import TuneFunctionEncoder

    storage, trials = StorageContext(storage_path=str(place.parent), experiment_dir_name=place.name), []
    for row in _rows(results).iter_rows(named=True):
        config = {axis: row[axis] for axis in AXES}
        trial = Trial("train", config=config, trial_id=row["trial_id"], storage=storage, stub=True)
        trial.create_placement_group_factory()
        assert trial.storage is not None
        trial.relative_logdir = trial.storage.trial_dir_name = trial.trial_id
        report = {VALUE: row[VALUE], "training_iteration": 1, "trial_id": trial.trial_id, "done": True}
        trial.run_metadata.update_metric(VALUE, row[VALUE], step=1)
        trial.run_metadata.last_result = {**report, "config": config}
        trial.set_status(Trial.TERMINATED)
        trials.append(trial.get_json_state())
        folder = place / trial.trial_id
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps({**report, "config": config}) + "\n")
    state = {"trial_data": trials, "runner_data": {}, "stats": {"start_time": 0}}
    (place / "experiment_state-2026-01-01_00-00-00.json").write_text(json.dumps(state, cls=TuneFunctionEncoder))


def _ask_experiment(place: Path) -> float:
    from ray.tune import ExperimentAnalysis, ResultGrid

    return _seconds(
        lambda: ResultGrid(ExperimentAnalysis(str(place))).get_dataframe(), by="config/n_pair_labels", value=VALUE
    )


_PEERS: dict[str, tuple[Callable[[Path, Path], None], Callable[[Path], float]]] = {
    "Optuna, SQLite": (_fill_study, _ask_study),
    "MLflow, SQLite": (_fill_tracking_store, _ask_tracking_store),
    "Ray Tune, ResultGrid": (_fill_experiment, _ask_experiment),
}
