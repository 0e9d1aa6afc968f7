"""Boundaries of made-up seeds: what a person can compute, an oracle, and what is said where there is no boundary."""

import math

import numpy as np
import polars as pl
import pytest
from scipy import optimize, special

from lrsym.errors import UsageError
from lrsym.results.analysis.boundary import find_boundary
from lrsym.results.analysis.isotonic import Isotonic
from lrsym.results.analysis.outcomes import Outcomes, dispersion_of, limit_of
from tests.results.analysis.made_up_successes import LABELS, MIXED, STEP, rows


def only_row(trials, **options):
    (row,) = find_boundary(trials, **options).frame().to_dicts()
    return row


def outcomes_of(successes, values=LABELS):
    trials = [(v, s, c == "1") for v, text in zip(values, successes, strict=True) for s, c in enumerate(text)]
    return Outcomes.of(*zip(*trials, strict=True))


def test_a_perfect_step_lies_in_the_middle_of_its_gap_and_the_interval_is_the_gap():
    row = only_row(rows(STEP))
    assert (row["direction"], row["at"], row["low"], row["high"]) == ("rises", 8, 7, 9)
    assert (row["slope"], row["slope_high"], row["width"], row["width_low"]) == (None, None, 0, 0)
    assert 0 < row["width_high"] < 4
    assert (row["isotonic"], row["isotonic_low"], row["isotonic_high"]) == (8, 7, 9)
    assert row["told"] == "rises between 7 and 9, in every seed"


def test_a_falling_step_is_the_mirror_image():
    row = only_row(rows(STEP[::-1]))
    assert (row["direction"], row["at"], row["low"], row["high"]) == ("falls", 10, 9, 11)
    assert (row["slope"], row["slope_low"], row["isotonic"]) == (None, None, 10)


def test_two_seeds_cannot_tell_the_gap_alone():
    row = only_row(rows([text[:2] for text in STEP]))
    assert row["low"] is None or row["low"] < 7
    assert row["high"] > 9


def test_the_fit_is_that_of_a_slow_optimiser_and_its_interval_that_of_a_slow_profile():
    outcomes = outcomes_of(MIXED)
    limit = limit_of(outcomes.residuals)[1]

    def deviance(c, k):
        return (
            -2 * special.xlogy(outcomes.hits, special.expit(k * (outcomes.places - c))).sum()
            - 2 * special.xlogy(outcomes.counts - outcomes.hits, special.expit(-k * (outcomes.places - c))).sum()
        )

    best = optimize.minimize(
        lambda p: deviance(*p), (8, 1), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}
    )

    def above(c):
        return (
            optimize.minimize_scalar(lambda k: deviance(c, k), bounds=(-20, 20), method="bounded").fun
            - best.fun
            - limit
        )

    row = only_row(rows(MIXED))
    assert (row["at"], row["slope"]) == pytest.approx(best.x, rel=1e-3)
    assert row["width"] == pytest.approx(2 * math.log(9) / best.x[1], rel=1e-3)
    assert row["low"] == pytest.approx(optimize.brentq(above, 5.0, best.x[0]), abs=0.02)
    assert row["high"] == pytest.approx(optimize.brentq(above, best.x[0], 13.0), abs=0.02)
    assert row["slope_low"] < row["slope"] < row["slope_high"]


def test_one_value_between_failure_and_success_holds_the_boundary():
    row = only_row(rows(["00000", "00000", "00101", "11111", "11111"]))
    assert row["at"] == pytest.approx(9, abs=0.1)
    assert (row["slope"], row["width"]) == (None, 0)
    assert 7 < row["low"] < 9 < row["high"] < 11


def test_values_spaced_by_ratio_are_fitted_along_their_binary_logarithm():
    found = find_boundary(rows(STEP, values=(1, 2, 4, 8, 16), x="layouts_per_pair"))
    (row,) = found.frame().to_dicts()
    assert found.by_ratio
    assert row["at"] == pytest.approx(math.sqrt(8))  # between 2 and 4
    assert (row["low"], row["high"]) == pytest.approx((2, 4))


def test_an_accuracy_of_exactly_the_level_reaches_it():
    trials = rows(STEP).with_columns(unseen_order=pl.when(pl.col("unseen_order") > 0.9).then(0.8).otherwise(0.79))
    assert only_row(trials, level=0.8)["at"] == 8


def test_the_monotone_line_pools_neighbours_in_the_wrong_order():
    outcomes = outcomes_of(["00000", "00110", "00001", "11111", "11111"])
    line = Isotonic(outcomes, rises=True)
    assert line.shares.tolist() == pytest.approx([0, 0.3, 0.3, 1, 1])
    assert line.boundary.at == pytest.approx(9 + 2 * (0.5 - 0.3) / 0.7)


