"""What a page shows of single cells, and what it leaves out where there is too much."""

import polars as pl
import pytest

from lrsym.reports import details
from lrsym.reports.details import FEW_STEPS, read_details
from tests.reports.made_up import STEPS, accuracy, read, sweep, value, write


@pytest.fixture
def stored(tmp_path):
    found = sweep()
    write(tmp_path, found.trials)
    return found, str(tmp_path), read(tmp_path, found)[1]


def test_curves_hold_the_mean_and_the_range_of_the_seeds_of_each_cell(stored):
    found, root, trials = stored
    shown = read_details(root, trials, accuracy="order")
    values = [accuracy(trial) for trial in found.trials[3:6]]
    where = {"cell": 1, "split": "unseen", "step": STEPS[-1]}
    assert value(shown.curves, "mean", **where) == pytest.approx(sum(values) / 3)
    ends = (value(shown.curves, "lowest", **where), value(shown.curves, "highest", **where))
    assert ends == pytest.approx((min(values), max(values)))
    assert value(shown.seed_curves, "value", **where, seed=2) == pytest.approx(accuracy(found.trials[5]))


def test_a_split_that_the_first_cell_lacks_has_its_curves(tmp_path):
    found = sweep()
    write(tmp_path, found.trials[:3])
    write(tmp_path, found.trials[3:], splits=("train", "seen", "unseen", "uncovered"), part="rest")
    shown = read_details(str(tmp_path), read(tmp_path, found)[1], accuracy="order")
    for frame in (shown.curves, shown.seed_curves):
        assert {*frame.filter(split="uncovered")["cell"]} == {1, 2, 3}


def test_profiles_are_those_of_the_first_seeds_that_have_some(tmp_path):
    found = sweep(layouts=(1,), labels=(5,), seeds=8)
    lost = {trial.trial_id for trial in found.trials[:4]}
    write(tmp_path, found.trials, status=lambda trial: "diverged" if trial.trial_id in lost else "done")
    shown = read_details(str(tmp_path), read(tmp_path, found)[1], accuracy="order")
    assert shown.profiles["seed"].unique().sort().to_list() == [4, 5, 6, 7]


def test_profiles_fit_by_what_cells_have_and_not_by_what_the_first_has(tmp_path, monkeypatch):
    found = sweep()
    lost = {trial.trial_id for trial in found.trials[:3]}
    write(tmp_path, found.trials, status=lambda trial: "diverged" if trial.trial_id in lost else "done")
    monkeypatch.setattr(details, "MAX_PROFILES", 3 * 2 * 3)  # a seed of each of three cells: two heads, three pixels
    shown = read_details(str(tmp_path), read(tmp_path, found)[1], accuracy="order")
    assert shown.profiles["cell"].to_list() == [cell for cell in (1, 2, 3) for _ in range(6)]


def test_ablations_and_profiles_are_there_for_every_cell(stored):
    _, root, trials = stored
    shown = read_details(root, trials, accuracy="order")
    assert value(shown.ablations, "mean", cell=3, term="EP", split="unseen", metric="order") == 0.5
    assert {*shown.ablations["cell"]} == {*shown.profiles["cell"]} == {0, 1, 2, 3}
    profile = shown.profiles.filter(cell=2, seed=1, head=1)
    assert profile["value"].to_list() == pytest.approx([0.1, 0.2, 0.3])
    assert shown.left_out == ()


def test_above_so_many_trials_seeds_have_no_series_and_the_page_says_so(stored):
    _, root, trials = stored
    shown = read_details(root, trials, accuracy="order", max_seeded=11)
    assert shown.curves is not None
    assert shown.ablations is not None
    assert shown.seed_curves is shown.seed_ablations is shown.profiles is None
    assert "every seed is shown of up to 11 trials" in shown.left_out[0]


@pytest.mark.parametrize(
    ("room", "splits", "told"),
    [
        (10**6, {"train", "seen", "unseen", "single"}, None),
        (3 * 3 * (3 * 4 + 12), {"train", "seen", "unseen"}, "Curves are those of order on train, seen, unseen"),
        (10, None, "The curves of 4 cells do not fit on a page"),
    ],
)
def test_curves_that_do_not_fit_are_thinned_or_left_out_and_told(tmp_path, monkeypatch, room, splits, told):
    found = sweep()
    write(tmp_path, found.trials, splits=("train", "seen", "unseen", "single"))
    monkeypatch.setattr(details, "MAX_CURVES", room)
    shown = read_details(str(tmp_path), read(tmp_path, found)[1], accuracy="order")
    assert (None if shown.curves is None else {*shown.curves["split"]}) == splits
    assert [text for text in shown.left_out if told and text.startswith(told)] or told is None


@pytest.mark.parametrize("n", [1, 2, FEW_STEPS, FEW_STEPS + 1, 20, 100])
def test_thinned_steps_of_each_cell_are_few_and_keep_both_ends(n):
    frame = pl.DataFrame({"cell": [0] * n + [1] * n, "step": [*range(n), *range(1000, 1000 + 3 * n, 3)]})
    kept = frame.filter(details._is_one_of(FEW_STEPS, "step"))
    for cell, last in ((0, n - 1), (1, 1000 + 3 * (n - 1))):
        steps = kept.filter(cell=cell)["step"]
        assert len(steps) == min(n, FEW_STEPS)
        assert (steps.min(), steps.max()) == (frame.filter(cell=cell)["step"].min(), last)


def test_trials_without_any_detail_leave_empty_frames(tmp_path):
    found = sweep()
    write(tmp_path, found.trials, status=lambda trial: "diverged")
    shown = read_details(str(tmp_path), read(tmp_path, found)[1], accuracy="order")
    assert shown.seed_curves.is_empty()
    assert shown.ablations.is_empty()
    assert shown.profiles.is_empty()
