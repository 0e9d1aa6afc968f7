"""From a pack to its rows, and what becomes of packs that go wrong."""

import numpy as np
import polars as pl
import pytest
import torch

from lrsym.config.axes import axes
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load, load_trials
from lrsym.sweep.execution import train_pack
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.vocabulary import ABLATED_SIDES, ABLATIONS, METRICS, SPLITS, TEXT_ABLATIONS
from tests.fitted import CPU, train
from tests.small_trials import pack_of, small

PACK = (
    small(seed=0, optim__steps=12, eval__threshold=0.3),
    small(seed=1, optim__steps=12, scenes__layouts_per_pair=10),
)


def frames(pack, **options):
    return {name: pl.from_arrow(t) for name, t in run_pack(pack, run_id="r", device=CPU, **options).tables.items()}


@pytest.fixture(scope="module")
def rows():
    return frames(PACK)


def test_each_trial_has_one_row_with_all_its_axes(rows):
    found = {row["trial_id"]: row for row in rows["trials"].to_dicts()}
    assert set(found) == {t.trial_id for t in PACK}
    for trial in PACK:
        values = trial.values()
        assert {a.name: found[trial.trial_id][a.name] for a in axes()} == {a.name: values[a.key] for a in axes()}


def test_outcomes_are_accuracies_or_null_where_a_split_is_empty(rows):
    first, second = rows["trials"].to_dicts()
    assert first["status"] == second["status"] == "done"
    assert first["seen_order"] is not None
    assert second["seen_order"] is None  # all layouts are trained
    assert first["single_order"] is None
    assert 0 <= first["unseen_order"] <= 1
    assert first["trained_steps"] == 12
    assert first["pack_size"] == 2


def test_the_last_point_of_a_curve_is_the_outcome(rows):
    for trial in rows["trials"].to_dicts():
        last = rows["curves"].filter(trial_id=trial["trial_id"], step=12)
        for row in last.filter(pl.col("metric") != "loss").to_dicts():
            assert trial[f"{row['split']}_{row['metric']}"] == row["value"]


def test_curves_have_a_point_at_each_evaluation_step_and_the_loss(rows):
    one = rows["curves"].filter(trial_id=PACK[0].trial_id)
    assert sorted(one["step"].unique()) == list(PACK[0].evaluation_steps)
    assert set(one["metric"]) == {*METRICS, "loss"}
    assert one.filter(metric="loss")["value"].min() > 0


def test_steps_to_threshold_is_the_first_evaluation_that_reaches_it(rows):
    row = rows["trials"].filter(trial_id=PACK[0].trial_id).to_dicts()[0]
    curve = rows["curves"].filter(trial_id=PACK[0].trial_id)
    some = 0
    for split in SPLITS:
        for metric in METRICS:
            reached = curve.filter((pl.col("split") == split) & (pl.col("metric") == metric) & (pl.col("value") >= 0.3))
            assert row[f"steps_to_{split}_{metric}"] == reached["step"].min()
            some += len(reached)
    assert some


def test_ablations_and_terms_hold_every_term_for_every_trial(rows):
    assert set(rows["ablations"]["term"]) == set(ABLATIONS) - {"R"}  # R has its meaning with rotary positions
    assert set(rows["ablations"]["split"]) == {"seen", "unseen"}
    assert rows["terms"].group_by("trial_id").len()["len"].to_list() == [2 * 3 * 8] * 2
    of_text = rows["text_ablations"]
    assert {*of_text["encoder"]} == {*ABLATED_SIDES}
    assert {*of_text["term"]} == {*TEXT_ABLATIONS}


def test_rows_are_the_same_alone_and_in_a_pack(rows):
    for trial in PACK:
        alone = frames((trial,))
        for name in ("curves", "ablations", "measures"):
            key = [c for c in TABLES[name].key]
            mine = rows[name].filter(trial_id=trial.trial_id).sort(key)
            assert mine.drop("value").equals(alone[name].sort(key).drop("value"))
            np.testing.assert_allclose(mine["value"], alone[name].sort(key)["value"], atol=2e-4)


