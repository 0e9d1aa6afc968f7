"""From trials to packs: which trials go together, and how many."""

import heapq
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil
from typing import overload

from lrsym.config.trial import Trial
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.stop_rule import StopRule
from lrsym.sweep.planning.workload import rough_seconds, work

MAX_PACK_SIZE = {"cpu": 8, "cuda": 256}
"""Largest default pack: 8 is measured to pay on a core (docs/benchmarks.md), 256 on a GPU is assumed."""

MAKESPAN_TOLERANCE = 0.02
"""With larger packs a sweep may end later by this share."""

Seconds = Callable[[Trial, int], float]
"""What a pack takes: of so many trials like the one given."""


@dataclass(frozen=True)
class ShapeGroup:
    """Trials of one static shape, as places in a sequence of trials; `example` is one of them."""

    example: Trial
    places: Sequence[int]


class PackList(Sequence[Pack]):
    """Packs, each made when it is asked for: a sweep of a million trials is planned without as many objects.

    The packs that go on from a checkpoint come first, then the others, of at most `size` trials, longest training
    first. The trials of a group are spread evenly over its packs, so that no pack is left with a remnant. With the
    number of `replicates` of each cell, packs that begin with a lower replicate come before those with a higher one.
    All but the started ones get `stop`, which those have themselves.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        groups: Sequence[ShapeGroup],
        *,
        size: int,
        started: Sequence[Pack] = (),
        replicates: int = 1,
        stop: StopRule | None = None,
    ) -> None:
        self.groups, self.size, self.started, self.trials = groups, size, tuple(started), trials
        self.stop, self._replicates = stop, replicates
        self._cuts = [
            (group, slice(a, b))
            for group in groups
            for a, b in pairwise([0, *accumulate(even_lengths(len(group.places), size))])
        ]
        works = {id(group): work(group.example) for group in groups}

        def order(cut: tuple[ShapeGroup, slice]) -> tuple[int, float]:
            group, part = cut
            return group.places[part.start] % replicates, -works[id(group)] * (part.stop - part.start)

        self._cuts.sort(key=order)

    def __len__(self) -> int:
        return len(self.started) + len(self._cuts)

    @overload
    def __getitem__(self, index: int) -> Pack: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Pack, ...]: ...
    def __getitem__(self, index: int | slice) -> Pack | tuple[Pack, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        if index < len(self.started):
            return self.started[index]
        group, cut = self._cuts[index - len(self.started)]
        return Pack(tuple(self.trials[place] for place in group.places[cut]), stop=self.stop)

    @property
    def n_trials(self) -> int:
        """The number of trials of all packs."""
        return sum(n for _, n, _ in self.sizes())

    def sizes(self) -> Iterator[tuple[Trial, int, float]]:
        """Yield an example trial, the number of trials and the fraction left to train of each pack, in order."""
        yield from ((pack.trials[0], len(pack), pack.remaining) for pack in self.started)
        yield from ((group.example, cut.stop - cut.start, 1.0) for group, cut in self._cuts)

    def places(self) -> Iterator[Sequence[int]]:
        """Yield the places of the trials of each pack without a checkpoint, in order."""
        yield from (group.places[cut] for group, cut in self._cuts)

    def examples(self, group: ShapeGroup, n: int) -> tuple[Trial, ...]:
        """Return at most `n` trials of `group`, from its middle on: a grid begins with its smallest data sets."""
        middle = len(group.places) // 2
        places = [*group.places[middle:], *group.places[:middle]] if middle < n else group.places[middle : middle + n]
        return tuple(self.trials[place] for place in places[:n])

    def resized(self, size: int) -> "PackList":
        """Return the same trials in packs of at most `size`, but for the packs that have a checkpoint."""
        return PackList(
            self.trials, self.groups, size=size, started=self.started, replicates=self._replicates, stop=self.stop
        )

    def sample(self, n: int) -> "PackList":
        """Return packs of `n` of the trials without a checkpoint, spread evenly, behind the packs that have one."""
        places = sorted(place for group in self.groups for place in group.places)
        kept = {*places} if n >= len(places) else {places[i * len(places) // n] for i in range(n)}
        chosen = [[place for place in group.places if place in kept] for group in self.groups]
        groups = [ShapeGroup(self.trials[members[0]], members) for members in chosen if members]
        return PackList(self.trials, groups, size=self.size, started=self.started, stop=self.stop)


def make_packs(trials: Sequence[Trial], *, size: int) -> PackList:
    """Return `trials` in packs of at most `size`, longest training first."""
    return PackList(trials, group_by_shape(trials, [trial.static_shape for trial in trials]), size=size)


def group_by_shape(
    trials: Sequence[Trial], shapes: Sequence[Hashable], places: Iterable[int] | None = None
) -> list[ShapeGroup]:
    """Return the trials at `places`, by default all, by static shape, in order of first appearance.

    `shapes` has an entry for each cell, equal where cells have one shape; the trials of a cell stand side by side.
    """
    groups: dict[Hashable, list[int]] = {}
    replicates = len(trials) // len(shapes) if shapes else 1
    for place in range(len(trials)) if places is None else places:
        groups.setdefault(shapes[place // replicates], []).append(place)
    return [ShapeGroup(trials[members[0]], members) for members in groups.values()]


def default_pack_size(groups: Sequence[ShapeGroup], *, workers: int, device: str, busy: Sequence[float] = ()) -> int:
    """Return the default pack size. CPU: the one with the shortest rough makespan. GPU: the largest that still gives
    every worker a pack. `busy` are the seconds that packs take which come first."""
    if device == "cuda":
        return min(MAX_PACK_SIZE[device], largest_pack(sum(len(g.places) for g in groups), workers=workers))
    return fastest_size(groups, MAX_PACK_SIZE[device], workers=workers, seconds=rough_seconds, busy=busy)


def largest_pack(n_trials: int, *, workers: int) -> int:
    """Return the size of the largest pack that leaves no worker without one."""
    return max(1, ceil(n_trials / workers))


def fastest_size(
    groups: Sequence[ShapeGroup], largest: int, *, workers: int, seconds: Seconds, busy: Sequence[float] = ()
) -> int:
    """Return the largest size up to `largest` with which a sweep ends as early as with any other.

    Within MAKESPAN_TOLERANCE. `busy` is what packs take that come first. Larger packs are cheaper; but one too many of
    them, and a worker trains it while the others wait. A smaller size than `largest` is the length of a pack.
    """
    durations: dict[tuple[int, int], float] = {}

    def duration(number: int, length: int) -> float:
        if (number, length) not in durations:
            durations[number, length] = seconds(groups[number].example, length)
        return durations[number, length]

    def end(size: int) -> tuple[float, float]:
        """Return when the sweep ends, and when it would at best if its packs could be cut anywhere."""
        cut = ((i, length) for i, group in enumerate(groups) for length in even_lengths(len(group.places), size))
        longest_first = sorted((duration(*kind) for kind in cut), reverse=True)
        return makespan([*busy, *longest_first], workers=workers), (sum(busy) + sum(longest_first)) / workers

    last, best = end(largest)
    if last <= best * (1 + MAKESPAN_TOLERANCE):
        return largest
    ends = {size: end(size)[0] for size in range(1, largest + 1)}
    size = max(size for size, last in ends.items() if last <= min(ends.values()) * (1 + MAKESPAN_TOLERANCE))
    return size if size == largest else max(max(even_lengths(len(group.places), size)) for group in groups)


def makespan(durations: Iterable[float], *, workers: int) -> float:
    """Return when the last of `durations` ends, if each in turn goes to the worker that is free first."""
    free = [0.0] * workers
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def even_lengths(n: int, size: int) -> list[int]:
    """Return the lengths of the fewest parts of `n` with at most `size` each, as even as can be."""
    parts = ceil(n / size)
    return [(n + i) // parts for i in range(parts)]
