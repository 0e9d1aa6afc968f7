"""How far one line of a boundary lies from another, paired where they share seeds.

    d(s) = min over c of the deviances of both lines, one with its boundary at c + s, the other at c

The interval is of all shifts whose d lies below the limit of `outcomes.limit_of`. Its dispersion is that of the
difference of a seed's outcomes on both lines: a seed that does well on both, or fails on both, widens nothing.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from lrsym.results.analysis.boundary_line import Line
from lrsym.results.analysis.logistic import Interval, accepted
from lrsym.results.analysis.outcomes import level_of, limit_of


@dataclass(frozen=True)
class Shift:
    """The line `of` minus the line `against`."""

    of: Line
    against: Line

    @property
    def missing(self) -> str | None:
        """Why there is no estimate; None where there is one."""
        for name, line in (("other", self.of), ("first", self.against)):
            if not line.is_bounded:
                return f"the {name} side has no boundary: {line.direction}"
        if self.of.logistic.rises != self.against.logistic.rises:
            words = ("rises" if line.logistic.rises else "falls" for line in (self.against, self.of))
            return "the first side {}, the other {}".format(*words)
        return None

    @property
    def seeds(self) -> tuple[set[int], set[int]]:
        """The seeds of both lines."""
        return {*self.of.outcomes.seeds}, {*self.against.outcomes.seeds}

    @property
    def has_interval(self) -> bool:
        """Whether both lines have two seeds or more, and bound their boundary."""
        return not self.missing and min(map(len, self.seeds)) > 1

    @cached_property
    def residuals(self) -> Float[np.ndarray, "seed place"]:
        """Of each seed of either line its residuals on the one, and with the opposite sign on the other."""
        names = sorted(self.seeds[0] | self.seeds[1])
        halves = []
        for line, sign in ((self.of, 1), (self.against, -1)):
            half = np.zeros((len(names), len(line.outcomes.places)))
            half[[names.index(seed) for seed in line.outcomes.seeds]] = sign * line.outcomes.residuals
            halves.append(half)
        return np.concatenate(halves, axis=1)

    @cached_property
    def profile(self) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]]:
        """The shifts that are tried, and the deviance of each above the lowest."""
        of, against = self.of.logistic, self.against.logistic
        n, step = len(of.places), of.places[1] - of.places[0]
        shifts, places = np.arange(1 - n, n), np.arange(n)
        # Beyond its places a profile stays what it is at its end.
        lowest = [(of.deviances[np.clip(places + shift, 0, n - 1)] + against.deviances).min() for shift in shifts]
        return shifts * step, np.array(lowest) - min(lowest)

    @cached_property
    def interval(self) -> Interval:
        """The difference of the two boundaries, in units of the places, with its interval."""
        of, against = self.of.boundary.at, self.against.boundary.at
        estimate = None if self.missing or of is None or against is None else of - against
        if not self.has_interval:
            return Interval(estimate)
        low, high = accepted(*self.profile, limit_of(self.residuals)[1])
        gaps = [line.outcomes.places[[*line.outcomes.gap]] for line in (self.of, self.against) if line.outcomes.gap]
        if len(gaps) == 2:  # whose ends the profiles come near to
            low, high = min(low, float(gaps[0][0] - gaps[1][1])), max(high, float(gaps[0][1] - gaps[1][0]))
        return Interval(estimate, None if np.isinf(low) else low, None if np.isinf(high) else high)

    @property
    def level(self) -> float | None:
        """The level at which the two boundaries are apart."""
        if not self.has_interval:
            return None
        return level_of(max(0.0, float(np.interp(0.0, *self.profile))), self.residuals)

    def row(self, *, by_ratio: bool) -> dict[str, Any]:
        """Return the columns of `Boundary.differences` but holm and those that tell lines apart."""
        found, (of, against) = self.interval, self.seeds
        return {
            "estimate": found.at, "low": found.low, "high": found.high, "p": self.level,
            "n": len(of | against), "n_shared": len(of & against), "told": self._in_words(by_ratio=by_ratio),
        }  # fmt: skip

    def _in_words(self, *, by_ratio: bool) -> str:
        found, (of, against) = self.interval, self.seeds
        if self.missing:
            return self.missing
        low, high = (None if end is None else f"{end:+.2f}" for end in (found.low, found.high))
        interval = (
            f"{low} to {high}"
            if low and high
            else f"above {low}"
            if low
            else f"below {high}"
            if high
            else "not bounded"
        )
        if not self.has_interval:
            interval = "one seed: no interval"
        unit = f" doublings, a factor of {2**found.at:.3g}" if by_ratio and found.at is not None else ""
        paired = "" if of == against else f"; {len(of & against)} of {len(of | against)} seeds on both sides"
        if found.at is None:
            return f"one lies beyond its values: {interval}{paired}"
        return f"{found.at:+.2f} ({interval}){unit}{paired}"


NO_SHIFT = {"estimate": None, "low": None, "high": None, "p": None, "n": 0, "n_shared": 0,
            "told": "one side has no trials"}  # fmt: skip
"""The columns of `Shift.row` where there are no trials on one of the two sides."""
