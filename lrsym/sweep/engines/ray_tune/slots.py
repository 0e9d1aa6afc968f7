"""The slots of a cluster: what takes one up, and those on nodes that do not see the results.

A worker that does not see them, or not any more when it would write, gives its pack back and stays where it is: its
slot gets no other pack until its node sees the results again, while the pack is tried elsewhere.
"""

import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

from lrsym.errors import UsageError
from lrsym.results.store.filesystem import open_filesystem
from lrsym.sweep.execution.task import Task

LOOK_SECONDS = 2.0
"""How often a worker that does not see the results looks again."""

UNSEEN_SECONDS = 30.0
"""How long no node at all may see the results: to put a pack on another one takes Tune some seconds."""

_UNSEEN = "node_without_store"


def marker(task: Task) -> str:
    """Return the name of a file of the driver: a worker that does not see it would write rows to a disk of its own."""
    return f".tune/{task.run_id}/driver"


def why_unseen(task: Task) -> str:
    """Return why this process does not see the results that the driver sees; empty where it does."""
    try:
        return "" if open_filesystem(task.root).exists(marker(task)) else "it is not there"
    except (OSError, UsageError) as error:
        return str(error)


def wait_until_seen(task: Task, why: str, report: Callable[[dict[str, Any]], None]) -> None:
    """Report that this node does not see the results, and why, until it does; called in the worker."""
    while why:
        report({"completed": 0.0, _UNSEEN: platform.node(), "why": why})
        time.sleep(LOOK_SECONDS)
        why = why_unseen(task)


class Slots:
    """Tune trials by what they do, in the driver: at most `workers` of them train, or are to be started.

    `sees_store` tells why the driver does not see the results, and nothing where it does.
    """

    def __init__(
        self, workers: int, *, why_driver_unseen: Callable[[], str] = str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._workers, self._why_driver_unseen, self._clock = workers, why_driver_unseen, clock
        self._live, self._running = set[str](), set[str]()
        self._blind = dict[str, tuple[str, str]]()
        self._unseen_since: float | None = None

    @property
    def any_free(self) -> bool:
        """Whether another Tune trial may be begun."""
        return len(self._live) - len(self._blind) < self._workers

    @property
    def any_blind(self) -> bool:
        """Whether a Tune trial waits on a node that does not see the results."""
        return bool(self._blind)

    def add(self, trial_id: str) -> None:
        """Take in that a Tune trial is to be started."""
        self._live.add(trial_id)

    def on_start(self, trial_id: str) -> None:
        """Take in that a Tune trial runs."""
        self._running.add(trial_id)

    def remove(self, trial_id: str) -> None:
        """Take in that a Tune trial has ended."""
        self._live.discard(trial_id)
        self._running.discard(trial_id)
        self._blind.pop(trial_id, None)

    def on_report(self, trial_id: str, result: Mapping[str, Any]) -> str | None:
        """Return what to tell of a report that a node does not see the results, the first time; None of any other.

        Raises UsageError where the driver does not see them either.
        """
        node = result.get(_UNSEEN)
        if node is None or trial_id in self._blind:
            return None
        if why := self._why_driver_unseen():
            raise UsageError(
                f"neither node {node} of the Ray cluster nor the driver sees the results any more ({why}); put them "
                "back and run the same command again: it trains what is not there"
            )
        self._blind[trial_id] = node, result["why"]
        return (
            f"node {node} of the Ray cluster does not see the results folder ({result['why']}): its pack is trained "
            "elsewhere, and it gets none until it does"
        )

    @staticmethod
    def is_blind(result: Mapping[str, Any]) -> bool:
        """Return whether a report says that its node does not see the results."""
        return _UNSEEN in result

    def require_sight(self) -> None:
        """Raise UsageError where no node that has room has seen the results for UNSEEN_SECONDS."""
        if not self._blind or self._running - self._blind.keys():
            self._unseen_since = None
            return
        now = self._clock()
        self._unseen_since = now if self._unseen_since is None else self._unseen_since
        if now - self._unseen_since > UNSEEN_SECONDS:
            reasons = "; ".join(sorted({f"node {node}: {why}" for node, why in self._blind.values()}))
            raise UsageError(
                f"no node of the Ray cluster that has room sees the results folder ({reasons}), so rows would be lost; "
                "give --results a folder that all nodes share, or an object store that all of them have access to"
            )
