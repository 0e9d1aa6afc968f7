"""The stop rules of searches, asha, median and wilcoxon: they judge a cell of which the pack has all replicates.

    history[cell][evaluation][replicate]    the objective's column in cells that were told before; larger is better

unless it is minimised. A history may end early (the cell was stopped) and may hold NaN (a replicate diverged), which
is worse than any number. Sources: Li et al., arXiv:1810.05934 (asynchronous successive halving); Golovin et al.,
KDD 2017 (median stopping); Wilcoxon, Biometrics Bulletin 1945.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.sweep.planning.stop_rule import Points, StopRule
from lrsym.sweep.spec.search_table import MIN_WILCOXON
from lrsym.vocabulary import SEARCH_STOP_RULES, by_name

ETA = 3
"""Of the cells at a rung of asha one in so many goes on; also the factor between the steps of two rungs."""

RUNGS = 1
"""Rungs of asha: one, at a third of the steps. Here order is at chance for long and rises late: on the curves of
`labels_by_layouts` more rungs lose the best cell in nearly every order (docs/stopping.md)."""

MIN_EARLIER_CELLS = 5
"""With fewer earlier cells median stops nobody: the median of fewer is mostly noise."""

WARM_UP = 0.1
"""Share of the steps before which median and wilcoxon stop nobody: everything begins at chance."""

ALPHA = 0.05
"""Level of the test of wilcoxon."""

Curve = tuple[tuple[float, ...], ...]
"""`curve[evaluation][replicate]`, of one cell; larger is better."""

History = Sequence[Sequence[Sequence[float]]]


@dataclass(frozen=True)
class CellRule:
    """A stop rule that stops whole cells, as the function of `SEARCH_RULES` under its name says."""

    name: str
    history: tuple[Curve, ...]
    split: str
    metric: str
    minimise: bool
    replicates: int

    def members_to_stop(
        self, points: Points, *, trials: Sequence[Trial], steps: Sequence[int], training: Sequence[int]
    ) -> list[int]:
        """Return the members in `training` of the cells that are to end (`StopRule`).

        A cell of which the pack has not all replicates goes on, and no other is compared with it: its mean is of fewer.
        """
        evaluation = len(points[training[0]]) - 1
        cells = [c for c in _cells(trials) if len(c) == self.replicates and not {*training}.isdisjoint(c)]
        curves = [self._curve(points, cell, evaluation) for cell in cells]
        ends = SEARCH_RULES[self.name](self, curves, evaluation, steps)
        return [member for cell, end in zip(cells, ends, strict=True) if end for member in cell if member in training]

    def _curve(self, points: Points, cell: Sequence[int], evaluation: int) -> Curve:
        """Return the curve of a cell of the pack; NaN where a member has diverged or has no such accuracy."""
        sign = -1 if self.minimise else 1

        def value(member: int, number: int) -> float:
            curve = points[member]
            return sign * curve[number].get((self.split, self.metric), math.nan) if number < len(curve) else math.nan

        return tuple(tuple(value(member, number) for member in cell) for number in range(evaluation + 1))


def make_rule(
    name: str, history: History, *, split: str, metric: str, minimise: bool, replicates: int
) -> StopRule | None:
    """Return the stop rule of that name for the next packs of a search, None for "none".

    `history` is that of the cells told so far, in the column `<split>_<metric>`; `replicates` are the seeds of each
    cell. Raises UsageError for another name, and for wilcoxon with fewer replicates than could ever stop a cell.
    """
    if name == "none":
        return None
    if name not in SEARCH_RULES:
        raise UsageError(f"stop must be one of none, {', '.join(SEARCH_RULES)}, got {name}; choose one of them")
    if name == "wilcoxon" and replicates < MIN_WILCOXON:
        raise UsageError(
            f"stop = wilcoxon needs at least {MIN_WILCOXON} replicates, got {replicates}: fewer can never stop "
            f"anything, their least p is {1 / 2**replicates:g}; raise replicates, or choose asha or median"
        )
    sign = -1 if minimise else 1
    curves = tuple(tuple(tuple(sign * value for value in values) for values in cell) for cell in history)
    return CellRule(name, curves, split, metric, minimise, replicates)


def rungs(steps: Sequence[int]) -> tuple[int, ...]:
    """Return the evaluations that are rungs: the first at or after n / 3**k of the n steps, k = 1, 2, 3; ascending."""
    at = {next(i for i, step in enumerate(steps) if step * ETA**k >= steps[-1]) for k in range(1, RUNGS + 1)}
    return tuple(sorted(at))


def signed_rank_p(differences: Sequence[float]) -> float:
    """Return the one-sided p of Wilcoxon's signed-rank test that `differences` lie below 0, exactly.

    Zeros are left out, equal sizes share their mean rank; infinite differences are the largest. 1 for none.
    """
    sizes = sorted(abs(d) for d in differences if d)
    # Twice the mean rank of each size, a whole number.
    ranks = {size: sizes.index(size) + 1 + len(sizes) - sizes[::-1].index(size) for size in sizes}
    observed = sum(ranks[d] for d in differences if d > 0)
    counts = {0: 1}  # how many choices of signs give which sum of positive ranks
    for size in sizes:
        before, counts = counts, dict[int, int]()
        for total, count in before.items():
            for reached in (total, total + ranks[size]):
                counts[reached] = counts.get(reached, 0) + count
    return sum(count for total, count in counts.items() if total <= observed) / 2 ** len(sizes)


def _asha(rule: CellRule, curves: Sequence[Curve], evaluation: int, steps: Sequence[int]) -> list[bool]:
    """Return which cells end at a rung: those not among the best third of all that have entered it."""
    if evaluation not in rungs(steps):
        return [False] * len(curves)
    # All cells of the pack enter before any is judged, so their order is nothing.
    own = [_mean(curve[evaluation]) for curve in curves]
    entered = [*_earlier_means(rule, evaluation), *own]
    if len(entered) < ETA:
        return [False] * len(curves)
    return [mean == -math.inf or sum(other > mean for other in entered) >= len(entered) // ETA for mean in own]


def _median(rule: CellRule, curves: Sequence[Curve], evaluation: int, steps: Sequence[int]) -> list[bool]:
    """Return which cells are below the median of earlier cells at the same evaluation."""
    earlier = _earlier_means(rule, evaluation)
    if len(earlier) < MIN_EARLIER_CELLS or steps[evaluation] < WARM_UP * steps[-1]:
        return [False] * len(curves)
    return [_mean(curve[evaluation]) < median(earlier) for curve in curves]


def _wilcoxon(rule: CellRule, curves: Sequence[Curve], evaluation: int, steps: Sequence[int]) -> list[bool]:
    """Return which cells are below the best earlier one, by its last mean, over the seeds at this evaluation.

    Replicates are paired in the order of their seeds.
    """
    reached = [c for c in rule.history if len(c) > evaluation and len(c[evaluation]) == rule.replicates]
    best = max(reached, key=lambda cell: _mean(cell[-1]), default=None)
    if best is None or steps[evaluation] < WARM_UP * steps[-1]:
        return [False] * len(curves)

    def p(values: Sequence[float]) -> float:
        pairs = zip(values, best[evaluation], strict=True)
        return signed_rank_p([_finite(value) - reference for value, reference in pairs if reference == reference])

    return [p(curve[evaluation]) < ALPHA for curve in curves]


SEARCH_RULES: Mapping[str, Callable[[CellRule, Sequence[Curve], int, Sequence[int]], list[bool]]] = by_name(
    SEARCH_STOP_RULES, {"asha": _asha, "median": _median, "wilcoxon": _wilcoxon}
)
"""Which cells of a pack end, by the name of the rule: from its history and the curves of these cells."""


def _cells(trials: Sequence[Trial]) -> Collection[list[int]]:
    """Return the members of each cell, those that differ in their seed alone, in the order of their seeds."""
    cells: dict[object, list[int]] = {}
    for member in sorted(range(len(trials)), key=lambda member: trials[member].seed):
        trial = trials[member]
        cells.setdefault((trial.scenes, trial.model, trial.optim, trial.eval), []).append(member)
    return cells.values()


def _earlier_means(rule: CellRule, evaluation: int) -> list[float]:
    return [_mean(cell[evaluation]) for cell in rule.history if len(cell) > evaluation]


def _mean(values: Sequence[float]) -> float:
    """Return the mean, minus infinity where a value is NaN."""
    return sum(map(_finite, values)) / len(values)


def _finite(value: float) -> float:
    return -math.inf if math.isnan(value) else value
