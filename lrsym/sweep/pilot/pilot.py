"""The pilot: seconds of measuring that decide pack size and workers, and tell what a sweep will cost.

The program with most of the work decides. When there is a pilot, and what it measures in which order:
docs/decisions/packs.md.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from lrsym.config.trial import Trial
from lrsym.sweep.pilot.measurement import Measurement, MeasureRequest
from lrsym.sweep.pilot.measuring import MeasuringProcesses, PilotError
from lrsym.sweep.pilot.programs import ProgramGroup, group_by_program, measure_rates, seconds_to_measure
from lrsym.sweep.planning.cost import FEW_SAMPLES, Range, Rates
from lrsym.sweep.planning.pack import Pack, Program
from lrsym.sweep.planning.packing import MAX_PACK_SIZE, PackList, fastest_size, largest_pack

MIN_PACK_SPEEDUP, MIN_SPEEDUP_FOR_FEWER_WORKERS = 0.05, 0.2
"""A larger pack must bring at least the first share of throughput, fewer workers than there could be the second."""

CHOOSING_SECONDS = 5.5
"""No steps are measured to choose that would take until later, counted from when the processes are ready; the rest of
BUDGET_SECONDS is for the cost."""

MAX_PROCESSES = {"cpu": 16, "cuda": 32}
"""How many processes measure at once: on GPUs as many a card as will run, up to a machine's usual eight cards."""

SIZES = {"cpu": (2, 4, 8, 16), "cuda": tuple(8 << doubled for doubled in range(10))}
"""Pack sizes that are tried: a core gains nothing beyond, a GPU goes on until memory or gain end."""

NO_TIME = "no time"

SAFE_MEMORY = 0.8
"""Share of free memory that is planned with."""


@dataclass(frozen=True)
class Options:
    """What a pilot chooses from: at most `max_workers` on `device`, or exactly what is given; they share `gpus`."""

    device: str
    max_workers: int
    workers: int | None = None
    pack_size: int | None = None
    gpus: int = 1


@dataclass(frozen=True)
class PilotResult:
    """What a pilot of `seconds` chose and `why`; what it knows: `rates` by program, `startup` seconds of workers."""

    seconds: float
    pack_size: int
    workers: int
    why: str
    rates: Mapping[Program, Rates]
    startup: Range


def run_pilot(packs: PackList, options: Options, *, threads: int) -> PilotResult:
    """Measure trials of `packs` and choose. Raises PilotError where not even one trial could be measured."""
    size = min(options.workers or options.max_workers, MAX_PROCESSES[options.device])
    with MeasuringProcesses(size, device=options.device, threads=threads) as processes:
        return Pilot(packs, options, processes).result()


