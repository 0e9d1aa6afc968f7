"""What a sweep costs: seconds of packs from the rates a pilot measured, scheduled over workers. Only arithmetic."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lrsym.config.trial import Trial
from lrsym.sweep.planning.pack import Program
from lrsym.sweep.planning.packing import PackList, makespan

MARGIN = 0.1
"""Share by which a range is wider than the spread of the measurements: a machine is not as quiet for an hour."""

FEW_SAMPLES = 1.25
"""Factor by which a range from one or two samples is wider at either end."""


def two_digits(value: float) -> str:
    """Return `value` with two significant digits, or all digits of a larger whole number."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def comparison_factor(ratio: float) -> float:
    """Return the factor up and down for a program that is compared with a measured one of `ratio` times less work."""
    return 1.1 * max(ratio, 1 / ratio) ** 0.25


@dataclass(frozen=True)
class Range:
    """A value between a low and a high one."""

    low: float
    value: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"a range must have low <= value <= high, got {self}")

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Range":
        """Return the mean of `samples`, from their 10 % to their 90 % quantile."""
        mean, ordered = sum(samples) / len(samples), sorted(samples)
        cut = len(ordered) // 10
        return cls(min(mean, ordered[cut]), mean, max(mean, ordered[-1 - cut]))

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.value + other.value, self.high + other.high)

    def __mul__(self, factor: float) -> "Range":
        return Range(self.low * factor, self.value * factor, self.high * factor)

    def widened(self, factor: float) -> "Range":
        """Return the range divided by `factor` at the low end and multiplied by it at the high one."""
        return Range(self.low / factor, self.value, self.high * factor)


NOTHING = Range(0, 0, 0)


@dataclass(frozen=True)
class Rates:
    """What packs of one program cost. `steps`: seconds a step of the pack by its size, 1 among them.

    `evaluation` and `overhead` are seconds of a trial: for an evaluation; for data, mechanism and rows. `pack_bytes`
    is what any pack takes on disk, `trial_bytes` a trial besides its curves, `point_bytes` a point of its curves.
    """

    steps: Mapping[int, Range]
    evaluation: Range
    overhead: Range
    pack_bytes: float
    trial_bytes: float
    point_bytes: Range

    def step(self, size: int) -> Range:
        """Return the seconds of a step of a pack of `size`: measured, between two measured sizes, or beyond them.

        There a larger pack costs between the root of its size, where the launch is what counts, and its size.
        """
        sizes = sorted(self.steps)
        for below, above in pairwise(sizes):
            if below <= size <= above:
                share = (size - below) / (above - below)
                return self.steps[below] * (1 - share) + self.steps[above] * share
        step, ratio = self.steps[sizes[-1]], size / sizes[-1]
        return Range(step.low * ratio**0.5, step.value * ratio**0.75, step.high * ratio)

    def scaled(self, factor: float) -> "Rates":
        """Return the rates of a program that does `factor` times the work in a step, and takes as much on disk."""
        wider = comparison_factor(factor)
        return Rates(
            {size: (step * factor).widened(wider) for size, step in self.steps.items()},
            (self.evaluation * factor).widened(wider),
            (self.overhead * factor).widened(wider),
            self.pack_bytes,
            self.trial_bytes,
            self.point_bytes.widened(wider),
        )

    def seconds(self, trial: Trial, n_trials: int) -> Range:
        """Return what training a pack of `n_trials` like `trial` takes a worker."""
        evaluations = self.evaluation * len(trial.evaluation_steps)
        return self.step(n_trials) * trial.n_steps + (evaluations + self.overhead) * n_trials

    def bytes(self, trial: Trial, n_trials: int) -> Range:
        """Return what the rows of such a pack take on disk."""
        fixed = self.pack_bytes + self.trial_bytes * n_trials
        return self.point_bytes * (n_trials * len(trial.evaluation_steps)) + Range(fixed, fixed, fixed)


@dataclass(frozen=True)
class Cost:
    """What a sweep will take: seconds until its end, seconds of its workers together, bytes on disk."""

    seconds: Range
    worker_seconds: Range
    disk_bytes: Range


def estimate_cost(packs: PackList, rates: Mapping[Program, Rates], *, workers: int, startup: Range) -> Cost:
    """Return the cost of `packs`, handed to `workers` in this order; `rates` by program, `startup` in seconds.

    Packs of one shape and size cost the same and are worked out once, so a sweep may have very many.
    """
    known: dict[tuple[int, int], tuple[Range, Range]] = {}
    durations, sizes = [], []
    for trial, n, remaining in packs.sizes():
        kind = id(trial), n
        if kind not in known:
            of_program = rates[trial.program]
            known[kind] = of_program.seconds(trial, n), of_program.bytes(trial, n)
        seconds, size = known[kind]
        durations.append(seconds * remaining)
        sizes.append(size)
    ends = (makespan(map(end, durations), workers=workers) for end in _ENDS)
    return Cost(
        seconds=(Range(*ends) + startup).widened(1 + MARGIN),
        worker_seconds=_total(durations).widened(1 + MARGIN),
        disk_bytes=_total(sizes).widened(1 + MARGIN),
    )


_ENDS: tuple[Callable[[Range], float], ...] = (lambda r: r.low, lambda r: r.value, lambda r: r.high)


def _total(parts: Iterable[Range]) -> Range:
    low = value = high = 0.0
    for part in parts:
        low, value, high = low + part.low, value + part.value, high + part.high
    return Range(low, value, high)
