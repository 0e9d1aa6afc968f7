"""A plan cut to the hours that a command may take: the highest replicates are left out first, then the last cells."""

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lrsym.errors import UsageError
from lrsym.sweep.planning.cost import two_digits
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.packing import PackList, Seconds, ShapeGroup, even_lengths
from lrsym.sweep.planning.plan import Plan
from lrsym.sweep.planning.settings import Settings


class HourLimitError(UsageError):
    """The hours are not enough for any pack."""


@dataclass(frozen=True)
class LeftOut:
    """What a limit of hours leaves out of a plan: how many trials of each seed, ascending.

    They would take `hours`, by the rough rule if `rough`. `limit` is the option that leaves them out.
    """

    by_seed: Mapping[int, int]
    hours: float
    rough: bool
    limit: str

    @property
    def trials(self) -> int:
        """The number of trials."""
        return sum(self.by_seed.values())


def fit_to_hours(plan: Plan, settings: Settings, seconds: Seconds, *, rough: bool) -> tuple[Plan, LeftOut]:
    """Return `plan` with what `settings.max_hours` are enough for, by the `seconds` of packs, and what is left out.

    Packs with a checkpoint are kept before others, then trials by replicate, those of one replicate by cell. What is
    kept is trained in that order, too: a run that stops early lacks the highest replicates. `rough` says that the
    seconds are. Raises HourLimitError where nothing can be kept.
    """
    units = settings.units_per_worker(plan.workers)
    kept, others, left = _keep_started(plan.packs.started, seconds, settings.worker_seconds(plan.workers))
    ranked = _RankedTrials(plan, seconds)
    n = bisect_right(range(len(ranked.places) + 1), left, key=ranked.seconds_of_first) - 1
    if not kept and not n:
        least = [pack_seconds for _, pack_seconds in others] + [ranked.seconds_of_first(1)] * bool(ranked.places)
        raise _too_little(settings, min(least) * units / 3600, rough=rough)
    by_seed = Counter(plan.seeds[place % len(plan.seeds)] for place in ranked.places[n:])
    by_seed.update(trial.seed for pack, _ in others for trial in pack.trials)
    lost = ranked.seconds_of_first(len(ranked.places)) - ranked.seconds_of_first(n) + sum(s for _, s in others)
    left_out = LeftOut(dict(sorted(by_seed.items())), lost * units / 3600, rough, settings.limit)
    return replace(plan, packs=ranked.packs_of_first(n, started=kept)), left_out


def _keep_started(
    packs: Sequence[Pack], seconds: Seconds, left: float
) -> tuple[list[Pack], list[tuple[Pack, float]], float]:
    """Return the packs for which `left` seconds are enough, the others with what they take, and what is left then."""
    kept: list[Pack] = []
    others: list[tuple[Pack, float]] = []
    for pack in packs:
        needed = seconds(pack.trials[0], len(pack)) * pack.remaining
        if needed <= left:
            kept.append(pack)
            left -= needed
        else:
            others.append((pack, needed))
    return kept, others, left


class _RankedTrials:
    """The trials of a plan that have no checkpoint, as their `places`: by replicate, then by cell."""

    def __init__(self, plan: Plan, seconds: Seconds) -> None:
        self._packs, self._replicates, self._seconds = plan.packs, len(plan.seeds), seconds
        group_of = array("i", bytes(4 * len(self._packs.trials)))  # a sweep may have a million trials
        for number, group in enumerate(self._packs.groups):
            for place in group.places:
                group_of[place] = number
        places = sorted(place for group in self._packs.groups for place in group.places)
        self.places = sorted(places, key=lambda place: place % self._replicates)
        self._groups = array("i", (group_of[place] for place in self.places))
        self._known: dict[tuple[int, int], float] = {}

    def seconds_of_first(self, n: int) -> float:
        """Return what packs of the first `n` take workers."""
        sizes = Counter(self._groups[:n])
        kinds = Counter((number, k) for number, size in sizes.items() for k in even_lengths(size, self._packs.size))
        for number, k in kinds.keys() - self._known.keys():
            self._known[number, k] = self._seconds(self._packs.groups[number].example, k)
        return sum(self._known[kind] * count for kind, count in kinds.items())

    def packs_of_first(self, n: int, *, started: Sequence[Pack]) -> PackList:
        """Return the packs of the first `n` behind those `started`, lower replicates first."""
        members: list[list[int]] = [[] for _ in self._packs.groups]
        for place, number in zip(self.places[:n], self._groups[:n], strict=True):
            members[number].append(place)
        trials = self._packs.trials
        groups = [ShapeGroup(trials[places[0]], places) for places in members if places]
        of_all = self._packs
        return PackList(
            trials, groups, size=of_all.size, started=started, replicates=self._replicates, stop=of_all.stop
        )


def _too_little(settings: Settings, least: float, *, rough: bool) -> HourLimitError:
    digit = 10.0 ** (math.floor(math.log10(least)) - 1)
    enough = math.ceil(least / digit) * digit
    rule = "by a rough rule, right to a factor of three" if rough else "by the pilot"
    return HourLimitError(
        f"{settings.limit} is less than the smallest pack takes; give at least {two_digits(enough)} ({rule})"
    )