class Pilot:
    """What to measure next, and what to conclude."""

    def __init__(self, packs: PackList, options: Options, processes: MeasuringProcesses) -> None:
        self._options, self._processes, self._packs = options, processes, packs
        self._groups = group_by_program(packs, max_trials=options.pack_size or SIZES[options.device][-1])
        self._bound = largest_pack(packs.n_trials, workers=options.workers or options.max_workers)
        self._default = min(MAX_PACK_SIZE[options.device], self._bound)

    def result(self) -> PilotResult:
        """Measure in the order of what matters most, until all is known or the time is over."""
        group = next(iter(self._groups.values()))
        by_size, ended = self._measure_larger(group, self._measure(group.pack(1)))
        size = max(by_size) if self._options.pack_size is not None else best_size(by_size)
        workers, step, why_workers = self._choose_workers(group, by_size[size])
        share = step.value / by_size[size].step.value
        steps = {k: measurement.step * share for k, measurement in by_size.items()} | {size: step}
        rates = measure_rates(self._groups, steps, self._processes, device=self._options.device)
        cheapest, reasons = self._cheapest_size(size, by_size, ended)
        chosen = self._fastest_size(cheapest, rates, workers) if self._options.pack_size is None else cheapest
        if chosen < cheapest:
            reasons += [f"with packs of {cheapest} the sweep would end later"]
        why_size = f" ({'; '.join(reasons)})" if reasons else ""
        return PilotResult(
            rates=rates,
            seconds=self._processes.seconds,
            pack_size=chosen,
            workers=workers,
            why=f"packs of {chosen}{why_size}, {count_workers(workers)}{why_workers}; "
            f"{1000 * step.value / size:.3g} ms a step and trial",
            startup=Range.of([self._processes.startup]).widened(FEW_SAMPLES),
        )

    def _measure(self, pack: Pack, *, at_once: int | None = None) -> Measurement:
        return self._processes.measure(MeasureRequest(pack), at_once=at_once or self._processes.size)

    def _has_time(self, step: float) -> bool:
        """Return whether there is time to measure a pack whose step takes `step` seconds, to choose by it."""
        return self._processes.measuring_seconds + seconds_to_measure(step) <= CHOOSING_SECONDS

    def _measure_larger(self, group: ProgramGroup, first: Measurement) -> tuple[dict[int, Measurement], str]:
        """Return measurements by pack size, and why they end where they do; four times the best size is the last."""
        by_size, last = {1: first}, first
        for size in self._sizes(len(group.trials)):
            if last.memory_of(size) * self._sharers > SAFE_MEMORY * self._capacity(last):
                return by_size, "larger ones may not fit into memory"
            if not self._has_time(last.step.value * size / last.size):
                return by_size, NO_TIME
            try:
                last = by_size[size] = self._measure(group.pack(size))
            except PilotError as error:
                return by_size, f"{size} failed: {error}"
            if size >= 4 * best_size(by_size):
                break
        return by_size, ""

    def _cheapest_size(self, best: int, by_size: Mapping[int, Measurement], ended: str) -> tuple[int, list[str]]:
        """Return the cheapest pack size, `best` being the best of those measured, and why."""
        if self._options.pack_size is not None:
            return self._options.pack_size, [ended] if ended and ended != NO_TIME else []
        if best < max(by_size):
            return best, ["larger ones train no cheaper"]
        if ended == NO_TIME:
            return max(best, self._default), [f"by rule: no time to measure packs of more than {best}"]
        if not ended and best >= self._bound:
            ended = "larger ones leave a worker without one"
        return best, [ended] if ended else []

    def _fastest_size(self, cheapest: int, rates: Mapping[Program, Rates], workers: int) -> int:
        """Return the size up to the `cheapest` with which the sweep ends first."""

        def seconds(trial: Trial, n: int) -> float:
            return rates[trial.program].seconds(trial, n).value

        busy = [seconds(pack.trials[0], len(pack)) * pack.remaining for pack in self._packs.started]
        return fastest_size(self._packs.groups, cheapest, workers=workers, seconds=seconds, busy=busy)

    def _sizes(self, n_trials: int) -> list[int]:
        """Return the sizes to try after one, ascending."""
        if self._options.pack_size is not None:
            return [size for size in (min(self._options.pack_size, n_trials),) if size > 1]
        sizes = SIZES[self._options.device]
        end = min(self._bound, n_trials, sizes[-1])
        return sorted({size for size in sizes if size < end} | ({end} - {1}))

    @property
    def _sharers(self) -> int:
        """Processes that share the memory: all on this machine, or those on a GPU."""
        return ceil(self._processes.size / (1 if self._options.device == "cpu" else self._options.gpus))

    def _capacity(self, measurement: Measurement) -> float:
        """Return the bytes for all that share the memory; what others held while one measured is there for them."""
        return measurement.capacity + (self._sharers - 1) * measurement.memory

    def _choose_workers(self, group: ProgramGroup, measurement: Measurement) -> tuple[int, Range, str]:
        """Return how many workers, the seconds of a step of a pack then, and why."""
        most, all_at_once = self._options.max_workers, self._processes.size
        if self._options.workers is not None:
            return self._options.workers, measurement.step, ""
        steps = {all_at_once: measurement.step}
        for at_once in sorted({1, all_at_once // 2} - {0, all_at_once}) if self._options.device == "cpu" else ():
            self._measure_again(group, measurement, at_once, steps)
        speed = _speeds(steps)
        best = max(speed, key=lambda at_once: speed[at_once])
        if best != all_at_once:  # it may have been a bad moment
            self._measure_again(group, measurement, all_at_once, steps)
            speed = _speeds(steps)
        if speed[best] < speed[all_at_once] * (1 + MIN_SPEEDUP_FOR_FEWER_WORKERS):
            best = all_at_once
        fitting = max(1, int(SAFE_MEMORY * self._capacity(measurement) / measurement.memory))
        if self._options.device == "cuda":
            fitting *= self._options.gpus
        if fitting < best:
            return fitting, measurement.step, f" (each takes {measurement.memory / 1e9:.1f} GB)"
        why = f" ({speed[best] / speed[1]:.1f} times as fast as 1)" if best > 1 and 1 in speed else ""
        return (min(most, fitting) if best == all_at_once else best), steps[best], why

    def _measure_again(
        self, group: ProgramGroup, measurement: Measurement, at_once: int, steps: dict[int, Range]
    ) -> None:
        """Put into `steps` how long one takes with so many `at_once`, if there is time and unless it was faster."""
        if self._has_time(measurement.step.value):
            with contextlib.suppress(PilotError):
                step = self._measure(group.pack(measurement.size), at_once=at_once).step
                steps[at_once] = min(step, steps.get(at_once, step), key=lambda step: step.low)


def best_size(by_size: Mapping[int, Measurement]) -> int:
    """Return the smallest pack size that no larger one beats by MIN_PACK_SPEEDUP, in time at work: what other programs
    do meanwhile does not count."""
    seconds = {size: measurement.busy / size for size, measurement in by_size.items()}
    return min(size for size in seconds if seconds[size] <= min(seconds.values()) * (1 + MIN_PACK_SPEEDUP))


def _speeds(steps: Mapping[int, Range]) -> dict[int, float]:
    """Return steps a second by the number of processes, judged by their fastest chunks."""
    return {at_once: at_once / step.low for at_once, step in steps.items()}


def count_workers(workers: int) -> str:
    """Return so many workers in words."""
    return f"{workers} worker" if workers == 1 else f"{workers} workers"