def test_a_flat_half_is_left_in_its_middle():
    outcomes = outcomes_of(["0000", "0011", "1100", "1111", "1111"])
    assert Isotonic(outcomes, rises=True).boundary.at == pytest.approx(8)


def test_seeds_with_thresholds_of_their_own_are_dispersed_and_widen_the_interval():
    own = [[value > 5 + 2 * seed for seed in range(5)] for value in LABELS]
    texts = ["".join("01"[success] for success in line) for line in own]
    rng = np.random.default_rng(0)
    turned = ["".join(rng.permutation([*text])) for text in texts]  # the same shares, by other seeds
    apart, alike = only_row(rows(turned)), only_row(rows(texts))
    assert alike["at"] == pytest.approx(apart["at"])
    assert alike["dispersion"] > 1.3 > apart["dispersion"]
    assert (alike["low"] or 0) < apart["low"]


def test_the_dispersion_is_one_on_average_if_outcomes_are_independent():
    rng = np.random.default_rng(0)
    shares = special.expit(np.linspace(-3, 3, 9))
    drawn = [
        Outcomes.of(np.repeat(range(9), 8), np.tile(range(8), 9), (rng.uniform(size=(9, 8)) < shares[:, None]).ravel())
        for _ in range(400)
    ]
    assert np.mean([dispersion_of(one.residuals)[0] for one in drawn]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("successes", "direction", "told"),
    [
        (["11111"] * 5, "above", "above from 5 to 13, by the curve"),
        (["00000"] * 5, "below", "below from 5 to 13, by the curve"),
        (
            ["01111", "11111", "11111", "11111", "11111"],
            "above",
            "above from 5 to 13, by the curve, a boundary may reach up to 5.47",
        ),
        (["01010", "10101", "01010", "10110", "01001"], "undecided", "undecided: the share of seeds neither rises nor"),
        (
            ["0....", "0....", "1....", "1....", "1...."],
            "rises",
            "rises between 7 and 9, in every seed; one seed: no in",
        ),
        (["ddddd", "ddddd", "11111", "ddddd", "ddddd"], "unknown", "one value, 9: no boundary; 20 diverged"),
        (["000..", "00000", "11111", "1111.", "11c11"], "rises", "3 to 5 seeds in a cell; 1 failed"),
        (["00000", "11111", "00000", "11111", "11111"], "rises", "not monotone (p 0.00"),
    ],
)
def test_what_cannot_be_told_is_said_in_words(successes, direction, told):
    row = only_row(rows(successes))
    assert row["direction"] == direction
    assert told in row["told"]
    if direction in ("above", "below", "undecided", "unknown"):
        assert (row["at"], row["slope"], row["width"], row["isotonic"]) == (None, None, None, None)


PLATEAU = ("00000", "11111", "11011", "10110", "11101")
"""Shares of 0, 1, 0.8, 0.6 and 0.8: no curve that ends at 1 goes through them, and 0 and 1 stay apart."""


@pytest.mark.parametrize(
    ("successes", "direction", "fit", "told"),
    [
        (PLATEAU, "undecided", (6.25, 5, 7), "by the curve; the monotone line rises at 6.25 (5 to 7)"),
        (PLATEAU[::-1], "undecided", (11.75, 11, 13), "by the curve; the monotone line falls at 11.8 (11 to 13)"),
        (
            ["1110001100", "1101111111", "1111111110", "1011111111", "1111101111"],
            "above",
            (5, None, 7),
            "; the monotone line rises at 5 (<5 to 7)",
        ),
        (  # at 5 half of the seeds fail, which chance may do to one of five values
            ["1111100000", "1111111100", "1111111110", "1111111110", "1111111100"],
            "above",
            (None, None, None),
            "above from 5 to 13, by the curve; but no more than half of the seeds at 5",
        ),
    ],
)
def test_where_the_curve_has_no_boundary_the_monotone_line_tells_one_if_it_has_a_direction(
    successes, direction, fit, told
):
    row = only_row(rows(successes))
    assert (row["direction"], row["at"]) == (direction, None)
    assert (row["isotonic"], row["isotonic_low"], row["isotonic_high"]) == pytest.approx(fit)
    assert told in row["told"]


def test_cells_below_a_line_that_lies_above_are_named_and_those_above_one_below():
    assert "but half or more of the seeds at 9" in only_row(rows(["000000"] * 2 + ["000111"] + ["000000"] * 2))["told"]


def test_one_seed_has_a_boundary_and_no_interval():
    row = only_row(rows(["0", "0", "1", "1", "1"]))
    assert (row["at"], row["low"], row["high"], row["isotonic_low"], row["dispersion"]) == (8, None, None, None, None)


