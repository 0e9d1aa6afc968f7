"""Which axes a picture shows: axes that follow others are none of its axes, and those not given are chosen."""

import itertools

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.varied_axes import choose_axes, free_axes, varied_axes


def trials(**columns):
    height = max(len(values) for values in columns.values())
    filled = {"status": ["done"] * height, "stop_rule": [None] * height, "seed": list(range(height)), **columns}
    return pl.DataFrame(filled)


@pytest.mark.parametrize(
    ("columns", "axes"),
    [
        ({"n_heads": [4, 4, 4]}, []),
        ({"layouts_per_pair": [1, 5], "n_pair_labels": [5, 15]}, ["n_pair_labels"]),
        ({"layouts_per_pair": [1, 5, 5], "n_pair_labels": [5, 5, 15]}, ["n_pair_labels", "layouts_per_pair"]),
        ({"n_labels": [10, 20], "n_pair_labels": [5, 15]}, ["n_pair_labels"]),
        ({"n_labels": [20, 30]}, ["n_labels"]),
        (
            {"n_labels": [10, 11, 11, 12], "n_pair_labels": [5, 6, 5, 6], "n_heldout_labels": [5, 5, 6, 6]},
            ["n_pair_labels", "n_heldout_labels"],
        ),
        ({"n_labels": [20, 20, 30], "n_pair_labels": [5, 15, 15]}, ["n_labels", "n_pair_labels"]),
        ({"d_model": [64, 256], "embedding_scale": [8.0, 16.0]}, ["d_model"]),
        ({"positions": ["learned", "rotary"], "init_position_std": [0.02, 0.0]}, ["positions"]),
        ({"d_model": [64, 256, 256], "embedding_scale": [1.0, 1.0, 16.0]}, ["d_model", "embedding_scale"]),
    ],
)
def test_an_axis_varies_if_it_takes_several_values_that_do_not_follow_from_another(columns, axes):
    assert varied_axes(trials(**columns)) == axes


def test_a_follower_leads_where_it_is_asked_for():
    rows = trials(n_labels=[10, 20], n_pair_labels=[5, 15])
    assert varied_axes(rows, first=["n_labels"]) == ["n_labels"]


def test_the_axes_that_are_free_are_those_that_vary_within_a_group():
    rows = trials(n_pair_labels=[5, 5, 6], n_heads=[1, 1, 2], d_model=[8, 16, 8])
    assert free_axes(rows, by=["n_pair_labels"]) == ["d_model"]


def grid(**axes):
    return pl.DataFrame(list(itertools.product(*axes.values())), schema=[*axes], orient="row")


@pytest.mark.parametrize(
    ("axes", "given", "chosen"),
    [
        ({}, {}, ("n_pair_labels", None, None)),
        ({"n_heads": [1, 2]}, {}, ("n_heads", None, None)),
        ({"n_heads": [1, 2], "n_pair_labels": [5, 6]}, {}, ("n_pair_labels", "n_heads", None)),
        ({"n_heads": [1, 2], "n_pair_labels": [5, 6]}, {"x": "n_heads"}, ("n_heads", "n_pair_labels", None)),
        (
            {"weight_decay": [0.0, 0.2], "layouts_per_pair": [1, 2], "n_pair_labels": [5, 6]},
            {},
            ("n_pair_labels", "layouts_per_pair", "weight_decay"),
        ),
        (
            {"weight_decay": [0.0, 0.2], "layouts_per_pair": [1, 2], "n_pair_labels": [5, 6]},
            {"facet": "n_pair_labels"},
            ("layouts_per_pair", "weight_decay", "n_pair_labels"),
        ),
        (
            {"weight_decay": [0.0, 0.2], "layouts_per_pair": [1, 2], "n_pair_labels": [5, 6]},
            {"prefer": ["n_heads", "weight_decay", "layouts_per_pair"]},
            ("weight_decay", "layouts_per_pair", "n_pair_labels"),
        ),
    ],
)
def test_axes_that_are_not_given_are_the_next_varied_ones(axes, given, chosen):
    assert choose_axes(grid(**axes, seed=[0, 1]), **given) == chosen


@pytest.mark.parametrize(
    ("axes", "complaint"),
    [
        ({"x": "seed"}, "got seed"),
        ({"x": "n_pairs"}, "no axis n_pairs"),
        ({"x": "n_heads", "y": "n_heads"}, "must differ"),
    ],
)
def test_axes_that_cannot_be_drawn_are_refused(axes, complaint):
    with pytest.raises(UsageError, match=complaint):
        choose_axes(grid(seed=[0, 1]), **axes)
