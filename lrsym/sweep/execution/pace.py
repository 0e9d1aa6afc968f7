"""How often something is done beside training that costs time of its own."""

import time
from collections.abc import Callable


class Pace:
    """Do something every `interval` seconds or, where it takes more than `max_overhead` of the time, less often."""

    def __init__(self, *, interval: float, max_overhead: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._max_overhead, self._clock = interval, max_overhead, clock
        self._due = clock() + interval

    def do_if_due(self, action: Callable[[], None]) -> None:
        """Call `action` if the last time is long enough ago."""
        started = self._clock()
        if started < self._due:
            return
        action()
        ended = self._clock()
        self._due = ended + max(self._interval, (ended - started) / self._max_overhead)
