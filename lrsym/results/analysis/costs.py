"""What trials took: hours by outcome, and seconds of one, for each value of an axis."""

import polars as pl

from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.varied_axes import check_axes
from lrsym.vocabulary import FAILED_STATUSES

OUTCOMES = ("done", "stopped", "diverged", "failed")
"""What hours are spent on; the statuses of failures count together."""


def hours_by_outcome(trials: Frame, *, by: str) -> pl.DataFrame:
    """Return a row for each value of the axis `by` and outcome, ascending: by, outcome, hours, n (trials).

    Hours are those of a worker: a pack's wall time is shared out among its members. Trials without seconds count 0.
    """
    check_axes([by])
    outcome = pl.when(pl.col("status").is_in(FAILED_STATUSES)).then(pl.lit("failed")).otherwise("status")
    return (
        trials.lazy()
        .group_by(by, outcome.cast(pl.Enum(OUTCOMES)).alias("outcome"))
        .agg(hours=pl.col("seconds").sum() / 3600, n=pl.len().cast(pl.Int64))
        .sort(by, "outcome")
        .with_columns(pl.col("outcome").cast(pl.String))
        .collect()
    )


def seconds_of_trials(trials: Frame, *, by: str) -> pl.DataFrame:
    """Return median, lowest, highest and n of the seconds of done trials for each value of the axis `by`, ascending."""
    check_axes([by])
    seconds = pl.col("seconds")
    return (
        trials.lazy()
        .filter(pl.col("status") == "done", seconds.is_finite())
        .group_by(by)
        .agg(median=seconds.median(), lowest=seconds.min(), highest=seconds.max(), n=pl.len().cast(pl.Int64))
        .sort(by)
        .collect()
    )
