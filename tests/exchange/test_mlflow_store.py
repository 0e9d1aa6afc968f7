"""MLflow: written to a SQLite tracking store and read back with MLflow itself."""

from collections import Counter

import pytest

from lrsym.errors import UsageError
from lrsym.exchange import mlflow_store
from lrsym.exchange.mlflow_store import DIGEST_TAG, FOLDER_TAG, export_mlflow
from lrsym.exchange.run import Run
from lrsym.exchange.selection import select

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MLflow at its own libraries

NEEDS = 'needs mlflow: pip install "lrsym[mlflow]"'


@pytest.fixture
def tracking(tmp_path):
    """The path of a store, and a client of it."""
    mlflow = pytest.importorskip("mlflow", reason=NEEDS)
    return str(tmp_path / "t/mlflow.db"), mlflow.MlflowClient(f"sqlite:///{tmp_path}/t/mlflow.db")


def found(client, name="made_up"):
    experiment = client.get_experiment_by_name(name)
    return {run.data.tags["lrsym.trial_id"]: run for run in client.search_runs([experiment.experiment_id])}


def test_each_trial_is_a_run_with_parameters_curves_and_tags(made, tracking):
    (sweep, root), (path, client) = made, tracking
    chosen = select(root, sweep)
    done = export_mlflow(chosen, path)
    assert (done.written, done.place) == (8, f"sqlite:///{path}")
    runs = found(client)
    trial, crashed = sweep.trials[0], sweep.trials[3]
    run = runs[trial.trial_id]
    assert run.data.params["n_pair_labels"] == "5"
    assert run.data.params["learning_rate"] == str(trial.optim.learning_rate)
    rows = chosen.tables["curves"].filter(trial_id=trial.trial_id, split="unseen").sort("step")
    history = client.get_metric_history(run.info.run_id, "unseen_order")
    assert [(one.step, one.value) for one in history] == rows.select("step", "value").rows()
    assert run.data.metrics["unseen_order"] == rows["value"][-1]
    assert (run.data.tags["lrsym.status"], run.info.status) == ("done", "FINISHED")
    assert run.info.end_time - run.info.start_time == 2000
    assert runs[crashed.trial_id].info.status == "FAILED"
    assert runs[crashed.trial_id].data.tags["lrsym.message"].startswith("it said")


def test_again_no_run_is_doubled_half_of_one_is_written_anew_and_runs_of_others_stay(made, tracking, monkeypatch):
    (sweep, root), (path, client) = made, tracking
    write = mlflow_store._write

    def killed(client, experiment_id, run, folder):
        if run.trial_id == max(trial.trial_id for trial in sweep.trials):
            client.create_run(experiment_id, tags={**run.tags, FOLDER_TAG: folder})  # and no more
            raise KeyboardInterrupt
        return write(client, experiment_id, run, folder)

    monkeypatch.setattr(mlflow_store, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        export_mlflow(select(root, sweep), path)
    monkeypatch.undo()
    experiment = client.get_experiment_by_name("made_up").experiment_id
    client.create_run(experiment, run_name="mine")
    done = export_mlflow(select(root, sweep), path)
    assert (done.written, done.replaced, done.kept) == (0, 1, 7)
    done = export_mlflow(select(root, sweep), path)
    assert (done.written, done.replaced, done.kept) == (0, 0, 8)
    there = client.search_runs([experiment])
    assert len(there) == 9
    assert sum(DIGEST_TAG in run.data.tags for run in there) == 8
    assert [run.info.run_name for run in there if DIGEST_TAG not in run.data.tags] == ["mine"]


def test_runs_of_the_same_trials_from_another_folder_stay(made, tracking, monkeypatch):
    (sweep, root), (path, client) = made, tracking
    export_mlflow(select(root, sweep), path)
    monkeypatch.setattr(mlflow_store, "_address", lambda root: "another:/folder")
    monkeypatch.setattr(Run, "digest", property(lambda run: f"of the other {run.trial_id}"))
    done = export_mlflow(select(root, sweep), path)
    assert (done.written, done.replaced, done.kept) == (8, 0, 0)
    monkeypatch.undo()
    done = export_mlflow(select(root, sweep), path)
    assert (done.written, done.replaced, done.kept) == (0, 0, 8)
    there = client.search_runs([client.get_experiment_by_name("made_up").experiment_id])
    assert Counter(run.data.tags[FOLDER_TAG] == "another:/folder" for run in there) == {True: 8, False: 8}


@pytest.mark.parametrize("there", ["file", "folder"])
def test_what_is_no_sqlite_file_is_left_as_it_is(made, tmp_path, there):
    pytest.importorskip("mlflow", reason=NEEDS)
    sweep, root = made
    path = tmp_path / "x.db"
    path.write_text("mine") if there == "file" else path.mkdir()
    with pytest.raises(UsageError, match="no SQLite file"):
        export_mlflow(select(root, sweep), str(path))
    assert path.is_dir() or path.read_text() == "mine"
