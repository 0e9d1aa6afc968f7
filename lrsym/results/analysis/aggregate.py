"""Statistics over replicates: what trials that differ only in their seed say together.

In all frames `n` counts the replicates behind a mean; `lowest` and `highest` are their extremes.
"""

from collections.abc import Sequence

import polars as pl

from lrsym.vocabulary import FINAL_STATUSES

Frame = pl.DataFrame | pl.LazyFrame


def summarise(trials: Frame, *, by: Sequence[str], metric: str) -> pl.DataFrame:
    """Return one row for each combination of `by`, ascending: n, mean, sd, lowest, highest, n_failed, n_diverged.

    n counts the trials that the four statistics are taken over: done, with a finite value of `metric`. A trial that
    diverged is counted in n_diverged alone, whatever value it left; n_failed counts the infrastructure's losses.
    sd is the sample standard deviation, null for n = 1; all four statistics are null for n = 0.
    """
    status, value = pl.col("status"), replicate_value(metric)
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


def replicate_value(metric: str) -> pl.Expr:
    """Return what a trial contributes to statistics of `metric`: its value if it is done and finite, else null."""
    number = pl.col(metric).cast(pl.Float64)
    return pl.when(pl.col("status") == "done", number.is_finite()).then(number)


def mean_and_range(rows: Frame, *, by: Sequence[str]) -> pl.DataFrame:
    """Return mean, lowest, highest and n of the finite values in column value, for each combination of `by`."""
    value = pl.col("value")
    return (
        rows.lazy()
        .filter(value.is_finite())
        .group_by(by)
        .agg(mean=value.mean(), lowest=value.min(), highest=value.max(), n=value.count().cast(pl.Int64))
        .sort(by)
        .collect()
    )
