"""The pilot: seconds of measuring that decide pack size and workers, and tell what a sweep will cost.

The program with most of the work decides. When there is a pilot, and what it measures in which order:
docs/decisions/packs.md.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from lrsym.sweep.pilot.measurement import Ask, Look
from lrsym.sweep.pilot.programs import seconds_of_look, survey
from lrsym.sweep.planning.cost import Interval, Rates
from lrsym.sweep.planning.plan import MAX_PACK, Group, Pack, Program, fastest_size, groups, largest_pack
from lrsym.sweep.workers.pool import Crew, PilotError

GAIN, FEWER_GAIN = 0.05, 0.2
"""A larger pack must bring at least the first share of throughput, fewer workers than there could be the second."""

CHOOSING_SECONDS = 6.5
"""No steps are looked at to choose that would take until later; the rest of BUDGET_SECONDS is for the cost."""

MOST_AT_ONCE = 16
"""How many processes measure at once."""

SIZES = {"cpu": (2, 4, 8, 16), "cuda": tuple(8 << doubled for doubled in range(10))}
"""Pack sizes that are tried: a core gains nothing beyond, a GPU goes on until memory or gain end."""

NO_TIME = "no time"

SAFE_MEMORY = 0.8
"""Share of free memory that is planned with."""


@dataclass(frozen=True)
class Room:
    """What a pilot chooses from: at most `most_workers` on `device`, or exactly what is given."""

    device: str
    most_workers: int
    workers: int | None = None
    pack_size: int | None = None


@dataclass(frozen=True)
class Findings:
    """What a pilot of `seconds` chose and `why`; what it knows: `rates` by program, `startup` seconds of workers."""

    seconds: float
    pack_size: int
    workers: int
    why: str
    rates: Mapping[Program, Rates]
    startup: Interval


def run_pilot(packs: Sequence[Pack], room: Room, *, threads: int, started: Sequence[float] = ()) -> Findings:
    """Measure trials of `packs` and choose; of the first ones the fractions `started` are done.

    Raises PilotError where not even one trial could be measured.
    """
    with Crew(min(room.workers or room.most_workers, MOST_AT_ONCE), device=room.device, threads=threads) as crew:
        return Pilot(packs, room, crew, started=started).findings()


class Pilot:
    """What to ask the crew next, and what to conclude."""

    def __init__(self, packs: Sequence[Pack], room: Room, crew: Crew, *, started: Sequence[float] = ()) -> None:
        self._room, self._crew = room, crew
        self._packs, self._started = packs, started
        self._groups = groups(packs, most=room.pack_size or SIZES[room.device][-1])
        self._bound = largest_pack(sum(map(len, packs)), workers=room.workers or room.most_workers)
        self._rule = min(MAX_PACK[room.device], self._bound)

    def findings(self) -> Findings:
        """Measure in the order of what matters most, until all is known or the time is over."""
        group = next(iter(self._groups.values()))
        looks, ended = self._larger(group, self._ask(group.trials[:1]))
        size = max(looks) if self._room.pack_size is not None else best_size(looks)
        workers, step, why_workers = self._choose_workers(group, looks[size])
        share = step.value / looks[size].step.value
        steps = {k: look.step * share for k, look in looks.items()} | {size: step}
        rates = survey(self._groups, steps, self._crew, device=self._room.device)
        cheapest, reasons = self._size(size, looks, ended)
        chosen = self._early(cheapest, rates, workers=workers) if self._room.pack_size is None else cheapest
        if chosen < cheapest:
            reasons += [f"with packs of {cheapest} the sweep would end later"]
        why_size = f" ({'; '.join(reasons)})" if reasons else ""
        return Findings(
            rates=rates,
            seconds=self._crew.seconds,
            pack_size=chosen,
            workers=workers,
            why=f"packs of {chosen}{why_size}, {counted(workers)}{why_workers}; "
            f"{1000 * step.value / size:.3g} ms a step and trial",
            startup=Interval.of([self._crew.startup]).widened(1.25),
        )

    def _ask(self, pack: Pack, *, at_once: int | None = None) -> Look:
        return self._crew.ask(Ask(pack), at_once=at_once or self._crew.size)

    def _may_look(self, step: float) -> bool:
        """Whether there is time to look at a pack whose step takes `step` seconds, to choose by it."""
        return self._crew.seconds + seconds_of_look(step) <= CHOOSING_SECONDS

    def _larger(self, group: Group, first: Look) -> tuple[dict[int, Look], str]:
        """Looks by pack size, and why they end where they do; four times the best size is the last."""
        looks, last = {1: first}, first
        for size in self._sizes(len(group.trials)):
            if last.memory * size / last.size * self._sharers > SAFE_MEMORY * self._capacity(last):
                return looks, "larger ones may not fit into memory"
            if not self._may_look(last.step.value * size / last.size):
                return looks, NO_TIME
            try:
                last = looks[size] = self._ask(group.trials[:size])
            except PilotError as error:
                return looks, f"{size} failed: {error}"
            if size >= 4 * best_size(looks):
                break
        return looks, ""

    def _size(self, best: int, looks: Mapping[int, Look], ended: str) -> tuple[int, list[str]]:
        """The cheapest pack size, `best` being the best of those looked at, and why."""
        if self._room.pack_size is not None:
            return self._room.pack_size, [ended] if ended and ended != NO_TIME else []
        if best < max(looks):
            return best, ["larger ones train no cheaper"]
        if ended == NO_TIME:
            return max(best, self._rule), [f"by rule: no time to measure packs of more than {best}"]
        if not ended and best >= self._bound:
            ended = "larger ones leave a worker without one"
        return best, [ended] if ended else []

    def _early(self, cheapest: int, rates: Mapping[Program, Rates], *, workers: int) -> int:
        """The size up to the `cheapest` with which the sweep ends first."""

        def seconds(pack: Pack) -> float:
            return rates[pack[0].program].seconds(pack).value

        before = self._packs[: len(self._started)]
        busy = [seconds(pack) * (1 - done) for pack, done in zip(before, self._started, strict=True)]
        fresh = chain.from_iterable(self._packs[len(before) :])
        return fastest_size(fresh, cheapest, workers=workers, seconds=seconds, busy=busy)

    def _sizes(self, trials: int) -> list[int]:
        """Sizes to try after one, ascending."""
        if self._room.pack_size is not None:
            return [size for size in (min(self._room.pack_size, trials),) if size > 1]
        end = min(self._bound, trials, SIZES[self._room.device][-1])
        return sorted({size for size in SIZES[self._room.device] if size < end} | ({end} - {1}))

    @property
    def _sharers(self) -> int:
        """Processes that share the memory: all on this machine, each its own GPU."""
        return self._crew.size if self._room.device == "cpu" else 1

    def _capacity(self, look: Look) -> float:
        """Bytes for all that share the memory; what the others held while one measured is there for them."""
        return look.capacity + (self._sharers - 1) * look.memory

    def _choose_workers(self, group: Group, look: Look) -> tuple[int, Interval, str]:
        """How many workers, the seconds of a step of a pack then, and why."""
        most, all_at_once = self._room.most_workers, self._crew.size
        if self._room.workers is not None:
            return self._room.workers, look.step, ""
        steps = {all_at_once: look.step}
        for at_once in sorted({1, all_at_once // 2} - {0, all_at_once}) if self._room.device == "cpu" else ():
            self._look_again(group, look, at_once, steps)
        speed = _speeds(steps)
        best = max(speed, key=lambda at_once: speed[at_once])
        if best != all_at_once:  # it may have been a bad moment
            self._look_again(group, look, all_at_once, steps)
            speed = _speeds(steps)
        if speed[best] < speed[all_at_once] * (1 + FEWER_GAIN):
            best = all_at_once
        room = max(1, int(SAFE_MEMORY * self._capacity(look) / look.memory)) if self._room.device == "cpu" else most
        if room < best:
            return room, look.step, f" (each takes {look.memory / 1e9:.1f} GB)"
        told = f" ({speed[best] / speed[1]:.1f} times as fast as 1)" if best > 1 and 1 in speed else ""
        return (min(most, room) if best == all_at_once else best), steps[best], told

    def _look_again(self, group: Group, look: Look, at_once: int, steps: dict[int, Interval]) -> None:
        """Put into `steps` how long one takes with so many `at_once`, if there is time and unless it was faster."""
        if self._may_look(look.step.value):
            with contextlib.suppress(PilotError):
                found = self._ask(group.trials[: look.size], at_once=at_once).step
                steps[at_once] = min(found, steps.get(at_once, found), key=lambda step: step.low)


def best_size(looks: Mapping[int, Look]) -> int:
    """The smallest pack size that no larger one beats by GAIN; what other programs do meanwhile does not count."""
    seconds = {size: look.busy / size for size, look in looks.items()}
    return min(size for size in seconds if seconds[size] <= min(seconds.values()) * (1 + GAIN))


def _speeds(steps: Mapping[int, Interval]) -> dict[int, float]:
    """Steps a second by the number of processes, judged by their fastest chunks."""
    return {at_once: at_once / step.low for at_once, step in steps.items()}


def counted(workers: int) -> str:
    """So many workers, in words."""
    return f"{workers} worker" if workers == 1 else f"{workers} workers"
