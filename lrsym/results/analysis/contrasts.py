"""Contrasts: how far two values of an axis differ, paired by seed and by every other axis.

Cells share their seeds, so differences are averaged over the cells of a seed first, and seeds are the replicates.
Source of the paired comparison: Student (Biometrika 1908).
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lrsym.config.axes import axes
from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import Frame, has_outcome, replicate_value, shares_value
from lrsym.results.analysis.intervals import Estimate, estimate_mean, holm, level_at, resolution_of
from lrsym.results.analysis.varied_axes import axis_groups, check_axes, format_value
from lrsym.toml_source import suggest
from lrsym.vocabulary import by_name

LEFT_OUT = {
    "n_unpaired": ("trial", "without a partner on the other side"),
    "n_diverged": ("pair", "in which a trial diverged"),
    "n_failed": ("pair", "in which a trial failed, or was cut short"),
    "n_without": ("pair", "in which a trial has no value"),
}
"""What is not in a contrast, and why, by the column that counts it."""

LEFT_OUT_OF_LINES = by_name(
    LEFT_OUT,
    {
        "n_unpaired": ("line", "without all values of the axis"),
        "n_diverged": ("line", "in which a trial diverged"),
        "n_failed": ("line", "in which a trial failed, or was cut short"),
        "n_without": ("line", "in which a trial has no value"),
    },
)
"""The same of an effect per doubling, whose replicates are lines along an axis and not pairs."""

LeftOut = Mapping[str, tuple[str, str]]


def lost_in_words(count: Callable[[str], Any], left_out: LeftOut = LEFT_OUT) -> str:
    """Return what a contrast leaves out, `count` being given the name of a column; empty where it is nothing."""
    counts = {name: int(count(name)) for name in left_out}
    return ", ".join(f"{counted(counts[name], noun)} {why}" for name, (noun, why) in left_out.items() if counts[name])


_NUMBERS: dict[str, Any] = {
    **dict.fromkeys(("estimate", "low", "high"), pl.Float64),
    "n": pl.Int64,
    **dict.fromkeys(("p", "holm"), pl.Float64),
    **dict.fromkeys(("n_pairs", "fewest_cells", "most_cells", *LEFT_OUT), pl.Int64),
    "no_interval": pl.String,
}


@dataclass(frozen=True)
class Contrast:
    """The rows of a contrast, the axes besides seed that pairs agree in, and those that move with the contrasted ones.

    `frame` has a row for each metric and value of `by`: metric, by, estimate (the mean difference), low and high (its
    95 % interval over seeds), n (seeds), p (paired t test of no difference), holm (p after Holm's correction for all
    rows), n_pairs, fewest_cells and most_cells (of a seed), the counts of LEFT_OUT, and no_interval, why there is none.
    """

    frame: pl.DataFrame
    paired_by: list[str]
    followers: list[str]


def contrast(
    trials: Frame, *, of: Mapping[str, Any], against: Mapping[str, Any], metrics: Sequence[str], by: str | None = None
) -> Contrast:
    """Return `metrics` at the values `of` minus those at the values `against`, for each value of the axis `by`.

    Both map axes, or their keys in a sweep file, to a value or its text. Raises UsageError for axes and values that
    there are none of, where no two trials make a pair, and where no row has two seeds.
    """
    table = trials.lazy().collect()
    of, against = ({key.rpartition(".")[2]: value for key, value in side.items()} for side in (of, against))
    _check_sides(of, against, by)
    sides = [_side(table, values, option) for values, option in ((of, "--of"), (against, "--against"))]
    if sides[0].equals(sides[1]):
        raise UsageError(f"--of and --against must differ, got {in_words(of)} in both; write another value")
    groups = axis_groups(pl.concat(sides), first=[*of])
    paired_by = [axis for axis in groups if axis not in of]
    paired_by += [by] if by and by not in paired_by else []
    for side in sides:
        if side.select("seed", *paired_by).is_duplicated().any():
            raise UsageError("two trials of one side agree in seed and all axes; give each trial once")
    pairs = _pairs(*sides, key=[*paired_by, "seed"], metrics=metrics)
    if not pairs["paired"].any():
        raise _no_pair(sides, of, against, paired_by)
    frame = rows_over_seeds(pairs, metrics, by=by, schema=table.schema)
    return Contrast(frame, paired_by, [f for axis in of for f in groups.get(axis, [])])


def rows_over_seeds(
    pairs: pl.DataFrame,
    metrics: Sequence[str],
    *,
    by: str | None,
    schema: Mapping[str, Any],
    left_out: LeftOut = LEFT_OUT,
) -> pl.DataFrame:
    """Return the frame of a contrast from a row for each seed and cell: paired, diverged, failed, difference by metric.

    `left_out` says what a row is. Raises UsageError where no row has two seeds.
    """
    rows = [row for metric in metrics for row in _rows(pairs, metric, by=by)]
    if all(row["n"] < 2 for row in rows):
        raise _one_seed(rows, pairs, left_out)
    kinds = {"metric": pl.String} | ({by: schema[by]} if by else {}) | _NUMBERS
    return pl.DataFrame(_with_holm(rows), schema=kinds)


def differences(left: Frame, right: Frame, *, by: Sequence[str], metric: str) -> pl.DataFrame:
    """Return, for each combination of the axes `by`, how far `metric` lies in `left` above `right`, paired by seed.

    Both are rows of the table trials in which trials that agree in `by` differ in their seed alone. The rows ascend
    and have the columns `by` and those of `Contrast.frame` behind them; holm corrects for all of them.
    """
    sides = [side.lazy().collect() for side in (left, right)]
    pairs = _pairs(*sides, key=[*by, "seed"], metrics=[metric])
    parts = pairs.partition_by(by, maintain_order=True)
    rows = [{**{axis: part[axis][0] for axis in by}, **_row(part, metric)} for part in parts]
    return pl.DataFrame(_with_holm(rows), schema={axis: sides[0].schema[axis] for axis in by} | _NUMBERS)


def _with_holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return `rows` with the levels p after Holm's correction for all of them."""
    corrected = iter(holm([row["p"] for row in rows if row["p"] is not None]))
    return [{**row, "holm": None if row["p"] is None else next(corrected)} for row in rows]


