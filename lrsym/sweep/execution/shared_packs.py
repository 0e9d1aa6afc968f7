"""The packs of a source, shared with the other sweeps that train in the same results folder."""

import time
from collections import Counter
from collections.abc import Callable, Iterable

from lrsym.errors import counted
from lrsym.results.store.store import Store, read_again
from lrsym.sweep.execution.checkpoint import list_checkpoints
from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.lease import Lease
from lrsym.sweep.execution.pack_source import PackSource
from lrsym.sweep.execution.queue import Listener
from lrsym.sweep.planning.pack import Pack
from lrsym.vocabulary import FINAL_STATUSES

POLL_SECONDS = 1.0
"""Time between two looks at the others' leases while all that is left is theirs."""


class SharedPacks:
    """The packs of `source` without the trials that another sweep has in training, or has finished since the plan.

    What others have in training is given out last, once they have let go of it without a result; `next` is None until
    then. What they finish ends here as well: `source` learns of it, and `on_elsewhere` gets the event.
    """

    def __init__(
        self,
        source: PackSource,
        lease: Lease,
        store: Store,
        *,
        on_elsewhere: Listener,
        say: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._lease, self._store = source, lease, store
        self._on_elsewhere, self._say, self._clock = on_elsewhere, say, clock
        self._waiting: list[Pack] = []
        self._due, self._told = clock(), False
        self._parts: dict[str, object] = {}
        self._finished: dict[str, str] = {}
        self.elsewhere = 0
        """Trials that others have finished."""

    @property
    def exhausted(self) -> bool:
        """Whether no pack will come any more."""
        return self._source.exhausted and not self._waiting

    @property
    def alone(self) -> str | None:
        """As that of the source."""
        return self._source.alone

    def next(self) -> Pack | None:
        """Return a pack that nobody else trains; None where there is none now. Raises OSError."""
        while (pack := self._source.next()) is not None:
            if (mine := self._take(pack)) is not None:
                return mine
        if not self._waiting or self._clock() < self._due:
            return None
        pack = self._take_over()
        self._due = self._clock() + (POLL_SECONDS if pack is None else 0)
        return pack

    def on_end(self, pack: Pack, statuses: Counter[str]) -> None:
        """Let go of the trials of a pack, or of a part of one."""
        self._lease.release(pack.trial_ids)
        self._source.on_end(pack, statuses)

    def _take(self, pack: Pack) -> Pack | None:
        """Return `pack`, or what is left of it; what others have in training waits."""
        had_others = bool(self._lease.met)
        mine = self._lease.claim(pack.trial_ids)
        # Their rows are looked for after the claim: whoever let go before it had written them.
        if had_others or self._lease.met or not self._parts:
            self._read_rows(_rule_name(pack))
        finished = {trial_id for trial_id in pack.trial_ids if trial_id in self._finished}
        self._lease.release(finished & mine)
        self._end_elsewhere(_part(pack, finished))
        waiting = _part(pack, {*pack.trial_ids} - mine - finished)
        self._waiting += [waiting] if waiting else []
        return _part(pack, mine - finished)

    def _take_over(self) -> Pack | None:
        """Return a pack of what waits and nobody has in training any more, from its checkpoint if it has one."""
        held = {trial_id for other in self._lease.others() for trial_id in other.trial_ids}
        packs, self._waiting, mine = self._from_checkpoints(self._waiting, held), [], None
        for pack in packs:
            if mine is not None or held.issuperset(pack.trial_ids):
                self._waiting.append(pack)
            elif (mine := self._take(pack)) is not None:
                self._say(f"{counted(len(mine), 'trial')} that another sweep has given up are trained here")
        n = sum(map(len, self._waiting))
        if n and not self._told:
            self._say(f"waiting for {counted(n, 'trial')} that another sweep has in training")
        self._told = bool(n)
        return mine

    def _from_checkpoints(self, packs: list[Pack], held: set[str]) -> list[Pack]:
        """Return the trials of `packs`, those that nobody holds and that have a checkpoint in the pack that left it."""
        free = {i: (trial, pack) for pack in packs for i, trial in zip(pack.trial_ids, pack.trials, strict=True)}
        free = {i: found for i, found in free.items() if i not in held}
        if not free:
            return packs
        started = list[Pack]()
        for trial_ids, completed in list_checkpoints(self._store.root, stop_rule=_rule_name(packs[0])):
            if free.keys() >= {*trial_ids}:
                trials, of_packs = zip(*map(free.pop, trial_ids), strict=True)
                started.append(Pack(trials, completed, of_packs[0].stop))
        gone = {trial_id for pack in started for trial_id in pack.trial_ids}
        return [*started, *filter(None, (_part(pack, {*pack.trial_ids} - gone) for pack in packs))]

    def _read_rows(self, stop_rule: str | None) -> None:
        """Take in the rows that came since the last time; what the rule of the source has stopped is finished."""

        def read() -> None:
            parts = self._store.trial_parts()
            new = [name for name, stamp in parts.items() if self._parts.get(name) != stamp]
            statuses = self._store.statuses(stop_rule=stop_rule, parts=new)
            self._finished |= {i: status for i, status in statuses.items() if status in FINAL_STATUSES}
            self._parts = dict(parts)

        read_again(read)

    def _end_elsewhere(self, pack: Pack | None) -> None:
        if pack is None:
            return
        statuses = Counter(self._finished[trial_id] for trial_id in pack.trial_ids)
        self.elsewhere += len(pack)
        self._source.on_end(pack, statuses)
        self._on_elsewhere(pack, PackEvent(pack.id, 1.0, statuses))


def _rule_name(pack: Pack) -> str | None:
    return pack.stop.name if pack.stop else None


def _part(pack: Pack, trial_ids: Iterable[str]) -> Pack | None:
    """Return the pack of these trials of `pack`, itself if it is of all of them, None if it is of none."""
    wanted = {*trial_ids}
    trials = tuple(trial for trial in pack.trials if trial.trial_id in wanted)
    return pack if len(trials) == len(pack) else Pack(trials, stop=pack.stop) if trials else None
