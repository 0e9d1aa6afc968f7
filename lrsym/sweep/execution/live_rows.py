"""What a worker shows of its pack while it trains."""

import contextlib
from collections.abc import Callable

from lrsym.results.store.filesystem import FileSystem
from lrsym.results.store.live import live_file, write_live
from lrsym.sweep.execution.mechanism_rows import Row
from lrsym.sweep.execution.pace import Pace
from lrsym.sweep.planning.pack import Pack

INTERVAL_SECONDS = 5.0
"""Least time between two writes: whoever watches looks about as often, and shorter packs leave nothing."""

MAX_OVERHEAD = 0.01
"""Share of the time that they may take."""


class LiveFile:
    """The evaluations of one pack in `files`, while it has no rows."""

    def __init__(self, files: FileSystem, pack: Pack, *, pace: Pace | None = None) -> None:
        self._files, self._pack = files, pack
        self._pace = pace or Pace(interval=INTERVAL_SECONDS, max_overhead=MAX_OVERHEAD)

    def write_if_due(self, so_far: Callable[[], tuple[list[Row], list[Row]]]) -> None:
        """Write the rows of trials and curves that `so_far` gives, which is called only then. What fails is dropped."""

        def write() -> None:
            trials, curves = so_far()
            with contextlib.suppress(OSError):  # nobody needs it but who looks on
                write_live(self._files, self._pack.id, trials=trials, curves=curves)

        self._pace.do_if_due(write)

    def remove(self) -> None:
        """Remove the file, if there is one: the pack has its rows, or will not have any."""
        self._files.delete(live_file(self._pack.id))
