"""The one rule of verdicts: where the whole 95 % interval lies.

A number is *supported* when its whole interval lies in [at_least, at_most], ends included, *refuted* when it lies
wholly outside, else *undecided*. An absent end is infinitely far away. Where a part's precondition fails it is
*untestable*, whatever its number.

A part may ask for equivalence instead, that the mean lies between two margins: it is supported when two one-sided tests
of 5 % each reject that it lies beyond them, which is when its 90 % interval lies in the range; refuted as others.
Source: Schuirmann (Journal of Pharmacokinetics and Biopharmaceutics 1987).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from lrsym.results.analysis.intervals import CONFIDENCE, Estimate, level_at
from lrsym.results.analysis.sample_size import n_to_leave_out
from lrsym.vocabulary import TESTS, by_name

SUPPORTED, REFUTED, UNDECIDED, UNTESTABLE = "supported", "refuted", "undecided", "untestable"
"""Names of `lrsym.vocabulary` (VERDICTS)."""

INNER_CONFIDENCE = by_name(TESTS, {"range": CONFIDENCE, "equivalence": 2 * CONFIDENCE - 1})
"""Confidence of the interval that must lie in the range, by the kind of test."""


@dataclass(frozen=True)
class Tolerance:
    """How far the ends of a claimed range could move apart, all else the same; below 0 they would move together.

    The number would be supported if each moved by `supported` or more, refuted if by less than `refuted`; None where
    the ends would meet first.
    """

    supported: float
    refuted: float | None


def judge_estimate(
    estimate: Estimate,
    *,
    at_least: float | None,
    at_most: float | None,
    minimum_n: int,
    bounds: tuple[float, float] | None = None,
    inner: Estimate | None = None,
) -> str:
    """Return the verdict on a claimed range; undecided below `minimum_n`, or where the interval leaves `bounds`.

    `inner` has the interval that must lie in the range for a support, by default that of `estimate`.
    """
    tolerance = tolerance_of(estimate, at_least=at_least, at_most=at_most, inner=inner)
    if estimate.n < minimum_n or tolerance is None or leaves_bounds(estimate, bounds):
        return UNDECIDED
    if tolerance.supported <= 0:
        return SUPPORTED
    return REFUTED if tolerance.refuted is not None and tolerance.refuted > 0 else UNDECIDED


def leaves_bounds(estimate: Estimate, bounds: tuple[float, float] | None) -> bool:
    """Return whether the interval reaches beyond `bounds`, where no value can be: then it is of the wrong kind."""
    if bounds is None or estimate.low is None or estimate.high is None:
        return False
    return estimate.low < bounds[0] or estimate.high > bounds[1]


def tolerance_of(
    estimate: Estimate, *, at_least: float | None, at_most: float | None, inner: Estimate | None = None
) -> Tolerance | None:
    """Return the tolerance of a claimed range; None where there is no interval. `inner` as in `judge_estimate`."""
    inner = inner or estimate
    if estimate.low is None or estimate.high is None or inner.low is None or inner.high is None:
        return None
    floor, ceiling = _ends(at_least, at_most)
    refuted = max(floor - estimate.high, estimate.low - ceiling)
    return Tolerance(
        supported=max(floor - inner.low, inner.high - ceiling),
        refuted=refuted if -refuted <= (ceiling - floor) / 2 else None,
    )


def level_of(
    values: Sequence[float],
    mean: float | None,
    *,
    at_least: float | None,
    at_most: float | None,
    interval: str,
    resolution: float = 0.0,
    test: str = "range",
) -> float | None:
    """Return the smallest level at which a test of TESTS finds the mean in a claimed range, or outside.

    Which of the two, the mean decides; None where the values have no interval. A verdict is one with a level of at
    most 0.05. Ends belong to the range, so one that no interval can cross is no danger: 0 or 1 of shares, accuracies.
    """
    level = partial(level_at, values, interval=interval, resolution=resolution)
    if mean is None or level(math.inf) is None:
        return None
    floor, ceiling = _ends(at_least, at_most)
    if not floor <= mean <= ceiling:
        return level(floor if mean < floor else ceiling)
    sides = 1 if test == "equivalence" else 2
    return max(((level(end) or 0.0) * sides / 2 for end in _crossable(floor, ceiling, interval)), default=0.0)


def n_to_decide(
    values: Sequence[float],
    mean: float | None,
    *,
    at_least: float | None,
    at_most: float | None,
    interval: str,
    resolution: float = 0.0,
    test: str = "range",
) -> int | None:
    """Return how many values with today's mean and spread would decide; None where no reachable number would."""
    if mean is None:
        return None
    floor, ceiling = _ends(at_least, at_most)
    inside = floor <= mean <= ceiling
    ends = _crossable(floor, ceiling, interval) if inside else [floor if mean < floor else ceiling]
    confidence = INNER_CONFIDENCE[test] if inside else CONFIDENCE
    needed = [
        n_to_leave_out(values, end, interval=interval, confidence=confidence, resolution=resolution) for end in ends
    ]
    known = [n for n in needed if n is not None]
    return max(known, default=None) if len(known) == len(needed) else None


def corrected_verdict(verdict: str, level: float | None) -> str:
    """Return the verdict that is left of `verdict` at a level after a correction."""
    decided = verdict in (SUPPORTED, REFUTED)
    return UNDECIDED if decided and (level is None or level > 1 - CONFIDENCE + 1e-12) else verdict


def combine_verdicts(verdicts: Iterable[str]) -> str:
    """Return the verdict on a claim from those on its parts: all must be supported; one refuted part refutes it."""
    distinct = set(verdicts)
    return next((one for one in (REFUTED, UNTESTABLE, UNDECIDED) if one in distinct), SUPPORTED)


def _crossable(floor: float, ceiling: float, interval: str) -> list[float]:
    """Return the ends that an interval of that name can cross: those of shares and accuracies stay in 0..1."""
    lowest, highest = (0.0, 1.0) if interval in ("wilson", "logit") else (-math.inf, math.inf)
    return [end for end, inside in ((floor, floor > lowest), (ceiling, ceiling < highest)) if inside]


def _ends(at_least: float | None, at_most: float | None) -> tuple[float, float]:
    return -math.inf if at_least is None else at_least, math.inf if at_most is None else at_most
