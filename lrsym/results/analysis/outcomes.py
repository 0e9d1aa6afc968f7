"""Successes of seeds along a line: how many of how many at each place, and how far a seed's outcomes hang together.

    y_si        1 where seed s succeeds at place i, else 0; p_i the share of seeds that do
    r_si        y_si - p_i, 0 where the seed has no outcome there
    D(w)        sum_s (sum_i w_i r_si)^2 / sum_si (w_i r_si)^2, the dispersion

Cells of a line share their seeds. D is the variance over seeds of a weighted sum of outcomes beside what it would be if
a seed's outcomes were independent: 1 in the mean if they are, up to the number of places between failure and success
if each seed has one threshold of its own. A likelihood that takes them as independent is divided by it.

Source: Chandler & Bate (Biometrika 2007) for a likelihood adjusted to clusters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from lrsym.results.analysis.intervals import CONFIDENCE

PRIOR_SEEDS = 3.0
"""Further seeds as whose word independence counts, because the dispersion of a few seeds is known badly. Of the numbers
tried the one whose intervals cover best (tests/results/analysis/test_boundary_cover.py)."""


@dataclass(frozen=True)
class Outcomes:
    """At each of `places`, ascending, `hits` of `counts` seeds that succeed; `residuals` [seed, place] as r above.

    Places are values of an axis, or their binary logarithms. `seeds` are those with an outcome, ascending.
    """

    places: Float[np.ndarray, " place"]
    hits: Float[np.ndarray, " place"]
    counts: Float[np.ndarray, " place"]
    residuals: Float[np.ndarray, "seed place"]
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, places: Sequence[float], seeds: Sequence[int], hits: Sequence[bool]) -> "Outcomes":
        """Return the outcomes of trials, given by place, seed and success."""
        at, place = np.unique(np.asarray(places, dtype=float), return_inverse=True)
        names, seed = np.unique(np.asarray(seeds, dtype=int), return_inverse=True)
        success = np.asarray(hits, dtype=float)
        counts = np.bincount(place, minlength=len(at)).astype(float)
        found = np.bincount(place, weights=success, minlength=len(at)).astype(float)
        residuals = np.zeros((len(names), len(at)))
        residuals[seed, place] = success - (found / counts)[place]
        return cls(at, found, counts, residuals, tuple(names.tolist()))

    def with_hits(self, hits: np.ndarray) -> "Outcomes":
        """Return so many other successes of as many seeds; what seeds have in common stays as it was."""
        return replace(self, hits=hits.astype(float))

    @cached_property
    def shares(self) -> Float[np.ndarray, " place"]:
        """The share of seeds that succeed at each place."""
        return self.hits / self.counts

    @cached_property
    def gap(self) -> tuple[int, int] | None:
        """The places of a perfect step, the last on its one side and the first on its other; None where it is none."""
        steps = np.flatnonzero(np.diff(self.shares))
        if len(steps) != 1 or not np.isin(self.shares, (0.0, 1.0)).all():
            return None
        return int(steps[0]), int(steps[0]) + 1

    def deviance(self, logits: Float[np.ndarray, "*curve place"]) -> Float[np.ndarray, "*curve"]:
        """Return -2 log likelihood of curves, given by the log odds of success at each place."""
        return 2 * (self.counts * np.logaddexp(0, logits) - self.hits * logits).sum(axis=-1)

    @property
    def constant_deviance(self) -> float:
        """-2 log likelihood of the same share everywhere: that of a boundary infinitely far away."""
        n, hits = self.counts.sum(), self.hits.sum()
        return float(-2 * sum(k * np.log(k / n) for k in (hits, n - hits) if k))


def limit_of(weighted: Float[np.ndarray, "seed place"]) -> tuple[float, float]:
    """Return the dispersion of weighted residuals, drawn to 1, and the deviance at which an interval ends.

    `weighted` are w_i r_si. The deviance is measured from the lowest; beyond it lies what the 95 % interval
    leaves out, by the F distribution with as many degrees of freedom as there are seeds to tell the dispersion.
    """
    dispersion, freedom = dispersion_of(weighted)
    return dispersion, dispersion * _quantile(freedom)


def dispersion_of(weighted: Float[np.ndarray, "seed place"]) -> tuple[float, float]:
    """Return the dispersion of weighted residuals, drawn to 1, and its degrees of freedom."""
    alone = float((weighted**2).sum())
    found = float((weighted.sum(axis=1) ** 2).sum()) / alone if alone else 1.0
    seeds = len(weighted) - 1
    return (PRIOR_SEEDS + seeds * found) / (PRIOR_SEEDS + seeds), PRIOR_SEEDS + seeds


def level_of(deviance: float, weighted: Float[np.ndarray, "seed place"]) -> float:
    """Return the smallest level at which an interval leaves out what lies so far above the lowest deviance."""
    from scipy import stats

    dispersion, freedom = dispersion_of(weighted)
    return float(stats.f.sf(deviance / dispersion, 1, freedom))


def _quantile(freedom: float) -> float:
    from scipy import stats

    return float(stats.f.ppf(CONFIDENCE, 1, freedom))
