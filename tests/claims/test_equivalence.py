"""Claims of no effect: two one-sided tests, their error rate, and how they are told."""

import numpy as np
import pytest
from scipy import stats

from lrsym.claims.claim import Part
from lrsym.claims.file import parse
from lrsym.claims.judging import judge_claim, read_results
from lrsym.claims.ledger import digest_of
from lrsym.claims.report import as_data, table_rows
from lrsym.claims.verdict import INNER_CONFIDENCE, judge_estimate, level_of, n_to_decide, tolerance_of
from lrsym.errors import UsageError
from lrsym.results.analysis.intervals import estimate_mean
from tests.claims.test_judging import FILE, store  # noqa: F401  a fixture

MARGINS = {"at_least": -1.0, "at_most": 1.0}
N_SAMPLES = 800
"""The standard error of a rate of 5 % is then 0.8 %."""


def judged(values, *, test="equivalence", interval="t", claimed=None):
    inner = estimate_mean(values, interval=interval, confidence=INNER_CONFIDENCE[test])
    estimate = estimate_mean(values, interval=interval)
    return judge_estimate(estimate, **(claimed or MARGINS), minimum_n=5, inner=inner)


def rates(draw, **options):
    """The share of samples with each verdict."""
    rng = np.random.default_rng(0)
    found = [judged(draw(rng).tolist(), **options) for _ in range(N_SAMPLES)]
    return {verdict: found.count(verdict) / N_SAMPLES for verdict in ("supported", "refuted", "undecided")}


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 20])
@pytest.mark.parametrize("mean", [-1.0, 1.0])
def test_of_an_effect_at_the_margin_one_in_twenty_is_called_none(mean, n):
    told = rates(lambda rng: rng.normal(mean, 0.5, size=n))
    assert 0.03 <= told["supported"] <= 0.075
    assert told["refuted"] <= 0.045
    of_range = rates(lambda rng: rng.normal(mean, 0.5, size=n), test="range")
    assert 0.01 <= of_range["supported"] <= 0.045  # the rule of ranges holds to half of it


def test_so_it_is_with_accuracies_on_logits():
    """Twenty accuracies that scatter by half a logit around 0.8, whose mean is the upper margin."""

    def draw(rng):
        return 1 / (1 + np.exp(-(np.log(4) + 0.5 * rng.normal(size=20))))

    mean = float(np.mean([draw(np.random.default_rng(seed)).mean() for seed in range(2000)]))
    told = rates(draw, interval="logit", claimed={"at_least": 0.5, "at_most": mean})
    assert 0.03 <= told["supported"] <= 0.075


@pytest.mark.slow
def test_no_effect_at_all_is_supported_and_a_large_one_refuted():
    assert rates(lambda rng: rng.normal(0, 0.5, size=10))["supported"] > 0.99
    assert rates(lambda rng: rng.normal(2, 0.5, size=10))["refuted"] > 0.99


VALUES = [0.4, 0.9, -0.1, 0.6, 0.7, 0.3]


def test_the_level_is_the_larger_p_of_the_two_one_sided_tests():
    each = [stats.ttest_1samp(VALUES, -1, alternative="greater"), stats.ttest_1samp(VALUES, 1, alternative="less")]
    mean = sum(VALUES) / len(VALUES)
    level = level_of(VALUES, mean, **MARGINS, interval="t", test="equivalence")
    assert level == pytest.approx(max(one.pvalue for one in each))
    assert level_of(VALUES, mean, **MARGINS, interval="t") == pytest.approx(2 * level)


@pytest.mark.parametrize("margin", [0.5, 0.6, 0.7, 0.72, 0.75, 0.8, 0.9])
@pytest.mark.parametrize("interval", ["t", "logit"])
def test_a_verdict_is_one_with_a_level_of_at_most_a_twentieth(interval, margin):
    values = [abs(value) for value in VALUES]
    claimed = {"at_least": 0.01, "at_most": margin}
    level = level_of(values, sum(values) / len(values), **claimed, interval=interval, test="equivalence")
    assert (level <= 0.05) == (judged(values, claimed=claimed, interval=interval) != "undecided")


def test_an_effect_outside_is_refuted_at_the_level_of_a_range():
    values = [value + 2 for value in VALUES]
    levels = {
        level_of(values, sum(values) / len(values), **MARGINS, interval="t", test=test)
        for test in ("range", "equivalence")
    }
    assert len(levels) == 1


def test_the_tolerance_is_that_of_the_narrower_interval():
    estimate, inner = (estimate_mean(VALUES, confidence=confidence) for confidence in (0.95, 0.9))
    tolerance = tolerance_of(estimate, at_least=-0.2, at_most=0.2, inner=inner)
    moved = {"at_least": -0.2 - tolerance.supported, "at_most": 0.2 + tolerance.supported}
    wider = {end: value * (1 + 1e-9) for end, value in moved.items()}
    assert judged(VALUES, claimed=wider) == "supported"
    assert judged(VALUES, claimed={end: value * 0.99 for end, value in moved.items()}) == "undecided"


def test_fewer_replicates_decide_than_for_a_range():
    mean = sum(VALUES) / len(VALUES)
    few, many = (
        n_to_decide(VALUES, mean, at_least=-0.55, at_most=0.55, interval="t", test=test)
        for test in ("equivalence", "range")
    )
    assert few < many


TEXT = FILE.where.text.replace("at_most = 0.6", 'at_most = 0.6\ntest = "equivalence"')


def test_a_part_of_a_file_is_judged_by_the_test_it_asks_for_and_tells_its_interval(store):  # noqa: F811  the fixture
    file = parse(TEXT, source="claims.toml")
    results = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in range(6)])
    judged_claim = judge_claim(file, file.claims[0], {"one": results})
    part, other = judged_claim.arms[0].parts
    expected = estimate_mean(part.values, confidence=0.9)
    assert (part.inner.low, part.inner.high) == pytest.approx((expected.low, expected.high))
    assert part.estimate == estimate_mean(part.values)
    assert other.inner is None
    text = " ".join(cell for row in table_rows([judged_claim]) for cell in row)
    assert f"0.525 [{expected.low:.3f}, {expected.high:.3f}, 90 %], claimed 0.4 to 0.6 (equivalence)" in text
    first, second = as_data(judged_claim)["arms"][0]["parts"]
    assert (first["test"], first["equivalence_interval"]) == ("equivalence", [expected.low, expected.high])
    assert (second["test"], second["equivalence_interval"]) == ("range", None)


def test_asking_for_another_test_is_another_claim_to_the_ledger_and_older_entries_stay():
    (asked,), (before,) = parse(TEXT, source="c").claims, FILE.claims
    assert digest_of(asked, asked.part[0]) != digest_of(before, before.part[0])
    assert digest_of(asked, asked.part[1]) == digest_of(before, before.part[1])
    assert Part(name="a", estimate="b", at_least=1.0).test == "range"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"equivalence"', '"equivalenc"', 'test must be one of range, equivalence, got "equivalenc"; did you mean'),
        ('"equivalence"', "true", "test must be one of range, equivalence, got true; leave it out, or write test"),
        ("at_least = 0.4\n", "", "test equivalence needs a margin on both sides, at_least and at_most, of part"),
    ],
)
def test_a_mistake_is_told_with_its_line(old, new, message):
    with pytest.raises(UsageError, match=r"^claims\.toml:\d+: ") as found:
        parse(TEXT.replace(old, new, 1), source="claims.toml")
    assert message in str(found.value)
    assert "\n" not in str(found.value)