@pytest.mark.slow
def test_a_diverged_trial_is_a_result_without_accuracies_beside_done_neighbours():
    wild = small(seed=4, optim__steps=12, optim__learning_rate=1e38)
    rows = frames((PACK[0], wild))
    by_id = {row["trial_id"]: row for row in rows["trials"].to_dicts()}
    lost = by_id[wild.trial_id]
    assert lost["status"] == "diverged"
    assert "not finite at step" in lost["message"]
    assert lost["unseen_order"] is None
    assert lost["trained_steps"] < 12
    assert by_id[PACK[0].trial_id]["status"] == "done"
    for name in ("ablations", "terms", "measures"):
        assert set(rows[name]["trial_id"]) == {PACK[0].trial_id}


@pytest.mark.slow
def test_a_pack_is_written_and_its_progress_heard(tmp_path):
    fractions = []
    assert train(tmp_path, PACK, report=fractions.append) == {"done": 2}
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(load_trials(tmp_path).collect()) == 2


@pytest.mark.slow
def test_a_pack_that_is_finished_is_not_trained_again(tmp_path, monkeypatch):
    train(tmp_path, PACK)

    def fails(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(train_pack, "run_pack", fails)
    assert train(tmp_path, PACK) == {"done": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("a bug\nwith a second line"), "crashed"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (MemoryError("no"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
    ],
)
def test_what_goes_wrong_inside_a_pack_becomes_rows_that_are_retried(tmp_path, monkeypatch, error, status):
    def fails(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(train_pack, "run_pack", fails)
        assert train(tmp_path, PACK) == {status: 2}
    row = load_trials(tmp_path).collect().to_dicts()[0]
    assert row["status"] == status
    assert type(error).__name__ in row["message"]
    assert "\n" not in row["message"]
    assert row["d_model"] == 12
    assert train(tmp_path, PACK) == {"done": 2}
    assert set(Store(tmp_path).statuses().values()) == {"done"}


def test_a_pack_over_its_time_is_given_up_at_its_next_step(tmp_path):
    assert train(tmp_path, PACK, timeout=1e-9) == {"timeout": 2}
    told = f"pack took more than 1e-09 s, at step 1 of {PACK[0].n_steps}"
    assert load_trials(tmp_path).collect()["message"][0] == told
    assert len(load(tmp_path, "curves").collect()) == 0


def test_a_diverged_trial_counts_as_finished(tmp_path):
    wild = (small(optim__learning_rate=1e38),)
    assert train(tmp_path, wild) == {"diverged": 1}
    assert train(tmp_path, wild) == {"diverged": 1}
    assert Store(tmp_path).part_statuses(pack_of(*wild).id) == {"diverged": 1}


@pytest.mark.slow
def test_a_failure_that_comes_after_a_result_does_not_replace_it(tmp_path, monkeypatch):
    def slow(*arguments, **options):
        monkeypatch.undo()
        train(tmp_path, PACK)  # a second delivery overtakes this one
        raise RuntimeError("too late")

    monkeypatch.setattr(train_pack, "run_pack", slow)
    assert train(tmp_path, PACK) == {"done": 2}
    assert set(Store(tmp_path).statuses().values()) == {"done"}
    assert set(load_trials(tmp_path).collect()["status"]) == {"done"}


def test_a_trial_whose_last_update_blows_up_has_diverged():
    rows = frames((small(optim__steps=1, optim__learning_rate=3e38, optim__warmup_steps=0),))
    assert rows["trials"]["status"].to_list() == ["diverged"]
    assert rows["trials"]["unseen_order"].to_list() == [None]


def test_a_pack_whose_time_is_over_at_its_last_step_is_kept(tmp_path):
    one = (small(optim__steps=1, eval__points=1),)
    assert train(tmp_path, one, timeout=1e-9) == {"done": 1}
