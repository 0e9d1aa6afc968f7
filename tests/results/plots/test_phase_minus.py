"""The map of a difference between two sweeps: pairs, intervals, frames, and what has no partner."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.plots.phase_minus import plot_minus
from tests.charts import marks, rows, subtitle
from tests.results.plots.test_phase_diagram import lose, texts, trials

NOISE = [0.0, 0.01, -0.01, 0.02]
"""How far each seed lies above the mean, in the first sweep alone."""


def two(*, gap, heads=(1, 2)):
    """Two sweeps, the first above the second by `gap`, an expression, and by the noise of each seed."""
    right = trials(n_heads=[*heads], seeds=4, accuracy=0.6)
    noise = pl.col("seed").replace_strict(dict(enumerate(NOISE)), return_dtype=pl.Float64)
    return right.with_columns(unseen_order=pl.col("unseen_order") + gap + noise), right


def drawn(left, right, **options):
    return plot_minus(left, right, names=("new", "old"), **options)


@pytest.mark.slow
def test_a_cell_tells_the_mean_of_its_paired_differences_with_the_interval():
    spec = drawn(*two(gap=pl.lit(0.2))).to_dict()
    estimate = estimate_mean([0.2 + noise for noise in NOISE])
    assert texts(spec, "estimate_text") == ["+0.21"] * 2  # the mean of the noise is 0.005
    assert texts(spec, "estimate_below") == [f"[+{estimate.low:.2f}, +{estimate.high:.2f}]\nn=4"] * 2


@pytest.mark.slow
def test_cells_whose_interval_leaves_out_zero_are_framed_and_counted():
    chart = drawn(*two(gap=pl.when(pl.col("n_heads") == 2).then(0.2).otherwise(0.0)))
    (frame,) = [mark for mark in marks(chart.to_dict(), "point") if mark["mark"].get("strokeWidth") == 2]
    assert [row["n_heads"] for row in rows(chart.to_dict(), frame)] == [2]
    assert "in 1 of 2 cells" in subtitle(chart)
    assert "After Holm's correction for all cells 1 are left" in subtitle(chart)


@pytest.mark.slow
def test_colours_are_as_far_on_both_sides_of_zero():
    spec = drawn(*two(gap=pl.lit(-0.3))).to_dict()
    low, high = marks(spec, "rect")[0]["encoding"]["color"]["scale"]["domain"]
    assert low == -high < 0


@pytest.mark.slow
def test_a_cell_of_one_sweep_alone_is_left_out_and_told():
    left, _ = two(gap=pl.lit(0.1), heads=(1, 2, 4))
    _, right = two(gap=pl.lit(0.1))
    chart = drawn(left, right)
    assert marks(chart.to_dict(), "rect")[0]["encoding"]["x"]["scale"]["domain"] == ["1", "2"]
    assert "Left out: 4 trials without a partner on the other side." in subtitle(chart)
    assert "No interval" not in subtitle(chart)  # of a cell that is drawn


@pytest.mark.slow
def test_pairs_in_which_a_trial_diverged_are_left_out_and_told():
    left, right = two(gap=pl.lit(0.1))
    chart = drawn(lose(left, "diverged", pl.col("seed") == 0, pl.col("n_heads") == 1), right)
    assert texts(chart.to_dict(), "estimate_below")[0].endswith("n=3")
    assert "1 pair in which a trial diverged" in subtitle(chart)


@pytest.mark.slow
def test_a_cell_that_lost_all_pairs_is_hatched_and_says_how():
    left, right = two(gap=pl.lit(0.1))
    spec = drawn(left, lose(right, "crashed", pl.col("n_heads") == 2)).to_dict()
    assert texts(spec, "absence") == ["4 failed"]


@pytest.mark.slow
def test_one_pair_has_a_difference_without_an_interval():
    left, right = two(gap=pl.lit(0.1))
    spec = drawn(left.filter(pl.col("seed") == 1), right).to_dict()
    assert texts(spec, "estimate_below") == ["n=1, no interval"] * 2


def test_sweeps_without_a_common_cell_are_refused_with_the_remedy():
    left, _ = two(gap=pl.lit(0.1), heads=(8, 16))
    _, right = two(gap=pl.lit(0.1))
    with pytest.raises(
        UsageError, match=r"no trial of new has a partner in old that agrees in seed, n_heads: 16 trials"
    ):
        drawn(left, right)


def test_several_metrics_are_refused():
    with pytest.raises(UsageError, match="a map shows one metric"):
        drawn(*two(gap=pl.lit(0.1)), metric="unseen_order,seen_order")
