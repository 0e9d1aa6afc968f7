"""A part of a sweep: which trials, how many, and what can be none."""

import pytest

from lrsym.errors import UsageError
from lrsym.results.store.store import Store
from lrsym.sweep.driver import plan_sweep
from lrsym.sweep.execution.part import WHOLE, Part
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.sweep_file import load
from tests.small_trials import write_sweep


@pytest.fixture
def sweep(tmp_path):
    """Eight trials, two cells under four seeds."""
    return load(write_sweep(tmp_path, steps=5))


def planned(sweep, store, **part):
    plan = plan_sweep(sweep, store, Settings.resolve(engine="local", device="cpu", workers=1), part=Part(**part))
    return plan, [trial for pack in plan.packs for trial in pack.trials]


def test_a_condition_on_axes_and_seed_chooses_trials(sweep, tmp_path):
    plan, trials = planned(sweep, Store(tmp_path / "r"), where="layouts_per_pair = 4 and seed in (1, 3)")
    assert [(trial.scenes.layouts_per_pair, trial.seed) for trial in trials] == [(4, 1), (4, 3)]
    assert (plan.trials, plan.new) == (2, 2)


def test_a_limit_takes_the_first_that_are_left_and_what_is_done_does_not_count_towards_it(sweep, tmp_path):
    store = Store(tmp_path / "r")
    store.write("a", status_rows(sweep.trials[:2], status="done", message=None, run_id="r"))
    plan, trials = planned(sweep, store, limit=3)
    assert [trial.trial_id for trial in trials] == sweep.trial_ids()[2:5]
    assert (plan.done, plan.new, plan.pending) == (2, 3, 3)
    plan, trials = planned(sweep, store, limit=99, where="seed < 3")
    assert (plan.trials, plan.pending, len(trials)) == (6, 4, 4)


def test_the_whole_is_every_trial(sweep, tmp_path):
    assert WHOLE.places(sweep) is None
    assert planned(sweep, Store(tmp_path / "r"))[0].new == 8


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"where": "layout_per_pair = 4"}, "did you mean layouts_per_pair"),
        ({"where": "unseen_order > 0.5"}, "known of trained trials alone"),  # an outcome
        ({"where": "seed ="}, "is no condition"),
        ({"where": "seed = 77"}, "none of the 8 trials of small where seed = 77; there seed is 0, 1"),
    ],
)
def test_what_is_no_part_is_refused(sweep, tmp_path, part, said):
    with pytest.raises(UsageError, match=said):
        planned(sweep, Store(tmp_path / "r"), **part)
