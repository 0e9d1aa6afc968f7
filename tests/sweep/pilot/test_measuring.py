"""The processes of a pilot: they measure together, their deaths are told, none is left behind."""

import multiprocessing as mp

import pytest

from lrsym.sweep.pilot.measurement import MeasureRequest
from lrsym.sweep.pilot.measuring import MeasuringProcesses, PilotError
from tests.small_trials import pack_of, small
from tests.sweep.pilot.made_up_worker import serve


def pack(trials):
    return MeasureRequest(pack_of(*(small(seed=s) for s in range(trials))))


@pytest.fixture
def processes():
    with MeasuringProcesses(2, device="cpu", threads=1, target=serve) as processes:
        yield processes
    assert mp.active_children() == []
    assert not processes.folder.exists()


@pytest.mark.slow
def test_as_many_answer_as_are_asked(processes):
    alone, together = processes.measure(pack(1), at_once=1), processes.measure(pack(1), at_once=2)
    assert alone.step.low == alone.step.high
    assert together.step.low < together.step.high


def test_words_of_failure_are_passed_on_and_the_processes_goes_on(processes):
    before = processes.measure(pack(1), at_once=2)
    with pytest.raises(PilotError, match="no room"):
        processes.measure(pack(3), at_once=2)
    assert processes.measure(pack(1), at_once=2) == before


@pytest.mark.slow
def test_on_a_gpu_fresh_processes_answer_after_a_failure_and_their_start_is_no_time_of_the_pilot():
    with MeasuringProcesses(1, device="cuda", threads=1, target=serve) as processes:
        before = processes.measure(pack(1), at_once=1)
        assert processes.seconds - processes.measuring_seconds == pytest.approx(processes.startup, abs=1e-3)
        with pytest.raises(PilotError, match="no room"):
            processes.measure(pack(3), at_once=1)
        assert processes.measure(pack(1), at_once=1) != before  # by the number of the process
        assert processes.seconds - processes.measuring_seconds > processes.startup + 1e-3


@pytest.mark.slow
def test_after_a_death_fresh_processes_answer(processes):
    before = processes.measure(pack(1), at_once=1)
    with pytest.raises(PilotError, match="died with code 9"):
        processes.measure(pack(4), at_once=2)
    assert processes.measure(pack(1), at_once=1) != before


@pytest.mark.slow
def test_a_pilot_that_takes_too_long_is_given_up():
    with MeasuringProcesses(1, device="cpu", threads=1, target=serve, patience=2) as processes:
        with pytest.raises(PilotError, match="not over after 2 s"):
            processes.measure(pack(2), at_once=1)
        with pytest.raises(PilotError, match="not over"):
            processes.measure(pack(1), at_once=1)
    assert mp.active_children() == []
