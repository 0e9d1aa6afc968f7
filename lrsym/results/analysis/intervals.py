"""The mean of replicates with its 95 % confidence interval: Student, also on logits, BCa bootstrap, Wilson.

The logit interval is logit(mean) -+ t s / sqrt(n), s the standard deviation of the logits, taken back to 0..1. It lies
around the logit of the mean, not around the mean of the logits: that is the logit of a typical accuracy, which lies
above the mean where some replicates fail, and its interval holds the mean the less often the more replicates there are.

Sources: Student (Biometrika 1908); Efron (JASA 1987) for the bootstrap; Wilson (JASA 1927); Holm (Scandinavian Journal
of Statistics 1979); Grubbs (Technometrics 1969) for a value apart.
"""

import bisect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from lrsym.errors import UsageError
from lrsym.vocabulary import INTERVALS, by_name, is_accuracy

CONFIDENCE = 0.95

MAX_N = 10_000
"""No larger number of replicates is told as one that would decide."""

SCENES = 900
"""Scenes that an accuracy counts as in its logit: 0 and 1 are moved by half of one. No row has the size of its split;
so many are the unseen pairs of the default 5 held-out labels in 45 layouts. Of smaller splits the interval is wide."""

APART_LEVEL = 0.01
"""Level of Grubbs' test: of normal replicates one lies apart in one cell of a hundred."""

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


def estimate_mean(values: Iterable[float], *, interval: str = "t", confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean of `values` with its interval, by the method of that name in `INTERVALS`, of that `confidence`.

    Wilson estimates the share of values that are 1, logit the mean of accuracies. Equal values have an interval of one
    point, but for Wilson; one value alone has none. The order of `values` does not matter. Raises UsageError where
    Wilson gets values other than 1 and 0, and logit values outside 0..1.
    """
    ordered = sorted(values)
    if interval == "wilson" and (other := [value for value in ordered if value not in (0, 1)]):
        raise UsageError(
            f"interval wilson takes truth values, 1 and 0, got {other[0]:g}; compare in the query, or use interval t"
        )
    if interval == "logit" and (other := [value for value in ordered if not 0 <= value <= 1]):
        raise UsageError(f"interval logit takes accuracies, 0 to 1, got {other[0]:g}; use interval t")
    if not ordered:
        return Estimate(n=0)
    n = len(ordered)
    if ordered[0] == ordered[-1] and interval != "wilson":
        mean = low = high = ordered[0]
        return Estimate(n, mean, low, high) if n > 1 else Estimate(n, mean)
    low, high = _METHODS[interval](ordered, confidence)
    return Estimate(n, math.fsum(ordered) / n, low, high)


def interval_of(column: str) -> str:
    """Return the kind of interval that suits the mean of `column`: on logits for an accuracy, else Student's."""
    return "logit" if is_accuracy(column) else "t"


def has_value_apart(values: Iterable[float], *, at_least: float = 0.0) -> bool:
    """Return whether one of `values` lies apart, by Grubbs' test at APART_LEVEL, and `at_least` so far from the mean.

    Such a value is one that is rarely seen: how often is left to chance, so an interval from few values has not the
    cover that it is named for.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n < 3 or ordered[0] == ordered[-1]:
        return False
    mean, quantile = math.fsum(ordered) / n, _t_quantile(1 - APART_LEVEL / (2 * n), n - 2)
    critical = (n - 1) / n**0.5 * (quantile**2 / (n - 2 + quantile**2)) ** 0.5
    away = max(mean - ordered[0], ordered[-1] - mean)
    return away >= at_least and away > critical * _deviation(ordered)


def holm(levels: Sequence[float]) -> list[float]:
    """Return the levels as they are after Holm's correction for all of them."""
    order, corrected, highest = sorted(range(len(levels)), key=levels.__getitem__), [0.0] * len(levels), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(levels) - rank) * levels[at]))
        corrected[at] = highest
    return corrected


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


def n_to_leave_out(
    values: Iterable[float], bound: float, *, interval: str = "t", confidence: float = CONFIDENCE
) -> int | None:
    """Return the number of values with today's mean and spread whose interval of `confidence` leaves out `bound`.

    None where it is beyond MAX_N, as where the mean is `bound`, and where fewer than two values tell no spread. The
    bootstrap is asked as Student is: they agree where there are many values.
    """
    ordered = sorted(values)
    if len(ordered) < 2:
        return None
    from scipy import stats

    mean = math.fsum(ordered) / len(ordered)
    away, freedom = abs(mean - bound), 1
    if interval == "wilson":
        spread, freedom = (bound * (1 - bound)) ** 0.5, None
    elif interval == "logit":
        away, spread = abs(_logit(mean) - _logit(bound)), _logit_spread(ordered)
    else:
        spread = _deviation(ordered)

    def leaves_out(n: int) -> bool:
        quantile = (1 + confidence) / 2
        widths = stats.norm.ppf(quantile) if freedom is None else stats.t.ppf(quantile, n - freedom)
        return away > widths * spread / n**0.5

    return bisect.bisect_left(range(MAX_N + 1), True, lo=2, key=leaves_out) if leaves_out(MAX_N) else None


