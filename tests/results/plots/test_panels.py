"""Pictures of curves, ablations and profiles, read from their specifications."""

import itertools

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.panels import plot_ablation, plot_curves, plot_profile
from lrsym.vocabulary import ABLATIONS, METRICS
from tests.charts import marks, panels, rows, subtitle


def curve_rows(*, metric="order", splits=("train", "unseen"), seeds=2, **axes):
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return pl.DataFrame(
        [
            {**cell, "seed": seed, "step": step, "split": split, "metric": metric, "value": 0.5 + 0.125 * seed}
            for cell, seed, step, split in itertools.product(cells, range(seeds), (10, 100), splits)
        ]
    )


def facet_rows(chart):
    spec = chart.to_dict()
    return rows(spec, spec)


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
    assert plot_curves(curve_rows(n_pair_labels=[15, 5])).to_dict()["facet"]["sort"] == [
        "n_pair_labels 5",
        "n_pair_labels 15",
    ]


def test_with_a_colour_axis_each_split_has_a_panel_and_each_value_a_colour():
    spec = plot_curves(curve_rows(n_pair_labels=[15, 5]), color="n_pair_labels").to_dict()
    assert spec["facet"]["sort"] == ["split train", "split unseen"]
    assert marks(spec, "line")[0]["encoding"]["color"]["scale"]["domain"] == ["5", "15"]


def test_curves_tell_the_number_of_their_seeds():
    frame = curve_rows(n_heads=[1], seeds=3)
    assert "of 3 seeds." in subtitle(plot_curves(frame))
    assert "of 2 to 3 seeds." in subtitle(plot_curves(frame.filter((pl.col("step") < 100) | (pl.col("seed") > 0))))


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


def ablation_rows(*, terms=("EP", "none"), seeds=2, **axes):
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    values = {"none": 1.0, "EP": 0.5}
    return pl.DataFrame(
        [
            {**cell, "seed": s, "term": t, "split": "unseen", "metric": m, "value": values.get(t, 0.75) - 0.25 * s}
            for cell, s, t, m in itertools.product(cells, range(seeds), terms, METRICS)
        ]
    )


def test_ablations_have_a_panel_for_order_global_and_label_set():
    headings = [panel["title"]["text"] for panel in panels(plot_ablation(ablation_rows()))]
    assert headings == ["order", "global", "labelset"]


def test_terms_stand_in_the_order_of_the_vocabulary():
    chart = plot_ablation(ablation_rows(terms=[*ABLATIONS][::-1]))
    assert {tuple(m["encoding"]["y"]["scale"]["domain"]) for m in marks(chart.to_dict(), "bar")} == {tuple(ABLATIONS)}


def test_an_ablation_shows_its_mean_every_seed_and_the_extremes():
    chart = plot_ablation(ablation_rows())
    spec, panel = chart.to_dict(), panels(chart)[0]
    (bar,), (dots,) = marks(panel, "bar"), marks(panel, "circle")
    assert [(r["term"], r["mean"], r["lowest"], r["highest"]) for r in rows(spec, bar)] == [
        ("none", 0.875, 0.75, 1.0),
        ("EP", 0.375, 0.25, 0.5),
    ]
    assert sorted((r["term"], r["value"]) for r in rows(spec, dots)) == [
        ("EP", 0.25),
        ("EP", 0.5),
        ("none", 0.75),
        ("none", 1.0),
    ]


def test_ablations_are_held_against_the_baseline_and_order_against_chance_too():
    lines = [
        [m["encoding"]["x"]["datum"] for m in marks(panel, "rule") if "datum" in m["encoding"]["x"]]
        for panel in panels(plot_ablation(ablation_rows()))
    ]
    assert lines == [[0.875, 0.5], [0.875], [0.875]]


def test_each_cell_has_a_row_of_ablations():
    headings = [panel["title"]["text"] for panel in panels(plot_ablation(ablation_rows(n_pair_labels=[15, 5])))]
    assert headings[::3] == ["order, n_pair_labels 5", "order, n_pair_labels 15"]


def test_more_cells_of_ablations_than_can_be_read_are_refused():
    with pytest.raises(UsageError, match=r"7 cells to draw, a picture has room for 6.*--where"):
        plot_ablation(ablation_rows(n_heads=list(range(1, 8))))


def test_ablations_of_a_split_that_has_none_are_refused():
    with pytest.raises(UsageError, match="no ablation on split single"):
        plot_ablation(ablation_rows(), split="single")


def test_trials_whose_scores_have_no_terms_are_refused_and_the_remedy_named():
    with pytest.raises(UsageError, match=r"no term to leave out in these trials.*choose other trials"):
        plot_ablation(ablation_rows().filter(term="none"))


def term_rows(*, seeds=1, **axes):
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return pl.DataFrame(
        [
            {**cell, "seed": seed, "encoder": "vision", "head": head, "term": term, "profile": [9.0, 1.0, 2.0]}
            for cell, seed, head, term in itertools.product(cells, range(seeds), (0, 1), ("EP+PP+BP", "EP", "EE"))
        ]
    )


def test_profiles_have_a_line_for_each_head_and_a_panel_for_each_term_and_seed():
    spec = plot_profile(term_rows(seeds=2)).to_dict()
    (line,) = marks(spec, "line")
    assert line["encoding"]["color"]["field"] == "head"
    assert spec["facet"]["column"]["sort"] == ["EP", "EP+PP+BP"]
    assert {row["panel_row"] for row in rows(spec, spec)} == {"seed 0", "seed 1"}


def test_profiles_run_over_the_pixels_without_cls():
    assert {(row["pixel"], row["value"]) for row in facet_rows(plot_profile(term_rows()))} == {(1, 1.0), (2, 2.0)}


def test_profiles_show_the_first_five_seeds_and_say_so():
    chart = plot_profile(term_rows(seeds=7))
    assert {row["seed"] for row in facet_rows(chart)} == {0, 1, 2, 3, 4}
    assert "first 5 of 7 seeds" in subtitle(chart)


def test_profiles_of_several_cells_are_refused():
    with pytest.raises(UsageError, match=r"2 cells to draw, a picture has room for 1; these axes vary: n_heads"):
        plot_profile(term_rows(n_heads=[1, 2]))
