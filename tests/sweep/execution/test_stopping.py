"""Stop rules: who ends, what is left of it, and that the others train on as if nothing had happened."""

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load, load_trials
from lrsym.sweep.execution import train_pack
from lrsym.sweep.execution.checkpoint import CheckpointFile, list_checkpoints
from lrsym.sweep.execution.grid_stop_rules import Decided
from lrsym.sweep.execution.task import TrainTask
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.packing import PackList, make_packs
from lrsym.testbed.data.batches import CHUNK
from lrsym.testbed.training.training import Training
from tests.fitted import CPU
from tests.small_trials import small

STEPS = CHUNK + 6

KINDS = {
    "dropout and epochs": {"model__dropout": 0.2, "optim__replacement": False},
    "with replacement": pytest.param({}, marks=pytest.mark.slow),
    "autoregressive": pytest.param({"model__kind": "autoregressive"}, marks=pytest.mark.slow),
}
each_kind = pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)


@dataclass(frozen=True)
class StopAt:
    """Stops members at evaluations written down beforehand: pairs of a member and a number of points."""

    ends: tuple[tuple[int, int], ...]
    name: str = "asha"

    def members_to_stop(self, points, *, trials, steps, training):
        assert all(len(points[member]) == len(points[training[0]]) for member in training)
        return [member for member, n in self.ends if member in training and len(points[member]) == n]


RULE = StopAt(((1, 2), (0, 3)))


def pack(n=3, **changes):
    """Trials of six evaluations; every second one decays its weights."""
    shared = {"optim__steps": STEPS, "eval__points": 6, "eval__threshold": 0.3, **changes}
    return [small(seed=s, **shared, optim__weight_decay=0.1 * (s % 2)) for s in range(n)]


def tables_of(trials, **options):
    return {name: pl.from_arrow(t) for name, t in run_pack(trials, run_id="r", device=CPU, **options).tables.items()}


@pytest.fixture
def shrinks(monkeypatch):
    """Who is in training after each step, of packs that shrink whenever they can."""
    monkeypatch.setattr(train_pack, "MIN_STEPS_TO_SHRINK", 0)
    members, advance = [], Training.advance

    def spy(training):
        members.append(training.members)
        advance(training)

    monkeypatch.setattr(Training, "advance", spy)
    return members


def assert_as_alone(tables, trial):
    """Assert that a trial has the curves and ablations that it has when it is trained alone."""
    alone = tables_of([trial])
    for name in ("curves", "ablations", "measures"):
        key = [*TABLES[name].key]
        mine, wanted = (t[name].filter(trial_id=trial.trial_id).sort(key) for t in (tables, alone))
        assert mine.drop("value").equals(wanted.drop("value"))
        np.testing.assert_allclose(mine["value"], wanted["value"], atol=2e-4)


@pytest.mark.slow
@each_kind
def test_a_member_that_goes_on_has_the_rows_it_has_alone(shrinks, changes):
    trials = pack(**changes)
    tables = tables_of(trials, stop=RULE)
    assert [*dict.fromkeys(shrinks)] == [(0, 1, 2), (0, 2), (2,)]
    assert_as_alone(tables, trials[2])


@pytest.mark.slow
def test_a_member_whose_leaving_does_not_pay_trains_on_unseen(monkeypatch, shrinks):
    trials = pack()
    without = tables_of(trials, stop=RULE)
    monkeypatch.setattr(train_pack, "MIN_STEPS_TO_SHRINK", STEPS)
    shrinks.clear()
    within = tables_of(trials, stop=RULE)
    assert {*shrinks} == {(0, 1, 2)}
    assert within["curves"].drop("value").equals(without["curves"].drop("value"))
    np.testing.assert_allclose(within["curves"]["value"], without["curves"]["value"], atol=2e-4)


class KilledError(BaseException):
    """Stands for a kill: nothing in the product catches it."""


def kill_at(evaluation):
    """A report that ends the training at that evaluation, counted from 1, before it is taken in."""
    evaluations = itertools.count(1)

    def report(completed):
        if next(evaluations) == evaluation:
            raise KilledError

    return report