def n_for_half_width(values: Iterable[float], half_width: float, *, interval: str = "t") -> int | None:
    """Return the number of values with today's mean and spread whose 95 % interval is at most twice `half_width` wide.

    None where it is beyond MAX_N, and where fewer than two values tell no spread. The bootstrap is asked as Student is.
    """
    ordered = sorted(values)
    if len(ordered) < 2:
        return None
    from scipy import special, stats

    mean, quantile = math.fsum(ordered) / len(ordered), (1 + CONFIDENCE) / 2
    spread = _logit_spread(ordered) if interval == "logit" else _deviation(ordered)

    def is_narrow(n: int) -> bool:
        if interval == "wilson":
            ones = stats.norm.ppf(quantile)
            reach = ones * (mean * (1 - mean) / n + (ones / (2 * n)) ** 2) ** 0.5 / (1 + ones**2 / n)
            return bool(reach <= half_width)
        reach = stats.t.ppf(quantile, n - 1) * spread / n**0.5
        if interval == "logit" and reach:
            reach = (special.expit(_logit(mean) + reach) - special.expit(_logit(mean) - reach)) / 2
        return bool(reach <= half_width)

    return bisect.bisect_left(range(MAX_N + 1), True, lo=2, key=is_narrow) if is_narrow(MAX_N) else None


def _student(values: Sequence[float], confidence: float) -> Bounds:
    from scipy import stats

    mean, error = math.fsum(values) / len(values), float(stats.sem(values))
    low, high = stats.t.interval(confidence, len(values) - 1, loc=mean, scale=error)
    return float(low), float(high)


def _deviation(values: Iterable[float]) -> float:
    """Return the sample standard deviation of two or more values; that of `statistics` is exact, and slow for it."""
    values = [*values]
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


@cache
def _t_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's distribution; scipy takes most of the time of an interval for it."""
    from scipy import stats

    return float(stats.t.ppf(probability, freedom))


def _logit(share: float) -> float:
    """Return the log odds of `share`, infinite from its ends on."""
    if not 0 < share < 1:
        return math.copysign(math.inf, share - 0.5)
    return math.log(share / (1 - share))


def _logit_spread(values: Sequence[float]) -> float:
    """Return the standard deviation of the logits of `values`, 0 and 1 moved by half a scene."""
    half = 0.5 / SCENES
    return _deviation(_logit(min(max(value, half), 1 - half)) for value in values)


def _student_of_logits(values: Sequence[float], confidence: float) -> Bounds:
    from scipy import special

    centre = _logit(math.fsum(values) / len(values))
    reach = _t_quantile((1 + confidence) / 2, len(values) - 1) * _logit_spread(values) / len(values) ** 0.5
    return float(special.expit(centre - reach)), float(special.expit(centre + reach))


def _bootstrap(values: Sequence[float], confidence: float) -> Bounds:
    import numpy as np
    from scipy import stats

    bounds = stats.bootstrap(
        (np.array(values),), np.mean, n_resamples=_RESAMPLES, batch=_RESAMPLES_AT_A_TIME, vectorized=True,
        confidence_level=confidence, method="BCa", rng=np.random.default_rng(_SEED),
    ).confidence_interval  # fmt: skip
    return float(bounds.low), float(bounds.high)


def _wilson(values: Sequence[float], confidence: float) -> Bounds:
    from scipy import stats

    ones = stats.binomtest(round(sum(values)), len(values))
    bounds = ones.proportion_ci(confidence_level=confidence, method="wilson")
    return float(bounds.low), float(bounds.high)


def _student_level(values: Sequence[float], bound: float) -> float:
    from scipy import stats

    mean, error = math.fsum(values) / len(values), float(stats.sem(values))
    return float(2 * stats.t.sf(abs(mean - bound) / error, len(values) - 1))


def _student_of_logits_level(values: Sequence[float], bound: float) -> float:
    from scipy import stats

    away, error = (
        abs(_logit(math.fsum(values) / len(values)) - _logit(bound)),
        _logit_spread(values) / len(values) ** 0.5,
    )
    return float(2 * stats.t.sf(away / error, len(values) - 1)) if error else float(not away)


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
    INTERVALS,
    {"t": _student_level, "logit": _student_of_logits_level, "bootstrap": _bootstrap_level, "wilson": _wilson_level},
)

_METHODS: dict[str, Callable[[Sequence[float], float], Bounds]] = by_name(
    INTERVALS, {"t": _student, "logit": _student_of_logits, "bootstrap": _bootstrap, "wilson": _wilson}
)
