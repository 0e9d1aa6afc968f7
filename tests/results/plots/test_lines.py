"""Lines, read from their specification."""

import itertools

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.lines import plot_line
from lrsym.results.plots.palette import PAPER
from lrsym.results.plots.save import as_png
from tests.charts import marks, nodes, panels, rows, subtitle


def trial_rows(*, seeds=3, **axes):
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return pl.DataFrame(
        [
            {
                **cell, "seed": seed, "status": "done", "stop_rule": None, "unseen_order": 0.7 + 0.1 * seed,
                "seen_inset": 0.9, "seconds": 2.0 + seed, "steps_to_unseen_order": 100,
            }
            for cell, seed in itertools.product(cells, range(seeds))
        ],
        schema_overrides={"stop_rule": pl.String},
    )  # fmt: skip


GRID = trial_rows(n_pair_labels=[5, 8], layouts_per_pair=[1, 4, 16])


def titles(chart):
    return [panel["title"]["text"] for panel in panels(chart)]


@pytest.mark.slow
def test_each_metric_has_a_panel_in_one_row():
    chart = plot_line(GRID, metric=["seen_inset", "unseen_order"])
    assert titles(chart) == ["seen_inset", "unseen_order"]
    assert chart.to_dict()["vconcat"][0]["columns"] == 2


@pytest.mark.slow
def test_a_line_with_points_lies_in_a_band_that_stays_within_the_accuracies():
    spec = plot_line(GRID).to_dict()
    (band,), (line,) = marks(spec, "area"), marks(spec, "line")
    assert (band["encoding"]["y"]["field"], band["encoding"]["y2"]["field"]) == ("low", "high")
    assert line["encoding"]["y"]["field"] == "mean"
    assert line["encoding"]["y"]["scale"]["domain"] == [0.4, 1]
    drawn = rows(spec, band)
    assert len(drawn) == 6
    assert all(0 < row["low"] < row["mean"] < row["high"] < 1 for row in drawn)


@pytest.mark.slow
def test_axes_are_the_first_varied_ones_in_the_order_that_is_preferred():
    encoding = marks(plot_line(GRID, prefer=["layouts_per_pair"]).to_dict(), "line")[0]["encoding"]
    assert encoding["x"]["field"] == "layouts_per_pair"
    assert encoding["color"]["scale"]["domain"] == ["5", "8"]


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(("x", "scale"), [("n_pair_labels", None), ("layouts_per_pair", "log")])
def test_a_geometric_axis_is_logarithmic_and_has_a_tick_at_each_value(x, scale):
    (line,) = marks(plot_line(GRID, x=x).to_dict(), "line")
    assert line["encoding"]["x"]["scale"].get("type") == scale
    assert line["encoding"]["x"]["axis"]["values"] == GRID[x].unique().sort().to_list()


def test_values_that_are_no_numbers_stand_side_by_side():
    frame = trial_rows(layer_norm=["pre", "none"])
    (line,) = marks(plot_line(frame, x="layer_norm").to_dict(), "line")
    assert line["encoding"]["x"]["type"] == "ordinal"
    assert line["encoding"]["x"]["scale"]["domain"] == ["none", "pre"]


@pytest.mark.slow
def test_a_third_axis_makes_rows_of_panels_and_a_fourth_is_refused():
    frame = trial_rows(n_pair_labels=[5, 8], layouts_per_pair=[1, 4], n_heads=[1, 2])
    assert titles(plot_line(frame)) == ["n_heads = 1: unseen_order", "n_heads = 2: unseen_order"]
    frame = trial_rows(n_pair_labels=[5, 8], layouts_per_pair=[1, 4], n_heads=[1, 2], vision_blocks=[1, 2])
    with pytest.raises(UsageError, match=r"these axes vary: .*--where .*or choose others with --x, --color, --facet"):
        plot_line(frame)


@pytest.mark.slow
def test_the_tooltip_tells_cell_mean_band_and_losses():
    (line,) = marks(plot_line(GRID).to_dict(), "line")
    fields = {tip["field"] for tip in line["encoding"]["tooltip"]}
    assert {"n_pair_labels", "layouts_per_pair", "mean", "low", "high", "n", "n_diverged", "n_failed"} <= fields


@pytest.mark.slow
def test_the_heading_tells_band_and_seeds():
    assert "band: 95 % interval of the mean (of accuracies on logits), 3 seeds in each cell." in subtitle(
        plot_line(GRID)
    )
    assert "band: lowest to highest, 3 seeds" in subtitle(plot_line(GRID, band="range"))
    assert "on logits" not in subtitle(plot_line(GRID, metric="seconds"))


@pytest.mark.slow
def test_of_one_seed_there_is_no_band_and_the_heading_says_so():
    chart = plot_line(trial_rows(n_pair_labels=[5, 8], seeds=1))
    assert "there is no band, which takes replicates. Red, dashed: chance." in subtitle(chart)
    assert [rows(chart.to_dict(), band) for band in marks(chart.to_dict(), "area")] == [[]]