@pytest.mark.slow
@each_kind
@pytest.mark.usefixtures("shrinks")
def test_a_pack_that_has_shrunk_goes_on_from_its_checkpoint_to_the_rows_it_would_have_given(tmp_path, changes):
    trials, decided = pack(**changes), StopAt(RULE.ends, name="decided")
    whole = tables_of(trials, stop=decided)
    file = CheckpointFile(str(tmp_path), Pack(tuple(trials), stop=decided), interval=0, max_overhead=1e9)
    with pytest.raises(KilledError):
        tables_of(trials, stop=decided, checkpoint=file, report=kill_at(4))
    assert file.load(device="cpu").state.members == (2,)
    again = tables_of(trials, stop=decided, checkpoint=file)
    for name, table in whole.items():
        timing = [c for c in ("seconds", "finished_at") if c in table.columns]
        assert again[name].drop(timing).equals(table.drop(timing))


def test_a_checkpoint_is_not_used_under_another_stop_rule(tmp_path):
    trials = tuple(pack(1))
    file = CheckpointFile(str(tmp_path), Pack(trials, stop=RULE), interval=0, max_overhead=1e9)
    with pytest.raises(KilledError):
        tables_of(trials, stop=RULE, checkpoint=file, report=kill_at(2))
    assert file.load(device="cpu") is not None
    assert CheckpointFile(str(tmp_path), Pack(trials)).load(device="cpu") is None
    assert list_checkpoints(str(tmp_path)) == []
    assert len(list_checkpoints(str(tmp_path), stop_rule="asha")) == 1


@pytest.fixture(scope="module")
def stopped():
    """The tables of a pack whose members 1 and 0 a search stops."""
    return tables_of(pack(), stop=RULE)


def test_a_stopped_row_says_which_rule_at_which_step_and_keeps_its_last_accuracies(stopped):
    trial, other = pack()[1], pack()[2]
    row = stopped["trials"].row(by_predicate=pl.col("trial_id") == trial.trial_id, named=True)
    step = trial.evaluation_steps[1]
    assert (row["status"], row["stop_rule"], row["trained_steps"]) == ("stopped", "asha", step)
    assert row["message"] == f"stopped by asha at step {step} of {STEPS}"
    curve = stopped["curves"].filter(trial_id=trial.trial_id)
    assert [*curve["step"].unique().sort()] == [*trial.evaluation_steps[:2]]
    for point in curve.filter(pl.col("step") == step, pl.col("metric") != "loss").to_dicts():
        assert row[f"{point['split']}_{point['metric']}"] == point["value"]
    done = stopped["trials"].row(by_predicate=pl.col("trial_id") == other.trial_id, named=True)
    assert (done["status"], done["stop_rule"], done["message"]) == ("done", None, None)


def test_steps_to_threshold_of_a_stopped_trial_count_its_own_evaluations(stopped):
    trial = pack()[0]
    row = stopped["trials"].row(by_predicate=pl.col("trial_id") == trial.trial_id, named=True)
    curve = stopped["curves"].filter(trial_id=trial.trial_id, split="train", metric="order")
    assert row["steps_to_train_order"] == curve.filter(pl.col("value") >= 0.3)["step"].min()
    assert row["steps_to_seen_global"] is None


def test_what_a_search_stops_leaves_no_mechanism(stopped):
    going_on = {trial.trial_id for trial in pack()[2:]}
    assert all({*stopped[name]["trial_id"]} == going_on for name in ("ablations", "terms", "measures"))


@pytest.mark.slow
def test_what_is_decided_leaves_the_mechanism_it_had_when_it_was_stopped():
    trials = pack()
    tables = tables_of(trials, stop=StopAt(RULE.ends, name="decided"))
    last = {row["trial_id"]: row for row in tables["trials"].to_dicts()}
    baseline = tables["ablations"].filter(term="none", split="unseen", metric="order")
    assert {*baseline["trial_id"]} == {trial.trial_id for trial in trials}
    for row in baseline.to_dicts():
        assert row["value"] == pytest.approx(last[row["trial_id"]]["unseen_order"], abs=1e-6)


