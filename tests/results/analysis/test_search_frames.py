"""Every number that the picture of a search shows, by equality."""

import json
from dataclasses import replace

import polars as pl
import pytest

from lrsym.results.analysis.search_frames import SearchedAxis, SearchFrames

AXES = (
    SearchedAxis("optim.learning_rate", low=1e-4, high=1e-2, log=True),
    SearchedAxis("model.layer_norm", values=("none", "pre", "post")),
)


def frames(*told, objectives=("unseen_order",), maximise=(True,), axes=AXES):
    """Frames of suggestions from (number, outcome, final, objective, rate, word)."""
    rows = [
        {"number": number, "outcome": outcome, "final": final, "objective": objective,
         "trial_ids": [f"a{number}", f"b{number}"],
         "point": json.dumps({"optim.learning_rate": rate, "model.layer_norm": word})}
        for number, outcome, final, objective, rate, word in told
    ]  # fmt: skip
    schema_overrides = {"objective": pl.List(pl.Float64)}
    suggestions = pl.DataFrame(rows, schema_overrides=schema_overrides)
    importance = pl.DataFrame(schema={"objective": pl.String, "axis": pl.String, "share": pl.Float64})
    return SearchFrames(suggestions, axes, objectives, maximise, importance)


TOLD = [
    (0, "trained", True, [0.5], 1e-4, "none"),
    (1, "stopped", False, [0.9], 1e-3, "pre"),
    (2, "failed", False, None, 1e-2, "none"),
    (3, "trained", True, [0.7], 1e-2, "post"),
    (4, "trained", True, [0.6], 1e-3, "post"),
    (5, "running", False, None, 1e-3, "none"),
]


def test_the_best_so_far_is_of_cells_trained_to_the_end():
    assert frames(*TOLD).history().rows() == [
        (0, "trained", 0.5, "a0, b0", 0.5),
        (1, "stopped", 0.9, "a1, b1", 0.5),
        (2, "failed", None, "a2, b2", 0.5),
        (3, "trained", 0.7, "a3, b3", 0.7),
        (4, "trained", 0.6, "a4, b4", 0.7),
        (5, "running", None, "a5, b5", 0.7),
    ]


def test_the_best_of_a_minimum_goes_down():
    assert frames(*TOLD, maximise=(False,)).history()["best"].to_list() == [0.5] * 6


def test_slices_have_numbers_on_ranges_and_words_on_lists():
    slices = frames(*TOLD[:3]).slices()
    assert slices.rows() == [
        ("unseen_order", "learning_rate", 0, "trained", 1e-4, None, 0.5, "a0, b0"),
        ("unseen_order", "layer_norm", 0, "trained", None, "none", 0.5, "a0, b0"),
        ("unseen_order", "learning_rate", 1, "stopped", 1e-3, None, 0.9, "a1, b1"),
        ("unseen_order", "layer_norm", 1, "stopped", None, "pre", 0.9, "a1, b1"),
    ]


def test_parallel_lines_have_their_places_on_the_scale_of_each_axis_and_the_best_lies_on_top():
    lines = frames(*TOLD).lines()
    assert lines["number"].unique(maintain_order=True).to_list() == [0, 4, 3, 1]
    assert lines.filter(pl.col("number") == 1).drop("number").rows() == [
        ("learning_rate", 0.5, "0.001", 0.9),
        ("layer_norm", 0.5, "pre", 0.9),
        ("unseen_order", 1.0, "0.9", 0.9),
    ]
    assert frames(*TOLD, maximise=(False,)).lines()["number"][-1] == 0


def test_ticks_are_every_value_of_a_list_and_both_ends_of_what_is_a_number():
    assert frames(*TOLD).ticks().rows() == [
        ("learning_rate", 0.0, "0.0001"),
        ("learning_rate", 1.0, "0.01"),
        ("layer_norm", 0.0, "none"),
        ("layer_norm", 0.5, "pre"),
        ("layer_norm", 1.0, "post"),
        ("unseen_order", 0.0, "0.5"),
        ("unseen_order", 1.0, "0.9"),
    ]


def test_the_front_is_of_cells_trained_to_the_end():
    told = [
        (0, "trained", True, [0.5, 3.0], 1e-4, "none"),
        (1, "stopped", False, [0.9, 1.0], 1e-3, "pre"),
        (2, "trained", True, [0.6, 4.0], 1e-3, "pre"),
        (3, "trained", True, [0.4, 3.5], 1e-3, "pre"),
        (4, "failed", False, None, 1e-3, "pre"),
    ]
    front = frames(*told, objectives=("unseen_order", "seconds"), maximise=(True, False)).front()
    assert front.rows() == [
        (3, "trained", False, 0.4, 3.5, "a3, b3"),
        (0, "trained", True, 0.5, 3.0, "a0, b0"),
        (2, "trained", True, 0.6, 4.0, "a2, b2"),
        (1, "stopped", False, 0.9, 1.0, "a1, b1"),
    ]


def doubts(shares, *, n=60):
    told = frames(*[(i, "trained", True, [i / 100], 1e-3, "pre") for i in range(n)])
    rows = [("unseen_order", axis, share) for axis, share in shares.items()]
    return replace(told, importance=pl.DataFrame(rows, ["objective", "axis", "share"], orient="row")).doubts()


def test_importance_that_is_the_same_for_every_axis_means_nothing():
    (only,) = doubts({"learning_rate": 0.5, "layer_norm": 0.5})
    assert only.startswith("Importance for unseen_order means nothing: all 2 axes have one share, as the 60 cells")


def test_axes_of_about_one_share_are_not_told_apart_unless_they_have_next_to_none():
    shares = {"a": 0.005, "b": 0.301, "c": 0.3, "d": 0.2, "e": 0.19, "f": 0.004}
    assert doubts(shares) == ["Importance for unseen_order does not tell b and c apart."]


@pytest.mark.parametrize(("n", "said"), [(49, ["best 5 of 49 cells"]), (7, ["best 2 of 7 cells"]), (50, [])])
def test_importance_of_few_cells_is_mostly_chance_tied_or_not(n, said):
    assert len(doubts({"a": 0.5, "b": 0.499}, n=n)) == 1 + len(said)
    found = doubts({"a": 0.9, "b": 0.1}, n=n)
    assert [words in line for words, line in zip(said, found, strict=True)] == [True] * len(said)
