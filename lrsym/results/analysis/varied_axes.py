"""Which axes a picture shows: those that vary among its trials, and the choice of x, y and facet among them."""

import re
from collections.abc import Sequence
from itertools import chain

import polars as pl

from lrsym.config.axes import Axis, axes
from lrsym.config.messages import nearest_axis_column
from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame

MIN_SCATTERED = 12
"""Numbers on an axis up to which a grid has room for them all, however few cells there are."""

SWEEP = "sweep"
"""The column that names the sweep of a trial, where several sweeps are read."""


def varied_axes(frame: Frame, *, first: Sequence[str] = ()) -> list[str]:
    """Return the axes with more than one value in `frame`, in the order of `axes()`; followers and seed left out."""
    groups = axis_groups(frame, first=first)
    return [axis.name for axis in axes() if axis.name in groups]


def axis_groups(frame: Frame, *, first: Sequence[str] = ()) -> dict[str, list[str]]:
    """Return each varied axis with its followers: the axes whose values follow from it.

    An axis follows another one that it moves one-to-one with, and a derived axis follows those in its rule while it
    is a function of them. Axes in `first` lead, then those that are not derived, of these texts before numbers (rotary
    positions have an init_position_std of 0), then the order of `axes()`.
    """
    table = frame.lazy().collect()
    varied = [a for a in axes() if a.name != "seed" and a.name in table.columns and table[a.name].n_unique() > 1]
    groups: dict[str, list[str]] = {}
    for axis in sorted(varied, key=lambda a: (a.name not in first, bool(a.derived), table[a.name].dtype != pl.String)):
        leader = _leader(table, axis, list(groups))
        if leader is None or axis.name in first:
            groups[axis.name] = []
        else:
            groups[leader].append(axis.name)
    return groups


def free_axes(frame: Frame, *, by: Sequence[str]) -> list[str]:
    """Return the axes, seed left out, that still take several values among trials that agree on all of `by`."""
    names = [a.name for a in axes() if a.name != "seed" and a.name not in by]
    table = frame.lazy().collect()
    counts = table.group_by(by).agg(pl.col(name).n_unique() for name in names if name in table.columns)
    return [name for name in counts.columns if name not in by and (counts[name] > 1).any()]


def choose_axes(
    trials: Frame, *, x: str | None = None, y: str | None = None, facet: str | None = None, prefer: Sequence[str] = ()
) -> tuple[str, str | None, str | None]:
    """Return x, y and facet, each one that is None filled with the next varied axis; x is never None.

    The axes in `prefer`, in its order, come before the others, which stand in the order of `axes()`. With nothing
    varied x is n_pair_labels. y and facet stay None where no varied axis is left. Raises UsageError as `check_axes`.
    """
    given = [axis for axis in (x, y, facet) if axis is not None]
    names = {axis.name for axis in axes()}
    varied = varied_axes(trials, first=[axis for axis in given if axis in names])
    check_axes(given, varied=varied)
    ordered = dict.fromkeys([*(axis for axis in prefer if axis in varied), *varied])
    left = [axis for axis in ordered if axis not in given]
    if x is None:
        x = left.pop(0) if left else next(a for a in ("n_pair_labels", "n_heldout_labels") if a not in given)
    if y is None and left:
        y = left.pop(0)
    if facet is None and y is not None:
        free = free_axes(trials, by=[x, y])
        facet = next((axis for axis in left if axis in free), None)
    return x, y, facet


def scattered_axes(
    trials: pl.DataFrame, *, shown: Sequence[str], x: str | None = None, y: str | None = None, facet: str | None = None
) -> list[str]:
    """Return the axes that vary where cells lie scattered: that to the right, that upwards, then all others.

    They lie so where a grid of the axes `shown` would have one with more than MIN_SCATTERED numbers, of which most
    cells have one for themselves, as a search draws them. Axes not given are those with most values, but for `facet`.
    Returns an empty list where a grid will do.
    """
    if len(shown) < 2:
        return []
    given = [axis for axis in (x, y, facet) if axis is not None]
    names = [*dict.fromkeys([*given, *varied_axes(trials, first=given)])]
    values = {name: trials[name].n_unique() for name in names if trials[name].dtype.is_numeric()}
    most = max((values[name] for name in shown if name in values), default=0)
    if most <= MIN_SCATTERED or 2 * most <= trials.select(names).n_unique():
        return []
    free = sorted((name for name in names if name not in given), key=lambda name: -values.get(name, 0))
    plane = [axis or free.pop(0) for axis in (x, y) if axis or free]
    return [*plane, *free, *([facet] if facet else [])] if len(plane) > 1 else []


def check_axes(given: Sequence[str], *, varied: Sequence[str] = ()) -> None:
    """Raise UsageError unless `given` are distinct axes other than the seed; it names those that are `varied`."""
    names = [axis.name for axis in axes() if axis.name != "seed"]
    for axis in given:
        if axis not in names:
            if axis == "seed":
                raise UsageError("cells differ in axes other than seed, got seed; choose one that lrsym axes lists")
            near = nearest_axis_column(axis)
            hint = f"did you mean {near}? " if near else f"{', '.join(varied)} vary here; " if varied else ""
            raise UsageError(f"there is no axis {axis or 'without a name'}; {hint}lrsym axes lists all of them")
    if len({*given}) < len(given):
        raise UsageError(f"axes must differ, got {', '.join(given)}; leave one out")


def check_single_cells(trials: pl.DataFrame, *, by: Sequence[str], choices: str = "--x, --y, --facet") -> None:
    """Raise UsageError unless trials that agree on all of `by` differ in their seed alone.

    `choices` are the options that choose axes.
    """

    def values(axis: str) -> str:
        distinct = trials[axis].unique().sort().to_list()
        return f"{axis} ({len(distinct)} values, {distinct[0]} to {distinct[-1]})"

    if not (free := free_axes(trials, by=by)):
        return
    example = f"{free[0]}={_common_value(trials, free[0])}"
    raise UsageError(
        f"a cell may hold several seeds but nothing else, yet beside {', '.join(by)} these axes vary: "
        f"{', '.join(map(values, free))}; hold all but three fixed, such as with --where {example}, "
        f"or choose others with {choices}"
    )


def _common_value(trials: pl.DataFrame, axis: str) -> object:
    """Return the lowest value of `axis` that all sweeps among `trials` have, or the lowest of all."""
    sweeps = trials.partition_by(SWEEP) if SWEEP in trials.columns else [trials]
    shared = set.intersection(*({*one[axis].drop_nulls()} for one in sweeps))
    return min(shared, default=trials[axis].drop_nulls().min())


def _leader(table: pl.DataFrame, axis: Axis, leaders: Sequence[str]) -> str | None:
    """Return which of `leaders` the values of `axis` follow from, if any."""
    name = axis.name
    for other in leaders:
        if _count_distinct(table, other, name) == _count_distinct(table, other) == _count_distinct(table, name):
            return other
    sources = [word for word in re.findall(r"\w+", axis.derived) if word in table.columns]
    if sources and _count_distinct(table, *sources, name) == _count_distinct(table, *sources):
        return next((s for s in chain(sources, leaders) if s in leaders), None)
    return None


def _count_distinct(table: pl.DataFrame, *names: str) -> int:
    return table.select(pl.struct(names).n_unique()).item()


def format_value(value: object) -> str:
    """Return a value of an axis as text, numbers in their shortest form."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "absent" if value is None else str(value)