def test_a_pack_ends_when_nobody_is_left():
    completed = []
    trials = pack(2)
    run = run_pack(trials, run_id="r", device=CPU, stop=RULE, report=completed.append)
    assert completed == [step / STEPS for step in trials[0].evaluation_steps[:3]]
    assert run.last.members == ()


@pytest.mark.slow
def test_under_a_stop_rule_a_diverged_member_leaves_the_pack_too_and_keeps_its_row(shrinks):
    wild = small(seed=9, optim__steps=STEPS, eval__points=6, optim__learning_rate=1e38)
    tables = tables_of([wild, pack(1)[0]], stop=StopAt(()))
    assert shrinks[-1] == (1,)
    assert tables["trials"]["status"].to_list() == ["diverged", "done"]
    assert tables["trials"]["trained_steps"][0] < STEPS
    assert_as_alone(tables, pack(1)[0])


def test_a_pack_whose_members_have_all_diverged_ends_under_a_stop_rule():
    wild = small(seed=9, optim__steps=STEPS, eval__points=6, optim__learning_rate=1e38)
    completed = []
    tables = tables_of([wild], stop=StopAt(()), report=completed.append)
    assert tables["trials"]["status"].to_list() == ["diverged"]
    assert completed[-1] < 1


def run_task(root, pack):
    return TrainTask(str(root), "r", "cpu", 1, save_weights=True)(pack, lambda completed: None)


@pytest.mark.slow
def test_a_pack_that_a_rule_stopped_is_trained_in_full_by_who_does_not_ask_for_it(tmp_path):
    trials = tuple(pack(2))
    assert run_task(tmp_path, Pack(trials, stop=StopAt(((1, 2),)))) == {"done": 1, "stopped": 1}
    assert [path.stem for path in (tmp_path / "weights").iterdir()] == [trials[0].trial_id]
    assert run_task(tmp_path, Pack(trials)) == {"done": 2}
    assert Counter(Store(str(tmp_path)).statuses().values()) == {"done": 2}
    curves = load(tmp_path, "curves").filter(split="train", metric="loss").collect()
    assert [*curves["trial_id"].value_counts()["count"]] == [6, 6]
    assert load_trials(tmp_path).collect()["stop_rule"].null_count() == 2


def test_halves_and_repacked_packs_keep_their_stop_rule():
    trials = tuple(pack())
    assert {half.stop for half in Pack(trials, stop=RULE).halves()} == {RULE}
    packs = PackList(trials, make_packs(trials, size=2).groups, size=2, stop=RULE)
    assert [p.stop for p in packs.resized(1)] == [RULE] * 3


def test_a_stop_rule_is_no_part_of_the_identity_of_a_pack():
    assert Pack(tuple(pack()), stop=RULE).id == Pack(tuple(pack())).id


# The rule of grids

STEADY = (100, 127, 162, 207, 264)


def decides(*values, steps=STEADY, split="unseen", metric="order", train=1.0):
    """Whether a trial is decided whose accuracy takes these values, while train stays at `train`."""
    points = [{("train", "order"): train, (split, metric): value} for value in values]
    return Decided().members_to_stop([points], trials=[small()], steps=steps, training=[0]) == [0]


def test_three_evaluations_at_ceiling_decide():
    assert decides(0.97, 1.0, 0.98)
    assert not decides(1.0, 1.0)
    assert not decides(1.0, 0.96, 1.0, 1.0)
    assert not decides(1.0, 1.0, 1.0, 0.96)


def test_order_at_one_half_and_labelset_at_zero_are_chance():
    assert decides(0.5, 0.46, 0.54)
    assert not decides(0.5, 0.44, 0.5)
    assert decides(0.0, 0.04, 0.01, metric="labelset")
    assert not decides(0.5, 0.5, 0.5, metric="labelset")


def test_train_at_chance_decides_nothing():
    assert not decides(0.5, 0.5, 0.5, train=0.5)


def test_metrics_that_follow_from_the_judged_ones_are_not_asked():
    assert decides(0.5, 0.5, 0.5, metric="global")


def test_evaluations_close_to_each_other_do_not_decide():
    assert not decides(1.0, 1.0, 1.0, steps=(100, 110, 120))
    assert decides(*[1.0] * 6, steps=(100, 110, 120, 130, 140, 150))
