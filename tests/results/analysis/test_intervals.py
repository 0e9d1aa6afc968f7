"""Intervals of a mean: textbook values, and what holds for each method."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lrsym.errors import UsageError
from lrsym.results.analysis.intervals import (
    SCENES,
    Estimate,
    estimate_mean,
    has_value_apart,
    interval_of,
    level_at,
    resolution_of,
)
from lrsym.results.analysis.sample_size import n_for_half_width, n_to_leave_out
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


def test_wilsons_interval_of_shares_is_as_wide_as_that_of_truth_values_with_their_mean():
    shares, ones = (estimate_mean(v, interval="wilson") for v in ([1, 0.75, 0.5, 0.75], [1, 1, 1, 0]))
    assert (shares.low, shares.high) == pytest.approx((ones.low, ones.high))


@pytest.mark.parametrize(("interval", "takes"), [("wilson", "shares, or truth values"), ("logit", "accuracies")])
def test_what_lies_outside_0_to_1_is_refused_by_name(interval, takes):
    with pytest.raises(UsageError, match=rf"{takes}, 0 to 1, got -0\.2; use interval t"):
        estimate_mean([0.5, -0.2], interval=interval)


def test_the_logit_interval_is_students_on_the_log_odds_around_those_of_the_mean():
    values = [0.9, 0.95, 0.8, 0.99, 1.0]
    moved = [*values[:4], 1 - 0.5 / SCENES]
    logits, mean = [math.log(p / (1 - p)) for p in moved], sum(values) / 5
    reach = stats.t.ppf(0.975, 4) * stats.tstd(logits) / 5**0.5
    ends = [1 / (1 + math.exp(-math.log(mean / (1 - mean)) - side * reach)) for side in (-1, 1)]
    estimate = estimate_mean(values, interval="logit")
    assert estimate.mean == pytest.approx(mean)
    assert (estimate.low, estimate.high) == pytest.approx(ends)


def test_near_one_students_interval_leaves_the_accuracies_and_that_of_logits_does_not():
    values = [1.0, 0.98, 0.999, 0.9, 1.0]
    student, logit = (estimate_mean(values, interval=name) for name in ("t", "logit"))
    assert student.high > 1 > logit.high > logit.mean > logit.low


@pytest.mark.parametrize("bound", ["low", "high"])
def test_the_level_at_an_end_of_the_logit_interval_is_a_twentieth(bound):
    values = [0.9, 0.95, 0.8, 0.99, 1.0]
    end = getattr(estimate_mean(values, interval="logit"), bound)
    assert level_at(values, end, interval="logit") == pytest.approx(0.05)


@pytest.mark.parametrize("bound", [0.0, 1.0, 1.5, math.inf])
def test_no_logit_interval_reaches_an_end_of_the_accuracies(bound):
    assert level_at([0.9, 0.95, 1.0], bound, interval="logit") == 0
    assert n_to_leave_out([0.9, 0.95, 1.0], bound, interval="logit") == 2


def test_so_many_accuracies_like_these_leave_a_bound_out_and_one_fewer_do_not():
    values, bound = [0.9, 0.95, 0.8, 0.97], 0.85
    needed = n_to_leave_out(values, bound, interval="logit")
    logits, mean = [math.log(p / (1 - p)) for p in values], sum(values) / 4
    away = math.log(mean / (1 - mean)) - math.log(bound / (1 - bound))
    reach = [stats.t.ppf(0.975, n - 1) * stats.tstd(logits) / n**0.5 for n in (needed - 1, needed)]
    assert reach[0] > away > reach[1]


@pytest.mark.parametrize("interval", INTERVALS)
def test_with_so_many_values_the_interval_is_narrow_enough_and_with_one_fewer_it_is_not(interval):
    values = [1.0] * 7 + [0.0] * 3 if interval == "wilson" else [0.9, 0.95, 0.8, 0.97]
    mean, n = sum(values) / len(values), n_for_half_width(values, 0.02, interval=interval)

    def half_width(n):
        if interval == "wilson":
            ones = stats.binomtest(round(mean * n), n).proportion_ci(method="wilson")
            return (ones.high - ones.low) / 2
        t = stats.t.ppf(0.975, n - 1) / n**0.5
        if interval == "logit":
            reach = t * stats.tstd([math.log(p / (1 - p)) for p in values])
            ends = [1 / (1 + math.exp(-math.log(mean / (1 - mean)) - side * reach)) for side in (-1, 1)]
            return (ends[1] - ends[0]) / 2
        return t * stats.tstd(values)

    assert half_width(n) <= 0.02
    assert half_width(n - 10 if interval == "wilson" else n - 1) > 0.02  # the share of seven tenths needs whole ones


def test_half_widths_that_no_number_reaches_and_spreads_that_are_not_known_have_no_number():
    assert n_for_half_width([0.0, 1000.0], 1e-3) is None
    assert n_for_half_width([0.5], 0.1) is None
    assert n_for_half_width([0.5, 0.5], 0.1) is None
    assert n_for_half_width([0.5, 0.5], 0.1, resolution=0.01) == 2
    assert n_for_half_width([1.0, 1.0], 0.1, interval="logit") == 2
    assert n_for_half_width([1.0, 1.0], 0.001, interval="logit") == 4


def test_accuracies_have_intervals_on_logits_and_other_columns_students():
    assert [interval_of(name) for name in ("unseen_inset", "train_order")] == ["logit"] * 2
    assert [interval_of(name) for name in ("seconds", "steps_to_unseen_order", "final_loss")] == ["t"] * 3


def test_a_replicate_apart_from_all_others_is_told():
    assert has_value_apart([1.0, 0.99, 1.0, 0.98, 0.5])
    assert has_value_apart([0.5, 0.51, 0.49, 0.5, 1.0])
    assert not has_value_apart([1.0, 0.99, 0.97, 0.98, 0.95])
    assert not has_value_apart([1.0, 1.0, 0.5, 0.5, 0.5])
    assert not has_value_apart([1.0] * 5)
    assert not has_value_apart([1.0, 0.5])


@pytest.mark.slow
def test_grubbs_critical_value_of_ten_is_that_of_his_table():
    def apart(deviations):
        """Ten values, the last so many standard deviations above the mean."""
        others = [(-1) ** i for i in range(9)]
        high = next(x / 100 for x in range(200, 5000) if (v := [*others, x / 100]) and z_of(v) >= deviations)
        return has_value_apart([*others, high])

    def z_of(values):
        return (values[-1] - sum(values) / len(values)) / stats.tstd(values)

    assert [apart(2.45), apart(2.50)] == [False, True]  # 2.482: two-sided, level 0.01


def test_the_bootstrap_of_many_values_agrees_with_students_interval():
    values = [i % 10 for i in range(200)]
    boot, student = (estimate_mean(values, interval=name) for name in ("bootstrap", "t"))
    assert (boot.low, boot.high) == pytest.approx((student.low, student.high), abs=0.05)


@pytest.mark.parametrize("interval", INTERVALS)
def test_an_interval_does_not_depend_on_the_order_of_the_rows_and_repeats(interval):
    values = [0, 1, 1, 0, 0, 1] if interval == "wilson" else [0, 1, 1, 0.3, 0.7, 1]
    assert estimate_mean(values, interval=interval) == estimate_mean(values[::-1], interval=interval)


@pytest.mark.parametrize(("interval", "value"), [("t", 0.9), ("t", -3.7), ("bootstrap", 0.1)])
def test_equal_values_tell_no_spread_and_have_no_interval(interval, value):
    assert estimate_mean([value] * 7, interval=interval) == Estimate(7, value)
    assert level_at([value] * 7, 5.0, interval=interval) is None
    assert n_to_leave_out([value] * 7, 5.0, interval=interval) is None


@pytest.mark.parametrize("values", [[0.5] * 4, [0.5, 0.5, 0.5, 0.5001]])
def test_no_spread_is_taken_for_smaller_than_a_rounding_error(values):
    estimate = estimate_mean(values, resolution=0.01)
    reach = stats.t.ppf(0.975, 3) * 0.01 / 12**0.5 / 2
    assert (estimate.low, estimate.high) == pytest.approx((estimate.mean - reach, estimate.mean + reach))
    assert level_at(values, estimate.high, resolution=0.01) == pytest.approx(0.05)


@pytest.mark.parametrize("n", [2, 3, 20])
@pytest.mark.parametrize("values", [(1.0, 1.0), (0.9999, 1.0), (0.0, 0.0), (0.0, 0.0003), (0.3, 0.3)])
def test_accuracies_that_agree_to_the_scene_have_an_interval_all_the_same(values, n):
    sample = [values[i % 2] for i in range(n)]
    estimate = estimate_mean(sample, interval="logit")
    assert 0 <= estimate.low <= estimate.mean <= estimate.high <= 1
    width, before = estimate.high - estimate.low, estimate_mean(sample[:2], interval="logit")
    assert width > 1e-4
    assert n == 2 or width < before.high - before.low
    assert 0 < level_at(sample, 0.5, interval="logit") < 0.05
    assert level_at(sample, estimate.mean, interval="logit") == 1.0


def test_two_accuracies_of_one_leave_room_for_nine_tenths_and_five_for_less_than_a_scene():
    two, five = (estimate_mean([1.0] * n, interval="logit") for n in (2, 5))
    assert (two.low, two.high) == pytest.approx((0.909, 1.0), abs=5e-4)
    assert (five.low, five.high) == pytest.approx((0.9989, 1.0), abs=5e-5)


@pytest.mark.parametrize("interval", ["t", "bootstrap", "logit"])
def test_one_value_has_a_mean_and_no_interval_and_none_has_neither(interval):
    assert estimate_mean([0.5], interval=interval) == Estimate(1, 0.5)
    assert estimate_mean([], interval=interval) == Estimate(0)


@pytest.mark.slow
@pytest.mark.parametrize("interval", INTERVALS)
@given(values=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=9))
def test_the_mean_lies_in_its_interval(interval, values):
    estimate = estimate_mean(values, interval=interval)
    if estimate.low is None:
        assert interval in ("t", "bootstrap")
        assert len({*values}) == 1
        return
    assert estimate.low - 1e-9 <= estimate.mean <= estimate.high + 1e-9


def test_differences_that_are_equal_but_for_their_rounding_tell_no_spread():
    values = [0.9 - 0.8, 0.8 - 0.7, 0.7 - 0.6, 0.5 - 0.4, 0.6 - 0.5]
    assert len({*values}) > 1
    assert estimate_mean(values).low is level_at(values, 0.0) is None
    assert not has_value_apart([*values, values[0]])


@pytest.mark.parametrize("one", [1.1e-16, 0.1 + 0.2 - 0.3, -5e-15])
def test_a_difference_of_nothing_but_rounding_is_no_evidence(one):
    assert estimate_mean([0.0, 0.0, one, 0.0]).low is level_at([0.0, 0.0, one, 0.0], 0.01) is None
    assert level_at([0.0, 0.0, one, 0.0], 0.01, resolution=0.01) > 0.005


def test_accuracies_of_few_scenes_lie_no_nearer_to_1_than_half_of_one():
    """All 50 scenes of five seeds were hit; that tells less than all 900 of each."""
    many, few = (estimate_mean([1.0] * 5, interval="logit", resolution=step) for step in (0.0, 1 / 50))
    assert many == estimate_mean([1.0] * 5, interval="logit", resolution=1e-4)  # none finer than a scene of 900
    assert (few.low, few.high, few.mean) == pytest.approx((0.980, 1.0, 1.0), abs=1e-3)
    assert few.low < many.low
    assert level_at([1.0] * 5, few.low, interval="logit", resolution=1 / 50) == pytest.approx(0.05)
    wanted = {"interval": "logit", "resolution": 1 / 50}
    assert n_to_leave_out([1.0] * 5, 0.985, **wanted) > 5 >= n_to_leave_out([1.0] * 5, 0.97, **wanted)
    assert n_for_half_width([1.0] * 5, (1 - few.low) / 2, **wanted) == 5


def test_single_objects_are_counted_in_coarser_steps_and_other_columns_in_none_that_are_known():
    assert [round(1 / resolution_of(f"{split}_inset")) for split in ("unseen", "seen", "single")] == [900, 900, 50]
    assert [resolution_of(name) for name in ("seconds", "steps_to_unseen_order")] == [0, 0]
