"""What is exported, and how a trial becomes a run."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.exchange.run import runs
from lrsym.exchange.selection import select
from lrsym.exchange.tensorboard_logs import export_tensorboard
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.sweep.spec.sweep import Sweep
from tests.reports import made_up


def test_without_a_sweep_every_trial_is_taken_and_with_one_its_own_with_what_trained_them(made):
    sweep, root = made
    other = made_up.sweep(labels=(6,), seeds=1, name="other")
    made_up_rows = [{"trial_id": trial.trial_id, "seed": 0, "status": "done", "run_id": "q"} for trial in other.trials]
    tables = {"runs": TABLES["runs"].build([{"run_id": "q"}]), "trials": TABLES["trials"].build(made_up_rows)}
    Store(root).write("another", tables)
    everything, own, others = select(root), select(root, sweep), select(root, other)
    assert (everything.name, everything.trials.height, everything.tables["runs"].height) == ("r", 10, 2)
    assert (own.name, own.trials.height, own.tables["runs"]["run_id"].to_list()) == ("made_up", 8, ["r"])
    assert ({*others.tables}, others.trials["trial_id"].sort().to_list()) == (
        {"trials", "runs"},
        sorted(other.trial_ids()),
    )


def test_a_condition_keeps_rows_of_every_table(made):
    sweep, root = made
    chosen = select(root, sweep, where="n_pair_labels = 8 and seed = 1")
    assert {name: rows["trial_id"].n_unique() for name, rows in chosen.tables.items() if name != "runs"} == {
        "trials": 2, "curves": 2, "ablations": 2, "terms": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("seed = 99", "where seed = 99; there seed is .*; change the condition, or leave --where out"),
        ("nope = 1", "is no condition on the table trials"),
        ("seed", "is no condition on the table trials"),
    ],
)
def test_a_condition_that_keeps_nothing_or_is_none_is_told(made, where, why):
    sweep, root = made
    with pytest.raises(UsageError, match=why):
        select(root, sweep, where=where)


def test_a_sweep_without_rows_is_told_how_to_train(made):
    _, root = made
    other = made_up.sweep(labels=(6,), name="other")
    with pytest.raises(UsageError, match=r"no trial of other in .*/r; train first: lrsym sweep no\.toml"):
        select(root, other)


def test_of_a_preset_that_varies_the_axes_that_differ_are_told(tmp_path):
    sweep = Sweep.grid("starts", base={"optim.steps": 10}, grid={"model.init": ["small", "pytorch"]})
    made_up.write(tmp_path / "r", sweep.trials)
    chosen = select(str(tmp_path / "r"), sweep)
    assert "init_token_std" in chosen.varied
    assert all(chosen.trials[name].n_unique() == 2 for name in chosen.varied)
    assert {run.parameters["init_token_std"] for run in runs(chosen)} == {0.02, 1.0}


@pytest.mark.slow
def test_a_run_is_named_by_what_varies_and_its_digest_is_that_of_its_rows_alone(made):
    sweep, root = made
    some, everything = ([*runs(select(root, sweep, where=where))] for where in ("seed = 0", None))
    assert {(run.name, run.digest) for run in some} < {(run.name, run.digest) for run in everything}
    assert len({run.digest for run in everything}) == 8
    trials = select(root, sweep).trials.with_columns(seconds=pl.col("seconds") + 1)
    moved = select(root, sweep)
    changed = [
        *runs(type(moved)(moved.name, root, {**moved.tables, "trials": trials}, moved.parameters, moved.metrics))
    ]
    assert not {run.digest for run in changed} & {run.digest for run in everything}


def test_a_metric_with_a_curve_is_its_curve_and_one_without_stands_at_the_last_step(made):
    sweep, root = made
    run = next(run for run in runs(select(root, sweep)) if run.trial_id == sweep.trials[0].trial_id)
    series = run.series()
    assert [step for step, _ in series["unseen_order"]] == [10, 20, 40]
    assert series["seconds"] == [(40, 2.0)]
    assert series["unseen_order"][-1][1] == run.metrics["unseen_order"]
    assert run.by_step()[10].keys() == {"train_order", "seen_order", "unseen_order"}
    assert (run.ended - run.started).total_seconds() == 2.0


@pytest.mark.parametrize("trial_id", ["..", "../../x", "/etc/passwd", "a/b"])
def test_no_id_of_a_trial_leaves_the_folder_of_an_export(tmp_path, trial_id):
    rows = [{"trial_id": trial_id, "seed": 0, "status": "done"}]
    Store(str(tmp_path / "r")).write("part", {"trials": TABLES["trials"].build(rows)})
    export_tensorboard(select(str(tmp_path / "r")), tmp_path / "out/logs")
    assert [path.parent for path in tmp_path.rglob("lrsym.json")] == [*(tmp_path / "out/logs").iterdir()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "r"]
