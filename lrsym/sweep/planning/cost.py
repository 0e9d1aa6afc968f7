"""What a sweep costs: seconds of packs from the rates a pilot measured, scheduled over workers. Only arithmetic."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lrsym.sweep.planning.plan import Pack, Program, makespan

MARGIN = 0.1
"""Share by which an interval is wider than the spread of the measurements: a machine is not as quiet for an hour."""

FEW_SAMPLES = 1.25
"""Factor by which an interval from one or two samples is wider at either end."""


def compared(ratio: float) -> float:
    """Factor up and down for a program that was not measured, but compared with one of `ratio` times less work."""
    return 1.1 * max(ratio, 1 / ratio) ** 0.25


@dataclass(frozen=True)
class Interval:
    """A value between a low and a high one."""

    low: float
    value: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"an interval must have low <= value <= high, got {self}")

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Interval":
        """The mean of `samples`, from their 10 % to their 90 % quantile."""
        mean, ordered = sum(samples) / len(samples), sorted(samples)
        cut = len(ordered) // 10
        return cls(min(mean, ordered[cut]), mean, max(mean, ordered[-1 - cut]))

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(self.low + other.low, self.value + other.value, self.high + other.high)

    def __mul__(self, factor: float) -> "Interval":
        return Interval(self.low * factor, self.value * factor, self.high * factor)

    def widened(self, factor: float) -> "Interval":
        """Divided by `factor` at the low end, multiplied by it at the high one."""
        return Interval(self.low / factor, self.value, self.high * factor)


NOTHING = Interval(0, 0, 0)


@dataclass(frozen=True)
class Rates:
    """What packs of one program cost. `steps`: seconds a step of the pack by its size, 1 among them; the rest is for
    each trial.

    `evaluation` and `rest` are in seconds: an evaluation; data, mechanism and rows. `pack_bytes` is what any pack
    takes on disk, `trial_bytes` a trial besides its curves, `point_bytes` a point of its curves.
    """

    steps: Mapping[int, Interval]
    evaluation: Interval
    rest: Interval
    pack_bytes: float
    trial_bytes: float
    point_bytes: Interval

    def step(self, size: int) -> Interval:
        """Seconds a step of a pack of `size`: measured, between two measured sizes, or beyond them.

        There a larger pack costs between the root of its size, where the launch is what counts, and its size.
        """
        sizes = sorted(self.steps)
        for below, above in pairwise(sizes):
            if below <= size <= above:
                share = (size - below) / (above - below)
                return self.steps[below] * (1 - share) + self.steps[above] * share
        step, ratio = self.steps[sizes[-1]], size / sizes[-1]
        return Interval(step.low * ratio**0.5, step.value * ratio**0.75, step.high * ratio)

    def scaled(self, factor: float) -> "Rates":
        """The rates of a program that does `factor` times the work in a step, and takes as much on disk."""
        wider = compared(factor)
        return Rates(
            {size: (step * factor).widened(wider) for size, step in self.steps.items()},
            (self.evaluation * factor).widened(wider),
            (self.rest * factor).widened(wider),
            self.pack_bytes,
            self.trial_bytes,
            self.point_bytes.widened(wider),
        )

    def seconds(self, pack: Pack) -> Interval:
        """What training `pack` takes a worker."""
        trial = pack[0]
        evaluations = self.evaluation * len(trial.evaluation_steps)
        return self.step(len(pack)) * trial.n_steps + (evaluations + self.rest) * len(pack)

    def bytes(self, pack: Pack) -> Interval:
        """What the rows of `pack` take on disk."""
        fixed = self.pack_bytes + self.trial_bytes * len(pack)
        return self.point_bytes * (len(pack) * len(pack[0].evaluation_steps)) + Interval(fixed, fixed, fixed)


@dataclass(frozen=True)
class Cost:
    """What a sweep will take: seconds until its end, seconds of its workers, bytes on disk."""

    seconds: Interval
    worker_seconds: Interval
    disk_bytes: Interval


def estimate(
    packs: Sequence[Pack],
    rates: Mapping[Program, Rates],
    *,
    workers: int,
    startup: Interval,
    left: Sequence[float] | None = None,
) -> Cost:
    """The cost of `packs`, handed to `workers` in this order; `rates` by program, `startup` in seconds.

    `left` are the fractions of the packs that are left to train, by default all. Packs of one shape and size cost the
    same and are worked out once, so a sweep may have very many.
    """
    seconds: dict[object, Interval] = {}
    sizes: dict[object, Interval] = {}
    kinds = [(pack[0].static_shape, len(pack)) for pack in packs]
    for kind, pack in zip(kinds, packs, strict=True):
        if kind not in seconds:
            of_program = rates[pack[0].program]
            seconds[kind], sizes[kind] = of_program.seconds(pack), of_program.bytes(pack)
    shares = [1.0] * len(packs) if left is None else left
    durations = [seconds[kind] * share for kind, share in zip(kinds, shares, strict=True)]
    ends = (makespan(map(of, durations), workers=workers) for of in _ENDS)
    return Cost(
        seconds=(Interval(*ends) + startup).widened(1 + MARGIN),
        worker_seconds=_total(durations).widened(1 + MARGIN),
        disk_bytes=_total(sizes[kind] for kind in kinds).widened(1 + MARGIN),
    )


_ENDS: tuple[Callable[[Interval], float], ...] = (lambda i: i.low, lambda i: i.value, lambda i: i.high)


def _total(parts: Iterable[Interval]) -> Interval:
    low = value = high = 0.0
    for part in parts:
        low, value, high = low + part.low, value + part.value, high + part.high
    return Interval(low, value, high)
