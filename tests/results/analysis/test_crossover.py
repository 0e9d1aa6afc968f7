"""A transition that sharpens with size, a crossover that moves, and what tells them apart."""

import numpy as np
import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.crossover import MODELS, compare_models, crossings, falls

SIZES, VALUES = (5, 10, 20), (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8)
TRUE = {"sharpens": (3.0, np.log(0.2), 1.2), "moves": (3.0, np.log(0.2), -0.8), "neither": (3.0, np.log(0.2))}


def drawn(model, *, n=40, seed=0):
    """Trials that succeed as a model says."""
    rng, (_, curve) = np.random.default_rng(seed), MODELS[model]
    centre = np.mean(np.log(SIZES))
    rows = [
        {"x": x, "size": size, "seed": i, "success": bool(rng.uniform() < 1 / (1 + np.exp(-odds)))}
        for x in VALUES
        for size in SIZES
        for odds in curve(np.array([np.log(x)]), np.array([np.log(size) - centre]), TRUE[model])
        for i in range(n)
    ]
    return pl.DataFrame(rows)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["sharpens", "moves"])
def test_the_model_that_made_the_trials_is_preferred_and_its_parameters_are_found(model):
    found = compare_models(drawn(model, n=150), x="x", size="size", success="success")
    assert found["model"][0] == model
    assert found["delta"][0] == 0
    assert found["delta"][1] > 10
    best = found.to_dicts()[0]
    k, c, third = TRUE[model]
    assert best["k"] == pytest.approx(k, rel=0.2)
    assert best["c"] == pytest.approx(np.exp(c), rel=0.1)
    assert best["b" if model == "sharpens" else "s"] == pytest.approx(third, rel=0.2)


@pytest.mark.slow
def test_success_that_falls_is_fitted_as_well_as_the_same_that_rises():
    """Of 1 / x everything is the same, but for the sign of k and of the way that the middle moves."""
    rising = drawn("moves")
    upward, downward = (
        compare_models(table, x="x", size="size", success="success")
        for table in (rising, rising.with_columns(x=1 / pl.col("x")))
    )
    assert downward["model"].to_list() == upward["model"].to_list()
    assert downward["aic"].to_list() == pytest.approx(upward["aic"].to_list(), abs=1e-3)
    assert downward["k"].to_list() == pytest.approx((-upward["k"]).to_list(), rel=1e-2)
    assert downward["c"].to_list() == pytest.approx((1 / upward["c"]).to_list(), rel=1e-2)
    assert downward["s"][0] == pytest.approx(-upward["s"][0], rel=1e-2)


def test_success_falls_by_what_trials_of_one_size_do():
    """Of all trials together more succeed at the larger x, as the larger size, which succeeds, has larger x."""
    table = pl.DataFrame(
        {
            "size": [5] * 4 + [9] * 4,
            "x": [1, 1, 2, 2, 3, 3, 4, 4],
            "success": [True, False] + [False] * 2 + [True] * 3 + [False],
        }
    )
    assert falls(table, x="x", size="size", success="success")
    assert not falls(table.with_columns(x=5 - pl.col("x")), x="x", size="size", success="success")
    assert not falls(table.with_columns(success=None), x="x", size="size", success="success")


@pytest.mark.slow
def test_where_size_does_not_matter_a_model_with_it_is_rarely_preferred():
    tables = [compare_models(drawn("neither", seed=seed), x="x", size="size", success="success") for seed in range(12)]
    deltas = [table.filter(model="neither")["delta"].item() for table in tables]
    assert sum(delta > 2 for delta in deltas) <= 4
    assert {*tables[0].columns} == {"model", "log_likelihood", "aic", "delta", "k", "c", "b", "s"}


@pytest.mark.slow
def test_the_likelihood_of_a_larger_model_is_never_lower():
    table = compare_models(drawn("moves", n=5), x="x", size="size", success="success")
    of = dict(table.select("model", "log_likelihood").rows())
    assert min(of["sharpens"], of["moves"]) >= of["neither"] - 1e-6


@pytest.mark.slow
def test_a_step_that_no_curve_can_be_too_steep_for_is_fitted_all_the_same():
    table = drawn("neither", n=3).with_columns(success=pl.col("x") > 0.18)
    found = compare_models(table, x="x", size="size", success="success")
    assert found["log_likelihood"].to_list() == pytest.approx([0, 0, 0], abs=0.1)
    assert 0.15 <= found.filter(model="neither")["c"].item() <= 0.2


@pytest.mark.slow
def test_trials_without_an_outcome_do_not_count():
    table = drawn("moves", n=5)
    lost = table.with_columns(success=pl.lit(None, dtype=pl.Boolean))
    both, alone = (compare_models(t, x="x", size="size", success="success") for t in (pl.concat([table, lost]), table))
    assert both.equals(alone)


