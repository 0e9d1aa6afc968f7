"""What a sweep costs, by numbers that a person can compute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.sweep.planning.cost import MARGIN, NOTHING, Range, Rates, comparison_factor, estimate_cost
from lrsym.sweep.planning.packing import PackList, make_packs, makespan
from tests.small_trials import pack_of, small

EXACT = 1 + MARGIN
numbers = st.floats(0, 1e6)
intervals = st.lists(numbers, min_size=3, max_size=3).map(lambda n: Range(*sorted(n)))


def exact(value):
    return Range(value, value, value)


def rates(**changes):
    """A step costs a pack 1 s alone and 1.5 s in twos, an evaluation 10 s a trial, the rest 100 s."""
    given = {
        "steps": {1: exact(1.0), 2: exact(1.5)}, "evaluation": exact(10.0), "overhead": exact(100.0),
        "pack_bytes": 1000.0, "trial_bytes": 100.0, "point_bytes": Range(5, 10, 15),
    }  # fmt: skip
    return Rates(**{**given, **changes})


@pytest.mark.parametrize(
    ("durations", "workers", "end"),
    [((3, 3, 2, 2, 2), 2, 7), ((4, 3, 2, 1), 2, 5), ((5,), 3, 5), ((), 2, 0), ((1, 2, 3), 1, 6)],
)
def test_each_pack_goes_to_the_worker_that_is_free_first(durations, workers, end):
    assert makespan(durations, workers=workers) == end


@given(durations=st.lists(st.floats(0, 100), max_size=40), workers=st.integers(1, 9))
def test_no_schedule_ends_before_the_longest_pack_or_the_mean_of_the_workers(durations, workers):
    end = makespan(durations, workers=workers)
    assert end >= max([*durations, sum(durations) / workers]) - 1e-9
    assert end <= sum(durations) + 1e-9


def test_a_pack_costs_its_steps_its_evaluations_and_the_rest():
    pack = small(optim__steps=6, eval__points=2), 2
    assert rates().seconds(*pack).value == 6 * 1.5 + 2 * (2 * 10 + 100)
    assert rates().bytes(*pack).value == 1000 + 2 * 100 + 2 * 2 * 10
    assert (rates().bytes(*pack).low, rates().bytes(*pack).high) == (1220, 1260)


@pytest.mark.parametrize(("size", "seconds"), [(1, 1), (2, 2), (3, 2.5), (4, 3)])
def test_between_sizes_a_step_is_interpolated(size, seconds):
    known = rates(steps={1: exact(1.0), 2: exact(2.0), 4: exact(3.0)})
    assert known.step(size) == exact(seconds)


def test_beyond_what_was_measured_a_pack_may_cost_anything_from_the_root_of_its_size_to_its_size():
    step = rates(steps={1: exact(1.0)}).step(16)
    assert (step.low, step.value, step.high) == (4, 8, 16)


def test_a_sweep_costs_the_schedule_of_its_packs_and_the_start():
    packs = make_packs([small(seed=s, optim__steps=6, eval__points=2) for s in range(3)], size=1)
    cost = estimate_cost(packs, {packs[0].program: rates()}, workers=2, startup=exact(4.0))
    each = 6 + 2 * 10 + 100
    assert cost.seconds.value == 4 + 2 * each
    assert cost.worker_seconds.value == 3 * each
    assert (cost.seconds.low, cost.seconds.high) == (cost.seconds.value / EXACT, cost.seconds.value * EXACT)
    assert cost.disk_bytes.value == 3 * 1120


def test_a_pack_that_goes_on_from_a_checkpoint_costs_what_is_left_of_it():
    one, other = (small(seed=s, optim__steps=6, eval__points=2) for s in range(2))
    packs = PackList([other], make_packs([other], size=1).groups, size=1, started=[pack_of(one, completed=0.75)])
    cost = estimate_cost(packs, {one.program: rates()}, workers=1, startup=NOTHING)
    assert cost.seconds.value == cost.worker_seconds.value == 1.25 * (6 + 2 * 10 + 100)
    assert cost.disk_bytes.value == 2 * 1120  # its rows are all still to be written


def test_a_step_of_a_long_trial_is_not_counted_one_by_one():
    pack = small(optim__steps=10**9), 1
    assert rates().seconds(*pack).value > 1e9


def test_twice_the_work_takes_twice_the_time_give_or_take():
    scaled = rates().scaled(2.0)
    assert scaled.steps[2].value == 3.0
    assert scaled.steps[2].high == pytest.approx(3.0 * comparison_factor(2.0))
    assert comparison_factor(1.0) < comparison_factor(2.0) == comparison_factor(0.5) < comparison_factor(4.0)


@given(samples=st.lists(numbers, min_size=1, max_size=30), factor=st.floats(0, 100), other=intervals)
def test_an_interval_never_turns_inside_out(samples, factor, other):
    found = (Range.of(samples) * factor + other).widened(1.5)
    assert found.low <= found.value <= found.high
    assert (NOTHING + other) == other


@pytest.mark.slow
@given(step=intervals, evaluation=intervals, overhead=intervals, n=st.integers(1, 9), workers=st.integers(1, 4))
def test_a_cost_lies_between_its_ends(step, evaluation, overhead, n, workers):
    packs = make_packs([small(seed=s) for s in range(n)], size=2)
    known = rates(steps={1: step, 3: step * 2}, evaluation=evaluation, overhead=overhead)
    cost = estimate_cost(packs, {packs[0].program: known}, workers=workers, startup=exact(1.0))
    for part in (cost.seconds, cost.worker_seconds, cost.disk_bytes):
        assert part.low <= part.value <= part.high


def test_an_interval_refuses_ends_that_are_in_the_wrong_order():
    with pytest.raises(ValueError, match="low <= value <= high"):
        Range(2, 1, 3)
