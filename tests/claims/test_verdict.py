"""The one rule of verdicts."""

import pytest

from lrsym.claims.verdict import combine_verdicts, judge_estimate
from lrsym.results.analysis.intervals import Estimate


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
