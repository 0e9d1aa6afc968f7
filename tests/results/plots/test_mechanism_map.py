"""The map of mechanisms: how full a cell is, with what, and what is said where seeds or cells are missing."""

import itertools

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.mechanism_map import plot_mechanism
from lrsym.vocabulary import PATHS
from tests.charts import marks, panels, picture, rows, subtitle


def trials(*paths, **axes):
    """A trial for each of `paths` in every cell."""
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    found = [{**cell, "seed": seed, "path": path} for cell in cells for seed, path in enumerate(paths)]
    return pl.DataFrame(found, schema_overrides={"path": pl.String}).with_columns(
        stop_rule=pl.lit(None, dtype=pl.String), status=pl.lit("done")
    )


def layers(chart):
    """The frames, the parts and the texts of the first panel, as rows."""
    spec = chart.to_dict()
    frames, parts = (rows(spec, layer) for layer in marks(panels(chart)[0], "rect"))
    (texts,) = marks(panels(chart)[0], "text")
    return frames, parts, rows(spec, texts)


def test_a_cell_is_filled_from_below_by_the_shares_of_its_paths_in_the_order_of_the_vocabulary():
    frames, parts, _ = layers(plot_mechanism(trials("pp", "ep", "value", "pp", n_pair_labels=[5])))
    assert [(part["path"], part["share"]) for part in parts] == [("value", 0.25), ("ep", 0.25), ("pp", 0.5)]
    assert parts[0]["y"] == frames[0]["y"]
    assert parts[-1]["y2"] == pytest.approx(frames[0]["y2"])
    assert [a["y2"] for a in parts[:-1]] == [b["y"] for b in parts[1:]]


def test_a_cell_of_fewer_seeds_is_less_full_and_says_their_number():
    frame = trials("ep", "pp", n_heads=[1, 2]).filter((pl.col("n_heads") == 1) | (pl.col("seed") == 0))
    frames, parts, texts = layers(plot_mechanism(frame))
    height = frames[1]["y"] - frames[1]["y2"]
    assert parts[-1]["y"] - parts[-1]["y2"] == pytest.approx(height / 2)
    assert parts[-1]["share"] == 1
    assert [row["text"] for row in texts] == ["", "n=1"]


def test_trials_without_a_path_are_counted_and_their_cell_says_so():
    frame = trials("ep", "pp", n_heads=[1, 2])
    frame = frame.with_columns(path=pl.when(pl.col("n_heads") == 1).then("path"))
    chart = plot_mechanism(frame)
    frames, _, texts = layers(chart)
    assert [(row["n"], row["n_trials"]) for row in frames] == [(2, 2), (0, 2)]
    assert [row["text"] for row in texts] == ["", "no path"]
    assert "4 trials, 2 without a path." in subtitle(chart)


def test_reasons_for_no_path_are_counted_each_trial_under_the_first():
    frame = trials(None, "ep", None, n_heads=[1, 2, 4]).with_columns(
        status=pl.when(pl.col("seed") == 0).then(pl.lit("diverged")).otherwise(pl.lit("done")),
        positions=pl.when(pl.col("n_heads") == 1).then(pl.lit("rotary")).otherwise(pl.lit("learned")),
        layer_norm=pl.when(pl.col("n_heads") == 2).then(pl.lit("pre")).otherwise(pl.lit("none")),
    )
    told = (
        "9 trials, 6 without a path: 3 not trained to the end, 1 with rotary positions, whose scores are no sum of "
        "terms, 1 with a norm before the first attention, whose scores are no sum of terms."
    )
    assert told in subtitle(plot_mechanism(frame, x="n_heads"))


def test_cells_that_no_trial_is_in_are_framed_and_say_so():
    frame = trials("ep", n_heads=[1, 2], n_pair_labels=[5, 6])
    _, parts, texts = layers(plot_mechanism(frame.filter(~((pl.col("n_heads") == 2) & (pl.col("n_pair_labels") == 6)))))
    assert len(parts) == 3
    assert sorted(row["text"] for row in texts) == ["", "", "", "no trials"]


def test_tooltips_have_the_axes_the_share_and_the_counts():
    _, parts = marks(panels(plot_mechanism(trials("ep", n_pair_labels=[5])))[0], "rect")
    fields = [entry["field"] for entry in parts["encoding"]["tooltip"]]
    assert fields == ["path", "share", "n_pair_labels", "n", *PATHS, "n_trials"]


@pytest.mark.slow_after(2)
@pytest.mark.parametrize(
    ("axes", "y", "headings"),
    [
        ({}, None, [""]),
        ({"n_heads": [1, 2]}, None, [""]),
        ({"n_heads": [1, 2], "n_pair_labels": [5, 6]}, "n_heads", [""]),
        (
            {"n_heads": [1, 2], "n_pair_labels": [5, 6], "vision_blocks": [1, 2]},
            "vision_blocks",
            ["n_heads = 1", "n_heads = 2"],
        ),
    ],
)
def test_a_sweep_of_no_one_two_or_three_axes_is_drawn(axes, y, headings):
    chart = plot_mechanism(trials("ep", **{"n_pair_labels": [5], **axes}), y=y)
    assert [panel["title"]["text"] for panel in panels(chart)] == headings
    assert "concat" in picture(chart)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (trials(None, n_heads=[1]), {}, "none of 1 trials has a path.*choose such trials"),
        (trials("ep", n_heads=[1]).drop("path"), {}, "no column path; give a sweep"),
        (trials("ep", n_heads=[1]), {"x": "nope"}, "there is no axis nope; lrsym axes"),
        (
            trials("ep", n_heads=[1, 2], n_pair_labels=[5, 6]),
            {"x": "n_labels", "y": "vision_blocks", "facet": "n_heads"},
            r"these axes vary: n_pair_labels \(2 values",
        ),
        (trials("ep", n_heads=[*range(1, 8)], n_pair_labels=[5, 6], n_labels=[20, 21]), {"facet": "n_heads"}, "has 7"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_remedy(frame, options, message):
    axes = {name: pl.lit(5) for name in ("n_pair_labels", "n_labels", "vision_blocks") if name not in frame.columns}
    with pytest.raises(UsageError, match=message):
        plot_mechanism(frame.with_columns(**axes), **options)
