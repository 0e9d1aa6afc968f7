"""Shards of a sweep: whoever cuts them, whenever, they overlap in nothing and leave nothing out."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.errors import UsageError
from lrsym.results.store.store import Store
from lrsym.sweep.driver import plan_sweep
from lrsym.sweep.execution.part import Part
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.planning.shards import Shard
from lrsym.sweep.planning.workload import rough_seconds
from lrsym.sweep.spec.sweep_file import load
from tests.small_trials import small, sweep_of, write_sweep


def shards(n):
    return [Shard(number, n) for number in range(1, n + 1)]


def mixed(n_short, n_long):
    """A sweep of trials of two shapes."""
    return sweep_of([small(seed=s, optim__steps=steps) for steps, n in ((5, n_short), (900, n_long)) for s in range(n)])


@pytest.mark.slow
@given(n_short=st.integers(1, 40), n_long=st.integers(0, 20), n=st.integers(1, 70))
def test_every_trial_is_in_exactly_one_shard_however_many_there_are(n_short, n_long, n):
    sweep = mixed(n_short, n_long)
    places = [shard.places(sweep) for shard in shards(n)]
    assert sorted(chain.from_iterable(places)) == [*range(n_short + n_long)]
    assert all(of_one == sorted(of_one) for of_one in places)


@pytest.mark.parametrize("n", [3, 7, 11])
def test_shards_have_as_much_to_do_as_each_other_up_to_one_pack(n):
    sweep = mixed(160, 80)
    loads = [sum(rough_seconds(sweep.trials[place], 1) for place in shard.places(sweep)) for shard in shards(n)]
    assert max(loads) - min(loads) <= 8 * rough_seconds(sweep.trials[-1], 1)


def test_where_there_are_more_shards_than_trials_some_have_none(tmp_path):
    sweep = load(write_sweep(tmp_path, steps=5))
    counts = [len(shard.places(sweep)) for shard in shards(13)]
    assert (sum(counts), counts.count(0), max(counts)) == (8, 5, 1)
    plan = plan_part(sweep, Store(tmp_path / "r"), shard=Shard(13, 13))
    assert (plan.trials, plan.pending, len(plan.packs)) == (0, 0, 0)


def plan_part(sweep, store, *, workers=1, pack_size=None, **part):
    settings = Settings.resolve(engine="local", device="cpu", workers=workers, pack_size=pack_size)
    return plan_sweep(sweep, store, settings, part=Part(**part))


def planned(plan):
    return [trial_id for pack in plan.packs for trial_id in pack.trial_ids]


def test_a_shard_is_the_same_after_some_of_it_is_trained_and_whatever_packs_and_workers_its_command_takes(tmp_path):
    sweep, store = load(write_sweep(tmp_path, steps=5, seeds=11)), Store(tmp_path / "r")
    before = [{*planned(plan_part(sweep, store, shard=shard))} for shard in shards(5)]
    assert sorted(chain.from_iterable(before)) == sorted(sweep.trial_ids())
    done = sweep.trials[3:20:2]
    store.write("a", status_rows(done, status="done", message=None, run_id="r"))
    store.write("b", status_rows(sweep.trials[1:2], status="crashed", message="why", run_id="r"))
    for number, shard in enumerate(shards(5)):
        plan = plan_part(sweep, store, shard=shard, workers=1 + number, pack_size=1 + number)
        left = before[number] - {trial.trial_id for trial in done}
        assert {*planned(plan)} == left
        assert (plan.trials, plan.pending, plan.failed) == (
            len(before[number]), len(left), int(sweep.trials[1].trial_id in left),
        )  # fmt: skip


def test_a_condition_and_a_limit_hold_within_a_shard(tmp_path):
    sweep, store = load(write_sweep(tmp_path, steps=5)), Store(tmp_path / "r")
    share = {*planned(plan_part(sweep, store, shard=Shard(2, 3)))}
    meeting = {trial.trial_id for trial in sweep.trials if trial.scenes.layouts_per_pair == 4}
    assert {*planned(plan_part(sweep, store, shard=Shard(2, 3), where="layouts_per_pair = 4"))} == share & meeting
    limited = planned(plan_part(sweep, store, shard=Shard(2, 3), limit=1))
    assert len(limited) == 1
    assert {*limited} < share


@pytest.mark.parametrize(("text", "number", "of"), [("1/1", 1, 1), ("3/8", 3, 8), ("08/10", 8, 10)])
def test_a_shard_is_written_as_its_number_and_how_many_there_are(text, number, of):
    assert Shard.parse(text) == Shard(number, of)
    assert Shard.parse(str(Shard(number, of))) == Shard(number, of)


@pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", "1.0/3", "1/ 3", "1/1234567"])
def test_what_is_no_shard_is_refused_in_one_line(text):
    with pytest.raises(
        UsageError, match=r"--shard must be I/N with I from 1 to N, got .*; write for example"
    ) as caught:
        Shard.parse(text)
    assert "\n" not in str(caught.value)