@pytest.mark.slow
def test_cells_of_one_seed_among_others_are_counted():
    frame = trial_rows(n_pair_labels=[5, 8]).filter((pl.col("n_pair_labels") == 5) | (pl.col("seed") == 0))
    assert "1 of 2 cells have one seed and no band." in subtitle(plot_line(frame))


def test_a_cell_alone_on_its_line_has_its_band_as_a_bar():
    spec = plot_line(trial_rows(n_pair_labels=[5])).to_dict()
    bars = [rows(spec, rule) for rule in marks(spec, "rule") if "y2" in rule["encoding"]]
    assert [len(bar) for bar in bars] == [1]


def lost(frame, status, *, seeds):
    gone = (pl.col("n_pair_labels") == 5) & pl.col("seed").is_in(seeds)
    return frame.with_columns(
        status=pl.when(gone).then(pl.lit(status)).otherwise("status"), unseen_order=pl.when(~gone).then("unseen_order")
    )


def rings_and_crosses(chart):
    spec = chart.to_dict()
    red = [mark for mark in marks(spec, "point") if mark["mark"].get("color") == "#c1121f"]
    return [len(rows(spec, mark)) for mark in red]


@pytest.mark.slow
def test_a_cell_that_lost_trials_has_a_ring_and_one_that_lost_all_a_cross():
    frame = trial_rows(n_pair_labels=[5, 8])
    some, all_ = (plot_line(lost(frame, "diverged", seeds=seeds)) for seeds in ([0], [0, 1, 2]))
    assert rings_and_crosses(some) == [1, 0]
    assert rings_and_crosses(all_) == [0, 1]
    assert "Red rings" in subtitle(some)
    assert "Red rings" not in subtitle(all_)
    assert "unseen_order: 1 of 6 trials have no value (1 diverged)." in subtitle(some)
    assert "Red crosses: no seed has a value." in subtitle(all_)


def test_where_all_diverged_there_is_no_empty_chart_but_a_sentence():
    frame = trial_rows(n_pair_labels=[5])
    with pytest.raises(UsageError, match=r"no trial has a value of unseen_order, of 3 3 diverged; choose another"):
        plot_line(lost(frame, "diverged", seeds=[0, 1, 2]))


@pytest.mark.slow
def test_a_seed_apart_is_hollow_and_told():
    frame = trial_rows(n_pair_labels=[5], seeds=5)
    frame = frame.with_columns(unseen_order=pl.Series([1.0, 0.99, 1.0, 1.0, 0.5]))
    chart = plot_line(frame)
    assert "Hollow: one seed lies apart from the others (1 of 1 means)" in subtitle(chart)
    (hollow,) = [mark for mark in marks(chart.to_dict(), "point") if mark["mark"].get("fill") == PAPER]
    assert len(rows(chart.to_dict(), hollow)) == 1


@pytest.mark.slow
def test_what_is_never_negative_has_no_band_below_zero():
    (line,) = marks(plot_line(GRID, metric="seconds").to_dict(), "line")
    assert line["encoding"]["y"]["scale"]["domainMin"] == 0


