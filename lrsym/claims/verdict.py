"""The one rule of verdicts: where the whole 95 % interval lies.

A number is *supported* when its whole interval lies in [at_least, at_most], ends included, *refuted* when it lies
wholly outside, else *undecided*. An absent end is infinitely far away.
"""

import math
from collections.abc import Iterable

from lrsym.results.analysis.intervals import Estimate

SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"
"""Names of `lrsym.vocabulary` (VERDICTS)."""


def judge_estimate(estimate: Estimate, *, at_least: float | None, at_most: float | None, minimum_n: int) -> str:
    """Return the verdict on a claimed range; undecided below `minimum_n` values."""
    if estimate.n < minimum_n or estimate.low is None or estimate.high is None:
        return UNDECIDED
    floor = -math.inf if at_least is None else at_least
    ceiling = math.inf if at_most is None else at_most
    if floor <= estimate.low and estimate.high <= ceiling:
        return SUPPORTED
    return REFUTED if estimate.high < floor or estimate.low > ceiling else UNDECIDED


def combine_verdicts(verdicts: Iterable[str]) -> str:
    """Return the verdict on a claim from those on its parts: all must be supported; one refuted part refutes it."""
    distinct = set(verdicts)
    return REFUTED if REFUTED in distinct else UNDECIDED if UNDECIDED in distinct else SUPPORTED
