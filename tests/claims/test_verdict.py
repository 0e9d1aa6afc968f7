"""The one rule of verdicts."""

import pytest
from scipy import special, stats

from lrsym.claims.verdict import (
    combine_verdicts,
    corrected_verdict,
    judge_estimate,
    level_of,
    n_to_decide,
    tolerance_of,
)
from lrsym.results.analysis.intervals import Estimate, estimate_mean, holm
from lrsym.vocabulary import INTERVALS


def verdict(low, high, *, at_least=None, at_most=None, n=5):
    return judge_estimate(Estimate(n, (low + high) / 2, low, high), at_least=at_least, at_most=at_most, minimum_n=5)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.45, 0.55, "supported"),
        (0.40, 0.60, "supported"),  # ends included
        (0.39, 0.55, "undecided"),
        (0.55, 0.61, "undecided"),
        (0.30, 0.70, "undecided"),
        (0.30, 0.40, "undecided"),  # touches the range
        (0.30, 0.39, "refuted"),
        (0.60, 0.70, "undecided"),
        (0.61, 0.70, "refuted"),
        (0.40, 0.40, "supported"),
        (0.39, 0.39, "refuted"),
    ],
)
def test_a_verdict_says_where_the_whole_interval_lies(low, high, expected):
    assert verdict(low, high, at_least=0.4, at_most=0.6) == expected


def test_an_absent_end_is_infinitely_far_away():
    assert verdict(0.95, 1e9, at_least=0.9) == "supported"
    assert verdict(-1e9, 0.1, at_most=0.2) == "supported"
    assert verdict(-1e9, 0.1, at_least=0.2) == "refuted"


def test_too_few_values_decide_nothing_however_clear_they_are():
    assert verdict(0.5, 0.5, at_least=0.4, n=4) == "undecided"
    assert verdict(0.5, 0.5, at_least=0.6, n=4) == "undecided"


def test_all_parts_must_be_supported_and_one_refuted_part_refutes():
    assert combine_verdicts(["supported", "supported"]) == "supported"
    assert combine_verdicts(["supported", "undecided"]) == "undecided"
    assert combine_verdicts(["supported", "undecided", "refuted"]) == "refuted"
    assert combine_verdicts(["supported", "undecided", "untestable"]) == "untestable"
    assert combine_verdicts(["untestable", "refuted"]) == "refuted"


@pytest.mark.parametrize(("low", "high"), [(0.45, 0.55), (0.3, 0.45), (0.1, 0.2), (0.55, 0.9), (0.7, 0.8), (0.3, 0.7)])
def test_a_range_moved_by_the_tolerance_is_where_the_verdict_changes(low, high):
    claimed = {"at_least": 0.4, "at_most": 0.6}
    tolerance = tolerance_of(Estimate(5, (low + high) / 2, low, high), **claimed)

    def moved(by):
        return verdict(low, high, at_least=0.4 - by, at_most=0.6 + by)

    assert moved(tolerance.supported + 1e-9) == "supported"
    assert moved(tolerance.supported - 1e-9) != "supported"
    if tolerance.refuted is None:
        assert moved(-0.1) != "refuted"  # the ends meet
    else:
        assert moved(tolerance.refuted - 1e-9) == "refuted"
        assert moved(tolerance.refuted + 1e-9) != "refuted"
    assert tolerance_of(Estimate(1, 0.5), **claimed) is None


VALUES = [0.93, 0.96, 0.88, 0.91, 0.95]


@pytest.mark.parametrize("claimed", [{"at_least": 0.9}, {"at_least": 0.85}, {"at_most": 0.97}, {"at_most": 0.8}])
@pytest.mark.parametrize("interval", ["t", "logit", "bootstrap"])
def test_a_verdict_of_95_percent_is_one_with_a_level_of_a_twentieth(claimed, interval):
    claimed = {"at_least": None, "at_most": None, **claimed}
    values = VALUES * (5 if interval == "bootstrap" else 1)
    estimate = estimate_mean(values, interval=interval)
    level = level_of(values, estimate.mean, **claimed, interval=interval)
    decided = judge_estimate(estimate, **claimed, minimum_n=5) != "undecided"
    assert (level <= 0.05) == decided


@pytest.mark.parametrize(
    ("ones", "n", "at_least"), [(9, 10, 0.5), (9, 10, 0.6), (20, 20, 0.8), (3, 10, 0.7), (0, 5, 0.5)]
)
def test_so_it_is_with_shares(ones, n, at_least):
    values, claimed = [1.0] * ones + [0.0] * (n - ones), {"at_least": at_least, "at_most": None}
    estimate = estimate_mean(values, interval="wilson")
    level = level_of(values, estimate.mean, **claimed, interval="wilson")
    assert (level <= 0.05) == (judge_estimate(estimate, **claimed, minimum_n=5) != "undecided")


