"""Surfaces and boundaries against what a person can compute, and against rows whose boundary is known."""

import numpy as np
import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.surface import PRIOR_NOISE, fit_surface, to_accuracy, to_logit
from lrsym.results.analysis.surface_boundary import Grid, make_grid, trained_boundary
from tests.surfaces import boundary_of, grid_of


def ramp(*, cells=11, seeds=2, noise=0.3, seed=0):
    """Positions on one axis and replicates of a line that rises by one logit a cell and is 0 at the fifth step."""
    ranks = np.arange(cells, dtype=float)[:, None]
    numbers = np.repeat(np.arange(cells), seeds)
    drawn = np.random.default_rng(seed).normal(size=len(numbers))
    return ranks, numbers.tolist(), to_accuracy(numbers - 5 + noise * drawn).tolist()


def test_logits_of_accuracies_are_those_of_fifty_outcomes_with_half_an_outcome_on_either_side():
    assert to_logit(1.0) == pytest.approx(np.log(50.5 / 0.5))
    assert to_logit(0.5) == 0
    assert to_accuracy(to_logit(np.array([0.0, 0.3, 1.0]))) == pytest.approx([0, 0.3, 1])


@pytest.mark.slow
def test_a_surface_follows_cells_that_were_not_trained():
    ranks, cells, accuracies = ramp()
    kept = [i for i, cell in enumerate(cells) if cell not in (4, 7)]
    surface = fit_surface(ranks, [cells[i] for i in kept], [accuracies[i] for i in kept])
    assert surface.mean[[4, 7]] == pytest.approx([-1, 2], abs=0.5)


def test_a_cell_that_was_not_trained_is_known_less_well():
    ranks, cells, accuracies = ramp()
    kept = [i for i, cell in enumerate(cells) if cell < 7]
    sd = fit_surface(ranks, [cells[i] for i in kept], [accuracies[i] for i in kept]).sd
    assert sd[10] > 2 * sd[5]


def test_noise_is_the_variance_within_cells_and_the_guess_where_there_are_no_replicates():
    ranks, cells, accuracies = ramp(seeds=20, noise=1.0, cells=11)
    inner = [i for i, cell in enumerate(cells) if 3 <= cell <= 7]  # further out accuracies end at 0 and 1
    noise = fit_surface(ranks, [cells[i] for i in inner], [accuracies[i] for i in inner]).noise
    assert noise == pytest.approx(1.0, rel=0.3)
    assert fit_surface(ranks, [0, 5, 9], [0.1, 0.5, 0.9]).noise == pytest.approx(PRIOR_NOISE**2)


def test_the_order_of_trials_does_not_matter():
    ranks, cells, accuracies = ramp()
    backwards = fit_surface(ranks, cells[::-1], accuracies[::-1])
    assert fit_surface(ranks, cells, accuracies).mean == pytest.approx(backwards.mean, abs=1e-6)


def test_an_expected_replicate_narrows_as_a_trained_one_does():
    ranks, cells, accuracies = ramp(seeds=1)
    known = fit_surface(ranks, cells[:8], accuracies[:8])
    expected = known.expecting(9)
    gain = known.covariance[9, 9] / (known.covariance[9, 9] + known.noise)
    assert expected.sd[9] ** 2 == pytest.approx(known.sd[9] ** 2 * (1 - gain))
    assert expected.sd[0] <= known.sd[0]


def test_far_along_an_axis_nothing_is_taken_for_known_because_it_did_not_vary_nearby():
    ranks = np.stack(np.meshgrid(np.arange(11), np.arange(7), indexing="ij"), -1).reshape(-1, 2).astype(float)
    near = np.flatnonzero(ranks[:, 1] <= 2)
    surface = fit_surface(ranks, near.tolist(), to_accuracy(ranks[near, 0] / 2 - 3).tolist())
    assert surface.sd[(ranks == [5, 6]).all(axis=1)] > 4 * surface.sd[(ranks == [5, 1]).all(axis=1)]


def test_an_island_of_three_by_three_is_no_noise():
    ranks = np.stack(np.meshgrid(np.arange(11), np.arange(7), indexing="ij"), -1).reshape(-1, 2).astype(float)
    island = (abs(ranks - [5, 3]) <= 1).all(axis=1)
    truth = np.where(island, 2.0, -2.0)
    noise = 0.6 * np.random.default_rng(0).normal(size=len(ranks))
    surface = fit_surface(ranks, range(len(ranks)), to_accuracy(truth + noise).tolist())
    assert surface.mean[(ranks == [5, 3]).all(axis=1)] > 0


