"""One line of a boundary: the outcomes of seeds along an axis with both fits, and what they say in words."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

from lrsym.results.analysis.isotonic import Isotonic, fit_isotonic
from lrsym.results.analysis.logistic import Interval, Logistic
from lrsym.results.analysis.outcomes import Outcomes, limit_of

NOT_MONOTONE = 0.01
"""Level below which a line is told not to be monotone: so many lines that are, are told so by mistake."""

HAS_DIRECTION = 0.05
"""Level up to which the monotone fit alone tells that a line rises or falls: so many that do neither are told so."""


@dataclass(frozen=True)
class Line:
    """The outcomes of the trials that agree in `key`, along an axis whose values reach over `span`.

    `lost` counts the trials without a value, by what became of them.
    """

    key: dict[str, Any]
    outcomes: Outcomes
    span: tuple[float, float]
    lost: dict[str, int]

    @property
    def has_fit(self) -> bool:
        """Whether there are two places, which a curve takes."""
        return len(self.outcomes.places) > 1

    @cached_property
    def logistic(self) -> Logistic:
        """The logistic fit."""
        return Logistic(self.outcomes, self.span)

    @cached_property
    def isotonic(self) -> Isotonic:
        """The monotone fit, in the direction of the logistic one where there is a boundary."""
        return Isotonic(self.outcomes, self.logistic.rises) if self.is_crossed else fit_isotonic(self.outcomes)

    @cached_property
    def direction(self) -> str:
        """One of BOUNDARY_DIRECTIONS."""
        if not self.has_fit:
            return "unknown"
        if self.logistic.centre is None and not self.logistic.is_open:
            return "above" if self.logistic.shares(self.outcomes.places).mean() > 0.5 else "below"
        if self.logistic.centre is None or not self.logistic.is_decided:
            return "undecided"
        return "rises" if self.logistic.rises else "falls"

    @property
    def is_bounded(self) -> bool:
        """Whether it is known where the boundary is, or on which side of a place it lies beyond the line."""
        return self.is_crossed or (self.boundary.low, self.boundary.high) != (None, None)

    @property
    def is_crossed(self) -> bool:
        """Whether there is a boundary."""
        return self.direction in ("rises", "falls")

    @property
    def boundary(self) -> Interval:
        """The boundary by the logistic fit; of a line that lies on one side only what of it is not ruled out."""
        return Interval() if self.direction in ("unknown", "undecided") else self.logistic.boundary

    @cached_property
    def isotonic_boundary(self) -> Interval:
        """The boundary by the monotone fit, which asks the curve for nothing but the direction, if it has one."""
        return self.isotonic.boundary if self.is_crossed or self._has_monotone_direction else Interval()

    @property
    def _has_monotone_direction(self) -> bool:
        several = self.has_fit and len(self.outcomes.seeds) > 1
        return several and self.isotonic.direction_level() <= HAS_DIRECTION

    @property
    def slope(self) -> Interval:
        """The slope where there is a boundary."""
        return self.logistic.slope if self.is_crossed else Interval()

    @property
    def width(self) -> Interval:
        """The width where there is a boundary."""
        return self.logistic.width if self.is_crossed else Interval()

    @property
    def dispersion(self) -> float | None:
        """How far the outcomes of a seed hang together; None of one seed."""
        return limit_of(self.outcomes.residuals)[0] if len(self.outcomes.seeds) > 1 else None

    @cached_property
    def monotone_level(self) -> float | None:
        """The level at which the outcomes are no noise around a monotone line."""
        return self.isotonic.monotone_level() if self.has_fit else None

    def curves(self) -> dict[str, list[float | None]]:
        """Return the shares at the places of the line, by fit."""
        places = self.outcomes.places
        if not self.has_fit:
            return {"logistic": [None] * len(places), "isotonic": [None] * len(places)}
        return {"logistic": self.logistic.shares(places).tolist(), "isotonic": self.isotonic.shares.tolist()}

    def in_words(self, value: Callable[[float | None], float | None]) -> str:
        """Return what the line says, and what keeps it from saying more; `value` gives the axis at a place."""
        sentences = [self._what(value)]
        if len(self.outcomes.seeds) == 1:
            sentences.append("one seed: no interval")
        if self.monotone_level is not None and self.monotone_level < NOT_MONOTONE:
            sentences.append(
                f"not monotone (p {self.monotone_level:.2g}): the share goes up and down, one boundary is not all of it"
            )
        sentences += self._apart(value) if self.is_crossed else self._beside(value)
        counts = self.outcomes.counts
        if len(counts) and counts.min() < counts.max():
            sentences.append(f"{counts.min():.0f} to {counts.max():.0f} seeds in a cell")
        sentences += [
            f"{n} {name.removeprefix('n_').replace('without', 'without a value')}" for name, n in self.lost.items() if n
        ]
        return "; ".join(sentences)

    def _apart(self, value: Callable[[float | None], float | None]) -> list[str]:
        """Return where the monotone line puts the boundary, if that is beyond the interval of the logistic curve."""
        found, other = self.boundary, self.isotonic_boundary.at
        if other is None or not any(end is not None for end in (found.low, found.high)):
            return []
        low, high = (-inf if found.low is None else found.low), (inf if found.high is None else found.high)
        return [] if low <= other <= high else [f"the monotone line says {value(other):.3g}: the curve fits badly"]

    def _beside(self, value: Callable[[float | None], float | None]) -> list[str]:
        """Return what speaks against a curve that has no boundary: the monotone line, or cells on the other side."""
        places, shares, found = self.outcomes.places, self.outcomes.shares, self.isotonic_boundary
        if found.at is not None:
            low, high = (None if end is None else f"{value(end):.3g}" for end in (found.low, found.high))
            ends = f"{low or f'<{value(places[0]):.4g}'} to {high or f'>{value(places[-1]):.4g}'}"
            return [
                f"the monotone line {'rises' if self.isotonic.rises else 'falls'} at {value(found.at):.3g} ({ends})"
            ]
        against = {"above": shares <= 0.5, "below": shares >= 0.5}.get(self.direction)
        if against is None or not against.any():
            return []
        few = "no more than half" if self.direction == "above" else "half or more"
        return [f"but {few} of the seeds at {', '.join(f'{value(place):.4g}' for place in places[against])}"]

    def _what(self, value: Callable[[float | None], float | None]) -> str:
        places, found, direction = self.outcomes.places, self.boundary, self.direction
        if direction == "unknown":
            return "no seed has a value" if not len(places) else f"one value, {value(places[0]):.4g}: no boundary"
        low, high = (None if end is None else f"{value(end):.3g}" for end in (found.low, found.high))
        first, last = (f"{value(places[i]):.4g}" for i in (0, -1))
        if direction in ("above", "below"):
            reach = [f"up to {high}"] * (high is not None) + [f"down to {low}"] * (low is not None)
            known = f", a boundary may reach {' or '.join(reach)}" if reach else ""
            return f"{direction} from {first} to {last}, by the curve{known}"
        if direction == "undecided":
            return (
                f"undecided: the share of seeds neither rises nor falls for sure from {first} to {last}, by the curve"
            )
        interval = f" ({low or f'<{first}'} to {high or f'>{last}'})" if len(self.outcomes.seeds) > 1 else ""
        if gap := self.outcomes.gap:
            a, b = (f"{value(places[i]):.4g}" for i in gap)
            wider = "" if [found.low, found.high] == places[[*gap]].tolist() else interval
            return f"{direction} between {a} and {b}, in every seed{wider}"
        return f"{direction} at {value(found.at):.3g}{interval}"