def test_each_value_of_another_axis_has_a_row_and_each_value_of_a_third_one_a_colour():
    trials = pl.concat(
        rows(STEP, by={"layouts_per_pair": layouts, "d_model": width}) for layouts in (1, 5) for width in (64, 32)
    )
    found = find_boundary(trials, x="n_pair_labels", by="layouts_per_pair", color="d_model")
    assert found.frame().select("d_model", "layouts_per_pair").rows() == [(32, 1), (32, 5), (64, 1), (64, 5)]


def test_shares_have_wilsons_interval_and_both_fits_beside_them():
    cells = find_boundary(rows(MIXED)).cells()
    assert cells["share"].to_list() == [0, 0.2, 0.6, 1, 0.8]
    assert cells["low"][0] == pytest.approx(0, abs=1e-9)
    assert cells["isotonic"].to_list() == pytest.approx([0, 0.2, 0.6, 0.9, 0.9])
    assert cells["logistic"].is_sorted()


def two(first, second, **options):
    """Two boundaries, by the width of the model."""
    trials = pl.concat([rows(first, by={"d_model": 32}), rows(second, by={"d_model": 64}, **options)])
    return find_boundary(trials, x="n_pair_labels", color="d_model", by=None)


def difference(first, second, **options):
    (row,) = two(first, second, **options).differences().to_dicts()
    return row


def test_a_difference_is_the_later_boundary_minus_the_first_one():
    row = difference(STEP, ["00000", *STEP[:-1]])
    assert (row["of"], row["against"], row["estimate"], row["n_shared"]) == (64, 32, 2, 5)
    assert (row["low"], row["high"]) == pytest.approx((0, 4))  # from gap to gap
    assert row["p"] < 0.2


def test_the_same_boundary_twice_is_no_difference():
    row = difference(MIXED, MIXED)
    assert row["estimate"] == pytest.approx(0)
    assert row["low"] < 0 < row["high"]
    assert row["p"] > 0.95


def test_shared_seeds_narrow_a_difference():
    own = ["".join("01"[value > 6 + 2 * (seed % 3)] for seed in range(6)) for value in LABELS]
    paired, alone = difference(own, own), difference(own, own, seeds=range(6, 12))
    assert (paired["n"], paired["n_shared"], alone["n"], alone["n_shared"]) == (6, 6, 12, 0)
    assert paired["high"] - paired["low"] < 0.8 * (alone["high"] - alone["low"])
    assert "0 of 12 seeds on both sides" in alone["told"]


def test_a_difference_from_no_boundary_is_said_in_words():
    row = difference(STEP, ["11111"] * 5)
    assert (row["estimate"], row["p"], row["holm"]) == (None, None, None)
    assert row["told"] == "the other side has no boundary: above"


def test_boundaries_that_go_opposite_ways_have_no_difference():
    assert difference(STEP, STEP[::-1])["told"] == "the first side rises, the other falls"


def test_one_boundary_has_no_differences():
    with pytest.raises(UsageError, match="a difference takes two boundaries, got one; name two sweeps"):
        find_boundary(rows(STEP)).differences()


@pytest.mark.parametrize(
    ("trials", "options", "message"),
    [
        (rows(STEP), {"metric": "unseen"}, "metric must be a split and a metric, such as unseen_order, got unseen"),
        (rows(STEP), {"metric": "seen_order"}, "the rows have no column seen_order"),
        (rows(STEP), {"level": 1.0}, "--level must be above 0 and below 1, got 1"),
        (rows(STEP), {"x": "n_pair_label"}, "no axis n_pair_label; did you mean n_pair_labels?"),
        (rows(STEP), {"x": "seed"}, "cells differ in axes other than seed"),
        (rows(STEP[:1], values=[5]), {}, "two values of an axis or more, n_pair_labels has one, 5; choose another --x"),
        (rows(["ddddd", "ddccc"], values=[5, 7]), {}, "none of 10 trials has a value of unseen_order: 7 diverged"),
        (rows(STEP).head(0), {}, "there are no trials to read"),
        (
            rows(STEP, values=["a", "b", "c", "d", "e"], x="kind"),
            {"x": "kind"},
            "a boundary runs along numbers, kind has a, b, c, d, e; choose another --x",
        ),
        (
            pl.concat(rows(STEP, by={"d_model": i, "n_heads": i % 4, "steps": i % 2}) for i in range(1, 9)),
            {"x": "n_pair_labels", "by": "n_heads", "color": "steps"},
            "choose others with --x, --by, --color",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_remedy(trials, options, message):
    with pytest.raises(UsageError) as found:
        find_boundary(trials, **options)
    assert message in str(found.value)


def test_axes_that_are_given_twice_are_refused():
    with pytest.raises(UsageError, match="axes must differ"):
        find_boundary(rows(STEP), x="n_pair_labels", by="n_pair_labels")
