"""What is trained next, tried again, split and given up."""

from collections import Counter

import pytest

from lrsym.errors import UsageError
from lrsym.sweep.execution.events import Failure, PackEvent
from lrsym.sweep.execution.pack_source import PlannedPacks
from lrsym.sweep.execution.queue import MAX_RETRIES, PackQueue
from lrsym.sweep.planning.pack import Pack
from tests.small_trials import pack_of, small

PACK, OTHER = pack_of(*(small(seed=s) for s in range(4))), pack_of(small(seed=9))


class MadeUpRecorder:
    """Keeps in memory what it is asked to write."""

    def __init__(self):
        self.failures, self.attempts, self.discarded, self.broken = [], {}, [], False

    def record_failure(self, pack, failure, attempts):
        if self.broken:
            raise OSError(28, "No space left", "file")
        self.failures.append((pack, failure))
        self.attempts[pack.id] = [*attempts]
        return Counter({failure.status: len(pack)})

    def discard_checkpoint(self, pack):
        self.discarded.append(pack)


@pytest.fixture
def recorder():
    return MadeUpRecorder()


@pytest.fixture
def heard():
    return []


@pytest.fixture
def queue(recorder, heard):
    return PackQueue(
        PlannedPacks([PACK, OTHER]), recorder=recorder, listeners=[lambda pack, event: heard.append((pack, event))]
    )


def done(pack):
    return PackEvent(pack.id, 1.0, Counter(done=len(pack)))


def test_packs_come_in_order_and_all_is_over_when_each_has_ended(queue):
    assert [queue.next(), queue.next()] == [PACK, OTHER]
    queue.on_event(done(OTHER))
    assert not queue.finished
    queue.on_event(done(PACK))
    assert queue.finished
    assert queue.next() is None


def test_a_queue_without_packs_is_finished(recorder):
    assert PackQueue(PlannedPacks([]), recorder=recorder).finished


def test_a_queue_that_was_not_asked_to_its_end_is_not_finished(queue):
    queue.on_event(done(queue.next()))
    assert not queue.finished


class MadeUpSource:
    """Gives another pack once the first has ended; fails where it is told to."""

    def __init__(self):
        self.packs, self.ended, self.broken = [PACK], [], False

    def next(self):
        if self.broken:
            raise OSError(28, "No space left", "file")
        return self.packs.pop() if self.packs else None

    @property
    def exhausted(self):
        return not self.packs and bool(self.ended)

    def on_end(self, pack, statuses):
        if self.broken:
            raise OSError(28, "No space left", "file")
        self.packs += [OTHER] if pack == PACK else []
        self.ended.append((pack, statuses))


def test_a_source_learns_how_packs_end_before_it_is_asked_for_more(recorder):
    source = MadeUpSource()
    queue = PackQueue(source, recorder=recorder)
    assert [queue.next(), queue.next()] == [PACK, None]
    assert not queue.finished
    queue.on_event(done(PACK))
    assert queue.next() == OTHER
    queue.on_event(PackEvent(OTHER.id, 1.0, failure=Failure("timeout", "why")))
    assert source.ended == [(PACK, Counter(done=4)), (OTHER, Counter(timeout=1))]
    assert queue.finished


def test_a_source_learns_how_each_half_of_a_split_pack_ends(recorder):
    source = MadeUpSource()
    queue = PackQueue(source, recorder=recorder)
    queue.on_event(PackEvent(queue.next().id, 1.0, failure=Failure("out_of_memory", "no room")))
    for half in PACK.halves():
        assert queue.next() == half
        queue.on_event(done(half))
    assert [pack for pack, _ in source.ended] == [*PACK.halves()]


@pytest.mark.parametrize("broken_before", [True, False])
def test_a_source_that_cannot_read_or_write_the_store_ends_the_run(recorder, broken_before):
    source = MadeUpSource()
    queue = PackQueue(source, recorder=recorder)
    if not broken_before:
        queue.next()
    source.broken = True
    with pytest.raises(UsageError, match=r"rows cannot be written: .*No space left"):
        queue.next() if broken_before else queue.on_event(done(PACK))


def test_a_pack_ends_only_once(queue, heard):
    queue.next()
    for _ in range(2):
        queue.on_event(done(PACK))
    assert len(heard) == 1


def test_a_pack_whose_worker_died_comes_again_behind_the_others(queue, heard):
    queue.next()
    queue.on_death(PACK.id, "worker killed by SIGKILL")
    assert [queue.next(), queue.next()] == [OTHER, PACK]
    assert heard == [(PACK, PackEvent(PACK.id, 0.0))]


