"""Medians in which never is later than all: by hand."""

import polars as pl
import pytest

from lrsym.results.analysis.cell_numbers import cell_medians


def trials(steps, *, status="done", order=1.0):
    """A cell whose seeds reach the threshold at these steps, None where never."""
    frame = pl.DataFrame({"n_heads": 1, "seed": range(len(steps)), "status": status, "stop_rule": None})
    return frame.with_columns(
        steps_to_unseen_order=pl.Series(steps, dtype=pl.Int64),
        unseen_order=pl.lit(order, dtype=pl.Float64),
        seconds=pl.Series([1.0, 2.0, 9.0, 4.0, 5.0][: len(steps)]),
        stop_rule=pl.lit(None, dtype=pl.String),
    )


def medians(frame, metric="steps_to_unseen_order"):
    (row,) = cell_medians(frame, by=["n_heads"], metric=metric).to_dicts()
    return row


@pytest.mark.parametrize(
    ("steps", "median", "never"),
    [
        ([10, 20, 30], 20, 0),
        ([10, 20, None], 20, 1),
        ([10, None, None], None, 2),
        ([10, 30, None, None], None, 2),
        ([10, 20, 40, None], 30, 1),
        ([None, None], None, 2),
    ],
)
def test_never_counts_as_later_than_any_step(steps, median, never):
    row = medians(trials(steps))
    assert (row["median"], row["n_never"], row["n"]) == (median, never, len(steps))


def test_lowest_and_highest_are_those_of_seeds_that_get_there():
    row = medians(trials([10, 30, None]))
    assert (row["lowest"], row["highest"]) == (10, 30)


def test_a_trial_without_such_scenes_is_not_one_that_never_gets_there():
    row = medians(trials([None, None], order=None))
    assert (row["n"], row["n_never"], row["median"]) == (0, 0, None)


def test_without_the_accuracy_itself_nothing_tells_who_never_got_there():
    row = medians(trials([10, None, None]).drop("unseen_order"))
    assert (row["n"], row["n_never"], row["median"]) == (1, 0, 10)


def test_a_trial_that_failed_or_diverged_neither_has_a_step_nor_never():
    row = medians(trials([10, None], status="diverged"))
    assert (row["n"], row["n_never"], row["n_diverged"]) == (0, 0, 2)


def test_other_columns_have_plain_medians():
    row = medians(trials([1, 1, 1, 1, 1]), metric="seconds")
    assert (row["median"], row["lowest"], row["highest"], row["n_never"]) == (4.0, 1.0, 9.0, 0)