def _check_sides(of: Mapping[str, Any], against: Mapping[str, Any], by: str | None) -> None:
    if not of:
        raise UsageError(
            "--of must name an axis and its value, got none; write for example --of layouts_per_pair=20 with "
            "--against, or --per-doubling layouts_per_pair"
        )
    check_axes([*of])
    check_axes([*against])
    if {*of} != {*against}:
        named = f"{', '.join(of)} and {', '.join(against) or 'none'}"
        raise UsageError(f"--of and --against must name the same axes, got {named}; give both a value of each")
    if by is not None:
        check_axes([by])
        if by in of:
            raise UsageError(f"--by must be another axis than those contrasted, got {by}; leave it out")


def _side(table: pl.DataFrame, values: Mapping[str, Any], option: str) -> pl.DataFrame:
    """Return the trials with `values`."""
    chosen = table
    for axis, given in values.items():
        there = table[axis].unique().sort(nulls_last=True).to_list()
        value = _typed(axis, given, option)
        found = [one for one in there if _equal(one, value)]
        if not found:
            known = [format_value(one) for one in there]
            hint = f" {near}" if (near := suggest(format_value(value), known)) and isinstance(value, str) else ""
            raise UsageError(f"{option}: no trial has {axis} = {format_value(value)};{hint} values: {', '.join(known)}")
        chosen = chosen.filter(pl.col(axis).eq_missing(found[0]))
    if chosen.is_empty():
        raise UsageError(f"{option}: no trial has {in_words(values)} together; see what there is with lrsym query")
    return chosen


def _typed(axis: str, given: Any, option: str) -> Any:
    """Return a value as the axis has it. Raises UsageError where it cannot be one."""
    kind = next(one.type for one in axes() if one.name == axis)
    if not isinstance(given, str) or kind is str:
        return given
    if given == "absent":
        return None
    what = "true or false" if kind is bool else "a number"
    if kind is bool and given.lower() in ("true", "false"):
        return given.lower() == "true"
    if kind is not bool:
        with contextlib.suppress(ValueError):
            return float(given)
    raise UsageError(f"{option}: {axis} must be {what}, got {given}; `lrsym axes` tells what it may be")


