"""`eval.mechanism = "points"`: the mechanism at every evaluation, in tables of its own."""

import json
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from lrsym.results.store.schema import ALONG_TRAINING, TABLES
from lrsym.results.store.store import load
from lrsym.sweep.execution.checkpoint import CheckpointFile
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.sweep.pilot.measurement import MeasureRequest
from lrsym.sweep.pilot.worker import measure
from tests.fitted import CPU, train
from tests.small_trials import pack_of, small

SHARED = {"optim__steps": 12, "eval__points": 4, "eval__schedule": "linear"}

# Both paths of the model, and one without terms.
KINDS = {
    "tables": {},
    "dense": {"model__vision_blocks": 2, "model__text_blocks": 2},
    "dropout": {"model__dropout": 0.2},
    "no terms": {"model__layer_norm": "pre"},
    "decoder": {"model__kind": "autoregressive"},
}


def pack(mechanism="points", **changes):
    shared = {**SHARED, "eval__mechanism": mechanism, **changes}
    return small(seed=0, **shared), small(seed=1, **shared, optim__weight_decay=0.3)


def frames(trials, **options):
    return {name: pl.from_arrow(t) for name, t in run_pack(trials, run_id="r", device=CPU, **options).tables.items()}


@pytest.fixture(scope="module")
def rows():
    return frames(pack())


@pytest.mark.slow
def test_every_evaluation_has_what_the_end_has_and_the_last_is_the_end(rows):
    steps = pack()[0].evaluation_steps
    assert len(steps) == 4
    for table, name in ALONG_TRAINING.items():
        along = rows[name]
        assert sorted(along["step"].unique()) == list(steps)
        assert along.group_by("step").len()["len"].to_list() == [rows[table].height] * 4
        key = [*TABLES[table].key]
        assert along.filter(step=12).drop("step").sort(key).equals(rows[table].sort(key))
        assert not along.filter(step=3).drop("step").sort(key).equals(rows[table].sort(key))


def test_nothing_left_out_is_the_learning_curve(rows):
    key = ["trial_id", "step", "split", "metric"]
    baseline = rows["ablation_curves"].filter(term="none").drop("term").sort(key)
    curves = rows["curves"].filter(pl.col("split").is_in(["seen", "unseen"])).sort(key)
    assert baseline.select(*key, "value").equals(curves.select(*key, "value"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_of_the_end_are_as_without_it_and_the_others_not_there(kind):
    along, end = (frames(pack(mechanism, **KINDS[kind])) for mechanism in ("points", "last"))
    assert {*along} - {*end} == {*ALONG_TRAINING.values()}
    for name in end:
        if name != "trials":
            assert along[name].drop("trial_id").equals(end[name].drop("trial_id"))
    assert along["measure_curves"].height == 4 * end["measures"].height > 0
    assert along["term_curves"].height == 4 * end["terms"].height
    assert along["ablation_curves"].height == 4 * end["ablations"].height > 0


@pytest.mark.slow
def test_rows_are_the_same_alone_and_in_a_pack(rows):
    for trial in pack():
        alone = frames((trial,))
        for name in ("ablation_curves", "measure_curves"):
            key = [*TABLES[name].key]
            mine, wanted = (t[name].filter(trial_id=trial.trial_id).sort(key) for t in (rows, alone))
            assert mine.drop("value").equals(wanted.drop("value"))
            np.testing.assert_allclose(mine["value"], wanted["value"], atol=2e-4)


class StoppedError(BaseException):
    """Stands for a kill: nothing in the product catches it."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tables", "dense"])
def test_a_pack_that_goes_on_from_its_checkpoint_gives_the_rows_it_would_have_given(tmp_path, kind):
    trials = pack(**KINDS[kind])
    expected = frames(trials)

    def stop_at_the_third(fraction):
        if fraction == 0.75:
            raise StoppedError

    file = CheckpointFile(tmp_path, pack_of(*trials), interval=0, max_overhead=1e9)
    with pytest.raises(StoppedError):
        frames(trials, report=stop_at_the_third, checkpoint=file)
    saved = CheckpointFile(tmp_path, pack_of(*trials)).load(device="cpu")
    assert saved.state.step == 8
    assert json.loads(json.dumps(saved.rows)) == saved.rows
    resumed = frames(trials, checkpoint=CheckpointFile(tmp_path, pack_of(*trials)))
    for name in ("curves", "ablations", *ALONG_TRAINING.values()):
        assert resumed[name].equals(expected[name])


@pytest.mark.slow
def test_a_trial_that_diverges_keeps_what_it_had_and_its_neighbour_all():
    good = small(seed=0, **SHARED, eval__mechanism="points")
    wild = small(seed=4, **SHARED, eval__mechanism="points", optim__learning_rate=1e38)
    found = frames((good, wild))
    assert found["trials"]["status"].to_list() == ["done", "diverged"]
    for name in ALONG_TRAINING.values():
        assert {*found[name]["trial_id"]} == {good.trial_id}
        assert found[name]["step"].n_unique() == 4


@dataclass(frozen=True)
class StopSecond:
    """Ends member 1 at its second evaluation, as a rule whose accuracies are outcomes."""

    name: str = "decided"

    def members_to_stop(self, points, *, trials, steps, training):
        return [member for member in training if member == 1 and len(points[member]) == 2]


@pytest.mark.slow
def test_a_trial_that_is_stopped_has_the_evaluations_up_to_then_the_last_of_them_as_its_end():
    trials = pack()
    found = frames(trials, stop=StopSecond())
    for table, name in ALONG_TRAINING.items():
        mine = found[name].filter(trial_id=trials[1].trial_id)
        assert sorted(mine["step"].unique()) == [3, 6]
        key = [*TABLES[table].key]
        end = found[table].filter(trial_id=trials[1].trial_id).sort(key)
        assert mine.filter(step=6).drop("step").sort(key).equals(end)
        assert found[name].filter(trial_id=trials[0].trial_id)["step"].n_unique() == 4


@pytest.mark.slow
def test_rows_are_written_and_read_and_the_path_is_that_of_the_end(tmp_path):
    assert train(tmp_path, pack()) == {"done": 2}
    for name in ALONG_TRAINING.values():
        assert load(tmp_path, name).collect()["step"].n_unique() == 4


@pytest.mark.slow
def test_the_pilot_counts_an_evaluation_with_all_that_belongs_to_it(tmp_path):
    disks = {}
    for mechanism in ("points", "last"):
        request = MeasureRequest(pack_of(*pack(mechanism, optim__steps=500)), 2)
        disks[mechanism] = measure(request, tmp_path, device="cpu", threads=1).disk
    low, high = disks["points"].point
    assert low > 2 * disks["last"].point[0]
    assert high > 4 * disks["last"].point[1]
    assert disks["points"].trial < 1.5 * disks["last"].trial
