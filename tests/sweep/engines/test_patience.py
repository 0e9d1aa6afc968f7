"""How long engines wait for a worker: for as long as a pack may take, and while its process gives signs of life."""

import time

import pytest

from lrsym.sweep.execution.queue import MAX_RETRIES
from tests.running import wait_for, workers_of
from tests.sweep.engines.test_contract import drive, report_of, rows, tries

pytestmark = pytest.mark.parametrize(
    "engine", ["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])]
)


@pytest.mark.slow
def test_a_pack_that_does_not_end_in_time_is_stopped_long_before_its_end_and_not_tried_again(tmp_path, engine):
    process = drive(engine, tmp_path, trials=2, workers=2, seconds=600, timeout=1)
    wait_for(lambda: (tmp_path / "tries").exists() and tries(tmp_path) == 2)
    begun = time.monotonic()
    assert report_of(process)["statuses"] == {"timeout": 2}
    assert time.monotonic() - begun < 300  # it would take 600 s
    assert rows(tmp_path)[0]["message"] == "pack took more than 1 s and did not answer; its worker was killed"
    assert tries(tmp_path) == 2
    assert workers_of(process.pid, engine) == []


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_a_pack_that_is_trained_has_met_its_time_however_long_its_last_evaluation_takes(tmp_path, engine):
    process = drive(engine, tmp_path, trials=1, workers=1, seconds=4, timeout=1, behaviour={0: "trained"})
    assert report_of(process)["statuses"] == {"done": 1}


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_behind_a_pack_that_was_stopped_the_others_are_trained(tmp_path, engine):
    process = drive(engine, tmp_path, trials=5, workers=1, timeout=2, behaviour={0: "freeze", 3: "freeze"})
    assert report_of(process)["statuses"] == {"done": 3, "timeout": 2}
    assert tries(tmp_path) == 5


@pytest.mark.slow
def test_a_worker_that_stands_still_is_killed_and_its_pack_tried_again(tmp_path, engine):
    process = drive(engine, tmp_path, trials=4, behaviour={1: "freeze once"}, silence=3)
    assert report_of(process)["statuses"] == {"done": 4}
    assert tries(tmp_path) == 5
    assert workers_of(process.pid, engine) == []


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_a_pack_whose_workers_all_stand_still_ends_as_crashed_with_the_reason(tmp_path, engine):
    process = drive(engine, tmp_path, trials=2, behaviour={1: "freeze"}, silence=2)
    assert report_of(process)["statuses"] == {"done": 1, "crashed": 1}
    reason = f"worker gave no sign of life for 2 s and was killed, {MAX_RETRIES + 1} times"
    assert rows(tmp_path)[1]["message"] == reason


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_a_worker_that_is_at_work_for_longer_than_its_signs_are_apart_is_left_alone(tmp_path, engine):
    process = drive(engine, tmp_path, trials=1, workers=1, seconds=9, silence=7)
    assert report_of(process)["statuses"] == {"done": 1}
    assert tries(tmp_path) == 1
