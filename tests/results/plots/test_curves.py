"""Learning curves, read from their specification."""

import itertools

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.curves import plot_curves
from tests.charts import marks, rows, subtitle


def curve_rows(*, metric="order", splits=("train", "unseen"), seeds=2, **axes):
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return pl.DataFrame(
        [
            {**cell, "seed": seed, "step": step, "split": split, "metric": metric, "value": 0.5 + 0.125 * seed}
            for cell, seed, step, split in itertools.product(cells, range(seeds), (10, 100), splits)
        ]
    )


def test_a_curve_has_its_mean_in_a_band_from_the_lowest_to_the_highest_seed():
    spec = plot_curves(curve_rows(n_heads=[1])).to_dict()
    (band,), (line,) = marks(spec, "area"), marks(spec, "line")
    assert (band["encoding"]["y"]["field"], band["encoding"]["y2"]["field"]) == ("lowest", "highest")
    assert line["encoding"]["y"]["field"] == "mean"
    assert {(row["lowest"], row["mean"], row["highest"]) for row in rows(spec, spec)} == {(0.5, 0.5625, 0.625)}


def test_steps_are_drawn_on_a_logarithmic_axis():
    (line,) = marks(plot_curves(curve_rows(n_heads=[1])).to_dict(), "line")
    assert line["encoding"]["x"]["scale"]["type"] == "log"


def test_each_cell_has_a_panel_in_the_order_of_its_values():
    assert plot_curves(curve_rows(n_pair_labels=[15, 5])).to_dict()["vconcat"][0]["facet"]["sort"] == [
        "n_pair_labels 5",
        "n_pair_labels 15",
    ]


def test_with_a_colour_axis_each_split_has_a_panel_and_each_value_a_colour():
    spec = plot_curves(curve_rows(n_pair_labels=[15, 5]), color="n_pair_labels").to_dict()
    assert spec["vconcat"][0]["facet"]["sort"] == ["split train", "split unseen"]
    assert marks(spec, "line")[0]["encoding"]["color"]["scale"]["domain"] == ["5", "15"]


@pytest.mark.slow
def test_curves_tell_the_number_of_their_seeds():
    frame = curve_rows(n_heads=[1], seeds=3)
    assert "of 3 seeds." in subtitle(plot_curves(frame))
    assert "Line: the one seed. Red: chance." in subtitle(plot_curves(curve_rows(n_heads=[1], seeds=1)))
    assert "of 2 to 3 seeds." in subtitle(plot_curves(frame.filter((pl.col("step") < 100) | (pl.col("seed") > 0))))


@pytest.mark.slow
def test_chance_is_drawn_for_order_alone():
    with_chance = plot_curves(curve_rows(n_heads=[1])).to_dict()
    without = plot_curves(curve_rows(n_heads=[1], metric="global"), metric="global").to_dict()
    assert [m["encoding"]["y"]["datum"] for m in marks(with_chance, "rule")] == [0.5]
    assert marks(without, "rule") == []


def test_more_curves_than_can_be_read_are_refused():
    with pytest.raises(UsageError, match=r"14 panels to draw, a picture has room for 12.*n_pair_labels.*--where"):
        plot_curves(curve_rows(n_pair_labels=list(range(5, 19))))


def test_a_metric_without_a_curve_is_refused():
    with pytest.raises(UsageError, match="no learning curve of loss"):
        plot_curves(curve_rows(n_heads=[1]), metric="loss")


@pytest.mark.slow
def test_a_curve_names_its_trials_where_the_rows_do():
    named = curve_rows(n_heads=[1]).with_columns(trial_id=pl.format("t{}", "seed"))
    for frame in (named, named.drop("seed")):
        spec = plot_curves(frame).to_dict()
        assert {row["trial_ids"] for row in rows(spec, spec)} == {"t0, t1"}
    spec = plot_curves(curve_rows(n_heads=[1])).to_dict()
    assert "trial_ids" not in rows(spec, spec)[0]