ENDS = [
    {"at_least": 1.0, "at_most": None},
    {"at_least": None, "at_most": 0.0},
    {"at_least": 0.6, "at_most": 1.0},
    {"at_least": 0.0, "at_most": 0.5},
    {"at_least": 0.9, "at_most": 0.96},
]
SAMPLES = {"ones": [1.0] * 10, "zeros": [0.0] * 10, "halves": [0.5] * 10, "spread": VALUES * 5}


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("claimed", ENDS)
def test_so_it_is_with_two_ends_and_where_one_is_touched(claimed, name, interval):
    values = SAMPLES[name]
    if interval == "wilson" and name in ("halves", "spread"):
        values = [float(value > 0.92) for value in values]
    for resolution in (0.0, 0.001, 0.5):
        estimate = estimate_mean(values, interval=interval, resolution=resolution)
        level = level_of(values, estimate.mean, **claimed, interval=interval, resolution=resolution)
        decided = judge_estimate(estimate, **claimed, minimum_n=5) != "undecided"
        assert (level is not None and level <= 0.05) == decided
        assert (level is None) == (estimate.low is None)


def test_a_range_with_two_ends_has_the_level_of_the_nearer_one():
    both, near = ({"at_least": 0.9, "at_most": most} for most in (2.0, None))
    mean = estimate_mean(VALUES).mean
    assert level_of(VALUES, mean, **both, interval="t") == level_of(VALUES, mean, **near, interval="t")


def test_equal_values_decide_with_a_resolution_alone_and_one_value_never():
    claimed = {"at_least": 0.9, "at_most": None, "interval": "t"}
    assert level_of([1.0] * 5, 1.0, **claimed) is n_to_decide([1.0] * 5, 1.0, **claimed) is None
    assert 0 < level_of([1.0] * 5, 1.0, **claimed, resolution=0.01) < 1e-4
    assert level_of([0.9] * 5, 0.9, **claimed, resolution=0.01) == 1.0  # on the end of the range
    assert n_to_decide([0.9] * 5, 0.9, **claimed, resolution=0.01) is None
    assert level_of([1.0], 1.0, at_least=0.9, at_most=None, interval="t") is None
    assert level_of([], None, at_least=0.9, at_most=None, interval="t") is None


def test_holm_multiplies_the_smallest_most_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    assert [corrected_verdict("refuted", level) for level in (0.05, 0.06, None)] == [
        "refuted",
        "undecided",
        "undecided",
    ]
    assert corrected_verdict("untestable", 0.5) == "untestable"


@pytest.mark.parametrize(
    ("values", "claimed", "interval"),
    [
        ([0.5, 0.6, 0.7, 0.8], {"at_least": 0.55, "at_most": None}, "t"),
        ([0.5, 0.6, 0.7, 0.8], {"at_least": 0.68, "at_most": None}, "t"),
        ([0.5, 0.6, 0.7, 0.8], {"at_least": 0.6, "at_most": 0.75}, "t"),
        ([0.5, 0.6, 0.7, 0.8], {"at_least": 0.6, "at_most": 0.75}, "logit"),
        ([1] * 7 + [0] * 3, {"at_least": 0.5, "at_most": None}, "wilson"),
        ([1] * 7 + [0] * 3, {"at_least": 0.8, "at_most": 0.9}, "wilson"),
    ],
)
def test_so_many_values_like_these_decide_and_one_fewer_do_not(values, claimed, interval):
    needed = n_to_decide(values, sum(values) / len(values), **claimed, interval=interval)

    def decides(n):
        mean = sum(values) / len(values)
        if interval == "wilson":
            low, high = interval_of_share(mean, n)
        elif interval == "logit":
            spread = stats.tstd(special.logit(values))
            half = stats.t.ppf(0.975, n - 1) * spread / n**0.5
            low, high = special.expit(special.logit(mean) - half), special.expit(special.logit(mean) + half)
        else:
            half = stats.t.ppf(0.975, n - 1) * stats.tstd(values) / n**0.5
            low, high = mean - half, mean + half
        return judge_estimate(Estimate(n, mean, low, high), **claimed, minimum_n=2) != "undecided"

    assert needed > len(values)
    assert [decides(needed - 1), decides(needed)] == [False, True]


def interval_of_share(share, n):
    """Wilson's interval as its paper has it."""
    z = stats.norm.ppf(0.975)
    middle, half = share + z**2 / (2 * n), z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


@pytest.mark.parametrize("values", [[], [0.5], [0.4, 0.6], [0.4, 0.6 + 1e-4]])
def test_what_no_reachable_number_decides_has_none(values):
    mean = sum(values) / len(values) if values else None
    assert n_to_decide(values, mean, at_least=0.5, at_most=None, interval="t") is None
