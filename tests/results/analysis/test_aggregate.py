"""Cells: replicates are averaged and losses are counted."""

import polars as pl
from polars.testing import assert_frame_equal

from lrsym.results.analysis.aggregate import summarise

COUNTS = {"n": pl.Int64, "n_failed": pl.Int64, "n_diverged": pl.Int64}


def trials(**columns):
    height = max(len(values) for values in columns.values())
    filled = {"status": ["done"] * height, "seed": list(range(height)), **columns}
    return pl.DataFrame(filled)


def test_seeds_of_a_cell_become_their_mean_spread_and_number():
    rows = trials(n_heads=[1, 1, 1, 2, 2], unseen_order=[0.5, 0.75, 1.0, 0.25, 0.75])
    wanted = pl.DataFrame(
        {
            "n_heads": [1, 2],
            "n": [3, 2],
            "mean": [0.75, 0.5],
            "sd": [0.25, 0.125**0.5],
            "lowest": [0.5, 0.25],
            "highest": [1.0, 0.75],
            "n_failed": [0, 0],
            "n_diverged": [0, 0],
        },
        schema_overrides=COUNTS,
    )
    assert_frame_equal(summarise(rows, by=["n_heads"], metric="unseen_order"), wanted)


def test_one_seed_has_no_standard_deviation():
    summary = summarise(trials(n_heads=[1], unseen_order=[0.5]), by=["n_heads"], metric="unseen_order")
    assert summary.row(0, named=True)["sd"] is None


def test_what_diverged_and_what_failed_is_counted_apart_and_never_averaged():
    rows = trials(
        n_heads=[1] * 6,
        status=["done", "diverged", "crashed", "timeout", "out_of_memory", "done"],
        unseen_order=[0.5, 0.0, None, None, None, 1.0],
    )
    row = summarise(rows, by=["n_heads"], metric="unseen_order").row(0, named=True)
    assert (row["n"], row["n_diverged"], row["n_failed"], row["mean"]) == (2, 1, 3, 0.75)


def test_a_value_that_is_no_number_is_left_out():
    rows = trials(n_heads=[1, 1, 1], unseen_order=[float("nan"), 0.5, None])
    row = summarise(rows, by=["n_heads"], metric="unseen_order").row(0, named=True)
    assert (row["n"], row["mean"], row["highest"]) == (1, 0.5, 0.5)


def test_a_cell_in_which_all_trials_failed_keeps_its_row():
    rows = trials(n_heads=[1, 1, 2], status=["crashed", "crashed", "done"], unseen_order=[None, None, 0.5])
    assert summarise(rows, by=["n_heads"], metric="unseen_order").row(0) == (1, 0, None, None, None, None, 2, 0)


def test_an_absent_axis_value_makes_a_cell_of_its_own():
    rows = trials(steps=[None, 10, None], unseen_order=[0.5, 0.25, 0.75])
    summary = summarise(rows, by=["steps"], metric="unseen_order")
    assert dict(summary.select("steps", "mean").rows()) == {None: 0.625, 10: 0.25}


def test_a_lazy_frame_gives_what_a_frame_gives():
    rows = trials(n_heads=[2, 1], unseen_order=[0.5, 0.25])
    eager, lazy = (summarise(r, by=["n_heads"], metric="unseen_order") for r in (rows, rows.lazy()))
    assert_frame_equal(eager, lazy)
