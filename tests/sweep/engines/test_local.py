"""What the local engine does with a source that has less than it said, and where all that it started stands still."""

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from lrsym.results.store.store import Store
from lrsym.sweep.engines.local import run_local
from lrsym.sweep.execution.queue import PackQueue
from tests.running import HANG_SECONDS, wait_for, wait_for_the_end_of, workers_of
from tests.sweep.engines.test_contract import drive, report_of, tries


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
    run.join(timeout=HANG_SECONDS)
    assert not run.is_alive()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_within_seconds_though_its_workers_stand_still(tmp_path, number):
    process = drive("local", tmp_path, trials=4, behaviour=dict.fromkeys(range(4), "freeze"))
    wait_for(lambda: (tmp_path / "tries").exists() and tries(tmp_path) == 2)
    workers, stopped = workers_of(process.pid), time.monotonic()
    os.killpg(process.pid, number)
    assert report_of(process, code=128 + number)["pending"] == 4
    assert time.monotonic() - stopped < 60  # they would stand still for ever
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
