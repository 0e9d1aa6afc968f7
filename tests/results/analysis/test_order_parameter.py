"""The signed slope of a trial and its moments over seeds, on numbers that a person can compute."""

import numpy as np
import polars as pl
import pytest

from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.analysis.order_parameter import MOMENTS, binder, jackknife_interval, moments, slopes, susceptibility


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
    assert susceptibility(np.array([1.0, -3.0]), size=5) == pytest.approx(10.0)
    assert susceptibility(np.array([2.0, -2.0])) == 0
    assert np.isnan(susceptibility(np.array([2.0])))


def frame(cells):
    rows = [
        {"size": size, "x": x, "seed": seed, "m": m} for (size, x), ms in cells.items() for seed, m in enumerate(ms)
    ]
    return pl.DataFrame(rows)


def test_a_row_for_each_cell_has_each_moment_with_its_interval():
    m = [2.0, -2.0, 2.0, 1.0, 1.5]
    found = moments(frame({(5, 0.5): m, (9, 0.5): [1.0, 1.0, 3.0]}), by=["size", "x"], size="size")
    first, second = found.to_dicts()
    share, size = estimate_mean([1.0, 1.0, 1.0, 1.0, 0.0], interval="wilson"), estimate_mean(map(abs, m))
    assert (first["size"], first["x"], first["n"]) == (5, 0.5, 5)
    assert [first[f"positive{end}"] for end in ("", "_low", "_high")] == [share.mean, share.low, share.high]
    assert [first[f"magnitude{end}"] for end in ("", "_low", "_high")] == [size.mean, size.low, size.high]
    assert first["susceptibility"] == pytest.approx(5 * np.var(np.abs(m), ddof=1))
    assert first["binder"] == pytest.approx(1 - np.mean(np.power(m, 4)) / (3 * np.mean(np.square(m)) ** 2))
    for name in MOMENTS:
        assert first[f"{name}_low"] < first[name] < first[f"{name}_high"]
    assert second["magnitude_low"] == 0.0  # a size is not below it
    assert [second[f"{name}_low"] for name in ("susceptibility", "binder")] == [None, None]  # of three seeds


def test_the_jackknife_agrees_with_the_error_of_a_mean_where_logarithms_are_near_straight():
    m = np.array([100.0, 101.0, 99.0, 100.5, 98.5, 102.0])
    low, high = jackknife_interval(lambda sample: sample.mean(axis=-1), m)
    student = estimate_mean(m.tolist())
    assert (low, high) == pytest.approx((student.low, student.high), abs=0.03)


@pytest.mark.slow
def test_the_interval_of_the_size_covers_the_mean_about_as_often_as_it_says():
    """Student's interval: 95 %, and 92 to 98 are drawn of 300 cells."""
    rng, held = np.random.default_rng(0), 0
    cells = {(cell, 1.0): rng.normal(2, 0.5, size=20).tolist() for cell in range(300)}
    for row in moments(frame(cells), by=["size", "x"]).iter_rows(named=True):
        held += row["magnitude_low"] <= 2 <= row["magnitude_high"]
    assert 0.92 <= held / 300 <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 30])
@pytest.mark.parametrize(
    ("kind", "of_u"), [("normal", (0.75, 0.88)), ("broken", (0.84, 0.97)), ("one size", (0.73, 0.93))]
)
def test_the_intervals_of_susceptibility_and_cumulant_cover_as_often_as_the_module_says(kind, of_u, n):
    rng = np.random.default_rng(0)

    def draw(size):
        if kind == "normal":
            return rng.normal(size=size)
        sides = rng.choice([-1, 1], size=size) * rng.normal(1, 0.3, size=size)
        return np.where(rng.random(size) < 0.5, sides, rng.normal(0, 0.1, size=size)) if kind == "broken" else sides

    everyone = draw(300_000)
    held = np.zeros(2)
    for m in draw((300, n)):
        for i, (of, true) in enumerate(
            ((susceptibility, susceptibility(everyone)), (lambda m: 1 - binder(m), 1 - binder(everyone)))
        ):
            low, high = jackknife_interval(of, m)
            held[i] += low <= true <= high
    chi, u = held / 300
    assert 0.87 <= chi <= 0.98
    assert of_u[0] <= u <= of_u[1]


def test_few_seeds_have_no_interval_of_the_cumulant_and_no_slope_at_all_no_cumulant():
    one, none = moments(frame({(1, 1.0): [2.0], (2, 1.0): [0.0, 0.0]}), by=["size", "x"]).to_dicts()
    assert (one["binder"], one["binder_low"], one["magnitude_high"]) == (pytest.approx(2 / 3), None, None)
    assert (none["binder"], none["binder_low"], none["magnitude"]) == (None, None, 0.0)
