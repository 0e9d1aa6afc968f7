"""Statistics of cells: what trials that differ only in their seed say together."""

import re
from collections.abc import Sequence
from itertools import chain

import polars as pl

from lrsym.config.axes import Axis, axes
from lrsym.vocabulary import FINAL_STATUSES

Frame = pl.DataFrame | pl.LazyFrame


def summarise(trials: Frame, *, by: Sequence[str], metric: str) -> pl.DataFrame:
    """One row for each combination of `by`, ascending: n, mean, sd, lowest, highest, n_failed, n_diverged.

    n counts the trials that the four statistics are taken over: done, with a finite value of `metric`. A trial that
    diverged is counted in n_diverged alone, whatever value it left; n_failed counts the infrastructure's losses.
    sd is the sample standard deviation, null for n = 1; all four statistics are null for n = 0.
    """
    status = pl.col("status")
    number = pl.col(metric).cast(pl.Float64)
    value = pl.when(status == "done", number.is_finite()).then(number)
    return (
        trials.lazy()
        .group_by(by)
        .agg(
            n=value.count().cast(pl.Int64),
            mean=value.mean(),
            sd=value.std(),
            lowest=value.min(),
            highest=value.max(),
            n_failed=(~status.is_in(FINAL_STATUSES)).sum().cast(pl.Int64),
            n_diverged=(status == "diverged").sum().cast(pl.Int64),
        )
        .sort(by)
        .collect()
    )


def varied_axes(frame: Frame, *, first: Sequence[str] = ()) -> list[str]:
    """The axes that take more than one value in `frame`, in the order of `axes()`; followers and seed left out."""
    groups = axis_groups(frame, first=first)
    return [axis.name for axis in axes() if axis.name in groups]


def axis_groups(frame: Frame, *, first: Sequence[str] = ()) -> dict[str, list[str]]:
    """Each varied axis with its followers: the axes whose values follow from it.

    An axis follows another one that it moves one-to-one with, and a derived axis follows those in its rule while it
    is a function of them. Axes in `first` lead, then those that are not derived, then the order of `axes()`.
    """
    table = frame.lazy().collect()
    varied = [a for a in axes() if a.name != "seed" and a.name in table.columns and table[a.name].n_unique() > 1]
    groups: dict[str, list[str]] = {}
    for axis in sorted(varied, key=lambda a: (a.name not in first, bool(a.derived))):
        leader = _leader(table, axis, list(groups))
        if leader is None or axis.name in first:
            groups[axis.name] = []
        else:
            groups[leader].append(axis.name)
    return groups


def free_axes(frame: Frame, *, by: Sequence[str]) -> list[str]:
    """The axes, seed left out, that still take several values among trials that agree on all of `by`."""
    names = [a.name for a in axes() if a.name != "seed" and a.name not in by]
    table = frame.lazy().collect()
    counts = table.group_by(by).agg(pl.col(name).n_unique() for name in names if name in table.columns)
    return [name for name in counts.columns if name not in by and (counts[name] > 1).any()]


def _leader(table: pl.DataFrame, axis: Axis, leaders: Sequence[str]) -> str | None:
    name = axis.name
    for other in leaders:
        if _distinct(table, other, name) == _distinct(table, other) == _distinct(table, name):
            return other
    sources = [word for word in re.findall(r"\w+", axis.derived) if word in table.columns]
    if sources and _distinct(table, *sources, name) == _distinct(table, *sources):
        return next((s for s in chain(sources, leaders) if s in leaders), None)
    return None


def _distinct(table: pl.DataFrame, *names: str) -> int:
    return table.select(pl.struct(names).n_unique()).item()
