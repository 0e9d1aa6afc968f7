"""Slots of a cluster whose nodes may not see the results: who is counted, what is told, and when it is an error."""

from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from lrsym.errors import UsageError
from lrsym.sweep.engines.ray_tune import slots as slots_module
from lrsym.sweep.engines.ray_tune.engine import _tune_folder
from lrsym.sweep.engines.ray_tune.hooks import PatientScheduler
from lrsym.sweep.engines.ray_tune.slots import UNSEEN_SECONDS, Slots, marker, wait_until_seen, why_unseen
from lrsym.sweep.execution.task import TrainTask

BLIND = {"completed": 0.0, "node_without_store": "node7", "why": "it is not there"}


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def slots(clock):
    return Slots(2, clock=lambda: clock[0])


def begin(slots, *trial_ids):
    for trial_id in trial_ids:
        slots.add(trial_id)
        slots.on_start(trial_id)


def test_so_many_tune_trials_are_begun_as_there_are_workers_and_those_that_wait_do_not_count(slots):
    begin(slots, "a")
    assert slots.any_free
    begin(slots, "b")
    assert not slots.any_free
    slots.on_report("a", BLIND)
    assert slots.any_free
    assert slots.any_blind
    begin(slots, "c")
    assert not slots.any_free
    slots.remove("a")  # its node sees the results again
    assert not slots.any_free
    assert not slots.any_blind
    slots.remove("b")
    assert slots.any_free


def test_that_a_node_does_not_see_the_results_is_told_once_for_a_worker(slots):
    begin(slots, "a", "b")
    told = slots.on_report("a", BLIND)
    assert told.startswith("node node7 of the Ray cluster does not see the results folder (it is not there): ")
    assert slots.on_report("a", BLIND) is None
    assert slots.on_report("b", {"completed": 0.5}) is None
    assert not slots.is_blind({"completed": 0.5})
    assert slots.is_blind(BLIND)


def test_while_any_worker_sees_the_results_it_is_no_error(slots, clock):
    begin(slots, "a", "b")
    slots.on_report("a", BLIND)
    for _ in range(3):
        slots.require_sight()
        clock[0] += UNSEEN_SECONDS
    slots.require_sight()


def test_where_no_worker_has_seen_the_results_for_a_while_it_is_an_error_that_names_the_nodes(slots, clock):
    begin(slots, "a", "b")
    slots.add("waits for a slot")
    slots.on_report("a", BLIND)
    slots.on_report("b", {**BLIND, "node_without_store": "node8", "why": "no permission"})
    slots.require_sight()
    clock[0] += UNSEEN_SECONDS
    slots.require_sight()
    clock[0] += 1
    with pytest.raises(UsageError, match=r"no node .* \(node node7: it is not there; node node8: no permission\), so"):
        slots.require_sight()


def test_the_time_begins_anew_once_a_worker_has_seen_them(slots, clock):
    begin(slots, "a")
    slots.on_report("a", BLIND)
    slots.require_sight()
    clock[0] += UNSEEN_SECONDS
    begin(slots, "b")
    slots.require_sight()
    slots.remove("b")
    slots.require_sight()
    clock[0] += UNSEEN_SECONDS
    slots.require_sight()


def test_where_the_driver_does_not_see_them_either_it_is_an_error_at_once():
    slots = Slots(2, why_driver_unseen=lambda: "it is not there")
    begin(slots, "a")
    with pytest.raises(UsageError, match="neither node node7 of the Ray cluster nor the driver sees the results"):
        slots.on_report("a", BLIND)


def test_a_worker_reports_until_it_sees_the_results(tmp_path, monkeypatch):
    task, reports = TrainTask(str(tmp_path / "r"), "run", "cpu", 1), []
    assert why_unseen(task) == "it is not there"

    def mount(seconds):
        if len(reports) == 3:
            place = tmp_path / "r" / marker(task)
            place.parent.mkdir(parents=True)
            place.touch()

    monkeypatch.setattr(slots_module.time, "sleep", mount)
    wait_until_seen(task, why_unseen(task), reports.append)
    assert len(reports) == 3
    assert all(Slots(1).is_blind(report) for report in reports)
    assert why_unseen(task) == ""


def test_a_results_folder_that_is_gone_is_not_made_again_for_the_marker(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="was removed or moved"),
        _tune_folder(TrainTask(str(tmp_path / "r"), "run", "cpu", 1)),
    ):
        pass
    assert not (tmp_path / "r").exists()


def test_a_worker_that_is_free_is_not_given_a_trial_that_a_starting_one_is_meant_for():
    waiting = SimpleNamespace(status=Trial.PENDING)
    controller: Any = SimpleNamespace(get_trials=lambda: [waiting])
    assert FIFOScheduler().choose_trial_to_run(controller) is waiting  # what Tune does by itself
    assert PatientScheduler().choose_trial_to_run(controller) is None
