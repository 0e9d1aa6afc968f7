"""How many values with the spread of those at hand it takes: to decide about a bound, to know a mean well enough."""

import bisect
import math
from collections.abc import Iterable

from lrsym.results.analysis.intervals import CONFIDENCE, has_interval, logit, logit_distance, spread_of

MAX_N = 10_000
"""No larger number of replicates is told as one that would decide."""


def n_to_leave_out(
    values: Iterable[float],
    bound: float,
    *,
    interval: str = "t",
    confidence: float = CONFIDENCE,
    resolution: float = 0.0,
) -> int | None:
    """Return the number of values with today's mean and spread whose interval of `confidence` leaves out `bound`.

    None where it is beyond MAX_N, as where the mean is `bound`, and where fewer than two values, or equal ones without
    a `resolution`, tell no spread. The bootstrap is asked as Student is: they agree where there are many values.
    """
    ordered = sorted(values)
    if len(ordered) < 2 or not has_interval(ordered, interval, resolution):
        return None
    from scipy import stats

    mean = math.fsum(ordered) / len(ordered)
    away = logit_distance(mean, bound, resolution=resolution) if interval == "logit" else abs(mean - bound)
    if interval == "wilson":
        spread = max(0.0, bound * (1 - bound)) ** 0.5
    else:
        spread = spread_of(ordered, interval=interval, resolution=resolution)

    def leaves_out(n: int) -> bool:
        quantile = (1 + confidence) / 2
        widths = stats.norm.ppf(quantile) if interval == "wilson" else stats.t.ppf(quantile, n - 1)
        return bool(away > widths * spread / n**0.5)

    return bisect.bisect_left(range(MAX_N + 1), True, lo=2, key=leaves_out) if leaves_out(MAX_N) else None


def n_for_half_width(
    values: Iterable[float], half_width: float, *, interval: str = "t", resolution: float = 0.0
) -> int | None:
    """Return the number of values with today's mean and spread whose 95 % interval is at most twice `half_width` wide.

    None where it is beyond MAX_N, and where `n_to_leave_out` knows no spread. The bootstrap is asked as Student is.
    """
    ordered = sorted(values)
    if len(ordered) < 2 or not has_interval(ordered, interval, resolution):
        return None
    from scipy import special, stats

    mean, quantile = math.fsum(ordered) / len(ordered), (1 + CONFIDENCE) / 2
    spread = spread_of(ordered, interval=interval, resolution=resolution)

    def is_narrow(n: int) -> bool:
        if interval == "wilson":
            ones = stats.norm.ppf(quantile)
            reach = ones * (mean * (1 - mean) / n + (ones / (2 * n)) ** 2) ** 0.5 / (1 + ones**2 / n)
            return bool(reach <= half_width)
        reach = stats.t.ppf(quantile, n - 1) * spread / n**0.5
        if interval == "logit":
            centre = logit(mean, resolution)
            ends = special.expit([centre - reach, centre + reach])
            reach = (max(ends[1], mean) - min(ends[0], mean)) / 2
        return bool(reach <= half_width)

    return bisect.bisect_left(range(MAX_N + 1), True, lo=2, key=is_narrow) if is_narrow(MAX_N) else None
