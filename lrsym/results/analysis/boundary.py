"""The boundary of an accuracy: where along an axis half of the seeds reach a level, for each value of another axis.

A seed succeeds where its accuracy is at least the level. Each line, the trials of one value of `by`, is fitted by
itself: nothing is borrowed from its neighbours, as the surface of a refinement does (`surface_boundary.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, replicate_value
from lrsym.results.analysis.boundary_line import Line
from lrsym.results.analysis.boundary_shift import NO_SHIFT, Shift
from lrsym.results.analysis.class_shares import share
from lrsym.results.analysis.intervals import holm
from lrsym.results.analysis.lines import is_geometric
from lrsym.results.analysis.outcomes import Outcomes
from lrsym.results.analysis.phases import ROUNDING, split_and_metric
from lrsym.results.analysis.surface_boundary import check_level
from lrsym.results.analysis.varied_axes import SWEEP, check_single_cells, choose_axes
from lrsym.vocabulary import FAILED_STATUSES, PHASE_METRIC, PHASE_THRESHOLD

_LOST = {"n_diverged": "diverged", "n_failed": "failed", "n_without": "without a value"}
"""Trials of a line that have no value, by the column that counts them."""

_FITS = ("slope", "width", "isotonic")


@dataclass(frozen=True)
class Boundary:
    """Where half of the seeds reach an accuracy `metric` of `level`, along the axis `x`.

    There is a line for each value of `by`, if that is an axis, and of `color`, an axis or the column `sweep`. With
    `by_ratio` the values of `x` are spaced by ratio: then lines are fitted along their binary logarithm, so that a
    slope is one per doubling, and a width and a distance of two boundaries are doublings.
    """

    x: str
    by: str | None
    color: str | None
    metric: str
    level: float
    by_ratio: bool
    lines: tuple[Line, ...]

    @property
    def keys(self) -> list[str]:
        """The columns that tell lines apart."""
        return [name for name in (self.color, self.by) if name is not None]

    @property
    def has_several(self) -> bool:
        """Whether there are boundaries to compare."""
        return self.color is not None and len({line.key[self.color] for line in self.lines}) > 1

    def frame(self) -> pl.DataFrame:
        """Return a row for each line: `keys`, direction, at, low, high, slope, width, isotonic, and what they rest on.

        direction is one of BOUNDARY_DIRECTIONS. at is the boundary in values of `x`, by the logistic fit, low to high
        its 95 % interval: an end is null where the interval leaves the values of the line, all three where there is no
        boundary to tell. slope [logit per unit or doubling of `x`] is null where it is infinite, as its ends are; width
        is that of the stretch in which the share of seeds goes from 0.1 to 0.9. isotonic is the boundary by the best
        monotone line. Each has columns with `_low` and `_high`. n and n_seeds count trials and seeds with a value,
        n_diverged, n_failed and n_without the trials that have none; dispersion is that of `outcomes.py`, monotone_p
        the level at which outcomes are no noise around a monotone line; told says it in words.
        """
        rows = [{**line.key, **self._row(line)} for line in self.lines]
        numbers = dict.fromkeys([*_ENDS, "dispersion", "monotone_p"], pl.Float64)
        return pl.DataFrame(rows, schema_overrides=numbers, infer_schema_length=None)

    def _row(self, line: Line) -> dict[str, Any]:
        place = self._value
        logistic, isotonic, slope, width = line.boundary, line.isotonic_boundary, line.slope, line.width
        return {
            "direction": line.direction,
            "at": place(logistic.at), "low": place(logistic.low), "high": place(logistic.high),
            "slope": slope.at, "slope_low": slope.low, "slope_high": slope.high,
            "width": width.at, "width_low": width.low, "width_high": width.high,
            "isotonic": place(isotonic.at), "isotonic_low": place(isotonic.low), "isotonic_high": place(isotonic.high),
            "n": int(line.outcomes.counts.sum()), "n_seeds": len(line.outcomes.seeds), **line.lost,
            "dispersion": line.dispersion, "monotone_p": line.monotone_level, "told": line.in_words(place),
        }  # fmt: skip

    def _value(self, place: float | None) -> float | None:
        """Return the value of `x` at a place of a line."""
        return None if place is None else float(2**place) if self.by_ratio else float(place)

    def cells(self) -> pl.DataFrame:
        """Return a row for each cell: `keys`, x, n, share of the seeds that reach the level, low, high and fits.

        low and high are Wilson's 95 % interval; logistic and isotonic are the shares by the two fits, null of a line
        that has none.
        """
        rows = []
        for line in self.lines:
            outcomes, curves = line.outcomes, line.curves()
            for i, place in enumerate(outcomes.places):
                hits, n = int(outcomes.hits[i]), int(outcomes.counts[i])
                estimate = share(hits, n)
                known = {"n": n, "share": estimate.mean, "low": estimate.low, "high": estimate.high}
                rows.append({**line.key, self.x: self._value(place), **known, **{k: v[i] for k, v in curves.items()}})
        return pl.DataFrame(rows, infer_schema_length=None)

    def curve(self, line: Line, *, points: int = 121) -> pl.DataFrame:
        """Return the logistic curve of `line`, its share at close values of x; no row where it has no fit."""
        places = (
            np.linspace(line.outcomes.places[0], line.outcomes.places[-1], points) if line.has_fit else np.array([])
        )
        shares = line.logistic.shares(places) if line.has_fit else places
        return pl.DataFrame({self.x: [self._value(place) for place in places], "share": shares.tolist()})

    def differences(self) -> pl.DataFrame:
        """Return how far the boundary of each value of `color` lies above that of the first, at each value of `by`.

        Columns: of and against, values of `color`; `by`; estimate, low and high (95 % interval) in units, or doublings,
        of `x`, null where a boundary is not known or an end is not bounded; n, the seeds of both, n_shared those of
        them that both have; p of no distance and holm, corrected for all rows; told. Raises UsageError without two
        values of `color`.
        """
        if not self.has_several:
            raise UsageError(
                "a difference takes two boundaries, got one; name two sweeps, or an axis with --color that tells them "
                "apart"
            )
        lines = {tuple(line.key.values()): line for line in self.lines}
        groups = list(dict.fromkeys(key[0] for key in lines))
        rows = []
        for rest in dict.fromkeys(key[1:] for key in lines):
            against = lines.get((groups[0], *rest))
            for group in groups[1:]:
                of = lines.get((group, *rest))
                key = {"of": group, "against": groups[0], **dict(zip(self.keys[1:], rest, strict=True))}
                rows.append({**key, **(Shift(of, against).row(by_ratio=self.by_ratio) if of and against else NO_SHIFT)})
        levels = iter(holm([row["p"] for row in rows if row["p"] is not None]))
        rows = [{**row, "holm": None if row["p"] is None else next(levels)} for row in rows]
        numbers: dict[str, Any] = dict.fromkeys(("estimate", "low", "high", "p", "holm"), pl.Float64)
        return pl.DataFrame(rows, schema_overrides=numbers, infer_schema_length=None).select(pl.exclude("told"), "told")


_ENDS = ["at", "low", "high", *(f"{fit}{end}" for fit in _FITS for end in ("", "_low", "_high"))]


def find_boundary(
    trials: Frame,
    *,
    x: str | None = None,
    by: str | None = None,
    color: str | None = None,
    metric: str = PHASE_METRIC,
    level: float = PHASE_THRESHOLD,
    prefer: Sequence[str] = (),
) -> Boundary:
    """Return the boundary of `metric` at `level` in rows of the table trials.

    Axes not given are the first varied ones, those in `prefer` before others; with a column `sweep` of several values
    that is the colour. Raises UsageError for what is no accuracy or no axis, where `x` has no two values, all numbers,
    where no trial has a value, and where more axes vary.
    """
    split_and_metric(metric)
    check_level(level)
    table = trials.lazy().collect()
    if table.is_empty():
        raise UsageError("there are no trials to read; train a sweep first, or load the folder that has its rows")
    if metric not in table.columns:
        raise UsageError(f"the rows have no column {metric}; give rows of the table trials, or leave it out")
    x, by, color = _choose(table, x=x, by=by, color=color, prefer=prefer)
    keys = [name for name in (color, by) if name is not None]
    _check_places(table, x)
    check_single_cells(table, by=[*keys, x], choices="--x, --by, --color")
    values = table.with_columns(_value=replicate_value(metric))
    if not values["_value"].count():
        lost = ", ".join(f"{n} {what}" for n, what in zip(_lost(values).values(), _LOST.values(), strict=True) if n)
        remedy = "choose another --metric" if _lost(values)["n_without"] else "choose others with --where"
        raise UsageError(f"none of {table.height} trials has a value of {metric}: {lost}; {remedy}")
    by_ratio = is_geometric(table[x].unique().to_list())
    span = tuple(_places(table[x].unique().sort(), by_ratio)[[0, -1]])
    parts = (
        values.sort([*keys, x, "seed"], nulls_last=True).partition_by(keys, maintain_order=True) if keys else [values]
    )
    if color == SWEEP:  # sweeps in the order that they are given
        order = table[SWEEP].unique(maintain_order=True).to_list()
        parts.sort(key=lambda part: order.index(part[SWEEP][0]))
    lines = [_line({name: part[name][0] for name in keys}, part, x, level, by_ratio, span) for part in parts]
    return Boundary(x, by, color, metric, level, by_ratio, tuple(lines))


def _choose(
    table: pl.DataFrame, *, x: str | None, by: str | None, color: str | None, prefer: Sequence[str]
) -> tuple[str, str | None, str | None]:
    if SWEEP not in table.columns or table[SWEEP].n_unique() < 2:
        return choose_axes(table, x=x, y=by, facet=color, prefer=prefer)
    if color is not None:
        raise UsageError(f"several sweeps are told apart by colour already, got --color {color}; leave it out")
    x, by, _ = choose_axes(table.filter(pl.col(SWEEP) == table[SWEEP][0]), x=x, y=by, prefer=prefer)
    return x, by, SWEEP


def _check_places(table: pl.DataFrame, x: str) -> None:
    """Raise UsageError unless the axis has two values or more, all of them numbers."""
    values = table[x].unique().sort(nulls_last=True).to_list()
    texts = ", ".join("absent" if value is None else str(value) for value in values[:6])
    if not table.schema[x].is_numeric() or None in values:
        raise UsageError(
            f"a boundary runs along numbers, {x} has {texts}; choose another --x, or such trials by --where"
        )
    if len(values) < 2:
        raise UsageError(f"a boundary takes two values of an axis or more, {x} has one, {texts}; choose another --x")


def _places(values: pl.Series, by_ratio: bool) -> np.ndarray:
    places = values.cast(pl.Float64).to_numpy()
    return np.log2(places) if by_ratio else places


def _line(
    key: dict[str, Any], part: pl.DataFrame, x: str, level: float, by_ratio: bool, span: tuple[float, float]
) -> Line:
    known = part.drop_nulls("_value")
    hits = (known["_value"] >= level - ROUNDING).to_list()
    outcomes = Outcomes.of(_places(known[x], by_ratio).tolist(), known["seed"].to_list(), hits)
    return Line(key, outcomes, span, _lost(part))


def _lost(part: pl.DataFrame) -> dict[str, int]:
    """Return how many trials have no value, by _LOST."""
    without = part.filter(pl.col("_value").is_null())["status"]
    diverged, failed = int((without == "diverged").sum()), int(without.is_in(FAILED_STATUSES).sum())
    return {"n_diverged": diverged, "n_failed": failed, "n_without": len(without) - diverged - failed}
