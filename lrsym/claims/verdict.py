"""From the values of replicates to an estimate with its 95 % interval, and from that to a verdict.

The one rule: *supported* when the whole interval lies in [at_least, at_most], ends included, *refuted* when it lies
wholly outside, else *undecided*. An absent end is infinitely far away.

Sources: Student (Biometrika 1908); Efron (JASA 1987) for the bootstrap; Wilson (JASA 1927).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lrsym.errors import UsageError
from lrsym.vocabulary import INTERVALS, VERDICTS

CONFIDENCE = 0.95
SUPPORTED, REFUTED, UNDECIDED = VERDICTS

_RESAMPLES, _RESAMPLES_AT_A_TIME = 9999, 500
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


def estimate(values: Iterable[float], *, interval: str = "t") -> Estimate:
    """The mean of `values` with its interval, by the method of that name in `INTERVALS`.

    Wilson estimates the share of values that are 1; UsageError for values other than 1 and 0. Equal values have an
    interval of one point, but for Wilson; one value alone has none. The order of `values` does not matter.
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


def judge(found: Estimate, *, at_least: float | None, at_most: float | None, minimum_n: int) -> str:
    """The verdict on a claimed range; undecided below `minimum_n` values."""
    if found.n < minimum_n or found.low is None or found.high is None:
        return UNDECIDED
    floor = -math.inf if at_least is None else at_least
    ceiling = math.inf if at_most is None else at_most
    if floor <= found.low and found.high <= ceiling:
        return SUPPORTED
    return REFUTED if found.high < floor or found.low > ceiling else UNDECIDED


def together(verdicts: Iterable[str]) -> str:
    """The verdict on a claim from those on its parts: all must be supported, and one refuted part refutes it."""
    found = set(verdicts)
    return REFUTED if REFUTED in found else UNDECIDED if UNDECIDED in found else SUPPORTED


def _student(values: Sequence[float]) -> Bounds:
    from scipy import stats

    mean, error = math.fsum(values) / len(values), float(stats.sem(values))
    low, high = stats.t.interval(CONFIDENCE, len(values) - 1, loc=mean, scale=error)
    return float(low), float(high)


def _bootstrap(values: Sequence[float]) -> Bounds:
    import numpy as np
    from scipy import stats

    found = stats.bootstrap(
        (np.array(values),), np.mean, n_resamples=_RESAMPLES, batch=_RESAMPLES_AT_A_TIME, vectorized=True,
        confidence_level=CONFIDENCE, method="BCa", rng=np.random.default_rng(_SEED),
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def _wilson(values: Sequence[float]) -> Bounds:
    from scipy import stats

    ones = stats.binomtest(round(sum(values)), len(values))
    found = ones.proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


_METHODS: dict[str, Callable[[Sequence[float]], Bounds]] = dict(
    zip(INTERVALS, (_student, _bootstrap, _wilson), strict=True)
)
