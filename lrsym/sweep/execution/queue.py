"""The packs of a run, in order: what to train next, what to try again, what to split, and when all is over.

Engines only start workers, hand out what `next` gives, and pass on what they receive; every decision is made here.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Protocol

from lrsym.errors import UsageError
from lrsym.sweep.execution.events import Failure, PackEvent, text_of
from lrsym.sweep.execution.pack_source import PackSource
from lrsym.sweep.planning.pack import Pack, Program
from lrsym.sweep.planning.packing import even_lengths
from lrsym.sweep.planning.plan import NO_FAILURES
from lrsym.vocabulary import FAILED_STATUSES

MAX_RETRIES = 2
"""How often a pack is tried again after its worker died or left."""

MAX_CRASHED_ALONE = 8
"""After so many trials of a program in a row that crashed alone while no pack of it gave results, no trial is to blame:
packs of it that crash are not halved any more."""

Listener = Callable[[Pack, PackEvent], None]


class Recorder(Protocol):
    """What the queue asks of the store, in the driver. Both may raise OSError."""

    def record_failure(self, pack: Pack, failure: Failure, attempts: Sequence[int]) -> Counter[str]:
        """Write the rows of a pack that gave no result; return how its trials ended.

        `attempts` are the runs that have tried each of its trials in vain, this one included.
        """
        ...

    def discard_checkpoint(self, pack: Pack) -> None:
        """Remove the checkpoint of a pack that is not tried again as it is."""
        ...


class PackQueue:
    """The packs of a source, with how often each was tried.

    A pack whose worker dies or leaves is tried MAX_RETRIES times again. One that still loses its worker, crashes, or is
    too large for the memory, is halved until the trial to blame is alone; only that one is recorded as failed, and with
    it how many runs have tried it, by `failures` before this one. The size that was too large is remembered: waiting
    packs of the same program are split before they fail, too. `listeners` get each event that counts, `say` what a
    reader should know; `stopped` tells whether the run is to end. Raises UsageError where rows cannot be written.
    """

    def __init__(
        self,
        source: PackSource,
        *,
        recorder: Recorder,
        listeners: Sequence[Listener] = (),
        stopped: Callable[[], bool] = bool,
        failures: Mapping[str, int] = NO_FAILURES,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._source, self._stopped, self._failures, self.say = source, stopped, failures, say
        self._split: deque[Pack] = deque()
        self._again: deque[Pack] = deque()
        self._fitting: dict[Program, int] = {}
        self._deaths: dict[str, int] = {}
        self._crashed_alone: Counter[Program] = Counter()
        self._training: dict[str, Pack] = {}
        self._recorder, self._listeners = recorder, listeners

    def next(self) -> Pack | None:
        """Return the pack to train next, those to try again behind the others; None where there is none now."""
        pack = self._take()
        if pack is None:
            return None
        if not pack.completed:  # what goes on from a checkpoint has fitted before, and would lose it
            pack, *others = _parts(pack, self._fitting.get(pack.program, len(pack)))
            self._split.extendleft(reversed(others))
        self._training[pack.id] = pack
        return pack

    def _take(self) -> Pack | None:
        if self._split:
            return self._split.popleft()
        try:
            pack = self._source.next()
        except OSError as error:
            raise _unwritable(text_of(error)) from error
        return pack or (self._again.popleft() if self._again else None)

    def require_running(self) -> None:
        """Raise KeyboardInterrupt where the run is to end. Engines ask every few seconds or more often.

        What a signal raises is lost where it meets a destructor, or a library's callback from C.
        """
        if self._stopped():
            raise KeyboardInterrupt

    @property
    def finished(self) -> bool:
        """Whether every pack has ended."""
        return self._source.exhausted and not (self._split or self._again or self._training)

    @property
    def fitting_size(self) -> int | None:
        """The pack size that was gone down to where larger packs did not fit into memory; None where all did."""
        return min(self._fitting.values(), default=None)

    def on_event(self, event: PackEvent) -> None:
        """Take in what a worker reports.

        Reports on a pack that is not in training, such as a second delivery of its end, change nothing.
        """
        if event.store_error is not None:
            raise _unwritable(event.store_error)
        if (pack := self._training.get(event.pack)) is None:
            return
        if event.failure is not None:
            if event.failure.ends_worker:
                self._on_lost_worker(pack, event.failure)
            else:
                self._fail(pack, event.failure)
            return
        self._notify(pack, event)

    def on_death(self, pack_id: str, reason: str, *, out_of_memory: bool = False) -> None:
        """Take in that the worker of a pack died, `reason` being for example "worker killed by SIGKILL".

        With `out_of_memory` the system has probably killed it for want of memory.
        """
        if (pack := self._training.get(pack_id)) is not None:
            self._on_lost_worker(pack, Failure("out_of_memory" if out_of_memory else "crashed", reason))

    def give_back(self, pack_id: str, why: str) -> None:
        """Try a pack elsewhere that a worker cannot train or write where it is; it is not held against the pack."""
        if (pack := self._training.get(pack_id)) is not None:
            self.say(why)
            self._try_again(pack, [pack])

    def _on_lost_worker(self, pack: Pack, failure: Failure) -> None:
        """Try a pack again that left no worker to go on with; one that is too large for the memory not as it is."""
        tries = self._deaths[pack.id] = self._deaths.get(pack.id, 0) + 1
        too_large = failure.status == "out_of_memory" and len(pack) > 1
        if tries <= MAX_RETRIES and not too_large:
            self._try_again(pack, [pack])
            return
        hint = "; the system may have run out of memory" if "killed by SIGKILL" in failure.message else ""
        self._fail(pack, replace(failure, message=f"{failure.message}, {tries} times{hint}"))

    def _fail(self, pack: Pack, failure: Failure) -> None:
        try:
            if failure.status != "timeout":  # the checkpoint may be the cause
                self._recorder.discard_checkpoint(pack)
            if len(pack) > 1 and self._may_have_good_trials(pack, failure):
                self._halve(pack, failure)
                return
            attempts = [self._failures.get(trial_id, 0) + 1 for trial_id in pack.trial_ids]
            statuses = self._recorder.record_failure(pack, failure, attempts)
        except OSError as error:
            raise _unwritable(text_of(error)) from error
        self._notify(pack, PackEvent(pack.id, 1.0, statuses))

    def _may_have_good_trials(self, pack: Pack, failure: Failure) -> bool:
        if failure.status == "crashed":
            return self._crashed_alone[pack.program] < MAX_CRASHED_ALONE
        return failure.status == "out_of_memory"

    def _halve(self, pack: Pack, failure: Failure) -> None:
        """Try the halves of a pack: of one that was too large behind the others, of one that crashed at once, so that
        the others are not all tried before it turns out that no trial is to blame."""
        halves, is_too_large = pack.halves(), failure.status == "out_of_memory"
        if is_too_large:
            fitting = self._fitting.get(pack.program, len(pack))
            self._fitting[pack.program] = min(fitting, len(halves[0]))
        # A half that loses its worker once more is halved again.
        self._deaths |= {half.id: max(self._deaths.get(pack.id, 0) - 1, 0) for half in halves}
        self._try_again(pack, halves if is_too_large else ())
        if not is_too_large:
            self._split.extendleft(reversed(halves))

    def _try_again(self, pack: Pack, packs: Sequence[Pack]) -> None:
        del self._training[pack.id]
        self._again += packs
        self._notify(pack, PackEvent(pack.id, 0.0))

    def _count_crash(self, pack: Pack, statuses: Counter[str]) -> None:
        if not statuses.keys() <= {*FAILED_STATUSES}:
            self._crashed_alone.pop(pack.program, None)
        elif len(pack) == 1 and "crashed" in statuses:
            self._crashed_alone[pack.program] += 1

    def _notify(self, pack: Pack, event: PackEvent) -> None:
        if event.statuses is not None:
            del self._training[pack.id]
            self._count_crash(pack, event.statuses)
            try:
                self._source.on_end(pack, event.statuses)
            except OSError as error:
                raise _unwritable(text_of(error)) from error
        for listener in self._listeners:
            listener(pack, event)


def _parts(pack: Pack, size: int) -> list[Pack]:
    """Return the fewest packs of at most `size` of the trials of `pack`."""
    if len(pack) <= size:
        return [pack]
    cuts = pairwise(accumulate(even_lengths(len(pack), size), initial=0))
    return [Pack(pack.trials[a:b], stop=pack.stop) for a, b in cuts]


def _unwritable(why: str) -> UsageError:
    return UsageError(f"rows cannot be written: {why}; put that right and run the same command again")
