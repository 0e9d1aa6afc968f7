"""The mean of replicates with its 95 % confidence interval: Student, also on logits, BCa bootstrap, Wilson.

The logit interval is logit(mean) -+ t s / sqrt(n), s the standard deviation of the logits, taken back to 0..1. It lies
around the logit of the mean, not around the mean of the logits: that is the logit of a typical accuracy, which lies
above the mean where some replicates fail, and its interval holds the mean the less often the more replicates there are.

Values that are equal do not tell that there is no spread, only that it lies below the step in which they are counted,
their resolution. So no spread is taken for smaller than that of a rounding error, resolution / sqrt(12), and equal
values of which no resolution is known have no interval.

Sources: Student (Biometrika 1908); Efron (JASA 1987) for the bootstrap; Wilson (JASA 1927); Holm (Scandinavian Journal
of Statistics 1979); Grubbs (Technometrics 1969) for a value apart.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from lrsym.errors import UsageError
from lrsym.vocabulary import INTERVALS, by_name, is_accuracy

CONFIDENCE = 0.95

SCENES = 900
"""Scenes that an accuracy counts as in its logit: what is nearer to 0 or 1 than half of one is moved there. So many are
the unseen pairs of the default 5 held-out labels in 45 layouts, and about so many the seen pairs of few labels."""

ACCURACY_RESOLUTION = 1 / SCENES
"""The step in which such an accuracy is counted. That of single objects is coarser: see `resolution_of`."""

EQUAL, ROUNDING = 1e-9, 1e-14
"""Values that lie no further apart, as a share of the largest or at all, are equal but for the rounding of a
difference: 0.1 + 0.2 - 0.3 is no evidence against 0."""

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


def estimate_mean(
    values: Iterable[float], *, interval: str = "t", confidence: float = CONFIDENCE, resolution: float = 0.0
) -> Estimate:
    """Return the mean of `values` with its interval, by the method of that name in `INTERVALS`, of that `confidence`.

    Wilson estimates a share: of values that are 1, or the mean of shares, whose variance is no larger than that of
    truth values with their mean. Logit estimates the mean of accuracies. `resolution` is the step in which the values
    are counted, 0 where it is not known; logit takes none finer than a scene of SCENES, and the bootstrap none at all.
    One value alone has no interval, but for Wilson, and equal values have none without a resolution, but on logits. The
    order of `values` does not matter.
    Raises UsageError where Wilson and logit get values outside 0..1.
    """
    ordered = sorted(values)
    if interval in _TAKES and (other := [value for value in ordered if not 0 <= value <= 1]):
        raise UsageError(f"interval {interval} takes {_TAKES[interval]}, 0 to 1, got {other[0]:g}; use interval t")
    if not ordered:
        return Estimate(n=0)
    n = len(ordered)
    mean = ordered[0] if ordered[0] == ordered[-1] else math.fsum(ordered) / n
    if not has_interval(ordered, interval, resolution):
        return Estimate(n, mean)
    low, high = _METHODS[interval](ordered, confidence, resolution)
    # A mean within half a scene of 0 or 1 lies beyond the one that the logit interval lies around.
    return Estimate(n, mean, min(low, mean), max(high, mean)) if interval == "logit" else Estimate(n, mean, low, high)


def interval_of(column: str) -> str:
    """Return the kind of interval that suits the mean of `column`: on logits for an accuracy, else Student's."""
    return "logit" if is_accuracy(column) else "t"


def resolution_of(column: str) -> float:
    """Return the step in which `column` is counted, 0 where it is not known, as of all but accuracies.

    Of single objects there are 5 scenes a label, so 50 where labels are fewest; other splits are as large as SCENES.
    """
    if not is_accuracy(column):
        return 0.0
    return 1 / 50 if column.startswith("single_") else ACCURACY_RESOLUTION


def has_value_apart(values: Iterable[float], *, at_least: float = 0.0) -> bool:
    """Return whether one of `values` lies apart, by Grubbs' test at APART_LEVEL, and `at_least` so far from the mean.

    Such a value is one that is rarely seen: how often is left to chance, so an interval from few values has not the
    cover that it is named for.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n < 3 or _are_equal(ordered):
        return False
    mean = math.fsum(ordered) / n
    away = max(mean - ordered[0], ordered[-1] - mean)
    return away >= at_least and away > grubbs_critical(n) * _deviation(ordered)


def grubbs_critical(n: int) -> float:
    """Return how many standard deviations from the mean of `n` values, three or more, one lies apart."""
    quantile = t_quantile(1 - APART_LEVEL / (2 * n), n - 2)
    return (n - 1) / n**0.5 * (quantile**2 / (n - 2 + quantile**2)) ** 0.5


def holm(levels: Sequence[float]) -> list[float]:
    """Return the levels as they are after Holm's correction for all of them."""
    order, corrected, highest = sorted(range(len(levels)), key=levels.__getitem__), [0.0] * len(levels), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(levels) - rank) * levels[at]))
        corrected[at] = highest
    return corrected


def level_at(values: Iterable[float], bound: float, *, interval: str = "t", resolution: float = 0.0) -> float | None:
    """Return the smallest level at which the interval of the mean leaves out `bound`; 0.05 is that of 95 %.

    None where `estimate_mean` has no interval. The bootstrap tells no level below what its resampled means resolve.
    """
    ordered = sorted(values)
    if not ordered or not has_interval(ordered, interval, resolution):
        return None
    return _LEVELS[interval](ordered, bound, resolution)


def has_interval(ordered: Sequence[float], interval: str, resolution: float) -> bool:
    """Return whether one or more ascending values tell a spread, for the method of that name."""
    if interval == "wilson":
        return True
    known = interval == "logit" or (interval == "t" and resolution > 0)
    return len(ordered) > 1 and (known or not _are_equal(ordered))


