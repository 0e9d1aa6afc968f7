"""The median of a column of numbers in each cell, where seeds that never get there count as later than all others."""

from collections.abc import Sequence

import polars as pl

from lrsym.results.analysis.aggregate import Frame, has_outcome, replicate_value, summarise, with_trial_ids

STEPS_TO = "steps_to_"
"""What the columns that may be never begin with; the accuracy that is to be reached follows."""


def cell_medians(trials: Frame, *, by: Sequence[str], metric: str) -> pl.DataFrame:
    """Return one row for each combination of `by`, ascending: median, lowest, highest, n, n_never and who was lost.

    n counts the trials with an outcome that have a value of `metric`, or never had it: n_never of them have no step at
    which an accuracy that they have reached the threshold, which is told where the rows have that accuracy. median is
    over all n, null where it is never; lowest and highest are over those with a value. The other counts are those of
    `summarise`, trial_ids is of `with_trial_ids`.
    """
    never, accuracy = pl.lit(value=False), metric.removeprefix(STEPS_TO)
    if metric.startswith(STEPS_TO) and accuracy in trials.lazy().collect_schema():
        reached = pl.col(accuracy).is_not_null()
        never = has_outcome() & pl.col(metric).is_null() & reached
    table = trials.lazy().with_columns(_never=never, _value=replicate_value(metric)).collect()
    late = pl.when("_never").then(float("inf")).otherwise("_value")
    median = table.group_by(by).agg(median=late.drop_nulls().median(), n_never=pl.col("_never").sum().cast(pl.Int64))
    median = median.with_columns(median=pl.when(pl.col("median").is_finite()).then("median"))
    frame = summarise(table, by=by, metric=metric).drop("mean", "sd")
    found = frame.join(median, on=by, how="left", nulls_equal=True, maintain_order="left")
    return with_trial_ids(found.with_columns(n=pl.col("n") + pl.col("n_never")), table, by=by)
