"""Cells: replicates are averaged and losses are counted."""

import polars as pl
from polars.testing import assert_frame_equal

from lrsym.results.analysis.aggregate import MAX_CELLS, summarise, with_trial_ids

COUNTS = dict.fromkeys(("n", "n_failed", "n_diverged", "n_stopped", "n_censored"), pl.Int64)


def trials(**columns):
    height = max(len(values) for values in columns.values())
    filled = {"status": ["done"] * height, "stop_rule": [None] * height, "seed": list(range(height)), **columns}
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
            "n_stopped": [0, 0],
            "n_censored": [0, 0],
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


def test_what_is_decided_is_averaged_and_what_a_search_stopped_is_counted_alone():
    rows = trials(
        n_heads=[1] * 4,
        status=["done", "stopped", "stopped", "stopped"],
        stop_rule=[None, "decided", "asha", "wilcoxon"],
        unseen_order=[0.5, 1.0, 0.0, 0.0],
    )
    row = summarise(rows, by=["n_heads"], metric="unseen_order").row(0, named=True)
    assert (row["n"], row["mean"], row["n_stopped"], row["n_censored"]) == (2, 0.75, 3, 2)


def test_steps_that_a_stopped_trial_did_not_reach_stay_absent():
    rows = trials(n_heads=[1, 1], status=["stopped"] * 2, stop_rule=["decided"] * 2, steps_to_unseen_order=[None, 40])
    row = summarise(rows, by=["n_heads"], metric="steps_to_unseen_order").row(0, named=True)
    assert (row["n"], row["mean"]) == (1, 40)


def test_a_value_that_is_no_number_is_left_out():
    rows = trials(n_heads=[1, 1, 1], unseen_order=[float("nan"), 0.5, None])
    row = summarise(rows, by=["n_heads"], metric="unseen_order").row(0, named=True)
    assert (row["n"], row["mean"], row["highest"]) == (1, 0.5, 0.5)


def test_a_cell_in_which_all_trials_failed_keeps_its_row():
    rows = trials(n_heads=[1, 1, 2], status=["crashed", "crashed", "done"], unseen_order=[None, None, 0.5])
    assert summarise(rows, by=["n_heads"], metric="unseen_order").row(0) == (1, 0, None, None, None, None, 2, 0, 0, 0)


def test_an_absent_axis_value_makes_a_cell_of_its_own():
    rows = trials(steps=[None, 10, None], unseen_order=[0.5, 0.25, 0.75])
    summary = summarise(rows, by=["steps"], metric="unseen_order")
    assert dict(summary.select("steps", "mean").rows()) == {None: 0.625, 10: 0.25}


def test_a_lazy_frame_gives_what_a_frame_gives():
    rows = trials(n_heads=[2, 1], unseen_order=[0.5, 0.25])
    eager, lazy = (summarise(r, by=["n_heads"], metric="unseen_order") for r in (rows, rows.lazy()))
    assert_frame_equal(eager, lazy)


def test_trials_of_a_cell_are_named_up_to_a_number_and_the_others_counted():
    rows = pl.DataFrame({"n_heads": [1] * 7 + [None], "trial_id": [f"t{i}" for i in range(8)]})
    cells = rows.select("n_heads").unique(maintain_order=True)
    told = with_trial_ids(cells, rows, by=["n_heads"])["trial_ids"].to_list()
    assert told == ["t0, t1, t2, t3, t4 and 2 more", "t7"]
    assert with_trial_ids(pl.DataFrame({"n": [8]}), rows, by=[])["trial_ids"].item() == "t0, t1, t2, t3, t4 and 3 more"
    assert with_trial_ids(cells, rows.drop("trial_id"), by=["n_heads"]).columns == ["n_heads"]


def test_trials_of_more_cells_than_a_picture_has_are_not_named():
    rows = pl.DataFrame({"n_heads": range(MAX_CELLS + 1), "trial_id": ["t"] * (MAX_CELLS + 1)})
    assert "trial_ids" not in with_trial_ids(rows.select("n_heads"), rows, by=["n_heads"]).columns
