"""Experiments of Ray Tune: folders as Tune leaves them, and one that Tune itself has left."""

import json
import pickle
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.exchange.importing import import_trials
from lrsym.results.store.imported import load_imported
from tests.running import finish, start


class Bomb:
    """Unpickled it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def experiment(tmp_path):
    """Four trials: one that ended, one that failed, one that is running, one that never began."""
    folder, bomb = tmp_path / "exp", pickle.dumps(Bomb(tmp_path / "opened"))
    state = []
    for name, status, losses in (("a", "TERMINATED", [2.0, 1.0]), ("b", "ERROR", [3.0]), ("c", "RUNNING", [4.0])):
        place = folder / f"train_{name}"
        place.mkdir(parents=True)
        config = {"lr": 0.1, "net": {"depth": 3, "wide": True}, "seed": None}
        (place / "params.json").write_text(json.dumps(config))
        (place / "params.pkl").write_bytes(bomb)
        (place / "result.json").write_text(
            "".join(
                json.dumps({
                    "loss": loss, "info": {"acc": 1 / loss}, "training_iteration": n, "time_total_s": 1.5 * n,
                    "timestamp": 1_700_000_000 + n, "trial_id": name, "pid": 7, "done": n == 2, "config": config,
                }) + "\n"
                for n, loss in enumerate(losses, start=1)
            )
        )  # fmt: skip
        state.append({"trial_id": name, "status": status, "relative_logdir": place.name, "config": config})
    (folder / "train_b/error.txt").write_text("Traceback\nValueError: too wide\n")
    hidden = {"_type": "CLOUDPICKLE_FALLBACK", "value": bomb.hex()}
    state.append({"trial_id": "d", "status": "PENDING", "relative_logdir": None, "config": {"f": hidden}})
    told = {"trial_data": [[json.dumps(one), json.dumps({"last_result": hidden})] for one in state]}
    (folder / "experiment_state-2026-01-01_00-00-00.json").write_text("of before")
    (folder / "experiment_state-2026-01-02_00-00-00.json").write_text(json.dumps(told))
    (folder / "tuner.pkl").write_bytes(bomb)
    return folder


def test_trials_come_with_config_metrics_and_curves_and_no_pickle_is_opened(experiment, tmp_path):
    done = import_trials(str(experiment), str(tmp_path / "o"))
    assert (done.tool, done.study, done.trials, done.left_out) == ("ray", "exp", 2, 2)
    rows = load_imported(str(tmp_path / "o"), "trials").collect()
    assert rows["trial_id"].to_list() == ["ray:exp:a", "ray:exp:b"]
    assert rows["status"].to_list() == ["done", "crashed"]
    assert rows["message"].to_list() == [None, "ValueError: too wide"]
    assert rows.select("lr", "net/depth", "net/wide", "seed", "loss", "info/acc", "seconds").row(0) == (
        0.1, 3, True, None, 1.0, 1.0, 3.0,
    )  # fmt: skip
    assert rows["finished_at"][0] == datetime.fromtimestamp(1_700_000_002, UTC)
    assert not {"pid", "config/lr", "done", "timestamp"} & {*rows.columns}
    curves = load_imported(str(tmp_path / "o"), "curves").collect()
    assert curves.filter(trial_id="ray:exp:a", metric="loss").select("step", "value").rows() == [(1, 2.0), (2, 1.0)]
    assert not (tmp_path / "opened").exists()


def test_without_a_state_the_reports_say_who_has_ended_and_a_line_cut_short_is_left_out(experiment, tmp_path):
    for path in experiment.glob("experiment_state-*"):
        path.unlink()
    with (experiment / "train_a/result.json").open("a") as file:
        file.write('{"loss": 0.5, "training_it')
    done = import_trials(str(experiment), str(tmp_path / "o"))
    assert (done.trials, done.left_out) == (2, 1)
    rows = load_imported(str(tmp_path / "o"), "trials").collect()
    assert rows["status"].to_list() == ["done", "crashed"]
    assert rows["loss"].to_list() == [1.0, 3.0]


def test_a_folder_of_other_things_and_a_damaged_state_are_told(experiment, tmp_path):
    (tmp_path / "other/x").mkdir(parents=True)
    with pytest.raises(UsageError, match="name the folder of one Ray Tune experiment"):
        import_trials(str(tmp_path / "other"), str(tmp_path / "o"))
    (experiment / "experiment_state-2026-01-03_00-00-00.json").write_text("{")
    with pytest.raises(UsageError, match=r"experiment_state-2026-01-03_00-00-00\.json is no state"):
        import_trials(str(experiment), str(tmp_path / "o"))
    with pytest.raises(UsageError, match="--study names an Optuna study"):
        import_trials(str(experiment), str(tmp_path / "o"), study="x")
    assert not (tmp_path / "o").exists()


TUNE = """
import sys
import ray
from ray import tune

