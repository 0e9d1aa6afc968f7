"""Which of the rows that parts have of a trial counts: those of one attempt, the best, then the newest."""

import polars as pl

from lrsym.results.store.schema import TABLES
from lrsym.vocabulary import FINAL_STATUSES, GRID_STOP_RULES

_ATTEMPT = ("trial_id", "status", "stop_rule", "finished_at")
"""The columns that say which attempt at a trial counts."""


def choose_rows(table: str, rows: pl.LazyFrame, *, trials: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Return what counts of the rows that parts have of a table, of one attempt at each trial, with the column part.

    `trials` are the rows of the table trials, where `table` has rows of attempts: a part has one of each trial.
    """
    if trials is not None:
        # Chosen by a few columns, so that a reader of some rows or columns need not have the others read.
        best = best_attempts(trials.select("part", *_ATTEMPT)).select("trial_id", "part")
        return rows.join(best, on=["trial_id", "part"], how="semi", maintain_order="left")
    first = [*TABLES[table].key, pl.col("state") != "running"] if table == "suggestions" else []
    ordered = rows.sort(*first, "finished_at", "part", nulls_last=False)
    return ordered.unique(TABLES[table].key, keep="last", maintain_order=True)


def stopped_by(*rules: str | None) -> pl.Expr:
    """Return whether a row of the table `trials` was stopped by one of `rules`; None stands for no rule."""
    return pl.col("stop_rule").is_in([rule for rule in rules if rule]).fill_null(value=False)


def has_each_once(trials: pl.LazyFrame) -> bool:
    """Return whether each trial has one row, so that none has to be chosen; False where they cannot be read.

    Told by numbers that are compared faster than ids: two ids with one number only cost the choice that is spared.
    """
    try:
        numbers = trials.select(pl.col("trial_id").hash()).collect().to_series()
    except (FileNotFoundError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return False  # told when the rows themselves are read
    return numbers.n_unique() == len(numbers)


def best_attempts(trials: pl.LazyFrame) -> pl.LazyFrame:
    """Return one attempt for each trial: the best (`best_last`), then the newest, then the last part by name."""
    return best_last(trials).unique("trial_id", keep="last", maintain_order=True)


def best_last(trials: pl.LazyFrame) -> pl.LazyFrame:
    """Return the attempts with the best of each trial behind its others; `trials` come in the order of their parts.

    Results are better than trainings that were stopped, of these the ones that count as outcomes, and any of them than
    a failure.
    """
    final, stopped = pl.col("status").is_in(FINAL_STATUSES), pl.col("status") == "stopped"
    return trials.sort(final, stopped_by(*GRID_STOP_RULES), stopped, "finished_at", maintain_order=True)
