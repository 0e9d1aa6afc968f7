"""Where the rows of a sweep come from, what they cost, and what went wrong: frames."""

import polars as pl

from lrsym.results.store.store import load
from lrsym.vocabulary import FAILED_STATUSES

MAX_FAILURES = 20
"""Distinct messages that are listed: a sweep that fails mostly fails in one or two ways."""

SOURCE = ("commit", "dirty", "lrsym_version", "trainer_version", "torch", "python", "engine", "device", "hardware")
"""What rows of one source have in common: columns of the table runs. The name of the machine is not told."""


def failures(trials: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each status and message of `trials` that diverged or failed, most first: n and a trial_id."""
    lost = trials.filter(pl.col("status").is_in(["diverged", *FAILED_STATUSES]))
    grouped = lost.group_by("status", "message").agg(n=pl.len(), trial_id=pl.col("trial_id").min())
    return grouped.sort(["n", "status", "message"], descending=[True, False, False]).head(MAX_FAILURES)


def sources(root: str, trials: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each source of `trials`: the columns of SOURCE, n_trials, n_runs, first and last.

    The times are those at which the first and the last of these trials were written. A trial whose run has no row in
    the store at `root` has null in SOURCE.
    """
    runs = load(root, "runs").select("run_id", *SOURCE).collect()
    joined = trials.select("run_id", "finished_at").join(runs, on="run_id", how="left")
    grouped = joined.group_by(SOURCE).agg(
        n_trials=pl.len(),
        n_runs=pl.col("run_id").n_unique(),
        first=pl.col("finished_at").min(),
        last=pl.col("finished_at").max(),
    )
    return grouped.sort("n_trials", "first", descending=[True, False])


def seconds(trials: pl.DataFrame) -> dict[str, float] | None:
    """Return the median, lowest and highest seconds of the `trials` that have any, and their sum; None where none."""
    known = trials["seconds"].drop_nulls()
    if known.is_empty():
        return None
    numbers = {"median": known.median(), "lowest": known.min(), "highest": known.max(), "sum": known.sum()}
    return {name: float(str(value)) for name, value in numbers.items()}