ray.init(address="local", num_cpus=2, include_dashboard=False)  # not what else may run on this machine

def train(config):
    for n in (1, 2):
        tune.report({"loss": config["lr"] / n, "nested": {"acc": 1.0}})
    if config["lr"] == 0.2:
        raise ValueError("too much")

space = {"lr": tune.grid_search([0.1, 0.2]), "net": {"depth": 3}}
tune.Tuner(train, param_space=space, run_config=tune.RunConfig(name="exp", storage_path=sys.argv[1])).fit()
"""


@pytest.mark.slow
@pytest.mark.ray
def test_an_experiment_that_tune_has_run_is_read(tmp_path):
    (tmp_path / "tune.py").write_text(TUNE)
    code, out, err = finish(start(tmp_path / "tune.py", tmp_path))
    assert (code, len([*tmp_path.glob("exp/*/result.json")])) == (0, 2), out + err
    assert import_trials(str(tmp_path / "exp"), str(tmp_path / "o")).trials == 2
    rows = load_imported(str(tmp_path / "o"), "trials").collect().sort("lr")
    assert rows.select("lr", "net/depth", "loss", "nested/acc", "status").rows() == [
        (0.1, 3, 0.05, 1.0, "done"), (0.2, 3, 0.1, 1.0, "crashed"),
    ]  # fmt: skip
    assert "too much" in rows["message"][1]
    curves = load_imported(str(tmp_path / "o"), "curves").collect()
    assert curves.filter(pl.col("metric") == "loss").sort("step", "value")["value"].to_list() == [0.1, 0.2, 0.05, 0.1]


def test_reports_of_odd_kinds_and_a_folder_that_was_copied_are_taken_as_far_as_they_go(tmp_path):
    odd = [
        {"loss": 1.0, "training_iteration": None, "timestamp": 1e300, "time_total_s": "long"},
        {"loss": 0.5, "training_iteration": float("nan"), "timestamp": "now", "time_total_s": True, "n": 10**400},
    ]
    for name in ("one", "copy"):
        place = tmp_path / "exp" / name
        place.mkdir(parents=True)
        (place / "params.json").write_text('{"huge": 1' + "0" * 400 + "}")
        lines = [json.dumps({**report, "trial_id": "same", "done": True, "config": 5}) for report in odd]
        (place / "result.json").write_text("\n".join(lines))
    done = import_trials(str(tmp_path / "exp"), str(tmp_path / "o"))
    assert (done.trials, done.points) == (2, 4)
    trials, curves = (load_imported(str(tmp_path / "o"), table).collect() for table in ("trials", "curves"))
    assert {*trials["trial_id"]} == {"ray:exp:one", "ray:exp:copy"}
    assert trials.select("seconds", "finished_at").null_count().row(0) == (2, 2)
    assert {*curves["step"]} == {1, 2}
    assert trials["huge"].str.len_chars().to_list() == [401, 401]


def test_a_report_of_step_0_is_no_report_without_a_step_and_truths_are_numbers(tmp_path):
    place = tmp_path / "exp/one"
    place.mkdir(parents=True)
    reports = [{"loss": 0.5 - step / 4, "ok": step == 1, "training_iteration": step} for step in (0, 1)]
    (place / "result.json").write_text("\n".join(json.dumps({**report, "done": True}) for report in reports))
    import_trials(str(tmp_path / "exp"), str(tmp_path / "o"))
    trials, curves = (load_imported(str(tmp_path / "o"), table).collect() for table in ("trials", "curves"))
    assert curves.filter(metric="loss").select("step", "value").rows() == [(0, 0.5), (1, 0.25)]
    assert curves.filter(metric="ok")["value"].to_list() == [0.0, 1.0]
    assert trials["ok"].to_list() == [1]
