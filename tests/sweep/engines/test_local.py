"""What the local engine does with a source that has less than it said, and with workers that stand still."""

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from lrsym.results.store.store import Store
from lrsym.sweep.engines.local import run_local
from lrsym.sweep.execution.queue import MAX_RETRIES, PackQueue
from tests.running import wait_for, wait_for_the_end_of, workers_of
from tests.sweep.engines.test_contract import drive, report_of, rows, tries


class Emptied:
    """A source that finds out that it has no pack when it is asked for one, as a search may."""

    exhausted = False

    def next(self):
        self.exhausted = True


def test_a_source_that_turns_out_to_be_empty_ends_the_run():
    queue = PackQueue(Emptied(), recorder=SimpleNamespace())
    run = threading.Thread(
        target=run_local, args=(queue, SimpleNamespace(threads=1, timeout=None)), kwargs={"workers": 2}, daemon=True
    )
    run.start()
    run.join(timeout=10)
    assert not run.is_alive()


def test_a_pack_that_does_not_end_in_time_is_stopped_within_two_seconds_and_not_tried_again(tmp_path):
    process = drive("local", tmp_path, trials=2, workers=2, seconds=600, timeout=1)
    wait_for(lambda: (tmp_path / "tries").exists() and tries(tmp_path) == 2)
    begun = time.monotonic()
    assert report_of(process)["statuses"] == {"timeout": 2}
    assert time.monotonic() - begun < 1 + 2 + 2  # its time, what stopping may take, and the end of the driver
    assert rows(tmp_path)[0]["message"] == "pack took more than 1 s and did not answer; its worker was killed"
    assert tries(tmp_path) == 2
    assert workers_of(process.pid) == []


@pytest.mark.slow
def test_a_pack_that_is_trained_has_met_its_time_however_long_its_last_evaluation_takes(tmp_path):
    process = drive("local", tmp_path, trials=1, workers=1, seconds=4, timeout=1, behaviour={0: "trained"})
    assert report_of(process)["statuses"] == {"done": 1}


@pytest.mark.slow
def test_behind_a_pack_that_was_stopped_the_others_are_trained(tmp_path):
    process = drive("local", tmp_path, trials=5, workers=1, timeout=2, behaviour={0: "freeze", 3: "freeze"})
    assert report_of(process)["statuses"] == {"done": 3, "timeout": 2}
    assert tries(tmp_path) == 5


@pytest.mark.slow
def test_a_worker_that_stands_still_is_killed_and_its_pack_tried_again(tmp_path):
    process = drive("local", tmp_path, trials=4, behaviour={1: "freeze once"}, silence=3)
    assert report_of(process)["statuses"] == {"done": 4}
    assert tries(tmp_path) == 5
    assert workers_of(process.pid) == []


@pytest.mark.slow
def test_a_pack_whose_workers_all_stand_still_ends_as_crashed_with_the_reason(tmp_path):
    process = drive("local", tmp_path, trials=2, behaviour={1: "freeze"}, silence=2)
    assert report_of(process)["statuses"] == {"done": 1, "crashed": 1}
    reason = f"worker gave no sign of life for 2 s and was killed, {MAX_RETRIES + 1} times"
    assert rows(tmp_path)[1]["message"] == reason


@pytest.mark.slow
def test_a_worker_that_is_at_work_for_longer_than_its_signs_are_apart_is_left_alone(tmp_path):
    process = drive("local", tmp_path, trials=1, workers=1, seconds=9, silence=7)
    assert report_of(process)["statuses"] == {"done": 1}
    assert tries(tmp_path) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_within_seconds_though_its_workers_stand_still(tmp_path, number):
    process = drive("local", tmp_path, trials=4, behaviour=dict.fromkeys(range(4), "freeze"))
    wait_for(lambda: (tmp_path / "tries").exists() and tries(tmp_path) == 2)
    workers, stopped = workers_of(process.pid), time.monotonic()
    os.killpg(process.pid, number)
    assert report_of(process, code=128 + number)["pending"] == 4
    assert time.monotonic() - stopped < 8
    wait_for_the_end_of(workers)


@pytest.mark.slow
def test_a_whole_run_that_stood_still_goes_on_as_if_nothing_had_been(tmp_path):
    process = drive("local", tmp_path, trials=4, workers=2, seconds=2, silence=7, timeout=6)
    wait_for(lambda: (tmp_path / "tries").exists() and tries(tmp_path) == 2)
    for number, seconds in ((signal.SIGSTOP, 12), (signal.SIGCONT, 0)):
        os.killpg(process.pid, number)
        time.sleep(seconds)
    assert report_of(process)["statuses"] == {"done": 4}
    assert tries(tmp_path) == 4
    assert len(Store(tmp_path).statuses()) == 4
