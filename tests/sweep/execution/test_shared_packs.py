"""Packs shared with other sweeps: what they train waits, what they finish counts, what they give up is taken over."""

from collections import Counter

import pytest

from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.lease import Lease
from lrsym.sweep.execution.pack_source import PlannedPacks
from lrsym.sweep.execution.shared_packs import POLL_SECONDS, SharedPacks
from tests.small_trials import pack_of, small, write_checkpoint

TRIALS = [small(seed=seed) for seed in range(6)]
PACKS = [pack_of(*TRIALS[i : i + 2]) for i in (0, 2, 4)]


class Sharing:
    """A source of PACKS beside another sweep, which holds a lease of its own."""

    def __init__(self, root):
        self.store, self.now, self.ended, self.events, self.lines = Store(root), 0.0, [], [], []
        self.lease = Lease(self.store.files, "here", clock=lambda: self.now).__enter__()
        self.other = Lease(self.store.files, "other").__enter__()
        source = PlannedPacks(PACKS)
        source.on_end = lambda pack, statuses: self.ended.append((pack.trial_ids, statuses))
        self.packs = SharedPacks(
            source, self.lease, self.store, on_elsewhere=lambda pack, event: self.events.append(event),
            say=self.lines.append, clock=lambda: self.now,
        )  # fmt: skip

    def row(self, trial, part, status="done", **row):
        values = axis_values(trial) | {"status": status, "run_id": "other", **row}
        self.store.write(part, {"trials": TABLES["trials"].build([values])})

    def next(self):
        self.now += POLL_SECONDS + 0.1
        return self.packs.next()

    def leave(self):
        self.other.__exit__(None, None, None)


@pytest.fixture
def sharing(tmp_path):
    found = Sharing(tmp_path)
    yield found
    found.lease.__exit__(None, None, None)
    found.leave()


def test_alone_the_packs_are_those_of_the_source(sharing):
    sharing.leave()
    assert [sharing.packs.next() for _ in range(3)] == PACKS
    assert sharing.packs.exhausted
    assert sharing.packs.next() is None


def test_of_a_pack_the_trials_that_another_has_in_training_are_left_out(sharing):
    sharing.other.claim([TRIALS[1].trial_id, TRIALS[2].trial_id, TRIALS[3].trial_id])
    assert [sharing.packs.next().trials for _ in range(2)] == [(TRIALS[0],), tuple(TRIALS[4:])]
    assert sharing.next() is None
    assert not sharing.packs.exhausted
    assert sharing.lines == ["waiting for 3 trials that another sweep has in training"]


def test_what_another_gives_up_is_taken_over(sharing):
    sharing.other.claim(PACKS[1].trial_ids)
    assert [sharing.packs.next(), sharing.packs.next(), sharing.packs.next()] == [PACKS[0], PACKS[2], None]
    sharing.leave()
    assert sharing.packs.next() is None  # looked a moment ago
    assert sharing.next() == PACKS[1]
    assert sharing.packs.exhausted
    assert sharing.lines[-1] == "2 trials that another sweep has given up are trained here"


def test_what_another_finishes_ends_here_too_and_is_not_trained(sharing):
    sharing.other.claim(PACKS[1].trial_ids)
    while sharing.packs.next():
        pass
    for trial, status in zip(PACKS[1].trials, ("done", "diverged"), strict=True):
        sharing.row(trial, f"{trial.seed:032x}", status)
    sharing.other.release(PACKS[1].trial_ids)
    sharing.other.claim(["something else"])
    assert sharing.next() is None
    assert sharing.packs.exhausted
    assert sharing.ended == [(PACKS[1].trial_ids, Counter(done=1, diverged=1))]
    assert [(event.pack, event.completed, event.statuses) for event in sharing.events] == [
        (PACKS[1].id, 1.0, Counter(done=1, diverged=1))
    ]
    assert sharing.packs.elsewhere == 2


def test_a_trial_that_failed_elsewhere_is_tried_here(sharing):
    sharing.other.claim(PACKS[2].trial_ids)
    while sharing.packs.next():
        pass
    sharing.row(TRIALS[4], "0" * 32, "crashed")
    sharing.leave()
    assert sharing.next() == PACKS[2]


def test_rows_that_came_since_the_plan_are_not_trained_again(sharing):
    sharing.leave()
    sharing.row(TRIALS[0], "0" * 32)
    assert sharing.packs.next().trials == (TRIALS[1],)
    assert sharing.packs.elsewhere == 1


def test_a_trial_that_another_rule_stopped_is_trained(sharing):
    sharing.row(TRIALS[0], "0" * 32, "stopped", stop_rule="decided")
    assert sharing.packs.next() == PACKS[0]


def test_a_pack_that_another_left_with_a_checkpoint_goes_on_as_it_was(sharing, tmp_path):
    sharing.other.claim([trial.trial_id for trial in TRIALS[1:4]])
    while sharing.packs.next():
        pass
    left = [TRIALS[3], TRIALS[1]]
    write_checkpoint(tmp_path, left, step=3, steps=6)
    sharing.leave()
    taken = [sharing.next(), sharing.next()]
    assert [(pack.trials, pack.completed) for pack in taken] == [(tuple(left), 0.5), ((TRIALS[2],), 0.0)]


def test_what_has_ended_here_is_free_for_others(sharing):
    pack = sharing.packs.next()
    assert sharing.other.claim(pack.trial_ids) == set()
    sharing.packs.on_end(pack, Counter(crashed=2))
    sharing.packs.next()
    assert sharing.other.claim(pack.trial_ids) == {*pack.trial_ids}
    assert sharing.ended == [(pack.trial_ids, Counter(crashed=2))]
