"""A queue that adds up what its packs take, and hands out no more of them once a limit is reached."""

import time
from collections.abc import Callable, Mapping, Sequence

from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.pack_source import PackSource
from lrsym.sweep.execution.queue import Listener, PackQueue, Recorder
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.plan import NO_FAILURES


class MeteredQueue(PackQueue):
    """A queue whose packs take workers at most `limit` seconds, and what those in training then still take.

    Every try of a pack counts from when it is handed out to when its worker is done with it. What is not handed out is
    neither tried nor recorded: it is left for another run.
    """

    def __init__(
        self,
        source: PackSource,
        *,
        recorder: Recorder,
        listeners: Sequence[Listener] = (),
        stopped: Callable[[], bool] = bool,
        limit: float = float("inf"),
        failures: Mapping[str, int] = NO_FAILURES,
        say: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(source, recorder=recorder, listeners=listeners, stopped=stopped, failures=failures, say=say)
        self._limit, self._clock, self._counted, self._until = limit, clock, 0.0, clock()

    def next(self) -> Pack | None:
        """Return the pack to train next; None where there is none now, or the limit is reached."""
        return super().next() if self.worker_seconds() < self._limit else None

    @property
    def finished(self) -> bool:
        """Whether every pack has ended that may be handed out."""
        return super().finished or (not self._training and self.worker_seconds() >= self._limit)

    def on_event(self, event: PackEvent) -> None:
        """Take in what a worker reports."""
        self.worker_seconds()
        super().on_event(event)

    def on_death(self, pack_id: str, reason: str, *, out_of_memory: bool = False) -> None:
        """Take in that the worker of a pack died."""
        self.worker_seconds()
        super().on_death(pack_id, reason, out_of_memory=out_of_memory)

    def give_back(self, pack_id: str, why: str) -> None:
        """Take in that a pack is to be tried elsewhere."""
        self.worker_seconds()
        super().give_back(pack_id, why)

    def worker_seconds(self) -> float:
        """Return the seconds that packs have taken workers up to now."""
        # Whatever starts or ends a pack asks first, so as many were in training all the time since the last call.
        now = self._clock()
        self._counted += (now - self._until) * len(self._training)
        self._until = now
        return self._counted