def _are_equal(ordered: Sequence[float]) -> bool:
    low, high = ordered[0], ordered[-1]
    return high - low <= max(EQUAL * max(abs(low), abs(high)), ROUNDING)


def _deviation(values: Iterable[float]) -> float:
    """Return the sample standard deviation of two or more values; that of `statistics` is exact, and slow for it."""
    values = [*values]
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def spread_of(values: Sequence[float], *, interval: str = "t", resolution: float = 0.0) -> float:
    """Return the standard deviation of `values`, on logits for that interval, but no less than a rounding error's."""
    if interval != "logit":
        return max(_deviation(values), resolution / 12**0.5)
    mean = _inside(math.fsum(values) / len(values), resolution)
    rounding = max(resolution, ACCURACY_RESOLUTION) / 12**0.5 / (mean * (1 - mean))
    return max(_deviation(logit(value, resolution) for value in values), rounding)


@cache
def t_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's distribution; most of the time of an interval is taken for it."""
    from scipy import special  # scipy.stats, which asks the same, takes a second to load

    return float(special.stdtrit(freedom, probability))


def _inside(share: float, resolution: float) -> float:
    """Return an accuracy, no nearer to 0 or 1 than half a step in which it is counted, which is a scene or more."""
    half = min(max(resolution, ACCURACY_RESOLUTION), 1.0) / 2
    return min(max(share, half), 1 - half)


def logit(accuracy: float, resolution: float = 0.0) -> float:
    """Return the log odds of an accuracy, no further out than those of half a step in which it is counted."""
    inside = _inside(accuracy, resolution)
    return math.log(inside / (1 - inside))


def logit_distance(mean: float, bound: float, *, resolution: float = 0.0) -> float:
    """Return how far a mean of accuracies lies from a bound in log odds: infinitely far from one outside of 0..1."""
    if min(mean, _inside(mean, resolution)) <= bound <= max(mean, _inside(mean, resolution)):
        return 0.0
    return abs(logit(mean, resolution) - math.log(bound / (1 - bound))) if 0 < bound < 1 else math.inf


def _student(values: Sequence[float], confidence: float, resolution: float) -> Bounds:
    mean = math.fsum(values) / len(values)
    reach = (
        t_quantile((1 + confidence) / 2, len(values) - 1)
        * spread_of(values, resolution=resolution)
        / len(values) ** 0.5
    )
    return mean - reach, mean + reach


def _student_of_logits(values: Sequence[float], confidence: float, resolution: float) -> Bounds:
    from scipy import special

    centre = logit(math.fsum(values) / len(values), resolution)
    spread = spread_of(values, interval="logit", resolution=resolution)
    reach = t_quantile((1 + confidence) / 2, len(values) - 1) * spread / len(values) ** 0.5
    return float(special.expit(centre - reach)), float(special.expit(centre + reach))


def _bootstrap(values: Sequence[float], confidence: float, _: float) -> Bounds:
    import numpy as np
    from scipy import stats

    bounds = stats.bootstrap(
        (np.array(values),), np.mean, n_resamples=_RESAMPLES, batch=_RESAMPLES_AT_A_TIME, vectorized=True,
        confidence_level=confidence, method="BCa", rng=np.random.default_rng(_SEED),
    ).confidence_interval  # fmt: skip
    return float(bounds.low), float(bounds.high)


def _wilson(values: Sequence[float], confidence: float, _: float) -> Bounds:
    from scipy import stats

    n, share, z = len(values), math.fsum(values) / len(values), float(stats.norm.ppf((1 + confidence) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * (share * (1 - share) / n + (z / (2 * n)) ** 2) ** 0.5
    return (middle - reach if share > 0 else 0.0), (middle + reach if share < 1 else 1.0)  # else but for rounding


def _student_level(values: Sequence[float], bound: float, resolution: float) -> float:
    from scipy import stats

    mean, error = math.fsum(values) / len(values), spread_of(values, resolution=resolution) / len(values) ** 0.5
    return float(2 * stats.t.sf(abs(mean - bound) / error, len(values) - 1))


def _student_of_logits_level(values: Sequence[float], bound: float, resolution: float) -> float:
    from scipy import stats

    away = logit_distance(math.fsum(values) / len(values), bound, resolution=resolution)
    error = spread_of(values, interval="logit", resolution=resolution) / len(values) ** 0.5
    return float(2 * stats.t.sf(away / error, len(values) - 1))


def _bootstrap_level(values: Sequence[float], bound: float, _: float) -> float:
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


def _wilson_level(values: Sequence[float], bound: float, _: float) -> float:
    """The interval is all shares that a score test does not reject, so this is that test's p."""
    from scipy import stats

    share, error = math.fsum(values) / len(values), (max(0.0, bound * (1 - bound)) / len(values)) ** 0.5
    if not error:
        return float(share == bound)
    return float(2 * stats.norm.sf(abs(share - bound) / error))


_TAKES = {"wilson": "shares, or truth values", "logit": "accuracies"}
"""What a method takes that does not take every number."""

_LEVELS: dict[str, Callable[[Sequence[float], float, float], float]] = by_name(
    INTERVALS,
    {"t": _student_level, "logit": _student_of_logits_level, "bootstrap": _bootstrap_level, "wilson": _wilson_level},
)

_METHODS: dict[str, Callable[[Sequence[float], float, float], Bounds]] = by_name(
    INTERVALS, {"t": _student, "logit": _student_of_logits, "bootstrap": _bootstrap, "wilson": _wilson}
)
