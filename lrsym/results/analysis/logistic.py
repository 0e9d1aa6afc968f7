"""A logistic curve through the successes of seeds: where half of them succeed, how steeply, with profile likelihoods.

    logit p(u) = k (u - c)      c the boundary, k the slope [logit per unit of u], 2 ln 9 / |k| the width: of the
                                stretch in which the share goes from 0.1 to 0.9

For each c the likelihood is taken at its best k, and for each k at its best c: an interval is all whose deviance lies
below the limit of `outcomes.limit_of`. So it is right, too, where the best slope is infinite: of a perfect step every c
between its two values fits as well, and the interval is the gap.

Sources: Cox & Oakes, Analysis of Survival Data (1984), chapter 3, for profiles; Fieller (JRSS B 1954): where the slope
may be 0 the interval of c has no ends; Albert & Anderson (Biometrika 1984) for separation.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from lrsym.results.analysis.outcomes import Outcomes, limit_of

PLACES = 160
"""Places in the span of a line at which the profile is taken; as many lie beyond each of its ends."""

SLOPES = 120
"""Slopes of either sign at which the other profile is taken."""

STEEPEST, INFINITE = 1e4, 30.0
"""Slopes [logit per smallest distance of two places]: the largest that is tried, and from which on one counts as
infinite: a place beside the boundary then has a share of 0 or 1 to within a millionth."""

WIDTH = 2 * float(np.log(9))
"""Log odds between shares of 0.1 and 0.9."""

_HALVINGS = {"slope": 26, "intercept": 44}
"""Of the stretch in which the best one is looked for: to a millionth of it, and of the smallest distance of places."""


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its 95 % interval; None where there is none, an end also where it is not bounded."""

    at: float | None = None
    low: float | None = None
    high: float | None = None


class Logistic:
    """The curve through `outcomes` at two places or more; `span` are the first and last place that profiles cover.

    Several lines that are to be compared have the same span, by default that of their own.
    """

    def __init__(self, outcomes: Outcomes, span: tuple[float, float] | None = None) -> None:
        self.outcomes = outcomes
        low, high = span or (float(outcomes.places[0]), float(outcomes.places[-1]))
        self.places = np.linspace(2 * low - high, 2 * high - low, 3 * PLACES + 1)
        self._smallest = float(np.diff(outcomes.places).min())

    @cached_property
    def deviances(self) -> Float[np.ndarray, " c"]:
        """The profile over `places`, above the lowest deviance of any curve."""
        return self._profile[0] - self.lowest

    @cached_property
    def _profile(self) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
        return _profile_places(self.outcomes, self.places, self._smallest)

    @cached_property
    def lowest(self) -> float:
        """The deviance of the curve that fits best."""
        return min(self._best[1], self.outcomes.constant_deviance)

    @cached_property
    def _best(self) -> tuple[float, float, float]:
        """The best place, its deviance and its slope, found in ever smaller steps."""
        places, (found, slopes) = self.places, self._profile
        for _ in range(3):
            best, step = int(found.argmin()), places[1] - places[0]
            places = np.linspace(places[best] - step, places[best] + step, 41)
            found, slopes = _profile_places(self.outcomes, places, self._smallest)
        best = int(found.argmin())
        return float(places[best]), float(found[best]), float(slopes[best])

    @property
    def centre(self) -> float | None:
        """The place that half of the seeds succeed at; None where that is beyond the places of the line."""
        first, last = self.outcomes.places[[0, -1]]
        if self.outcomes.gap:
            return float(self.outcomes.places[[*self.outcomes.gap]].mean())
        place, deviance, _ = self._best
        inside = first <= place <= last and deviance < self.outcomes.constant_deviance - 1e-9
        return place if inside else None

    @cached_property
    def boundary(self) -> Interval:
        """The centre with its interval; an end is None where it leaves the places of the line."""
        outcomes = self.outcomes
        if len(outcomes.seeds) < 2:
            return Interval(self.centre)
        low, high = accepted(self.places, self.deviances, limit_of(outcomes.residuals)[1])
        if outcomes.gap:  # whose ends the profile comes near to
            ends = outcomes.places[[*outcomes.gap]]
            low, high = min(low, float(ends[0])), max(high, float(ends[1]))
        first, last = outcomes.places[[0, -1]]
        none = high < first or low > last
        return Interval(self.centre, None if none or low < first else low, None if none or high > last else high)

    @cached_property
    def slope(self) -> Interval:
        """The slope with its interval, in log odds per unit of the places; None where it is infinite, as its end is."""
        outcomes = self.outcomes
        infinite = outcomes.gap is not None or abs(self._best[2]) > INFINITE / self._smallest
        at = None if infinite else self._best[2]
        if len(outcomes.seeds) < 2:
            return Interval(at)
        slopes = np.geomspace(0.01 / (outcomes.places[-1] - outcomes.places[0]), STEEPEST / self._smallest, SLOPES)
        slopes = np.concatenate([-slopes[::-1], [0.0], slopes])
        deviances = _profile_slopes(outcomes, slopes) - self.lowest
        centre = self._best[0] if self.centre is None else self.centre
        low, high = accepted(slopes, deviances, limit_of(outcomes.residuals * (outcomes.places - centre))[1])
        steepest = 0.99 * slopes[-1]
        return Interval(at, None if low < -steepest else low, None if high > steepest else high)

    @property
    def is_open(self) -> bool:
        """Whether the boundary may lie anywhere along the line."""
        first, last = self.outcomes.places[[0, -1]]
        within = (self.places >= first) & (self.places <= last)
        return bool((self.deviances[within] <= limit_of(self.outcomes.residuals)[1]).all())

    @property
    def rises(self) -> bool:
        """Whether more seeds succeed the further along."""
        gap = self.outcomes.gap
        return bool(self.outcomes.shares[gap[1]] > 0) if gap else self._best[2] > 0

    @property
    def is_decided(self) -> bool:
        """Whether the interval of the slope leaves out 0; of one seed, whose has none, whether the share changes."""
        slope = self.slope
        if len(self.outcomes.seeds) < 2:
            return bool(np.ptp(self.outcomes.shares) > 0)
        ends = (-np.inf if slope.low is None else slope.low, np.inf if slope.high is None else slope.high)
        return ends[0] > 0 or ends[1] < 0

    @property
    def width(self) -> Interval:
        """The stretch in which the share goes from 0.1 to 0.9, 0 of an infinite slope; high None if not bounded."""
        slope = self.slope
        sign = 1 if self.rises else -1
        steep, flat = (slope.high, slope.low) if self.rises else (slope.low, slope.high)
        at = 0.0 if slope.at is None else WIDTH / abs(slope.at) if slope.at else None
        if len(self.outcomes.seeds) < 2:
            return Interval(at)
        high = None if flat is None or sign * flat <= 0 else WIDTH / abs(flat)
        return Interval(at, WIDTH / abs(steep) if steep else 0.0, high)

    def shares(self, places: Float[np.ndarray, " u"]) -> Float[np.ndarray, " u"]:
        """Return the share of seeds that succeed at `places`, by the curve."""
        outcomes, (place, deviance, slope) = self.outcomes, self._best
        if outcomes.gap:
            place, slope = self.centre, (STEEPEST if self.rises else -STEEPEST) / self._smallest
        elif deviance >= outcomes.constant_deviance - 1e-9:
            return np.full(len(places), outcomes.hits.sum() / outcomes.counts.sum())
        return _expit(slope * (places - place))


