"""The best monotone line through the successes of seeds, which has no shape of its own: where half of them succeed.

Shares are pooled where neighbours are in the wrong order (pool adjacent violators). The boundary is where straight
lines between places meet a half, in the middle of the stretch where they are a half. Its interval is of whole gaps
between places: those in which the boundary may lie without making the outcomes much less likely, the shares before it
being at most a half and those behind it at least. So it is wider than that of a curve, whose shape tells more.

Sources: Barlow et al., Statistical Inference under Order Restrictions (1972); Banerjee & Wellner (Annals of Statistics
2001) for the likelihood ratio of a value of a monotone function.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from lrsym.results.analysis.logistic import Interval
from lrsym.results.analysis.outcomes import Outcomes, limit_of

SAMPLES = 499
"""Made-up outcomes that the test of a monotone line compares with; the same rows give the same level."""


@dataclass(frozen=True)
class Isotonic:
    """The line through `outcomes` at two places or more that `rises`, or falls."""

    outcomes: Outcomes
    rises: bool

    @cached_property
    def shares(self) -> Float[np.ndarray, " place"]:
        """The share of seeds at each place, by the line."""
        return _pooled(self.outcomes.shares, self.outcomes.counts, rises=self.rises)

    @property
    def boundary(self) -> Interval:
        """Where the line meets a half, with its interval; an end is None where that leaves the places, or one seed."""
        shares = self.shares if self.rises else self.shares[::-1]
        places = self.outcomes.places if self.rises else self.outcomes.places[::-1]
        at = _half(places, shares)
        if len(self.outcomes.seeds) < 2:
            return Interval(at)
        gaps = np.flatnonzero(self._gap_deviances <= limit_of(self.outcomes.residuals)[1])
        first, last = int(gaps[0]), int(gaps[-1])  # gap i lies before place i
        ends = [*self.outcomes.places.tolist(), None]
        if first == last in (0, len(ends) - 1):
            return Interval(at)
        return Interval(at, ends[first - 1] if first else None, ends[last])

    @cached_property
    def _gap_deviances(self) -> Float[np.ndarray, " gap"]:
        """The deviance above the lowest with the boundary in each gap, those before and behind all places included."""
        outcomes, found = self.outcomes, []
        for gap in range(len(outcomes.places) + 1):
            parts = [
                (_pooled(outcomes.shares[part], outcomes.counts[part], rises=self.rises), part)
                for part in (slice(0, gap), slice(gap, None))
            ]
            low, high = (np.minimum, np.maximum) if self.rises else (np.maximum, np.minimum)
            found.append(_deviance(outcomes, np.concatenate([low(parts[0][0], 0.5), high(parts[1][0], 0.5)])))
        return np.array(found) - _deviance(outcomes, self.shares)

    def direction_level(self) -> float:
        """Return how often, by chance, one direction fits so much better than the other where neither is true.

        Outcomes are drawn with the same share at all places. Seeds with luck of their own differ less between places
        than these, so that they are told a direction more seldom.
        """
        outcomes = self.outcomes
        better = _lead(outcomes)
        if better < 1e-9:
            return 1.0
        rng, counts = np.random.default_rng(0), outcomes.counts.astype(int)
        drawn = rng.binomial(counts, outcomes.hits.sum() / counts.sum(), size=(SAMPLES, len(counts)))
        return (1 + sum(_lead(outcomes.with_hits(hits)) >= better - 1e-9 for hits in drawn)) / (1 + SAMPLES)

    def monotone_level(self) -> float:
        """Return how often outcomes with the shares of the line are as far from monotone; small if these are not."""
        outcomes = self.outcomes
        away = _deviance(outcomes, self.shares) - _deviance(outcomes, outcomes.shares)
        if away < 1e-9:
            return 1.0
        rng, as_far = np.random.default_rng(0), 0
        for hits in rng.binomial(outcomes.counts.astype(int), self.shares, size=(SAMPLES, len(outcomes.places))):
            drawn = outcomes.with_hits(hits)
            fitted = _pooled(drawn.shares, drawn.counts, rises=self.rises)
            as_far += _deviance(drawn, fitted) - _deviance(drawn, drawn.shares) >= away - 1e-9
        return (1 + as_far) / (1 + SAMPLES)


def fit_isotonic(outcomes: Outcomes) -> Isotonic:
    """Return the monotone line that fits better, the rising one where both do alike."""
    lines = [Isotonic(outcomes, rises) for rises in (True, False)]
    return min(lines, key=lambda line: _deviance(outcomes, line.shares))


def _lead(outcomes: Outcomes) -> float:
    """Return by how much the deviance of the best line in one direction lies below that in the other."""
    rising, falling = (_deviance(outcomes, Isotonic(outcomes, rises).shares) for rises in (True, False))
    return abs(rising - falling)


def _pooled(shares: np.ndarray, counts: np.ndarray, *, rises: bool) -> np.ndarray:
    from scipy import optimize

    if not len(shares):
        return shares
    return optimize.isotonic_regression(shares, weights=counts, increasing=rises).x


def _deviance(outcomes: Outcomes, shares: np.ndarray) -> float:
    """Return -2 log likelihood of the shares; infinite where they rule an outcome out."""
    hits, misses = outcomes.hits, outcomes.counts - outcomes.hits
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(hits > 0, hits * np.log(shares), 0) + np.where(misses > 0, misses * np.log(1 - shares), 0)
    return float(-2 * terms.sum())


def _half(places: np.ndarray, shares: np.ndarray) -> float | None:
    """Return where the rising `shares`, straight between `places`, are a half; None where all are on one side."""
    if shares[0] > 0.5 or shares[-1] < 0.5:
        return None
    behind = int(np.flatnonzero(shares >= 0.5)[0])
    before = int(np.flatnonzero(shares <= 0.5)[-1])

    def meet(a: int, b: int) -> float:
        return float(places[a] + (0.5 - shares[a]) / (shares[b] - shares[a]) * (places[b] - places[a]))

    reached = meet(behind - 1, behind) if behind else float(places[0])
    left = meet(before, before + 1) if before + 1 < len(places) else float(places[-1])
    return (reached + left) / 2
