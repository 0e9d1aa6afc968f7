"""What a pilot asks its processes, what each of them measures, and what they say together."""

from collections.abc import Sequence
from dataclasses import dataclass

from lrsym.sweep.planning.cost import FEW_SAMPLES, Range
from lrsym.sweep.planning.pack import Pack


@dataclass(frozen=True)
class MeasureRequest:
    """Time the steps of a pack, and with `evaluations` also so many of these and what a pack costs besides."""

    pack: Pack
    evaluations: int = 0


@dataclass(frozen=True)
class DiskUsage:
    """Bytes of rows: of any pack, of a trial besides its curves, of one point of its curves at least and at most."""

    pack: float
    trial: float
    point: tuple[float, float]


@dataclass(frozen=True)
class Timing:
    """What one process measured of a pack, times in seconds.

    `steps`: for a step, chunk by chunk. `busy`: of a step, the time that the process was at work, whatever else the
    machine did; on a GPU the time by the clock. `evaluations`: for one of the pack, each. `overhead`: for data,
    mechanism and rows of the pack. `memory`: its peak in bytes, on the GPU where there is one, of `capacity` that it
    may take; `fixed_memory` of it any pack would take.
    """

    steps: tuple[float, ...]
    busy: float
    evaluations: tuple[float, ...]
    overhead: float | None
    disk: DiskUsage | None
    memory: int
    capacity: int
    fixed_memory: int = 0


@dataclass(frozen=True)
class TrialOverhead:
    """Cost of a trial outside the training steps, in seconds: one evaluation; data set-up, mechanism and writing."""

    evaluation: Range
    overhead: Range
    disk: DiskUsage


@dataclass(frozen=True)
class Measurement:
    """Timings of one pack of `size`, pooled over the processes that trained it at the same time.

    `step` and `busy` are seconds of a step of the pack, memory and capacity bytes.
    """

    size: int
    step: Range
    busy: float
    outside_steps: TrialOverhead | None
    memory: int
    capacity: int
    fixed_memory: int = 0

    def memory_of(self, size: int) -> float:
        """Return the bytes that a pack of `size` may take, its trials in proportion."""
        return self.fixed_memory + (self.memory - self.fixed_memory) * size / self.size

    @classmethod
    def of(cls, timings: Sequence[Timing], *, size: int) -> "Measurement":
        """Return the timings of a pack of `size` taken together."""
        evaluations = [seconds / size for t in timings for seconds in t.evaluations]
        overheads = [t.overhead / size for t in timings if t.overhead is not None]
        outside, disk = None, timings[0].disk
        if evaluations and overheads and disk is not None:
            evaluation, overhead = Range.of(evaluations), Range.of(overheads)
            if len(evaluations) < len(timings) * 2:  # one each: there is no spread to speak of
                evaluation = evaluation.widened(FEW_SAMPLES)
            outside = TrialOverhead(evaluation, overhead.widened(FEW_SAMPLES), disk)
        step = Range.of([seconds for t in timings for seconds in t.steps])
        busy = sum(t.busy for t in timings) / len(timings)
        most, least = max(t.memory for t in timings), min(t.capacity for t in timings)
        return cls(size, step, busy, outside, most, least, timings[0].fixed_memory)