def test_a_cell_is_undecided_where_its_interval_holds_the_level():
    boundary = boundary_of(grid_of(d_model=[1, 2, 3, 4]), [-2, -1, 1, 2], 1 / 1.96)
    assert boundary.sides() == ["below", "undecided", "undecided", "above"]


def test_a_crossing_lies_where_the_straight_line_between_two_cells_meets_the_level():
    grid = grid_of(d_model=[10, 20, 40, 80], n_heads=[1, 2])
    found = boundary_of(grid, [-3, 3, -1, 1, 3, -1, 5, -3], 1e-9).crossings(along="d_model")
    assert found.select("n_heads", "at", "rises").rows() == [
        (1, 25.0, True),  # from -1 at 20 to 3 at 40: a quarter of the way
        (2, 30.0, False),  # from 1 to -1: half
    ]


def test_the_interval_of_a_crossing_ends_where_the_bounds_of_the_surface_cross():
    found = boundary_of(grid_of(d_model=[0, 10, 20, 30, 40]), [-4, -2, 0.5, 3, 5], 1 / 1.96).crossings(along="d_model")
    # With half a width of 1 the upper bound crosses between -1 and 1.5, the lower one between -0.5 and 2.
    (row,) = found.select("at", "low", "high").rows()
    assert row == pytest.approx((18.0, 14.0, 22.0))


def test_a_falling_line_has_the_mirrored_interval():
    found = boundary_of(grid_of(d_model=[0, 10, 20, 30, 40]), [5, 3, 0.5, -2, -4], 1 / 1.96).crossings(along="d_model")
    (row,) = found.select("at", "low", "high").rows()
    assert row == pytest.approx((22.0, 18.0, 26.0))


def test_an_interval_that_leaves_the_grid_has_no_end():
    found = boundary_of(grid_of(d_model=[0, 10, 20]), [-0.5, 0.5, 3], 1 / 1.96).crossings(along="d_model")
    assert found.select("low", "high").rows() == [(None, pytest.approx(12.0))]


def test_a_line_without_a_crossing_says_on_which_side_it_lies_and_how_far_that_is_decided():
    found = boundary_of(grid_of(d_model=[1, 2, 3]), [2, 3, 0.5], 1 / 1.96).crossings(along="d_model")
    assert found.select("at", "rises", "cells", "undecided", "undecided_at").rows() == [(None, True, 3, 1, [3.0])]


def test_only_done_trials_count_for_a_boundary():
    cells = pl.DataFrame({"d_model": [1, 2, 3, 4]})
    rows = pl.DataFrame(
        {"d_model": [1, 2, 3, 4, 4], "status": ["done"] * 4 + ["stopped"], "unseen_order": [0.1, 0.2, 0.3, 0.2, 1.0]}
    )
    rows = rows.with_columns(stop_rule=pl.lit(None, dtype=pl.String))
    both = [trained_boundary(cells, frame, metric="unseen_order", level=0.5) for frame in (rows, rows[:4])]
    assert both[0].surface.mean == pytest.approx(both[1].surface.mean)


def test_axes_that_move_together_are_one():
    grid = make_grid(pl.DataFrame({"n_heads": [1, 2, 4], "d_model": [16, 32, 64]}))
    assert len(grid.axes) == 1


def test_positions_are_ranks_whatever_the_distance_between_values():
    assert grid_of(learning_rate=[1e-4, 1e-3, 1.0]).ranks.ravel().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"d_model": [1]}, "varies none; give an axis several values under [grid]"),
        ({"kind": ["clip", "autoregressive"]}, "varies kind over autoregressive, clip; fix it under [base]"),
        ({"replacement": [True, False]}, "varies replacement over False, True"),
        ({"d_model": [*range(6000)]}, "over 5,000 cells at most, the sweep has 6,000"),
    ],
)
def test_a_grid_that_has_no_boundary_is_refused(cells, why):
    with pytest.raises(UsageError, match=why.replace("[", r"\[")):
        make_grid(pl.DataFrame(cells))


def test_five_axes_are_refused():
    names = ["d_model", "n_heads", "steps", "batch_size", "n_pair_labels"]
    rows = np.random.default_rng(0).integers(0, 3, size=(60, 5))
    with pytest.raises(UsageError, match="over 1 to 4 axes, the sweep varies 5"):
        make_grid(pl.DataFrame(rows, schema=names, orient="row"))


def test_a_grid_with_holes_keeps_its_cells():
    grid = make_grid(pl.DataFrame({"d_model": [1, 1, 2], "n_heads": [1, 2, 1]}))
    assert isinstance(grid, Grid)
    assert [grid.cell(number) for number in range(3)][2] == {"d_model": 2, "n_heads": 1}
