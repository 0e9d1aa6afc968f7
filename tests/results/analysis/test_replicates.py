"""How many more seeds cells take until their means are known well enough."""

import polars as pl
import pytest

from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.analysis.replicates import SeedsNeeded, seeds_until
from lrsym.results.analysis.sample_size import MAX_N, n_for_half_width
from tests.results.analysis.test_aggregate import trials

ROWS = trials(n_heads=[1, 1, 1, 2, 2, 2, 3], seconds=[10.0] * 7, unseen_order=[0.5, 0.7, 0.9, 0.8, 0.8, 0.8, 0.5])


def test_each_cell_has_its_half_width_and_the_seeds_that_it_takes():
    cells = seeds_until(ROWS, metric="unseen_order", half_width=0.05)
    wide, equal, single = cells.iter_rows(named=True)
    estimate = estimate_mean([0.5, 0.7, 0.9], interval="logit")
    assert wide["half_width"] == pytest.approx((estimate.high - estimate.low) / 2)
    assert wide["n_needed"] == n_for_half_width([0.5, 0.7, 0.9], 0.05, interval="logit")
    assert wide["n_more"] == wide["n_needed"] - 3
    assert (equal["half_width"], equal["n_more"]) == (pytest.approx(0.0008, abs=1e-5), 0)  # a third of a scene
    assert (single["n"], single["half_width"], single["n_more"]) == (1, None, None)


def test_equal_accuracies_of_single_objects_are_known_no_better_than_one_of_fifty_scenes():
    rows = trials(n_heads=[1] * 5, n_pair_labels=[5] * 5, seconds=[1.0] * 5, single_inset=[1.0] * 5)
    (cell,) = seeds_until(rows, metric="single_inset", half_width=0.01).iter_rows(named=True)
    estimate = estimate_mean([1.0] * 5, interval="logit", resolution=1 / 50)
    assert cell["half_width"] == pytest.approx((1 - estimate.low) / 2)
    assert cell["n_needed"] == n_for_half_width([1.0] * 5, 0.01, interval="logit", resolution=1 / 50) > 5


def test_what_they_take_together_is_added_up():
    cells = seeds_until(ROWS, metric="unseen_order", half_width=0.05)
    total = SeedsNeeded.of(cells)
    assert (total.narrow, total.wide, total.unknown) == (1, 1, {"few": 1})
    assert total.trials == cells["n_more"][0]
    assert total.seconds == 10 * total.trials
    assert total.replicates == cells["n_needed"][0]
    text = " ".join(total.in_words(untrained=2))
    assert "1 of 3 cells have it; 1 take" in text
    assert "3 have fewer than two seeds, so nothing is known of their spread: train them with replicates = 3" in text


def test_a_half_width_that_is_out_of_reach_is_told_and_not_added():
    rows = trials(n_heads=[1, 1], seconds=[1.0, 1000.0])
    total = SeedsNeeded.of(seeds_until(rows.with_columns(n_pair_labels=5), metric="seconds", half_width=1e-3))
    assert (total.too_wide, total.trials, total.replicates) == (1, 0, None)
    assert f"1 take more than {MAX_N:,} seeds" in " ".join(total.in_words(untrained=0))


@pytest.mark.parametrize(
    ("columns", "metric", "why", "sentence"),
    [
        ({"pack_size": 3}, "seconds", "shared", "as the trials of a pack share its time: train with --pack 1"),
        ({"pack_size": 1}, "seconds", "equal", "have equal values, which tell no spread"),
        ({"status": "diverged"}, "unseen_order", "without", "the others have ended without one"),
    ],
)
def test_why_nothing_is_known_of_a_spread_is_told_with_its_remedy(columns, metric, why, sentence):
    rows = trials(n_heads=[1] * 3, n_pair_labels=[5] * 3, seconds=[7.0] * 3, unseen_order=[0.5, 0.6, 0.7])
    cells = seeds_until(rows.with_columns(**{k: pl.lit(v) for k, v in columns.items()}), metric=metric, half_width=0.1)
    assert cells.select("half_width", "n_more", "unknown").rows() == [(None, None, why)]
    assert sentence in " ".join(SeedsNeeded.of(cells).in_words(untrained=0))


def test_trials_that_diverged_are_no_seeds():
    rows = trials(
        n_heads=[1] * 3, n_pair_labels=[5] * 3, status=["done", "done", "diverged"], seconds=[1.0] * 3,
        unseen_order=[0.5, 0.6, 0.0],
    )  # fmt: skip
    assert seeds_until(rows, metric="unseen_order", half_width=0.1)["n"].to_list() == [2]
