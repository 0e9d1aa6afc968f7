"""The signed slope of a trial and its moments over seeds, on numbers that a person can compute."""

import numpy as np
import polars as pl
import pytest

from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.analysis.order_parameter import MOMENTS, binder, moments, slopes, susceptibility


def terms(values, **other):
    """Rows of the table terms from the slope of each head, by trial."""
    return pl.DataFrame(
        [
            {"trial_id": trial, "encoder": "vision", "head": head, "term": "EP+PP+BP", "slope": slope, **other}
            for trial, heads in values.items()
            for head, slope in enumerate(heads)
        ],
        schema_overrides={"slope": pl.Float64},
    )


def test_the_slope_of_a_trial_is_the_mean_over_heads_with_its_sign():
    assert dict(slopes(terms({"b": [3.0, -1.0], "a": [-2.0, 0.0]})).rows()) == {"a": -1.0, "b": 1.0}


def test_other_terms_and_the_text_encoder_do_not_matter_and_rotary_positions_have_one_of_their_own():
    rows = [terms({"a": [1.0]}), terms({"a": [9.0]}, term="EP"), terms({"a": [None]}, encoder="text")]
    rows += [terms({"r": [2.0]}, term="R"), terms({"d": [4.0]}, encoder="decoder"), terms({"n": [None]})]
    assert slopes(pl.concat(rows)).rows() == [("a", 1.0), ("d", 4.0), ("r", 2.0)]


def test_the_cumulant_is_two_thirds_for_one_size_and_either_sign():
    assert binder(np.array([2.0, -2.0, 2.0])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.1])
def test_the_cumulant_of_a_share_that_breaks_the_symmetry_among_others_that_do_not(share):
    m = np.zeros(100)
    m[: round(100 * share)] = 3.0
    assert binder(m) == pytest.approx(1 - 1 / (3 * share))


@pytest.mark.parametrize("n", [5, 20])
def test_of_normal_slopes_of_n_seeds_it_is_two_over_n_plus_two_in_the_mean(n):
    drawn = binder(np.random.default_rng(0).normal(size=(20_000, n)))
    assert drawn.mean() == pytest.approx(2 / (n + 2), abs=0.01)


def test_the_susceptibility_is_the_variance_of_the_size_times_that_of_the_system():
    assert susceptibility(np.array([1.0, -3.0]), size=5) == pytest.approx(5.0)
    assert susceptibility(np.array([2.0, -2.0])) == 0


def frame(cells):
    rows = [
        {"size": size, "x": x, "seed": seed, "m": m} for (size, x), ms in cells.items() for seed, m in enumerate(ms)
    ]
    return pl.DataFrame(rows)


def test_a_row_for_each_cell_has_each_moment_with_its_interval():
    found = moments(frame({(5, 0.5): [2.0, -2.0, 2.0, 1.0], (9, 0.5): [1.0, 1.0]}), by=["size", "x"], size="size")
    first, second = found.to_dicts()
    share = estimate_mean([1.0, 1.0, 1.0, 0.0], interval="wilson")
    assert (first["size"], first["x"], first["n"]) == (5, 0.5, 4)
    assert [first[f"positive{end}"] for end in ("", "_low", "_high")] == [share.mean, share.low, share.high]
    assert first["magnitude"] == pytest.approx(1.75)
    assert first["susceptibility"] == pytest.approx(5 * (13 / 4 - 1.75**2))
    assert first["binder"] == pytest.approx(1 - (49 / 4) / (3 * (13 / 4) ** 2))
    for name in MOMENTS:
        assert first[f"{name}_low"] <= first[name] <= first[f"{name}_high"]
    assert (second["magnitude_low"], second["magnitude_high"]) == (1.0, 1.0)


@pytest.mark.slow
def test_the_interval_of_the_size_covers_the_mean_about_as_often_as_it_says():
    """Percentiles are a little narrow for 20 seeds: 91 to 95 %."""
    rng, held = np.random.default_rng(0), 0
    cells = {(cell, 1.0): rng.normal(2, 0.5, size=20).tolist() for cell in range(300)}
    for row in moments(frame(cells), by=["size", "x"]).iter_rows(named=True):
        held += row["magnitude_low"] <= 2 <= row["magnitude_high"]
    assert 0.89 <= held / 300 <= 0.97


def test_one_seed_has_no_interval_by_resampling_and_no_slope_at_all_no_cumulant():
    one, none = moments(frame({(1, 1.0): [2.0], (2, 1.0): [0.0, 0.0]}), by=["size", "x"]).to_dicts()
    assert (one["binder"], one["binder_low"], one["magnitude_high"]) == (pytest.approx(2 / 3), None, None)
    assert (none["binder"], none["binder_low"], none["magnitude"]) == (None, None, 0.0)
