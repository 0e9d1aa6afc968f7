"""What a pilot asks its processes, what each of them answers, and what they say together."""

from collections.abc import Sequence
from dataclasses import dataclass

from lrsym.sweep.planning.cost import FEW_SAMPLES, Interval
from lrsym.sweep.planning.plan import Pack


@dataclass(frozen=True)
class Ask:
    """Measure a pack: the rate of its steps, and with `evaluations` also these and what a pack costs besides."""

    pack: Pack
    evaluations: int = 0


@dataclass(frozen=True)
class Disk:
    """Bytes of rows: of any pack, of a trial besides its curves, of one point of its curves at least and at most."""

    pack: float
    trial: float
    point: tuple[float, float]


@dataclass(frozen=True)
class Timing:
    """What one process measured of a pack, times in seconds.

    `steps`: for a step, chunk by chunk. `busy`: of a step, the time that the process was at work, whatever else the
    machine did; on a GPU the time by the clock. `evaluations`: for one of the pack, each. `rest`: for data,
    mechanism and rows of the pack. `memory`: its peak in bytes, on the GPU where there is one, of `capacity` that it
    may take.
    """

    steps: tuple[float, ...]
    busy: float
    evaluations: tuple[float, ...]
    rest: float | None
    disk: Disk | None
    memory: int
    capacity: int


@dataclass(frozen=True)
class Full:
    """Besides its steps: seconds of an evaluation of a trial, seconds of a trial for data, mechanism and rows."""

    evaluation: Interval
    rest: Interval
    disk: Disk


@dataclass(frozen=True)
class Look:
    """A pack of `size` as all processes saw it that trained it at the same time; `step` and `busy` are of the pack."""

    size: int
    step: Interval
    busy: float
    full: Full | None
    memory: int
    capacity: int

    @classmethod
    def of(cls, timings: Sequence[Timing], *, size: int) -> "Look":
        """The answers of the processes taken together."""
        evaluations = [seconds / size for t in timings for seconds in t.evaluations]
        rests = [t.rest / size for t in timings if t.rest is not None]
        full, disk = None, timings[0].disk
        if evaluations and rests and disk is not None:
            evaluation, rest = Interval.of(evaluations), Interval.of(rests)
            if len(evaluations) < len(timings) * 2:  # one each: there is no spread to speak of
                evaluation = evaluation.widened(FEW_SAMPLES)
            full = Full(evaluation, rest.widened(FEW_SAMPLES), disk)
        step = Interval.of([seconds for t in timings for seconds in t.steps])
        busy = sum(t.busy for t in timings) / len(timings)
        return cls(size, step, busy, full, max(t.memory for t in timings), min(t.capacity for t in timings))
