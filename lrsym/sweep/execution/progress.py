"""What a person sees while a sweep runs: a bar on a terminal, one quiet line a while elsewhere."""

import contextlib
import io
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import IO, Any, Self, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lrsym.errors import printable
from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.packing import PackList
from lrsym.sweep.planning.workload import work
from lrsym.vocabulary import FAILED_STATUSES

QUIET_SECONDS = 30.0
"""Time between lines where output is not a terminal."""


class Display:
    """Adds up the progress of packs and shows it on standard error, where that is no terminal every `quiet_seconds`.

    Nothing is shown where it is not to be `shown`.

    Time left is what is not trained yet, by `work`, at the rate so far; a pack in flight counts with its
    fraction. What a checkpoint has behind it is no work of this run. The start of workers says nothing about their
    rate: it counts from their first reports on, and nothing is told before a second one.
    """

    def __init__(
        self,
        packs: PackList,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        quiet_seconds: float = QUIET_SECONDS,
        shown: bool = True,
    ) -> None:
        self._all_work = sum(work(trial, n) * remaining for trial, n, remaining in packs.sizes())
        self._in_flight: dict[str, tuple[float, float, float]] = {}  # by pack: its work, fraction completed, told when
        self._done_work = self._first_work = 0.0
        self._first_reports: list[float] = []  # when each pack began to report that did before any had ended
        self._trials = packs.n_trials
        self._clock, self._quiet_seconds = clock, quiet_seconds if shown else math.inf
        self._started = self._last_line = clock()
        self._console = console or Console(file=cast(IO[str], LossyStream(sys.stderr or io.StringIO())))
        self._is_terminal = (
            shown and self._console.is_terminal
        )  # rich asks the environment each time, at the cost of an event
        self._bar = Progress(
            TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(), console=self._console, disable=not self._is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("trials", total=self._trials, note="starting workers")
        self.statuses: Counter[str] = Counter()

    @property
    def ended(self) -> int:
        """Trials that have ended, in whatever status."""
        return self.statuses.total()

    def update(self, pack: Pack, event: PackEvent) -> None:
        """Take in an event of a pack, at a cost that does not grow with the sweep."""
        now, begins = self._clock(), pack.id not in self._in_flight
        of_pack, before, _ = self._in_flight.get(pack.id) or (work(pack.trials[0], len(pack)), pack.completed, now)
        self._done_work += of_pack * (event.completed - before)
        self._in_flight[pack.id] = (of_pack, event.completed, now)
        if event.statuses is not None:
            del self._in_flight[pack.id]
            self.statuses.update(event.statuses)
        elif begins and not self.ended:
            self._first_reports.append(now)
            self._first_work += of_pack * (event.completed - before)
        if self._is_terminal:
            self._bar.update(self._task, completed=self.ended, note=self._note())
        elif now - self._last_line > self._quiet_seconds:
            self._last_line = now
            line = f"trials {self.ended}/{self._trials}  {self._note()}"
            self.say(line)

    def say(self, text: str) -> None:
        """Print a line beside the progress; nothing where not even that is to be seen."""
        if self._is_terminal or self._quiet_seconds < math.inf:
            self._console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def _note(self) -> str:
        rate = self._rate()
        if rate is None:
            return f"{'training' if self._first_reports else 'starting workers'}{failures(self.statuses)}"
        left = max(0.0, self._all_work - self._done_work) / rate  # a search expects, and may err
        soon = f"{duration(left)} left" if left >= 1 else "about to end"
        return f"{60 * self._trials * rate / self._all_work:.1f} a minute, {soon}{failures(self.statuses)}"

    def _rate(self) -> float | None:
        """Return the work done a second; None before two reports of a pack can tell.

        Of n workers that trained since the moments of their first reports, as since the mean of these, until each last
        told: what they have trained after that nobody knows yet.
        """
        now, n = self._clock(), max(1, len(self._first_reports))
        began = sum(self._first_reports) / n if self._first_reports else self._started
        # Those that have completed nothing wait to be tried again.
        training = [told for _, completed, told in self._in_flight.values() if completed]
        untold = sum(now - told for told in training) / max(n, len(training))
        done, seconds = self._done_work - self._first_work, now - began - untold
        if done < 1e-9 * self._all_work or seconds < 1e-9 or not self._all_work:  # sums leave a rounding error
            return None
        return done / seconds

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def failures(statuses: Mapping[str, int]) -> str:
    """Return how many trials did not end as done, in words; empty where there are none."""
    odd = [f"{n} {status}" for status, n in statuses.items() if status != "done" and n]
    return f", {', '.join(odd)}" if odd else ""


def retried(statuses: Mapping[str, int]) -> int:
    """Return how many trials the next sweep tries again."""
    return sum(n for status, n in statuses.items() if status in FAILED_STATUSES)


def duration(seconds: float) -> str:
    """Return seconds in the unit a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class LossyStream:
    """A text stream that drops what cannot be written: its terminal or its reader has gone, or its disk is full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`, or drop it."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written, or drop it."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
