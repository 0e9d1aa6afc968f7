"""The effect of an axis per doubling: a straight line along its binary logarithm, by seed and every other axis.

    slope = sum_i (x_i - mean x) y_i / sum_i (x_i - mean x)^2,    x = log2 of the axis

Lines of a seed are averaged, and seeds are the replicates, as in a contrast. A line that lost a trial, or lacks a value
of the axis that another seed of its cell has, is left out.
"""

from collections.abc import Sequence

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, has_outcome, replicate_value, shares_value
from lrsym.results.analysis.contrasts import LEFT_OUT_OF_LINES, Contrast, rows_over_seeds
from lrsym.results.analysis.varied_axes import axis_groups, check_axes


def per_doubling(trials: Frame, *, axis: str, metrics: Sequence[str], by: str | None = None) -> Contrast:
    """Return by how much `metrics` rise per doubling of `axis`, for each value of the axis `by`.

    The frame is that of a contrast: estimate is the mean slope, n_pairs the number of lines. Raises UsageError for what
    is no axis of two numbers or more, all above 0, and where no row has two seeds.
    """
    check_axes([axis, *([by] if by else [])])
    table = trials.lazy().collect()
    table = table.filter(pl.col(axis).is_not_null()) if axis in table.columns else table
    values = table[axis] if axis in table.columns else pl.Series([], dtype=pl.Float64)
    if not values.dtype.is_numeric() or (values <= 0).any() or values.n_unique() < 2:
        named = ", ".join(map(str, values.unique().sort().head(5))) or "none"
        raise UsageError(
            f"--per-doubling takes an axis with two numbers or more, all above 0, {axis} has {named}; choose another, "
            "or others with --where"
        )
    groups = axis_groups(table, first=[axis])
    paired_by = [name for name in groups if name != axis]
    paired_by += [by] if by and by not in paired_by else []
    if table.select(axis, "seed", *paired_by).is_duplicated().any():
        raise UsageError("two trials agree in seed and all axes; give each trial once")
    lines = _lines(table, axis, cell=paired_by, metrics=metrics)
    frame = rows_over_seeds(lines, metrics, by=by, schema=table.schema, left_out=LEFT_OUT_OF_LINES)
    return Contrast(frame, paired_by, groups.get(axis, []))


def _lines(table: pl.DataFrame, axis: str, *, cell: list[str], metrics: Sequence[str]) -> pl.DataFrame:
    """Return a row for each line: `cell`, seed, the columns of the pairs of a contrast, and by metric its slope."""
    distinct = pl.col(axis).n_unique()
    table = table.with_columns(_widest=distinct.over(cell) if cell else distinct)
    paired = (distinct > 1) & (distinct == pl.col("_widest").first())
    diverged = (pl.col("status") == "diverged").any()
    x = pl.col(axis).cast(pl.Float64).log(2)
    away, slopes = x - x.mean(), {}
    for metric in metrics:
        y = replicate_value(metric)
        slopes[metric] = pl.when((y.count() == pl.len()) & paired).then((away * y).sum() / (away**2).sum())
        slopes[f"{metric}_shared"] = shares_value(metric, table.columns).any()
    ends = {"paired": paired, "diverged": paired & diverged, "failed": paired & ~diverged & ~has_outcome().all()}
    by = [*cell, "seed"]
    return table.group_by(by).agg(**ends, **slopes).sort(by, nulls_last=True)