@pytest.mark.slow
def test_chance_is_drawn_for_order_alone():
    with_chance, without = plot_line(GRID).to_dict(), plot_line(GRID, metric="seen_inset").to_dict()
    assert [rule["encoding"]["y"]["datum"] for rule in marks(with_chance, "rule") if "y2" not in rule["encoding"]] == [
        0.5
    ]
    assert [rule for rule in marks(without, "rule") if "y2" not in rule["encoding"]] == []


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (GRID, {"metric": "unseen_orders"}, "did you mean unseen_order"),
        (GRID, {"metric": "train_order"}, "the rows have no column train_order"),
        (GRID, {"x": "n_labels_", "color": "n_heads"}, "no axis n_labels_"),
        (GRID, {"band": "sd"}, "band must be one of interval, range, got sd"),
        (GRID.clear(), {}, "there are no trials to draw"),
        (
            trial_rows(n_pair_labels=[5, 8], layouts_per_pair=[1], n_heads=list(range(1, 14))),
            {"facet": "n_heads", "x": "n_pair_labels"},
            "13 panels to draw, 1 metrics in 13 rows, a picture has room for 12",
        ),
        (
            trial_rows(n_pair_labels=list(range(5, 18)), layouts_per_pair=[1, 2]),
            {"color": "n_pair_labels"},
            "13 colours to draw, a picture has room for 12",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(frame, options, message):
    with pytest.raises(UsageError, match=message):
        plot_line(frame, **options)


@pytest.mark.slow
def test_two_sweeps_have_rows_of_panels_by_their_names():
    frame = pl.concat(GRID.with_columns(pl.lit(name).alias("sweep")) for name in ("first", "second"))
    assert titles(plot_line(frame, metric=["seen_inset", "unseen_order"])) == [
        "first: seen_inset", "first: unseen_order", "second: seen_inset", "second: unseen_order",
    ]  # fmt: skip


@pytest.mark.slow
def test_what_differs_between_sweeps_alone_needs_no_room():
    frame = pl.concat(
        GRID.with_columns(pl.lit(name).alias("sweep"), pl.lit(width).alias("d_model"))
        for name, width in (("first", 32), ("second", 64))
    )
    assert titles(plot_line(frame)) == ["first: unseen_order", "second: unseen_order"]


@pytest.mark.slow
def test_panels_share_one_legend_and_can_be_rendered():
    chart = plot_line(GRID, metric=["seen_inset", "unseen_order"])
    assert all("legend" in node for node in nodes(chart.to_dict()) if node.get("field") == "hue")
    assert as_png(chart.to_dict()).startswith(b"\x89PNG")


def steps(found, **axes):
    """Trials of cells whose seeds get there at these steps, None where never."""
    cells = pl.DataFrame({**axes, "steps": found}).explode("steps")
    return cells.select(
        pl.exclude("steps"),
        seed=pl.int_range(pl.len()),
        status=pl.lit("done"),
        stop_rule=pl.lit(None, dtype=pl.String),
        unseen_order=pl.lit(0.7),
        steps_to_unseen_order=pl.col("steps").cast(pl.Int64),
    )


def test_steps_to_an_accuracy_have_medians_in_which_never_is_later_than_all_as_on_the_map():
    frame = steps([[10, 20, None], [10, None, None], [30, 40, 90]], n_pair_labels=[5, 8, 9])
    chart = plot_line(frame, metric="steps_to_unseen_order")
    spec = chart.to_dict()
    (line,), (band,) = marks(spec, "line"), marks(spec, "area")
    assert line["encoding"]["y"]["field"] == "median"
    assert [(row["n_pair_labels"], row["median"]) for row in rows(spec, line)] == [(5, 20), (9, 40)]
    assert [(row["low"], row["high"]) for row in rows(spec, band)] == [(10, 90), (10, 90), (30, 90)]  # to the top
    (never,) = [mark for mark in marks(spec, "point") if mark["mark"].get("shape") == "triangle-up"]
    assert [row["n_pair_labels"] for row in rows(spec, never)] == [8]
    text = subtitle(chart)
    assert "line: median of 3 seeds in each cell (never: later than any step)" in text
    assert "3 of 9 trials never get there. Triangles: 1 cell whose median is never." in text
    assert "mean" not in text
    assert "chance" not in text  # no line of chance is drawn


def test_means_beside_medians_are_told_as_means_of_their_own_cells():
    frame = steps([[10, 20, None], [10, 20, 30]], n_pair_labels=[5, 8])
    text = subtitle(plot_line(frame, metric=["steps_to_unseen_order", "unseen_order"]))
    assert (
        "unseen_order, line: mean; band: 95 % interval of the mean (of accuracies on logits), 3 seeds in each cell. Red"
        in text
    )
    assert "steps_to_unseen_order, line: median of 3 seeds" in text


def test_where_no_cell_has_a_median_the_trials_that_never_get_there_are_told():
    frame = steps([[10, None], [None, None]], n_pair_labels=[5, 8])
    with pytest.raises(UsageError, match="no cell has a median of steps_to_unseen_order, 3 trials never; choose"):
        plot_line(frame, metric="steps_to_unseen_order")


@pytest.mark.slow
def test_a_band_alone_on_its_line_is_a_bar_where_the_other_cells_have_none():
    frame = trial_rows(n_pair_labels=[5, 8], layouts_per_pair=[1, 4])
    spec = plot_line(lost(frame, "diverged", seeds=[0, 1, 2]), x="n_pair_labels", color="layouts_per_pair").to_dict()
    (bars,) = [rows(spec, rule) for rule in marks(spec, "rule") if "y2" in rule["encoding"]]
    assert [(row["n_pair_labels"], row["layouts_per_pair"]) for row in bars] == [(8, 1), (8, 4)]


@pytest.mark.slow
def test_a_cross_is_whole():
    frame = lost(trial_rows(n_pair_labels=[5, 8]), "diverged", seeds=[0, 1, 2])
    panel = panels(plot_line(frame))[0]
    (cross,) = [mark for mark in marks(panel, "point") if mark["mark"].get("shape") == "cross"]
    assert cross["encoding"]["y"]["value"] + cross["mark"]["size"] ** 0.5 / 2 <= panel["height"]


@pytest.mark.slow
def test_trials_of_a_pack_share_its_time_and_have_no_band():
    packed = GRID.with_columns(pack_size=pl.lit(3))
    text = subtitle(plot_line(packed, metric="seconds"))
    assert "there is no band." in text
    assert "cells have none of seconds, as trials of a pack share its time." in text
    alone = subtitle(plot_line(GRID.with_columns(pack_size=pl.lit(1)), metric="seconds"))
    assert "share its time" not in alone
