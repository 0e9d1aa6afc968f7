"""How often 95 % intervals hold the mean that made-up replicates are drawn around.

The mean of a cell is drawn too, so that the cover is one averaged over the parameter: at one parameter it may be lower.
"""

import numpy as np
import pytest
from scipy import special, stats

from lrsym.results.analysis import intervals
from lrsym.results.analysis.intervals import SCENES, estimate_mean, has_value_apart
from lrsym.results.analysis.sample_size import n_to_leave_out
from tests.pages import ROOT

N_CELLS = 1500
"""The standard error of a cover of 95 % is then 0.6 %."""

QUADRATURE = special.roots_hermitenorm(60)


def accuracies(rng, n, *, spread, scenes=SCENES):
    """Accuracies of `n` seeds whose logits are normal, and the mean they are drawn around."""
    centre = rng.uniform(-2, 4)
    seeds = special.expit(centre + spread * rng.normal(size=n))
    nodes, weights = QUADRATURE
    return rng.binomial(scenes, seeds) / scenes, special.expit(centre + spread * nodes) @ weights / weights.sum()


def normal(rng, n):
    mean = rng.uniform(-10, 10)
    return rng.normal(mean, rng.uniform(0.1, 5), size=n), mean


def truth_values(rng, n):
    share = rng.uniform()
    return (rng.uniform(size=n) < share).astype(float), share


def skewed(rng, n):
    scale = rng.uniform(1, 5)
    return rng.gamma(4, scale, size=n), 4 * scale


def cover(draw, interval, *, cells=N_CELLS):
    """The share of cells whose interval holds the mean."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(cells):
        values, mean = draw(rng)
        estimate = interval(values)
        held += estimate.low - 1e-9 <= mean <= estimate.high + 1e-9
    return held / cells


def cover_of(interval, draw, n, **options):
    return cover(lambda rng: draw(rng, n, **options), lambda values: estimate_mean(values, interval=interval))


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 20])
def test_students_interval_covers_means_of_normal_values(n):
    assert 0.93 <= cover_of("t", normal, n) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 20])
def test_wilsons_interval_covers_shares(n):
    assert 0.93 <= cover_of("wilson", truth_values, n) <= 0.97


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("n", [5, 20])
@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_the_logit_interval_covers_means_of_accuracies(n, spread):
    assert 0.93 <= cover_of("logit", accuracies, n, spread=spread) <= 0.97


def test_of_a_larger_split_too():
    assert 0.93 <= cover_of("logit", accuracies, 10, spread=1.0, scenes=7000) <= 0.97


@pytest.mark.slow
def test_the_bootstrap_covers_means_of_many_skewed_values(monkeypatch):
    monkeypatch.setattr(intervals, "_RESAMPLES", 999)
    draw = skewed
    held = cover(lambda rng: draw(rng, 40), lambda values: estimate_mean(values, interval="bootstrap"), cells=600)
    assert 0.93 <= held <= 0.97


@pytest.mark.slow
def test_students_interval_of_scattered_accuracies_covers_too_little():
    assert cover_of("t", accuracies, 5, spread=1.0) < 0.93


@pytest.mark.slow
def test_around_the_mean_of_the_logits_more_replicates_cover_less():
    def on_logits(values):
        half = 0.5 / SCENES
        logits = special.logit(np.clip(values, half, 1 - half))
        low, high = stats.t.interval(0.95, len(logits) - 1, loc=logits.mean(), scale=stats.sem(logits))
        return intervals.Estimate(len(values), values.mean(), special.expit(low), special.expit(high))

    few, many = (cover(lambda rng, n=n: accuracies(rng, n, spread=1.0), on_logits) for n in (5, 20))
    assert many < 0.8 < few
    page = " ".join((ROOT / "docs/decisions/claims.md").read_text().split())
    assert f"in {100 * few:.0f} of 100 cells with 5 seeds, in {100 * many:.0f} with 20." in page


@pytest.mark.slow
def test_the_spread_of_the_accuracies_carried_to_logits_is_narrower_beside_a_seed_at_one_and_covers_less():
    def carried(values):
        mean = np.clip(np.mean(values), 0.5 / SCENES, 1 - 0.5 / SCENES)
        spread = max(np.std(values, ddof=1), 1 / SCENES / 12**0.5) / (mean * (1 - mean))
        reach = stats.t.ppf(0.975, len(values) - 1) * spread / len(values) ** 0.5
        low, high = special.expit([special.logit(mean) - reach, special.logit(mean) + reach])
        return intervals.Estimate(len(values), mean, min(low, np.mean(values)), max(high, np.mean(values)))

    beside_one = [0.936, 0.916, 1.0, 0.924, 0.888]
    now = estimate_mean(beside_one, interval="logit")
    assert carried(beside_one).high - carried(beside_one).low < (now.high - now.low) / 3
    less = cover(lambda rng: accuracies(rng, 5, spread=2.0), carried)
    assert less < 0.93 < cover_of("logit", accuracies, 5, spread=2.0)


def one_in_ten_fails(rng, n):
    return np.where(rng.uniform(size=n) < 0.1, 0.5, rng.uniform(0.98, 1, size=n)), 0.1 * 0.5 + 0.9 * 0.99


@pytest.mark.slow
@pytest.mark.parametrize("interval", ["t", "logit"])
def test_no_interval_of_five_covers_a_rare_failure(interval):
    assert cover_of(interval, one_in_ten_fails, 5) < 0.8


def test_one_failure_of_five_is_told():
    rng = np.random.default_rng(0)
    cells = [one_in_ten_fails(rng, 5)[0] for _ in range(300)]
    one_failed = [cell for cell in cells if (cell == 0.5).sum() == 1]
    assert len(one_failed) > 50
    assert round(10 * sum((cell != 0.5).all() for cell in cells) / len(cells)) == 6  # as docs/decisions/claims.md says
    assert all(map(has_value_apart, one_failed))


def decides(values):
    """Whether Student's interval leaves out 0, an end of the range on which the true mean lies."""
    estimate = estimate_mean(values)
    return not estimate.low <= 0 <= estimate.high


@pytest.mark.slow
def test_who_looks_again_until_there_is_a_verdict_has_one_by_chance_once_in_five():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(600, 20))
    looked = sum(any(decides(values[:n]) for n in range(5, 21)) for values in draws) / len(draws)
    assert sum(map(decides, draws)) / len(draws) < 0.08  # once, at the end
    assert 0.15 < looked < 0.25


@pytest.mark.slow
def test_who_trains_as_many_more_as_are_told_has_a_verdict_by_chance_once_in_eight():
    rng, decided = np.random.default_rng(0), 0
    draws = rng.normal(size=(600, 200))
    for values in draws:
        n = 10
        while n is not None and n <= 200 and not decides(values[:n]):
            told = n_to_leave_out(values[:n], 0.0)
            n = told and max(told, n + 1)
        decided += n is not None and n <= 200
    assert 0.09 < decided / len(draws) < 0.17
