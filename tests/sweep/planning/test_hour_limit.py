"""What a limit of hours keeps of a plan, and what it leaves out."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.sweep.execution.grid_stop_rules import Decided
from lrsym.sweep.planning.hour_limit import HourLimitError, fit_to_hours
from lrsym.sweep.planning.packing import even_lengths
from lrsym.sweep.planning.plan import make_plan
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.sweep_file import parse
from tests.small_trials import SMALL

STEPS = (5, 9)


def sweep_of(replicates, *, first=0):
    """A sweep of four cells in two shapes: of each number of steps, two learning rates."""
    base = "\n".join(f'"{key}" = {json.dumps(value)}' for key, value in SMALL.items() if not key.startswith("optim"))
    grid = f'"optim.steps" = {[*STEPS]}\n"optim.learning_rate" = [0.01, 0.02]'
    text = f'name = "cut"\nreplicates = {replicates}\n[seed]\nfirst = {first}\n[base]\n{base}\n[grid]\n{grid}'
    return parse(text, source="cut.toml")


def plan_of(sweep, *, size=1, statuses=None, checkpoints=()):
    return make_plan(sweep, statuses or {}, workers=2, device="cpu", pack_size=size, checkpoints=checkpoints)


def settings(hours, *, device="cpu", threads=1, gpus=None):
    return Settings("local", device, 2, None, None, threads=threads, max_hours=hours, gpus=gpus)


def an_hour_each(trial, n_trials):
    return 3600.0 * n_trials


def cut(plan, hours, *, seconds=an_hour_each, **options):
    return fit_to_hours(plan, settings(hours, **options), seconds, rough=False)


def seeds_by_cell(sweep, plan):
    """Which seeds of each cell are left in `plan`, the cells in their order."""
    trials = {trial.trial_id for pack in plan.packs for trial in pack.trials}
    return [[seed for seed in sweep.seeds if cell.trial(seed).trial_id in trials] for cell in sweep.cells]


@pytest.mark.parametrize(
    ("hours", "kept", "left_out"),
    [
        (12, [[7, 8, 9]] * 4, {}),
        (9.5, [[7, 8, 9], [7, 8], [7, 8], [7, 8]], {9: 3}),
        (5, [[7, 8], [7], [7], [7]], {8: 3, 9: 4}),
        (2.9, [[7], [7], [], []], {7: 2, 8: 4, 9: 4}),
    ],
)
def test_the_highest_seeds_are_left_out_first_and_then_whole_cells_from_the_end(hours, kept, left_out):
    sweep = sweep_of(3, first=7)
    plan, found = cut(plan_of(sweep), hours)
    assert seeds_by_cell(sweep, plan) == kept
    assert found.by_seed == left_out
    assert found.trials == found.hours == 12 - int(hours)


@pytest.mark.slow
@given(replicates=st.integers(1, 5), size=st.integers(1, 4), hours=st.floats(0.3, 40), done=st.sets(st.integers(0, 19)))
def test_what_is_kept_fits_and_one_trial_more_would_not(replicates, size, hours, done):
    """The oracle adds one trial after the other, by seed and then by cell, and works out every pack each time."""

    def cost(trials):
        """In seconds: a pack takes as many tenths of an hour as steps, and half of it more for each further member."""
        parts = [even_lengths(sum(t.n_steps == steps for t in trials), size) for steps in STEPS]
        return sum(seconds_of(steps, n) for steps, lengths in zip(STEPS, parts, strict=True) for n in lengths)

    def seconds_of(steps, n):
        return 360 * steps * (1 + n) / 2

    sweep = sweep_of(replicates)
    ranked = [cell.trial(seed) for seed in sweep.seeds for cell in sweep.cells]
    pending = [trial for i, trial in enumerate(ranked) if i not in done]
    statuses = {trial.trial_id: "done" for i, trial in enumerate(ranked) if i in done}
    kept = max((n for n in range(len(pending) + 1) if cost(pending[:n]) <= hours * 3600), default=0)
    if not kept:
        return
    plan, left_out = cut(
        plan_of(sweep, size=size, statuses=statuses), hours, seconds=lambda t, n: seconds_of(t.n_steps, n)
    )
    assert {t.trial_id for pack in plan.packs for t in pack.trials} == {t.trial_id for t in pending[:kept]}
    assert left_out.hours == pytest.approx((cost(pending) - cost(pending[:kept])) / 3600)


def test_a_run_that_stops_early_lacks_the_highest_seeds():
    plan, _ = cut(plan_of(sweep_of(4), size=2), math.inf)
    lowest = [min(trial.seed for trial in pack.trials) for pack in plan.packs]
    assert lowest == sorted(lowest)
    assert all(a.n_steps >= b.n_steps for (a, i), (b, j) in pairwise(zip(plan.packs, lowest, strict=True)) if i == j)


def test_what_a_checkpoint_has_begun_is_kept_before_lower_seeds_and_counts_with_what_is_left_of_it():
    sweep = sweep_of(3)
    begun = [sweep.cells[0].trial(2).trial_id]
    plan, left_out = cut(plan_of(sweep, checkpoints=[(begun, 0.75)]), 4.2)
    assert seeds_by_cell(sweep, plan) == [[0, 2], [0], [0], []]
    assert left_out.by_seed == {0: 1, 1: 4, 2: 3}
    assert left_out.hours == 8


def test_a_pack_with_a_checkpoint_that_does_not_fit_is_left_out_whole():
    sweep = sweep_of(2)
    begun = [cell.trial(0).trial_id for cell in sweep.cells[:2]]
    plan, left_out = cut(plan_of(sweep, checkpoints=[(begun, 0.25)]), 1)
    assert seeds_by_cell(sweep, plan) == [[], [], [0], []]
    assert left_out.by_seed == {0: 3, 1: 4}
    assert left_out.hours == 1.5 + 5


def test_a_worker_of_two_threads_takes_two_core_hours_an_hour():
    plan, left_out = cut(plan_of(sweep_of(1)), 4, threads=2)
    assert (plan.packs.n_trials, left_out.hours) == (2, 4)


def test_two_workers_on_one_gpu_take_one_gpu_hour_an_hour():
    plan, left_out = cut(plan_of(sweep_of(1)), 1, device="cuda", gpus=1)
    assert (plan.packs.n_trials, left_out.hours) == (2, 1)


def test_too_few_hours_for_anything_are_refused_with_the_least_that_would_do():
    with pytest.raises(
        HourLimitError, match=r"^--max-core-hours 0\.1 is less .*; give at least 0\.38 \(by the pilot\)$"
    ):
        cut(plan_of(sweep_of(2), size=4), 0.1, seconds=lambda trial, n: 1350.0 * n)
    assert cut(plan_of(sweep_of(2), size=4), 0.38, seconds=lambda trial, n: 1350.0 * n)[0].packs.n_trials == 1


def test_packs_that_a_limit_makes_anew_keep_their_stop_rule():
    plan = make_plan(sweep_of(4), {}, workers=1, device="cpu", pack_size=2, stop=Decided())
    cut_plan, _ = cut(plan, 3)
    assert {pack.stop for pack in cut_plan.packs} == {Decided()}
