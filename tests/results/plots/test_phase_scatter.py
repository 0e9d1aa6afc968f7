"""A phase diagram of cells that lie scattered: when it is drawn, where its points stand, and what it says."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.varied_axes import scattered_axes
from lrsym.results.plots.phase_diagram import plot_phase
from tests.charts import marks, panels, rows, subtitle

RATES = [1e-4 * 1.2**i for i in range(20)]


def searched(n=20, *, heads=(1, 2, 4), seeds=2, **columns):
    """Rows of a search: each cell has a rate of its own, and shares the number of heads and layouts with others."""
    found = [
        {"learning_rate": RATES[i], "layouts_per_pair": 1 + (7 * i) % 19, "n_heads": heads[i % len(heads)],
         "seed": seed, "trial_id": f"{i:02}-{seed}", "status": "done", "stop_rule": None,
         "train_order": 1.0, "seen_order": 0.95, "unseen_order": 0.5 + i / 50, "seconds": 1.0 + i}
        for i in range(n)
        for seed in range(seeds)
    ]  # fmt: skip
    return pl.DataFrame(found, schema_overrides={"stop_rule": pl.String}).with_columns(**columns)


def points(chart, panel=0):
    spec = chart.to_dict()
    return [row for mark in marks(panels(chart)[panel], "point") for row in rows(spec, mark)]


def test_the_axes_with_most_numbers_place_the_points_and_the_others_are_told():
    chart = plot_phase(searched())
    encoding = marks(panels(chart)[0], "point")[-1]["encoding"]
    assert [encoding[channel]["field"] for channel in ("x", "y")] == ["learning_rate", "layouts_per_pair"]
    assert [encoding[channel]["scale"].get("type") for channel in ("x", "y")] == ["log", None]
    assert "n_heads varies among them, too." in subtitle(chart)
    assert "40 trials, 2 seeds in each cell." in subtitle(chart)


def test_each_cell_is_a_point_with_its_mean_its_phase_and_its_trials():
    found = points(plot_phase(searched()))
    assert len(found) == 20
    assert found[0]["mean"] == pytest.approx(0.5)
    assert found[0]["trial_ids"] == "00-0, 00-1"
    assert {row["phase"] for row in points(plot_phase(searched()), panel=1)} == {"layout generalisation"}


def placed(chart):
    encoding = marks(panels(chart)[0], "point")[-1]["encoding"]
    return [encoding[channel]["field"] for channel in ("x", "y")]


@pytest.mark.slow
def test_given_axes_place_the_points():
    assert placed(plot_phase(searched(), x="n_heads", y="learning_rate")) == ["n_heads", "learning_rate"]
    assert placed(plot_phase(searched(), y="n_heads")) == ["learning_rate", "n_heads"]
    assert placed(plot_phase(searched(), x="n_heads")) == ["n_heads", "learning_rate"]


@pytest.mark.slow
def test_each_value_of_a_given_facet_has_panels_of_its_own():
    chart = plot_phase(searched(), facet="n_heads")
    assert len(panels(chart)) == 3 * 2
    assert placed(chart) == ["learning_rate", "layouts_per_pair"]
    assert sum(len(points(chart, panel)) for panel in (0, 2, 4)) == 20
    with pytest.raises(UsageError, match="40 panels to draw, a picture has room for 8"):
        plot_phase(searched(), x="n_heads", y="layouts_per_pair", facet="learning_rate")


def test_a_column_that_is_no_accuracy_has_its_median():
    chart = plot_phase(searched(), metric="seconds")
    assert [row["median"] for row in points(chart)] == [1.0 + i for i in range(20)]
    assert len(panels(chart)) == 1


@pytest.mark.slow
def test_cells_that_lost_trials_have_a_ring_and_those_that_lost_all_a_cross():
    lost = pl.when((pl.col("learning_rate") == RATES[0]) | (pl.col("trial_id") == "01-0")).then(pl.lit("diverged"))
    found = plot_phase(searched(status=lost.otherwise(pl.lit("done"))))
    crosses, rings, here = (rows(found.to_dict(), mark) for mark in marks(panels(found)[0], "point"))
    assert [row["learning_rate"] for row in crosses] == [RATES[0]]
    assert [row["learning_rate"] for row in rings] == [RATES[1]]
    assert len(here) == 19
    assert "(red ring; a cross where a cell lost all seeds)" in subtitle(found)


@pytest.mark.slow
def test_where_all_diverged_there_are_crosses_and_where_no_phase_is_told_there_is_no_panel_of_it():
    chart = plot_phase(searched(status=pl.lit("diverged")))
    assert len(points(chart)) == 20
    assert len(panels(plot_phase(searched().drop("train_order", "seen_order")))) == 1


def test_a_grid_stays_a_grid_whole_or_in_part():
    grid = pl.DataFrame([{"n_pair_labels": x, "layouts_per_pair": y, "seed": 0} for y in range(4) for x in range(20)])
    shown = ["n_pair_labels", "layouts_per_pair"]
    assert scattered_axes(grid, shown=shown) == []
    assert scattered_axes(grid.head(45), shown=shown) == []
    assert scattered_axes(searched(12), shown=["n_heads", "learning_rate"]) == []  # a grid has room for them
    assert scattered_axes(searched(), shown=["learning_rate"]) == []


def test_cells_without_a_number_on_an_axis_are_counted():
    rate = pl.when(pl.col("learning_rate") > RATES[1]).then("learning_rate")
    text = subtitle(plot_phase(searched(learning_rate=rate), x="learning_rate", y="layouts_per_pair"))
    assert "2 cells without a value of learning_rate or layouts_per_pair: not drawn." in text
