"""Trials that run after run has tried in vain: counted, given up, and tried again where they are asked for."""

import pytest

from lrsym.errors import UsageError
from lrsym.results.store.store import Store
from lrsym.sweep.driver import plan_sweep
from lrsym.sweep.execution.events import Failure, PackEvent
from lrsym.sweep.execution.pack_source import PlannedPacks
from lrsym.sweep.execution.part import Part
from lrsym.sweep.execution.queue import PackQueue
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.execution.task import TrainTask
from lrsym.sweep.planning.plan import MAX_FAILED_RUNS
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.sweep_file import load
from tests.small_trials import write_sweep


@pytest.fixture
def sweep(tmp_path):
    """Eight trials."""
    return load(write_sweep(tmp_path, steps=5))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "r")


def plan_of(sweep, store, **part):
    return plan_sweep(sweep, store, Settings.resolve(engine="local", device="cpu", workers=1), part=Part(**part))


def write(store, trials, status, attempts=None):
    name = f"{trials[0].trial_id}-failed"
    store.write(name, status_rows(trials, status=status, message="why", run_id="r", attempts=attempts))


def fail_once(sweep, store, **part):
    """Let a run fail on everything that is planned."""
    task, plan = TrainTask(store.root, "r", "cpu", 1), plan_of(sweep, store, **part)
    queue = PackQueue(PlannedPacks(plan.packs), recorder=task, failures=plan.failures)
    while (pack := queue.next()) is not None:
        queue.on_death(pack.id, "gone")
    assert queue.finished
    return plan


def test_a_failed_trial_is_tried_by_so_many_runs_and_by_no_further_one(sweep, store):
    write(store, sweep.trials[1:], "timeout", [MAX_FAILED_RUNS] * 7)
    for tried in range(MAX_FAILED_RUNS):
        plan = fail_once(sweep, store)
        assert (plan.new, plan.failed) == ((1, 0) if tried == 0 else (0, 1))
        assert store.failures()[sweep.trials[0].trial_id] == tried + 1
    plan = plan_of(sweep, store)
    assert (plan.trials, plan.pending, plan.failed) == (8, 0, 0)
    assert plan.given_up == {"timeout": 7, "crashed": 1}


def test_what_is_given_up_is_tried_where_its_status_is_asked_for_and_nothing_else_is(sweep, store):
    write(store, sweep.trials[:2], "out_of_memory", [9, 1])
    write(store, sweep.trials[2:3], "crashed", [9])
    plan = plan_of(sweep, store, retry=("out_of_memory",))
    assert (plan.trials, plan.failed, plan.new, plan.given_up.total()) == (2, 2, 0, 0)
    assert {t for pack in plan.packs for t in pack.trial_ids} == {*sweep.trial_ids()[:2]}
    assert plan_of(sweep, store, retry=("out_of_memory", "crashed")).pending == 3
    assert plan_of(sweep, store, retry=("timeout",)).trials == 0
    fail_once(sweep, store, retry=("crashed",))
    assert store.failures()[sweep.trials[2].trial_id] == 10


def test_a_result_ends_the_count_and_rows_without_one_count_as_one_run(sweep, store):
    write(store, sweep.trials[:1], "crashed", [MAX_FAILED_RUNS])
    write(store, sweep.trials[1:2], "crashed")
    store.write("done", status_rows(sweep.trials[:1], status="done", message=None, run_id="r"))
    plan = plan_of(sweep, store)
    assert (plan.done, plan.failed, plan.given_up.total()) == (1, 1, 0)
    assert plan.failures == {sweep.trials[1].trial_id: 1}


def test_the_count_outlives_a_compaction(sweep, store):
    write(store, sweep.trials[:1], "crashed", [3])
    write(store, sweep.trials[1:3], "timeout", [4, 2])
    before = store.failures()
    assert store.compact() == 2
    assert store.failures() == before == dict(zip(sweep.trial_ids()[:3], (3, 4, 2), strict=True))


def test_failures_in_a_pack_count_for_each_trial_by_itself(sweep, store):
    task, failures = TrainTask(store.root, "r", "cpu", 1), {sweep.trial_ids()[0]: 3}
    plan = plan_of(sweep, store, limit=2)
    queue = PackQueue(PlannedPacks(plan.packs), recorder=task, failures=failures)
    pack = queue.next()
    queue.on_event(PackEvent(pack.id, 1.0, failure=Failure("timeout", "slow")))
    assert store.failures() == {sweep.trial_ids()[0]: 4, sweep.trial_ids()[1]: 1}


@pytest.mark.parametrize("status", ["done", "diverged", "oom"])
def test_a_status_that_is_no_failure_is_not_tried_again(status):
    with pytest.raises(UsageError, match=f'--retry must be one of out_of_memory, timeout, crashed, got "{status}"'):
        Part(retry=(status,))