def accepted(at: Float[np.ndarray, " at"], deviances: Float[np.ndarray, " at"], limit: float) -> tuple[float, float]:
    """Return the ends of what has a deviance up to `limit`, straight between points; infinite where `at` ends first."""
    inside = np.flatnonzero(deviances <= limit)
    if not len(inside):  # the best lies between two points, and the others are far worse
        best = int(deviances.argmin())
        return float(at[max(best - 1, 0)]), float(at[min(best + 1, len(at) - 1)])
    first, last = int(inside[0]), int(inside[-1])
    low = -np.inf if first == 0 else _meet(at, deviances, first, first - 1, limit)
    high = np.inf if last == len(at) - 1 else _meet(at, deviances, last, last + 1, limit)
    return low, high


def _meet(at: np.ndarray, deviances: np.ndarray, inside: int, outside: int, limit: float) -> float:
    share = (limit - deviances[inside]) / (deviances[outside] - deviances[inside])
    return float(at[inside] + share * (at[outside] - at[inside]))


def _profile_places(
    outcomes: Outcomes, places: Float[np.ndarray, " c"], smallest: float
) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """Return the deviance at each of `places` as the boundary, and the slope that it is lowest with.

    The likelihood is concave in the slope, so its derivative is halved down, on a scale that is even by ratio.
    """
    away = outcomes.places - places[:, None]
    steepest = np.arcsinh(STEEPEST)
    low, high = np.full(len(places), -steepest), np.full(len(places), steepest)
    for _ in range(_HALVINGS["slope"]):
        middle = (low + high) / 2
        slope = np.sinh(middle)[:, None] / smallest
        rising = ((outcomes.hits - outcomes.counts * _expit(slope * away)) * away).sum(axis=1) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    slopes = np.sinh((low + high) / 2) / smallest
    return outcomes.deviance(slopes[:, None] * away), slopes


def _profile_slopes(outcomes: Outcomes, slopes: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Return the deviance with each of `slopes`, at the boundary that it is lowest with."""
    rise = slopes[:, None] * outcomes.places
    low, high = rise.min(axis=1) - 40, rise.max(axis=1) + 40
    for _ in range(_HALVINGS["intercept"]):
        middle = (low + high) / 2
        too_many = (outcomes.hits - outcomes.counts * _expit(rise - middle[:, None])).sum(axis=1) < 0
        low, high = np.where(too_many, middle, low), np.where(too_many, high, middle)
    return outcomes.deviance(rise - ((low + high) / 2)[:, None])


def _expit(logits: np.ndarray) -> np.ndarray:
    """Return the shares with these log odds."""
    return (1 + np.tanh(logits / 2)) / 2