def _equal(one: Any, other: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return abs(one - other) <= 1e-9 * abs(one) if numbers else one == other


def in_words(values: Mapping[str, Any]) -> str:
    """Return axes with their values, as a text: `layouts_per_pair = 20`."""
    return ", ".join(f"{axis} = {format_value(value)}" for axis, value in values.items())


def _pairs(left: pl.DataFrame, right: pl.DataFrame, *, key: list[str], metrics: Sequence[str]) -> pl.DataFrame:
    """Return a row for each seed and cell of either side: `key`, paired, diverged, failed, and difference by metric."""
    columns = {
        "here": pl.lit(value=True),
        "diverged": pl.col("status") == "diverged",
        "outcome": has_outcome(),
        **{f"{metric}_shared": shares_value(metric, {*left.columns} & {*right.columns}) for metric in metrics},
        **{metric: replicate_value(metric) for metric in metrics},
    }
    left, right = (side.select(*key, **columns) for side in (left, right))
    both = left.join(right, on=key, how="full", coalesce=True, nulls_equal=True, maintain_order="left_right")
    paired = pl.col("here").is_not_null() & pl.col("here_right").is_not_null()
    diverged = paired & (pl.col("diverged") | pl.col("diverged_right"))
    return both.select(
        *key,
        paired=paired,
        diverged=diverged,
        failed=paired & ~diverged & ~(pl.col("outcome") & pl.col("outcome_right")),
        **{name: paired & (pl.col(name) | pl.col(f"{name}_right")) for name in (f"{m}_shared" for m in metrics)},
        **{metric: pl.col(metric) - pl.col(f"{metric}_right") for metric in metrics},
    ).sort(key, nulls_last=True)


def _rows(pairs: pl.DataFrame, metric: str, *, by: str | None) -> list[dict[str, Any]]:
    """Return the rows of a contrast in `metric`, without holm."""
    parts = pairs.partition_by(by, maintain_order=True) if by else [pairs]
    return [{"metric": metric, **({by: part[by][0]} if by else {}), **_row(part, metric)} for part in parts]


def _row(pairs: pl.DataFrame, metric: str) -> dict[str, Any]:
    known = pairs.drop_nulls(metric)
    seeds = known.group_by("seed").agg(difference=pl.col(metric).mean(), cells=pl.len()).sort("seed")
    differences = seeds["difference"].to_list()
    resolution = 2**0.5 * resolution_of(metric)  # either side has a rounding error
    estimate = estimate_mean(differences, resolution=resolution)
    no_interval = _no_interval(estimate, shared=bool(known[f"{metric}_shared"].any()))
    if no_interval:
        estimate = Estimate(estimate.n, estimate.mean)
    counts = {
        "n_unpaired": pairs.filter(~pl.col("paired")).height,
        "n_diverged": pairs.filter("diverged").height,
        "n_failed": pairs.filter("failed").height,
    }
    lost = {**counts, "n_without": pairs.height - known.height - sum(counts.values())}
    return {
        "estimate": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "p": None if no_interval else level_at(differences, 0.0, resolution=resolution),
        "n_pairs": known.height,
        "fewest_cells": seeds["cells"].min() if differences else 0,
        "most_cells": seeds["cells"].max() if differences else 0,
        **by_name([*LEFT_OUT], lost),
        "no_interval": no_interval,
    }


def _no_interval(estimate: Estimate, *, shared: bool) -> str | None:
    """Return why a mean has no interval, None where it has one."""
    if estimate.n < 2:
        return "fewer than two seeds have a value"
    if shared:
        return "trials of a pack share its time"
    return "equal in all seeds, which tells no spread" if estimate.low is None else None


def _no_pair(
    sides: list[pl.DataFrame], of: Mapping[str, Any], against: Mapping[str, Any], paired_by: Sequence[str]
) -> UsageError:
    apart = [name for name in (*paired_by, "seed") if not {*sides[0][name]} & {*sides[1][name]}]
    why, axes_apart = f"; they share no value of {', '.join(apart)}" if apart else "", [n for n in apart if n != "seed"]
    remedy = "train what is missing, or choose more with --where"
    remedy += f", or name {' and '.join(axes_apart)} too in --of and --against" if axes_apart else ""
    return UsageError(
        f"no trial with {in_words(of)} has a partner with {in_words(against)} that agrees in seed and all other "
        f"axes{why}; {remedy}"
    )


def _one_seed(rows: list[dict[str, Any]], pairs: pl.DataFrame, left_out: LeftOut) -> UsageError:
    first = next((row for row in rows if row["n"]), None)
    if first is None:
        lost = lost_in_words(lambda name: rows[0][name], left_out)
        remedy = (
            "train what is missing" if rows[0]["n_failed"] or rows[0]["n_unpaired"] else "choose others with --where"
        )
        noun = left_out["n_without"][0]
        return UsageError(f"no {noun} has a value of {rows[0]['metric']}: {lost}; {remedy}")
    seed = pairs.drop_nulls(first["metric"])["seed"][0]
    told = f"{first['metric']} differs by {first['estimate']:.3g} in seed {seed}"
    return UsageError(
        f"an interval takes two seeds or more that have a value, got one: {told}; train more replicates, or choose "
        "more with --where"
    )
