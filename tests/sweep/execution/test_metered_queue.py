"""What the packs of a run take, and that no pack begins once a limit is reached."""

from collections import Counter

import pytest

from lrsym.sweep.execution.events import Failure, PackEvent
from lrsym.sweep.execution.metered_queue import MeteredQueue
from lrsym.sweep.execution.pack_source import PlannedPacks
from tests.small_trials import pack_of, small

PACKS = [pack_of(small(seed=s), small(seed=s + 10)) for s in range(4)]
A, B, C, D = PACKS


class Ignored:
    """What a queue writes to the store is not looked at here."""

    def record_failure(self, pack, failure, attempts):
        return Counter({failure.status: len(pack)})

    def discard_checkpoint(self, pack):
        pass


@pytest.fixture
def clock():
    """The time that the queue sees, in seconds."""
    return [100.0]


@pytest.fixture
def queue(clock):
    return MeteredQueue(PlannedPacks(PACKS), recorder=Ignored(), limit=10.0, clock=lambda: clock[0])


def done(pack):
    return PackEvent(pack.id, 1.0, Counter(done=len(pack)))


def test_packs_in_training_at_the_same_time_count_each_and_no_pack_counts_nothing(queue, clock):
    clock[0] += 5  # nothing is in training
    queue.next()
    clock[0] += 1
    queue.next()
    clock[0] += 2
    queue.on_event(done(A))
    clock[0] += 3
    queue.on_event(PackEvent(B.id, 0.5))
    queue.on_event(done(B))
    clock[0] += 7
    assert queue.worker_seconds() == 3 + 5


def test_no_pack_begins_once_the_limit_is_reached_and_those_in_training_end(queue, clock):
    assert [queue.next(), queue.next()] == [A, B]
    clock[0] += 4.9
    queue.on_event(done(A))
    assert queue.next() == C
    clock[0] += 0.2
    assert queue.next() is None
    assert not queue.finished
    queue.on_event(done(B))
    queue.on_event(done(C))
    assert queue.finished


def test_below_the_limit_a_queue_ends_with_its_last_pack(queue):
    for pack in PACKS:
        assert queue.next() == pack
        assert not queue.finished
        queue.on_event(done(pack))
    assert queue.finished


def test_every_try_of_a_pack_counts_and_none_is_made_beyond_the_limit(queue, clock):
    queue.next()
    clock[0] += 6
    queue.on_death(A.id, "worker killed by SIGKILL")
    clock[0] += 50  # nobody trains it meanwhile
    queue.next()
    clock[0] += 4
    queue.on_event(PackEvent(B.id, 1.0, failure=Failure("out_of_memory", "no room")))
    assert queue.worker_seconds() == 10
    assert queue.next() is None
    assert queue.finished
