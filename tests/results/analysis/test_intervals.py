"""Intervals of a mean: textbook values, and what holds for each method."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.errors import UsageError
from lrsym.results.analysis.intervals import Estimate, estimate_mean
from lrsym.vocabulary import INTERVALS


def test_students_interval_of_five_values_is_2_776_standard_errors_wide_on_each_side():
    estimate = estimate_mean([1, 2, 3, 4, 5], interval="t")
    reach = 2.776 * math.sqrt(2.5 / 5)
    assert (estimate.n, estimate.mean) == (5, 3)
    assert (estimate.low, estimate.high) == pytest.approx((3 - reach, 3 + reach), abs=1e-3)


def test_wilsons_interval_is_the_textbook_formula_on_the_share_of_ones():
    estimate = estimate_mean([1] * 9 + [0], interval="wilson")
    z, p, n = 1.95996, 0.9, 10
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert estimate.mean == 0.9
    assert (estimate.low, estimate.high) == pytest.approx((middle - reach, middle + reach), abs=1e-5)


def test_wilson_refuses_values_that_are_no_truth_values():
    with pytest.raises(UsageError, match=r"truth values, 1 and 0, got 0\.5"):
        estimate_mean([1, 1, 0.5, 0], interval="wilson")


def test_the_bootstrap_of_many_values_agrees_with_students_interval():
    values = [i % 10 for i in range(200)]
    boot, student = (estimate_mean(values, interval=name) for name in ("bootstrap", "t"))
    assert (boot.low, boot.high) == pytest.approx((student.low, student.high), abs=0.05)


@pytest.mark.parametrize("interval", INTERVALS)
def test_an_interval_does_not_depend_on_the_order_of_the_rows_and_repeats(interval):
    values = [0, 1, 1, 0, 0, 1] if interval == "wilson" else [0, 1, 1, 0.3, 0.7, 1]
    assert estimate_mean(values, interval=interval) == estimate_mean(values[::-1], interval=interval)


@pytest.mark.parametrize("interval", ["t", "bootstrap"])
@pytest.mark.parametrize("value", [0.9, 0.1, 0.0, -3.7])
def test_equal_values_have_an_interval_of_exactly_that_point(interval, value):
    assert estimate_mean([value] * 7, interval=interval) == Estimate(7, value, value, value)


@pytest.mark.parametrize("interval", ["t", "bootstrap"])
def test_one_value_has_a_mean_and_no_interval_and_none_has_neither(interval):
    assert estimate_mean([0.5], interval=interval) == Estimate(1, 0.5)
    assert estimate_mean([], interval=interval) == Estimate(0)


@pytest.mark.parametrize("interval", INTERVALS)
@given(values=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=9))
def test_the_mean_lies_in_its_interval(interval, values):
    estimate = estimate_mean([float(v == 1) for v in values] if interval == "wilson" else values, interval=interval)
    assert estimate.low - 1e-9 <= estimate.mean <= estimate.high + 1e-9
