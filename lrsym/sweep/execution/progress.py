"""What a person sees while a sweep runs: a bar on a terminal, one quiet line a while elsewhere."""

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from lrsym.sweep.execution.task import Progress
from lrsym.sweep.planning.plan import Pack, pack_id, work
from lrsym.vocabulary import FINAL_STATUSES

QUIET_SECONDS = 30.0
"""Time between lines where output is not a terminal."""


class Display:
    """Adds up the progress of packs and shows it on standard error.

    Time left is what is not trained yet, by `work`, at the rate so far; a pack in flight counts with its
    fraction. What was `started` before, the fraction of each of the first packs, is no work of this run.
    """

    def __init__(
        self, packs: tuple[Pack, ...], *, started: Sequence[float] = (), console: Console | None = None
    ) -> None:
        self._work = {pack_id(pack): work(pack) for pack in packs}
        self._fraction: dict[str, float] = dict.fromkeys(self._work, 0.0) | dict(zip(self._work, started, strict=False))
        before = sum(self._work[name] * fraction for name, fraction in self._fraction.items())
        self._all_work, self._done_work = sum(self._work.values()) - before, 0.0
        self._trials = sum(len(pack) for pack in packs)
        self._started = self._last_line = time.monotonic()
        self._console = console or Console(file=sys.stderr)
        self._bar = Bar(
            TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(), console=self._console, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("trials", total=self._trials, note="starting workers")
        self._ended: set[str] = set()
        self.statuses: Counter[str] = Counter()

    @property
    def ended(self) -> int:
        """Trials that have ended, in whatever status."""
        return self.statuses.total()

    def listen(self, news: Progress) -> None:
        """Take in one piece of news, at a cost that does not grow with the sweep; a pack ends only once."""
        self._done_work += self._work[news.pack] * (news.fraction - self._fraction[news.pack])
        self._fraction[news.pack] = news.fraction
        if news.statuses is not None and news.pack not in self._ended:
            self._ended.add(news.pack)
            self.statuses.update(news.statuses)
        self._bar.update(self._task, completed=self.ended, note=self._note())
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line > QUIET_SECONDS:
            self._last_line = now
            self._console.print(f"trials {self.ended}/{self._trials}  {self._note()}", highlight=False, soft_wrap=True)

    def _note(self) -> str:
        spent = time.monotonic() - self._started
        share = self._done_work / self._all_work
        if share < 1e-9 or not spent:  # sums of fractions leave a rounding error
            return "starting workers"
        rate, left = self._trials * share / spent * 60, spent * max(0.0, 1 - share) / share
        soon = f"{duration(left)} left" if left >= 1 else "about to end"
        return f"{rate:.1f} a minute, {soon}{failures(self.statuses)}"

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def failures(statuses: Mapping[str, int]) -> str:
    """Trials that did not end as done, in words; empty where there are none."""
    odd = [f"{n} {status}" for status, n in statuses.items() if status != "done" and n]
    return f", {', '.join(odd)}" if odd else ""


def retried(statuses: Mapping[str, int]) -> int:
    """Trials that the next sweep tries again."""
    return sum(n for status, n in statuses.items() if status not in FINAL_STATUSES)


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
