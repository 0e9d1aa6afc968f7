"""Where a queue gets its packs from: a plan that is ready, or what decides as rows come in."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol

from lrsym.sweep.planning.pack import Pack


class PackSource(Protocol):
    """Gives packs to train, one at a time, and learns how they end. Its methods may raise OSError of the store.

    `alone` says what no other process may do at the same time in the same results; None where many may.
    """

    @property
    def alone(self) -> str | None:
        """What is done by one process at a time."""
        ...

    def next(self) -> Pack | None:
        """Return a pack to train; None where there is none now."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether no pack will come any more."""
        ...

    def on_end(self, pack: Pack, statuses: Counter[str]) -> None:
        """Take in that the rows of a pack, or of a part of one, are in the store, and how its trials ended."""
        ...


class PlannedPacks:
    """The packs of a plan, in its order; each is made one ahead of time."""

    alone = None

    def __init__(self, packs: Iterable[Pack]) -> None:
        self._packs: Iterator[Pack] = iter(packs)
        self._upcoming = next(self._packs, None)

    def next(self) -> Pack | None:
        """Return the next pack; None behind the last."""
        pack, self._upcoming = self._upcoming, next(self._packs, None)
        return pack

    @property
    def exhausted(self) -> bool:
        """Whether the last pack has been given out."""
        return self._upcoming is None

    def on_end(self, pack: Pack, statuses: Counter[str]) -> None:
        """Do nothing: a plan does not change."""
