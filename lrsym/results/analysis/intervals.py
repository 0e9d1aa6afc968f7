"""The mean of replicates with its 95 % confidence interval: Student, BCa bootstrap, Wilson.

Sources: Student (Biometrika 1908); Efron (JASA 1987) for the bootstrap; Wilson (JASA 1927).
"""

import bisect
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lrsym.errors import UsageError
from lrsym.vocabulary import INTERVALS, by_name

CONFIDENCE = 0.95

MAX_N = 10_000
"""No larger number of replicates is told as one that would decide."""

_RESAMPLES = 9999
"""The default of scipy: about 250 resampled means lie beyond each end of the interval."""

_RESAMPLES_AT_A_TIME = 500
"""Bounds the memory of the bootstrap."""

_SEED = 0
"""The bootstrap's: the same rows give the same interval."""

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """The mean of `n` values and its interval; None where there are too few values to have one."""

    n: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None


def estimate_mean(values: Iterable[float], *, interval: str = "t") -> Estimate:
    """Return the mean of `values` with its interval, by the method of that name in `INTERVALS`.

    Wilson estimates the share of values that are 1. Equal values have an interval of one point, but for Wilson; one
    value alone has none. The order of `values` does not matter. Raises UsageError where Wilson gets values other than
    1 and 0.
    """
    ordered = sorted(values)
    if interval == "wilson" and (other := [value for value in ordered if value not in (0, 1)]):
        raise UsageError(
            f"interval wilson takes truth values, 1 and 0, got {other[0]:g}; compare in the query, or use interval t"
        )
    if not ordered:
        return Estimate(n=0)
    n = len(ordered)
    if ordered[0] == ordered[-1] and interval != "wilson":
        mean = low = high = ordered[0]
        return Estimate(n, mean, low, high) if n > 1 else Estimate(n, mean)
    low, high = _METHODS[interval](ordered)
    return Estimate(n, math.fsum(ordered) / n, low, high)


def level_at(values: Iterable[float], bound: float, *, interval: str = "t") -> float | None:
    """Return the smallest level at which the interval of the mean leaves out `bound`; 0.05 is that of 95 %.

    None where there are too few values to have an interval. Equal values leave out every other number at once, but for
    Wilson. The bootstrap tells no level below what its resampled means resolve.
    """
    ordered = sorted(values)
    if (len(ordered) < 2 and interval != "wilson") or not ordered:
        return None
    if ordered[0] == ordered[-1] and interval != "wilson":
        return float(ordered[0] == bound)
    return _LEVELS[interval](ordered, bound)


def n_to_leave_out(values: Iterable[float], bound: float, *, interval: str = "t") -> int | None:
    """Return the number of values with today's mean and spread whose 95 % interval leaves out `bound`.

    None where it is beyond MAX_N, as where the mean is `bound`, and where fewer than two values tell no spread. The
    bootstrap is asked as Student is: they agree where there are many values.
    """
    ordered = sorted(values)
    if len(ordered) < 2:
        return None
    from scipy import stats

    mean = math.fsum(ordered) / len(ordered)
    if interval == "wilson":
        spread, freedom = (bound * (1 - bound)) ** 0.5, None
    else:
        spread, freedom = statistics.stdev(ordered), 1

    def leaves_out(n: int) -> bool:
        quantile = (1 + CONFIDENCE) / 2
        widths = stats.norm.ppf(quantile) if freedom is None else stats.t.ppf(quantile, n - freedom)
        return abs(mean - bound) > widths * spread / n**0.5

    return bisect.bisect_left(range(MAX_N + 1), True, lo=2, key=leaves_out) if leaves_out(MAX_N) else None


def _student(values: Sequence[float]) -> Bounds:
    from scipy import stats

    mean, error = math.fsum(values) / len(values), float(stats.sem(values))
    low, high = stats.t.interval(CONFIDENCE, len(values) - 1, loc=mean, scale=error)
    return float(low), float(high)


def _bootstrap(values: Sequence[float]) -> Bounds:
    import numpy as np
    from scipy import stats

    bounds = stats.bootstrap(
        (np.array(values),), np.mean, n_resamples=_RESAMPLES, batch=_RESAMPLES_AT_A_TIME, vectorized=True,
        confidence_level=CONFIDENCE, method="BCa", rng=np.random.default_rng(_SEED),
    ).confidence_interval  # fmt: skip
    return float(bounds.low), float(bounds.high)


def _wilson(values: Sequence[float]) -> Bounds:
    from scipy import stats

    ones = stats.binomtest(round(sum(values)), len(values))
    bounds = ones.proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return float(bounds.low), float(bounds.high)


def _student_level(values: Sequence[float], bound: float) -> float:
    from scipy import stats

    mean, error = math.fsum(values) / len(values), float(stats.sem(values))
    return float(2 * stats.t.sf(abs(mean - bound) / error, len(values) - 1))


def _bootstrap_level(values: Sequence[float], bound: float) -> float:
    import numpy as np
    from scipy import stats

    sample, rng = (np.array(values),), np.random.default_rng(_SEED)
    drawn = stats.bootstrap(sample, np.mean, n_resamples=_RESAMPLES, batch=_RESAMPLES_AT_A_TIME, rng=rng)
    left_out, kept = 1.0, 2 / _RESAMPLES
    for _ in range(20):  # between levels that leave the bound out and that do not
        level = (left_out + kept) / 2
        ends = stats.bootstrap(
            sample, np.mean, n_resamples=0, bootstrap_result=drawn, confidence_level=1 - level, method="BCa"
        ).confidence_interval
        inside = ends.low <= bound <= ends.high
        left_out, kept = (left_out, level) if inside else (level, kept)
    return left_out


def _wilson_level(values: Sequence[float], bound: float) -> float:
    """The interval is all shares that a score test does not reject, so this is that test's p."""
    from scipy import stats

    share, error = sum(values) / len(values), (max(0.0, bound * (1 - bound)) / len(values)) ** 0.5
    if not error:
        return float(share == bound)
    return float(2 * stats.norm.sf(abs(share - bound) / error))


_LEVELS: dict[str, Callable[[Sequence[float], float], float]] = by_name(
    INTERVALS, {"t": _student_level, "bootstrap": _bootstrap_level, "wilson": _wilson_level}
)

_METHODS: dict[str, Callable[[Sequence[float]], Bounds]] = by_name(
    INTERVALS, {"t": _student, "bootstrap": _bootstrap, "wilson": _wilson}
)