@pytest.mark.parametrize("change", [{"size": 5}, {"x": 0.0}, {"size": "a"}])
def test_an_axis_with_one_value_or_without_a_logarithm_is_refused(change):
    table = drawn("moves", n=2).with_columns(**{name: pl.lit(value) for name, value in change.items()})
    with pytest.raises(UsageError, match=f"{next(iter(change))} must have two or more values, all above 0"):
        compare_models(table, x="x", size="size", success="success")


def slopes(cells):
    """Trials with m from a cell's seeds, by size and x."""
    rows = [
        {"size": size, "x": x, "seed": seed, "m": m} for (size, x), ms in cells.items() for seed, m in enumerate(ms)
    ]
    return pl.DataFrame(rows)


BROKEN, NORMAL, RARE = [2.0, -2.0] * 5, [0.2, -1.0, 0.5, -0.1, 1.4, -0.6, 0.1, -0.3, 0.8, -1.2], [3.0] + [0.1, -0.1] * 5


def test_cumulants_cross_where_the_larger_size_takes_the_lead_for_good():
    cells = {(5, 0.1): NORMAL, (5, 0.4): NORMAL, (9, 0.1): RARE, (9, 0.4): BROKEN}
    (row,) = crossings(slopes(cells), x="x", size="size").to_dicts()
    assert (row["size"], row["next_size"]) == (5, 9)
    assert 0.1 < row["at_low"] <= row["at"] <= row["at_high"] < 0.4
    assert row["share"] > 0.5


def test_the_place_of_a_crossing_is_between_two_values_by_their_logarithm():
    """Where half of the seeds break the symmetry U is 1/3, of a third 0, of a quarter -1/3."""
    half, third = [1.0] * 6 + [0.0] * 6, [1.0] * 4 + [0.0] * 8
    quarter = [1.0] * 3 + [0.0] * 9
    cells = {(5, 0.1): third, (5, 0.4): third, (9, 0.1): quarter, (9, 0.4): half}
    (row,) = crossings(slopes(cells), x="x", size="size").to_dicts()
    assert row["at"] == pytest.approx(0.2)  # -1/3 below and 1/3 above


def test_below_a_value_that_is_not_above_0_a_crossing_is_between_the_values_themselves():
    cells = {(5, 0.0): NORMAL, (5, 0.4): BROKEN, (9, 0.0): BROKEN, (9, 0.4): NORMAL}
    slopes_of_both = slopes(cells)
    (row,) = crossings(slopes_of_both.with_columns(size=14 - pl.col("size")), x="x", size="size").to_dicts()
    assert row["at"] == pytest.approx(0.2)  # as far above as below
    assert row["share"] > 0.9


def test_where_success_falls_the_larger_size_keeps_the_lead_below_the_crossing():
    rising = {(5, 0.1): NORMAL, (5, 0.4): NORMAL, (9, 0.1): RARE, (9, 0.4): BROKEN}
    mirrored = {(size, 0.5 - x): ms for (size, x), ms in rising.items()}
    (row,) = crossings(slopes(mirrored), x="x", size="size", falling=True).to_dicts()
    assert 0.1 < row["at"] < 0.4
    assert crossings(slopes(mirrored), x="x", size="size")["at"].to_list() == [None]


def test_cells_without_x_have_no_part_in_a_crossing():
    cells = {(5, 0.1): NORMAL, (5, 0.4): NORMAL, (9, 0.1): RARE, (9, 0.4): BROKEN}
    both = slopes(cells), slopes({**cells, (5, None): NORMAL, (9, None): RARE})
    one, other = (crossings(table, x="x", size="size") for table in both)
    assert one.equals(other)


@pytest.mark.parametrize(("small", "large"), [(NORMAL, BROKEN), (BROKEN, NORMAL)])
def test_where_one_size_is_always_ahead_there_is_no_crossing(small, large):
    cells = {(5, x): small for x in (0.1, 0.4)} | {(9, x): large for x in (0.1, 0.4)}
    (row,) = crossings(slopes(cells), x="x", size="size").to_dicts()
    assert row["at"] is None


def test_sizes_that_share_fewer_than_two_values_are_left_out():
    cells = {(5, 0.1): NORMAL, (9, 0.1): NORMAL, (9, 0.4): BROKEN}
    assert crossings(slopes(cells), x="x", size="size").is_empty()


def test_cells_are_drawn_by_the_same_seeds_so_equal_ones_never_cross():
    cells = {(size, x): NORMAL for size in (5, 9) for x in (0.1, 0.4)}
    (row,) = crossings(slopes(cells), x="x", size="size").to_dicts()
    assert row["share"] == 0
