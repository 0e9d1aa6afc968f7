"""The rows that a picture of a sweep shows: of one table, with the axes of their trials, and of trials in training."""

from collections.abc import Sequence

import polars as pl

from lrsym.results.store.live import LiveRows
from lrsym.results.store.query import filter_trials
from lrsym.results.store.schema import axis_columns
from lrsym.results.store.store import load, read_again
from lrsym.vocabulary import TRAINING


def read_rows(
    root: str, table: str, *, trial_ids: Sequence[str], where: str | None = None, live: LiveRows | None = None
) -> pl.DataFrame:
    """Return the rows of `table` with the axes of their trials, of those among `trial_ids` that meet `where`.

    Rows of `live` stand in for those of trials that are not at their end, as if they were done.
    """
    return read_again(lambda: _read_rows(root, table, trial_ids=trial_ids, where=where, live=live))


def _read_rows(
    root: str, table: str, *, trial_ids: Sequence[str], where: str | None, live: LiveRows | None
) -> pl.DataFrame:
    trials = load(root, "trials", trial_ids=trial_ids)
    if live is not None:
        here = live.trials.with_columns(pl.col("status").replace(TRAINING, "done")).lazy()
        trials = pl.concat([trials.join(here, on="trial_id", how="anti"), here], how="diagonal")
    if where is not None:
        trials = filter_trials(trials.collect(), where).lazy()
    if table == "trials":
        return trials.collect()
    axes = trials.select("trial_id", *axis_columns())
    rows = load(root, table, trial_ids=trial_ids)
    if live is not None and table == "curves":
        rows = pl.concat([rows.join(live.trials.lazy(), on="trial_id", how="anti"), live.curves.lazy()])
    return rows.join(axes, on="trial_id").collect()
