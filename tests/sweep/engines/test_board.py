"""The actor that has the packs of a run on Ray: what it keeps, what it tells, and that it may be lost."""

import os
import signal

import pytest
import ray
from ray.exceptions import ActorDiedError, GetTimeoutError, RayTaskError

from lrsym.errors import UsageError
from lrsym.sweep.engines.ray_tune import board as board_module
from lrsym.sweep.engines.ray_tune.board import PackBoard, Sighting, answer
from tests.running import finish, processes, wait_for
from tests.small_trials import pack_of, small
from tests.sweep.engines.test_contract import drive, report_of, tries

PACK = pack_of(small())
FIRST, SECOND = Sighting("first", "node", 1), Sighting("second", "node", 2)


@pytest.fixture
def board():
    """What the actor does, without Ray."""
    return PackBoard.__ray_metadata__.modified_class()


def test_a_board_keeps_nothing_of_packs_that_were_left(board):
    for worker in (FIRST, SECOND):
        board.put(PACK)
        assert board.take(PACK.id, worker) == PACK
        board.sign(PACK.id, trained=True)
        board.leave(PACK.id, worker)
        board.sign(PACK.id)  # one that was on its way
    assert board.sightings() == {}
    assert not any(vars(board).values())


def test_a_board_tells_who_has_a_pack_since_when_and_when_it_was_heard_of(board, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(board_module.time, "monotonic", lambda: now[0])
    board.put(PACK)
    board.take(PACK.id, FIRST)
    now[0] += 5
    board.sign(PACK.id)
    now[0] += 2
    assert board.sightings() == {PACK.id: Sighting("first", "node", 1, busy=7, silent=2)}
    board.sign(PACK.id, trained=True)
    board.leave(PACK.id, SECOND)  # it has had it before
    assert board.sightings() == {PACK.id: Sighting("first", "node", 1, busy=7, silent=0, trained=True)}
    board.put(PACK)
    board.take(PACK.id, SECOND)
    assert board.sightings() == {PACK.id: SECOND}


@pytest.mark.parametrize("error", [ActorDiedError(), GetTimeoutError("late")])
def test_a_board_that_is_lost_or_does_not_answer_is_one_sentence_with_the_remedy(monkeypatch, error):
    def get(asked, *, timeout):
        assert 0 < timeout < 600
        raise error

    monkeypatch.setattr(ray, "get", get)
    with pytest.raises(UsageError, match=r"the actor .* that has the packs was lost .*; run the same command again"):
        answer("anything")


def test_a_mistake_in_the_board_is_no_users_mistake(monkeypatch):
    def get(asked, *, timeout):
        raise RayTaskError("take", "traceback", KeyError("x"))

    monkeypatch.setattr(ray, "get", get)
    with pytest.raises(RayTaskError):
        answer("anything")


@pytest.mark.slow
@pytest.mark.ray
def test_a_run_whose_board_is_lost_ends_with_one_sentence_and_the_same_command_goes_on(tmp_path):
    process = drive("ray", tmp_path, trials=3, workers=1, seconds=3)
    wait_for(lambda: (tmp_path / "trials").exists() and tries(tmp_path) == 2)
    raylets = [pid for pid, parent, _ in processes() if parent == process.pid]
    (lost,) = [pid for pid, parent, words in processes() if parent in raylets and "ray::PackBoard" in words]
    os.kill(lost, signal.SIGKILL)
    code, _, err = finish(process)
    assert code == 1
    assert "error: the actor of the Ray cluster that has the packs was lost" in err
    assert "Traceback" not in err
    assert report_of(drive("ray", tmp_path, trials=3, workers=1))["statuses"].keys() == {"done"}