def test_a_pack_that_kills_every_worker_is_halved_and_its_halves_die_once_before_they_are(queue, recorder):
    queue.next(), queue.next()
    queue.on_event(done(OTHER))
    for _ in range(MAX_RETRIES):
        queue.on_death(PACK.id, "worker killed by SIGKILL")
        assert queue.next() == PACK
    queue.on_death(PACK.id, "worker killed by SIGKILL")
    assert recorder.discarded == [PACK]
    left, right = queue.next(), queue.next()
    assert (left, right) == PACK.halves()
    queue.on_event(done(left))
    queue.on_death(right.id, "worker killed by SIGKILL")
    good, bad = queue.next(), queue.next()
    queue.on_event(done(good))
    queue.on_death(bad.id, "worker killed by SIGKILL")
    assert queue.finished
    reason = f"worker killed by SIGKILL, {MAX_RETRIES + 1} times; the system may have run out of memory"
    assert recorder.failures == [(bad, Failure("crashed", reason))]


def test_a_pack_too_large_for_the_memory_is_halved_at_once_and_one_trial_is_recorded(queue, recorder):
    queue.next(), queue.next()
    queue.on_event(PackEvent(PACK.id, 1.0, failure=Failure("out_of_memory", "no room")))
    assert (queue.next(), queue.next()) == PACK.halves()
    assert recorder.failures == []
    queue.on_event(PackEvent(OTHER.id, 1.0, failure=Failure("out_of_memory", "no room")))
    assert recorder.failures == [(OTHER, Failure("out_of_memory", "no room"))]


def test_a_pack_that_the_system_kills_for_want_of_memory_is_halved_at_once_and_a_trial_is_tried_again(queue, recorder):
    queue.next(), queue.next()
    queue.on_death(PACK.id, "worker killed", out_of_memory=True)
    assert (queue.next(), queue.next()) == PACK.halves()
    for _ in range(MAX_RETRIES):
        queue.on_death(OTHER.id, "worker killed", out_of_memory=True)
        assert recorder.failures == []
        assert queue.next() == OTHER
    queue.on_death(OTHER.id, "worker killed", out_of_memory=True)
    assert recorder.failures == [(OTHER, Failure("out_of_memory", f"worker killed, {MAX_RETRIES + 1} times"))]


def packs_of(*sizes, **changes):
    seeds = iter(range(100, 1000))
    return [pack_of(*(small(seed=next(seeds), **changes) for _ in range(size))) for size in sizes]


def sizes(queue, n):
    return [len(queue.next()) for _ in range(n)]


def test_packs_that_wait_are_split_to_the_size_that_fits_their_program_and_no_others(recorder):
    first, *alike = packs_of(8, 8, 3, optim__steps=100)
    longer, other = *packs_of(6, optim__steps=200), *packs_of(8, model__d_model=24)
    queue = PackQueue(PlannedPacks([first, *alike, longer, other]), recorder=recorder)
    assert queue.fitting_size is None
    queue.on_event(PackEvent(queue.next().id, 1.0, failure=Failure("out_of_memory", "no room")))
    assert sizes(queue, 6) == [4, 4, 3, 3, 3, 8]
    assert sizes(queue, 2) == [4, 4]  # the halves of the first
    assert queue.next() is None
    assert queue.fitting_size == 4
    assert {t for pack in queue._training.values() for t in pack.trial_ids} == {
        t for pack in (first, *alike, longer, other) for t in pack.trial_ids
    }


def test_parts_that_wait_are_split_again_when_they_turn_out_too_large(recorder):
    queue = PackQueue(PlannedPacks(packs_of(8, 8)), recorder=recorder)
    queue.on_event(PackEvent(queue.next().id, 1.0, failure=Failure("out_of_memory", "no room")))
    part = queue.next()
    queue.on_event(PackEvent(part.id, 1.0, failure=Failure("out_of_memory", "no room")))
    assert sizes(queue, 8) == [2] * 8
    assert not queue.finished
    assert queue.fitting_size == 2


def test_a_pack_that_goes_on_from_a_checkpoint_is_not_split_before_it_fails(recorder):
    first, second = packs_of(4, 4)
    begun = Pack(second.trials, completed=0.5)
    queue = PackQueue(PlannedPacks([first, begun]), recorder=recorder)
    queue.on_event(PackEvent(queue.next().id, 1.0, failure=Failure("out_of_memory", "no room")))
    assert queue.next() == begun


def leaves(pack, status, message="CUDA error: misaligned address"):
    return PackEvent(pack.id, 1.0, failure=Failure(status, message, ends_worker=True))


def test_a_pack_whose_worker_left_after_an_error_is_tried_again_and_in_the_end_the_error_is_recorded(queue, recorder):
    queue.next(), queue.next()
    queue.on_event(done(PACK))
    for _ in range(MAX_RETRIES):
        queue.on_event(leaves(OTHER, "crashed"))
        assert queue.next() == OTHER
    queue.on_event(leaves(OTHER, "crashed"))
    ((pack, failure),) = recorder.failures
    assert (pack, failure.status) == (OTHER, "crashed")
    assert failure.message == f"CUDA error: misaligned address, {MAX_RETRIES + 1} times"
    assert queue.finished


