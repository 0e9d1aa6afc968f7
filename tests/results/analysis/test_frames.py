"""Plot data of curves, ablations and profiles, in numbers that a person can compute."""

import polars as pl
from polars.testing import assert_frame_equal

from lrsym.results.analysis.frames import ablations, curves, profiles


def test_a_curve_is_the_mean_and_the_extremes_of_its_seeds_at_each_step():
    frame = pl.DataFrame(
        [
            {"n_heads": 1, "step": step, "split": "train", "metric": "order", "value": value}
            for step, value in ((10, 0.5), (10, 1.0), (20, 0.75), (20, None), (20, float("nan")))
        ]
        + [{"n_heads": 1, "step": 10, "split": "train", "metric": "global", "value": 0.0}]
    )
    wanted = pl.DataFrame(
        {
            "n_heads": [1, 1],
            "split": ["train", "train"],
            "step": [10, 20],
            "mean": [0.75, 0.75],
            "lowest": [0.5, 0.75],
            "highest": [1.0, 0.75],
            "n": [2, 1],
        }
    )
    assert_frame_equal(curves(frame, by=["n_heads"]), wanted)


def test_the_splits_of_curves_stand_in_the_order_of_the_vocabulary():
    rows = [{"step": 1, "split": split, "metric": "order", "value": 1.0} for split in ("unseen", "seen", "train")]
    assert curves(pl.DataFrame(rows))["split"].to_list() == ["train", "seen", "unseen"]


def test_ablations_are_summarised_by_term_in_the_order_of_the_vocabulary():
    frame = pl.DataFrame(
        [
            {"term": term, "split": split, "metric": "order", "value": value}
            for term, split, value in (
                ("VP", "unseen", 1.0),
                ("EP", "unseen", 0.25),
                ("EP", "unseen", 0.75),
                ("none", "unseen", 1.0),
                ("none", "train", 0.0),
            )
        ]
    )
    wanted = pl.DataFrame(
        {
            "term": ["none", "EP", "VP"],
            "metric": ["order"] * 3,
            "mean": [1.0, 0.5, 1.0],
            "lowest": [1.0, 0.25, 1.0],
            "highest": [1.0, 0.75, 1.0],
            "n": [1, 2, 1],
        }
    )
    assert_frame_equal(ablations(frame), wanted)


def test_a_profile_of_a_decoder_has_its_cls_behind_the_pixels():
    frame = pl.DataFrame(
        {"seed": [3], "encoder": ["decoder"], "head": [1], "term": ["EP"], "profile": [[1.0, 2.0, 9.0]]},
        schema_overrides={"profile": pl.List(pl.Float32)},
    )
    wanted = pl.DataFrame({"seed": [3] * 2, "term": ["EP"] * 2, "head": [1, 1], "pixel": [1, 2], "value": [1.0, 2.0]})
    assert_frame_equal(profiles(frame), wanted)


def test_a_profile_has_a_row_for_each_pixel_and_none_for_cls():
    frame = pl.DataFrame(
        {
            "seed": [3, 3, 3, 3],
            "encoder": ["vision", "vision", "vision", "text"],
            "head": [1, 0, 0, 0],
            "term": ["EP", "EP", "EE", "EP"],
            "profile": [[9.0, 1.0, 2.0], [9.0, 3.0, 4.0], [9.0, 9.0, 9.0], [9.0, 9.0, 9.0]],
        },
        schema_overrides={"profile": pl.List(pl.Float32)},
    )
    wanted = pl.DataFrame(
        {
            "seed": [3] * 4,
            "term": ["EP"] * 4,
            "head": [0, 0, 1, 1],
            "pixel": [1, 2, 1, 2],
            "value": [3.0, 4.0, 1.0, 2.0],
        }
    )
    assert_frame_equal(profiles(frame), wanted)
