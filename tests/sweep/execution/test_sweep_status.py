"""How far a sweep is, as a notebook asks it."""

from datetime import UTC, datetime, timedelta

import pytest

from lrsym.results.store.live import write_live
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.lease import Holder, Lease
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.execution.sweep_status import FailureMessage, sweep_status
from lrsym.sweep.spec.sweep_file import load
from tests.small_trials import write_checkpoint, write_sweep


@pytest.fixture
def sweep(tmp_path):
    """A sweep of 8 trials, none of them trained."""
    return load(write_sweep(tmp_path, steps=5))


def test_a_sweep_without_results_is_all_missing(sweep, tmp_path):
    status = sweep_status(sweep, tmp_path / "nowhere")
    assert (status.trials, status.missing, dict(status.statuses)) == (8, 8, {})
    assert (status.checkpointed, status.completed, status.messages) == (0, 0, ())


def test_trials_are_counted_by_status_and_the_most_frequent_message_comes_first(sweep, tmp_path):
    store = Store(tmp_path / "r")
    store.write("a", status_rows(sweep.trials[:2], status="timeout", message="too slow", run_id="r"))
    store.write("b", status_rows(sweep.trials[2:5], status="crashed", message="killed", run_id="r"))
    status = sweep_status(sweep, str(tmp_path / "r"))
    assert (dict(status.statuses), status.missing) == ({"crashed": 3, "timeout": 2}, 3)
    assert status.messages == (FailureMessage("crashed", "killed", 3), FailureMessage("timeout", "too slow", 2))


def test_hours_are_those_of_finished_trials_by_what_their_runs_held_of_a_device(sweep, tmp_path):
    store = Store(tmp_path / "r")
    runs = [
        {"run_id": "threads", "device": "cpu", "threads": 3, "workers": 2},
        {"run_id": "shared", "device": "cuda", "threads": 1, "workers": 4, "gpus": 2},
        {"run_id": "cluster", "device": "cuda", "threads": 1, "workers": 4, "gpus": None},
    ]
    store.write("runs", {"runs": TABLES["runs"].build(runs)})
    took = [("threads", "done"), ("shared", "stopped"), ("cluster", "done"), ("unknown", "done"), ("shared", "crashed")]
    rows = [
        axis_values(trial) | {"run_id": run, "status": status, "seconds": 3600.0}
        for trial, (run, status) in zip(sweep.trials, took, strict=False)
    ]
    store.write("p", {"trials": TABLES["trials"].build(rows)})
    status = sweep_status(sweep, str(tmp_path / "r"))
    assert (status.core_hours, status.gpu_hours) == (3 + 1, 1 / 2 + 1)


def test_rows_of_other_sweeps_do_not_count(sweep, tmp_path):
    (tmp_path / "other").mkdir()
    other = load(write_sweep(tmp_path / "other", steps=7))
    rows = status_rows(other.trials, status="crashed", message="killed", run_id="r")
    Store(tmp_path / "r").write("a", rows)
    assert sweep_status(sweep, tmp_path / "r").missing == 8


def test_checkpoints_count_by_the_trials_that_they_hold_unless_one_is_finished(sweep, tmp_path):
    root, trials = tmp_path / "r", sweep.trials
    write_checkpoint(root, trials[:1], step=4, steps=5)
    write_checkpoint(root, trials[1:4], step=2, steps=5)
    write_checkpoint(root, trials[4:6], step=3, steps=5)
    Store(root).write("a", status_rows(trials[5:6], status="diverged", message="loss is nan", run_id="r"))
    status = sweep_status(sweep, root)
    assert status.checkpointed == 4
    assert status.completed == pytest.approx((4 + 3 * 2) / 5 / 4)


def test_what_is_in_training_now_is_told_by_live_leases_alone(sweep, tmp_path):
    store, ids = Store(tmp_path / "r"), [*sweep.trial_ids()]
    store.write("a", status_rows(sweep.trials[:1], status="done", message=None, run_id="r"))
    with Lease(store.files, "one") as lease:
        lease.claim([*ids[:3], "of another sweep"])
        status = sweep_status(sweep, str(tmp_path / "r"))
        assert (status.running.trials, status.running.trainers) == (2, (str(Holder.this_process()),))
    status = sweep_status(sweep, str(tmp_path / "r"))
    assert (status.running.trials, status.running.trainers) == (0, ())


def test_what_is_in_training_shows_how_far_it_is(sweep, tmp_path):
    store, ids = Store(tmp_path / "r"), [*sweep.trial_ids()]
    n_steps = sweep.trials[0].n_steps
    row = {**axis_values(sweep.trials[0]), "status": "training", "trained_steps": n_steps - 1, "unseen_order": 0.75}
    write_live(store.files, "p", trials=[row], curves=[])
    assert sweep_status(sweep, str(tmp_path / "r")).running.evaluated == 0  # nobody has it in training any more
    with Lease(store.files, "one") as lease:
        lease.claim(ids[:3])
        running = sweep_status(sweep, str(tmp_path / "r")).running
    assert (running.trials, running.evaluated, running.order) == (3, 1, 0.75)
    assert running.completed == pytest.approx((n_steps - 1) / n_steps)
    assert (running.rate, running.left) == (None, None)


def test_the_time_left_is_told_from_the_second_pack_on_with_an_interval(sweep, tmp_path):
    store, ids = Store(tmp_path / "r"), [*sweep.trial_ids()]
    started = datetime.now(UTC) - timedelta(minutes=2)
    run = TABLES["runs"].build([{"run_id": "one", "started_at": started}])
    store.write("run-one", {"runs": run})
    lefts = []
    with Lease(store.files, "one") as lease:
        lease.claim(ids[4:])
        for n in range(4):
            store.write(f"p{n}", status_rows(sweep.trials[n : n + 1], status="done", message=None, run_id="one"))
            running = sweep_status(sweep, str(tmp_path / "r")).running
            lefts.append(running.left)
    assert lefts[0] is None
    assert running.since == started
    assert running.rate == pytest.approx(2, rel=0.05)
    assert running.left.estimate == pytest.approx((len(ids) - 4) / 2 * 60, rel=0.05)
    assert running.left.low < running.left.estimate < running.left.high
    # From tables of the Poisson distribution, four events: 1.09 to 10.24.
    assert running.left.estimate / running.left.high == pytest.approx(1.09 / 4, rel=0.02)
    assert running.left.low / running.left.estimate == pytest.approx(4 / 10.24, rel=0.02)
