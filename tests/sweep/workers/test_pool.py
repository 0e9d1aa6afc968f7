"""The processes of a pilot: asked together, mourned alone, never left behind."""

import multiprocessing as mp
from pathlib import Path

import pytest

from lrsym.sweep.pilot.measurement import Ask
from lrsym.sweep.workers.pool import Crew, PilotError
from tests.made_up_probe import serve
from tests.small_trials import small


def ask(trials):
    return Ask(tuple(small(seed=s) for s in range(trials)))


@pytest.fixture
def crew():
    with Crew(2, device="cpu", threads=1, target=serve) as crew:
        yield crew
    assert mp.active_children() == []
    assert not Path(crew._folder.name).exists()


def test_as_many_answer_as_are_asked(crew):
    alone, together = crew.ask(ask(1), at_once=1), crew.ask(ask(1), at_once=2)
    assert alone.step.low == alone.step.high
    assert together.step.low < together.step.high


def test_words_of_failure_are_passed_on_and_the_crew_goes_on(crew):
    before = crew.ask(ask(1), at_once=2)
    with pytest.raises(PilotError, match="no room"):
        crew.ask(ask(3), at_once=2)
    assert crew.ask(ask(1), at_once=2) == before


def test_after_a_death_fresh_processes_answer(crew):
    before = crew.ask(ask(1), at_once=1)
    with pytest.raises(PilotError, match="died with code 9"):
        crew.ask(ask(4), at_once=2)
    assert crew.ask(ask(1), at_once=1) != before


def test_a_pilot_that_takes_too_long_is_given_up():
    with Crew(1, device="cpu", threads=1, target=serve, patience=3) as crew:
        with pytest.raises(PilotError, match="not over after 3 s"):
            crew.ask(ask(2), at_once=1)
        with pytest.raises(PilotError, match="not over"):
            crew.ask(ask(1), at_once=1)
    assert mp.active_children() == []
