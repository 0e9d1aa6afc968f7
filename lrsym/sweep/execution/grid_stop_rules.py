"""The stop rule of grids, `decided`: a trial ends when more training would hardly change what it has come to.

Its numbers are chosen on the committed curves, and what it gets wrong there is measured: docs/stopping.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lrsym.config.trial import Trial
from lrsym.sweep.planning.stop_rule import Points, StopRule
from lrsym.vocabulary import CHANCE, GRID_STOP_RULES, by_name

JUDGED = ("order", "labelset")
"""Which order, and which labels: global and inset are right where both are."""


@dataclass(frozen=True)
class Decided:
    """Stops a trial once every split has been at ceiling or at chance for `evaluations` in a row.

    Ceiling is an accuracy of `ceiling` or more; chance is 0.5 for order and 0 for labelset, the limit for many
    captions, give or take `margin`. Train must be at ceiling: everything begins at chance. Splits without two objects
    are judged by labelset alone. While it lasts the steps must have grown by the factor `growth`, so that evaluations
    close to each other do not decide.
    """

    ceiling: float = 0.97
    margin: float = 0.05
    evaluations: int = 3
    growth: float = 1.5
    name: str = "decided"

    def members_to_stop(
        self, points: Points, *, trials: Sequence[Trial], steps: Sequence[int], training: Sequence[int]
    ) -> list[int]:
        """Return the members in `training` whose accuracies are decided (`StopRule`)."""
        return [member for member in training if self._decides(points[member], steps)]

    def _decides(self, curve: Sequence[Mapping[tuple[str, str], float]], steps: Sequence[int]) -> bool:
        """Return whether the last points of a trial's curve are decided, enough of them over enough steps."""
        first = len(curve)
        while first and all(self._settled(*key, value) for key, value in curve[first - 1].items()):
            first -= 1
        if len(curve) - first < self.evaluations:
            return False
        return steps[len(curve) - 1] >= self.growth * steps[first]

    def _settled(self, split: str, metric: str, value: float) -> bool:
        if metric not in JUDGED or value >= self.ceiling:
            return True
        return split != "train" and abs(value - CHANCE.get(metric, 0.0)) <= self.margin


GRID_RULES: Mapping[str, StopRule] = by_name(GRID_STOP_RULES, {"decided": Decided()})
"""The rules that a sweep file may ask for with its key `stop`, by name."""
