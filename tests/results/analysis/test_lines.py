"""Frames of lines: means with bands, cell by cell, and which axes are geometric."""

import polars as pl
import pytest

from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.analysis.lines import is_geometric, lines
from tests.results.analysis.test_aggregate import trials

ORDER = [0.9, 0.95, 1.0, 0.5, 0.6]
ROWS = trials(n_heads=[1, 1, 1, 2, 2], unseen_order=ORDER, seconds=[1.0, 2.0, 3.0, 4.0, 6.0])


def test_each_metric_has_a_row_for_each_cell_with_mean_and_band():
    frame = lines(ROWS, by=["n_heads"], metrics=["unseen_order", "seconds"])
    assert frame.select("metric", "n_heads", "n").rows() == [
        ("unseen_order", 1, 3), ("unseen_order", 2, 2), ("seconds", 1, 3), ("seconds", 2, 2),
    ]  # fmt: skip
    first, second = estimate_mean(ORDER[:3], interval="logit"), estimate_mean([4.0, 6.0], interval="t")
    assert frame.row(0, named=True)["low"] == pytest.approx(first.low)
    assert frame.row(3, named=True)["high"] == pytest.approx(second.high)


def test_bands_of_accuracies_stay_within_them():
    frame = lines(ROWS, by=["n_heads"], metrics=["unseen_order"])
    assert frame.select((pl.col("low") > 0) & (pl.col("high") < 1)).to_series().all()


def test_a_range_goes_from_the_lowest_to_the_highest():
    frame = lines(ROWS, by=["n_heads"], metrics=["unseen_order"], band="range")
    assert frame.select("low", "high").rows() == [(0.9, 1.0), (0.5, 0.6)]


@pytest.mark.parametrize("band", ["interval", "range"])
def test_one_seed_has_a_mean_and_no_band(band):
    frame = lines(trials(n_heads=[1], unseen_order=[0.5]), by=["n_heads"], metrics=["unseen_order"], band=band)
    assert frame.select("mean", "low", "high", "apart").row(0) == (0.5, None, None, False)


def test_a_cell_in_which_all_diverged_keeps_its_row_and_its_count():
    rows = trials(n_heads=[1, 1], status=["diverged"] * 2, unseen_order=[0.5, 0.5])
    row = lines(rows, by=["n_heads"], metrics=["unseen_order"]).row(0, named=True)
    assert (row["mean"], row["low"], row["n"], row["n_diverged"]) == (None, None, 0, 2)


def test_values_of_lost_trials_are_not_in_the_band():
    rows = trials(n_heads=[1] * 3, status=["done", "done", "diverged"], unseen_order=[0.5, 0.6, 0.0])
    assert lines(rows, by=["n_heads"], metrics=["unseen_order"], band="range").row(0, named=True)["low"] == 0.5


def test_an_absent_value_of_an_axis_keeps_its_band():
    rows = trials(steps=[None, None, 5, 5], unseen_order=[0.5, 0.6, 0.7, 0.8])
    frame = lines(rows, by=["steps"], metrics=["unseen_order"], band="range")
    assert frame.select("steps", "low").rows() == [(None, 0.5), (5, 0.7)]


def test_one_seed_apart_is_told_where_it_is_far_enough_to_matter():
    rows = trials(n_heads=[1] * 5 + [2] * 5, unseen_order=[1.0, 1.0, 1.0, 0.99, 0.5, 1.0, 1.0, 1.0, 1.0, 0.99])
    assert lines(rows, by=["n_heads"], metrics=["unseen_order"])["apart"].to_list() == [True, False]


@pytest.mark.parametrize("band", ["interval", "range"])
def test_steps_to_an_accuracy_have_a_median_and_an_end_above_where_all_get_there(band):
    rows = trials(n_heads=[1, 1, 1, 2, 2, 3], unseen_order=[1.0] * 6).with_columns(
        steps_to_unseen_order=pl.Series([10, 20, None, 10, 30, 5])
    )
    frame = lines(rows, by=["n_heads"], metrics=["steps_to_unseen_order"], band=band)
    assert frame.select("n_heads", "n", "n_never", "mean", "median", "low", "high").rows() == [
        (1, 3, 1, None, 20, 10, None), (2, 2, 0, None, 20, 10, 30), (3, 1, 0, None, 5, None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "geometric"),
    [
        ([1, 2, 5, 10, 20, 40], True),
        ([1e-4, 1e-3, 1e-2], True),
        ([0.001, 0.01], True),
        ([5, 6, 7, 8, 15], False),
        ([1, 5, 9, 13, 17, 21], False),
        ([0, 1, 10, 100], False),
        ([3], False),
        ([True, False], False),
        (["pre", "post"], False),
        ([None, 1, 100], False),
    ],
)
def test_an_axis_is_geometric_where_its_ratios_are_more_even_than_its_steps(values, geometric):
    assert is_geometric(values) is geometric
