import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.sweep.planning.packing import default_pack_size, fastest_size, group_by_shape, make_packs, makespan
from lrsym.sweep.planning.plan import make_plan
from lrsym.sweep.planning.workload import rough_seconds
from tests.small_trials import pack_of, small, sweep_of


def pack_size(trials, **options):
    return default_pack_size(make_packs(trials, size=1).groups, **options)


TRIALS = [small(seed=s, optim__steps=n) for n in (5, 9) for s in range(7)]


def test_every_trial_is_counted_once_and_only_what_lacks_a_result_is_packed():
    statuses = {
        TRIALS[0].trial_id: "done",
        TRIALS[1].trial_id: "diverged",
        TRIALS[2].trial_id: "crashed",
        "other": "done",
    }
    plan = make_plan(sweep_of(TRIALS), statuses, workers=2, device="cpu")
    assert (plan.trials, plan.new, plan.done, plan.failed, plan.diverged) == (14, 11, 2, 1, 1)
    packed = [t for pack in plan.packs for t in pack.trials]
    assert {t.trial_id for t in packed} == {t.trial_id for t in TRIALS[2:]}
    assert len(packed) == plan.pending == 12


def test_trials_of_a_pack_share_their_static_shape():
    assert all(len({t.static_shape for t in pack.trials}) == 1 for pack in make_packs(TRIALS, size=4))


def test_the_longest_packs_come_first():
    work = [pack.n_steps * len(pack) for pack in make_packs(TRIALS, size=4)]
    assert work == sorted(work, reverse=True)


@given(n=st.integers(1, 60), size=st.integers(1, 20))
def test_packs_hold_every_trial_once_and_differ_by_one_at_most(n, size):
    trials = [small(seed=s) for s in range(n)]
    packs = make_packs(trials, size=size)
    assert sorted(t.seed for pack in packs for t in pack.trials) == list(range(n))
    sizes = {len(pack) for pack in packs}
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1


def test_the_name_of_a_pack_follows_from_what_it_holds_not_from_the_order():
    one, two = make_packs(TRIALS[:7], size=4)
    assert one.id == pack_of(*reversed(one.trials)).id != two.id


def test_packs_of_replicates_side_by_side_are_those_of_the_same_trials_one_by_one():
    trials = [small(seed=s, optim__steps=n) for n in (5, 9, 5) for s in range(4)]
    places = [0, 2, 3, 4, 5, 7, 9]
    one_by_one = group_by_shape(trials, [trial.static_shape for trial in trials], places)
    by_cell = group_by_shape(trials, [0, 1, 0], places)
    assert [[*g.places] for g in one_by_one] == [[*g.places] for g in by_cell] == [[0, 2, 3, 9], [4, 5, 7]]


def test_a_list_of_packs_is_read_from_both_ends_and_in_slices():
    packs = make_packs(TRIALS, size=4)
    assert packs[-1] == packs[len(packs) - 1] == [*packs][-1] == packs[-1:][0]
    with pytest.raises(IndexError):
        packs[len(packs)]


@pytest.mark.parametrize(
    ("pending", "workers", "lengths"),
    [(1, 2, [1]), (16, 2, [8] * 2), (20, 2, [5] * 4), (24, 2, [6] * 4), (7, 1, [7]), (7, 9, [1] * 7), (0, 2, [])],
)
def test_packs_by_rule_are_large_and_leave_no_worker_waiting(pending, workers, lengths):
    trials = [small(seed=s) for s in range(pending)]
    size = pack_size(trials, workers=workers, device="cpu")
    assert [len(pack) for pack in make_packs(trials, size=size)] == lengths


def test_a_sweep_of_several_shapes_gets_the_size_with_which_it_ends_first():
    trials = [small(seed=s, optim__steps=n) for n, seeds in ((10_000, 8), (10, 4)) for s in range(seeds)]

    def end(size):
        return makespan((rough_seconds(t, n) for t, n, _ in make_packs(trials, size=size).sizes()), workers=2)

    size = pack_size(trials, workers=2, device="cpu")
    assert end(size) < 0.7 * end(8)  # the long trials as one pack would keep one worker alone
    assert end(size) <= 1.02 * min(map(end, range(1, 9)))


def test_many_short_trials_do_not_hide_that_the_long_ones_need_both_workers():
    trials = [small(seed=s, optim__steps=n) for n, seeds in ((100_000, 8), (10, 300)) for s in range(seeds)]
    size = pack_size(trials, workers=2, device="cpu")
    assert [len(pack) for pack in make_packs(trials, size=size)[:2]] == [4, 4]


def test_what_goes_on_from_a_checkpoint_is_counted_with_what_is_left_of_it():
    trials = [small(seed=s, optim__steps=10_000) for s in range(16)]
    kept = [t.trial_id for t in trials[:8]]
    sizes = {
        done: make_plan(sweep_of(trials), {}, workers=2, device="cpu", checkpoints=[(kept, done)]).packs[1:]
        for done in (0.0, 0.95)
    }
    assert {done: [len(pack) for pack in packs] for done, packs in sizes.items()} == {0.0: [8], 0.95: [4, 4]}


@pytest.mark.slow
def test_choosing_a_size_for_very_many_trials_takes_a_moment():
    """A pilot on a GPU may ask for sizes up to a thousand and more, of trials of many shapes."""
    trials = [small(seed=s, optim__steps=1 + s % 7) for s in range(10_000)]
    asked = []

    def seconds(trial, n):
        asked.append(n)
        return 1 + n**0.5  # large packs pay so much that every size is looked at

    assert fastest_size(make_packs(trials, size=1).groups, 1024, workers=3, seconds=seconds) <= 1024
    assert len(asked) < 7 * 1024


def test_on_a_gpu_packs_are_as_large_as_can_be():
    trials = [small(seed=s) for s in range(600)]
    assert [pack_size(trials, workers=n, device="cuda") for n in (1, 4)] == [256, 150]


def test_a_finished_sweep_has_no_packs():
    plan = make_plan(sweep_of(TRIALS), {t.trial_id: "done" for t in TRIALS}, workers=2, device="cpu")
    assert [*plan.packs] == []
    assert plan.pending == 0