def test_a_pack_too_large_for_its_gpu_is_halved_at_once_and_one_trial_is_tried_again(queue, recorder):
    queue.next(), queue.next()
    queue.on_event(leaves(PACK, "out_of_memory"))
    assert (queue.next(), queue.next()) == PACK.halves()
    queue.on_event(leaves(OTHER, "out_of_memory"))
    assert recorder.failures == []
    assert queue.next() == OTHER


@pytest.mark.parametrize(("status", "discarded"), [("crashed", [OTHER]), ("timeout", [])])
def test_a_failure_is_recorded_and_its_checkpoint_goes_unless_time_was_short(queue, recorder, heard, status, discarded):
    queue.next(), queue.next()
    queue.on_event(PackEvent(OTHER.id, 1.0, failure=Failure(status, "why")))
    assert recorder.failures == [(OTHER, Failure(status, "why"))]
    assert recorder.discarded == discarded
    assert heard == [(OTHER, PackEvent(OTHER.id, 1.0, Counter({status: 1})))]


def crash(queue, pack, guilty):
    """Let a pack end as it does where some of its trials make it crash."""
    failure = Failure("crashed", "why") if {*pack.trial_ids} & guilty else None
    queue.on_event(PackEvent(pack.id, 1.0, failure=failure) if failure else done(pack))


def run_out(queue, guilty):
    """Run a queue to its end, a pack at a time; return the packs in the order in which they were tried."""
    tried = []
    while (pack := queue.next()) is not None:
        tried.append(pack)
        crash(queue, pack, guilty)
    assert queue.finished
    return tried


@pytest.mark.parametrize("places", [[0], [5], [0, 7], [2, 3, 4]])
def test_of_a_pack_that_crashes_the_trials_to_blame_are_alone_in_the_end_and_the_others_are_trained(recorder, places):
    (pack,) = packs_of(8)
    guilty, ended = {pack.trial_ids[place] for place in places}, []
    note = lambda part, event: ended.extend((t, *event.statuses) for t in part.trial_ids if event.statuses)  # noqa: E731
    tried = run_out(PackQueue(PlannedPacks([pack]), recorder=recorder, listeners=[note]), guilty)
    assert sorted(ended) == sorted((t, "crashed" if t in guilty else "done") for t in pack.trial_ids)
    assert {t for failed, _ in recorder.failures for t in failed.trial_ids} == guilty
    assert all(len(failed) == 1 for failed, _ in recorder.failures)
    assert len(tried) <= 1 + 2 * 3 * len(guilty)  # a path of halves for each, and what it leaves beside it


def test_the_halves_of_a_pack_that_crashed_come_before_packs_that_wait(recorder):
    first, second = packs_of(4, 4)
    tried = run_out(PackQueue(PlannedPacks([first, second]), recorder=recorder), {first.trial_ids[3]})
    assert [len(pack) for pack in tried] == [4, 2, 2, 1, 1, 4]


def test_where_every_trial_crashes_packs_are_not_halved_for_ever(recorder):
    packs = packs_of(*[8] * 20)
    everything = {trial_id for pack in packs for trial_id in pack.trial_ids}
    tried = run_out(PackQueue(PlannedPacks(packs), recorder=recorder), everything)
    assert len(tried) == 15 + 19  # the first one down to its trials, the others as they are
    assert {t for failed, _ in recorder.failures for t in failed.trial_ids} == everything


def test_a_pack_that_gives_results_says_that_trials_are_to_blame_again(recorder):
    bad, good, half = packs_of(8, 2, 2)
    guilty = {*bad.trial_ids, half.trial_ids[0]}
    run_out(PackQueue(PlannedPacks([bad, good, half]), recorder=recorder), guilty)
    assert {t for failed, _ in recorder.failures for t in failed.trial_ids} == guilty
    assert all(len(failed) == 1 for failed, _ in recorder.failures)


def test_a_failure_is_recorded_with_how_many_runs_have_tried_each_trial(recorder):
    (pack,) = packs_of(2)
    queue = PackQueue(PlannedPacks([pack]), recorder=recorder, failures={pack.trial_ids[1]: 3})
    queue.next()
    queue.on_event(PackEvent(pack.id, 1.0, failure=Failure("timeout", "why")))
    assert recorder.attempts == {pack.id: [1, 4]}


def test_rows_that_cannot_be_written_end_the_run_wherever_it_is_noticed(queue, recorder):
    queue.next()
    with pytest.raises(UsageError, match="rows cannot be written: disk full; put that right"):
        queue.on_event(PackEvent(PACK.id, 1.0, store_error="disk full"))
    recorder.broken = True
    with pytest.raises(UsageError, match="No space left"):
        queue.on_event(PackEvent(PACK.id, 1.0, failure=Failure("timeout", "why")))
