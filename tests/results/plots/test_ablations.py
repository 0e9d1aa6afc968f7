"""Ablations, read from the specification of their picture."""

import itertools

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.ablations import plot_ablation
from lrsym.vocabulary import ABLATIONS, METRICS
from tests.charts import marks, panels, rows, subtitle


def ablation_rows(*, terms=("EP", "none"), seeds=2, **axes):
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    values = {"none": 1.0, "EP": 0.5}
    return pl.DataFrame(
        [
            {**cell, "seed": s, "term": t, "split": "unseen", "metric": m, "value": values.get(t, 0.75) - 0.25 * s}
            for cell, s, t, m in itertools.product(cells, range(seeds), terms, METRICS)
        ]
    )


@pytest.mark.slow
def test_the_heading_of_one_seed_speaks_of_no_mean():
    assert "line: lowest to highest of 2 seeds. Dashed: nothing left out" in subtitle(plot_ablation(ablation_rows()))
    assert "Bar and dot: the one seed. Dashed: nothing left out" in subtitle(plot_ablation(ablation_rows(seeds=1)))


@pytest.mark.slow
def test_ablations_have_a_panel_for_order_global_and_label_set():
    headings = [panel["title"]["text"] for panel in panels(plot_ablation(ablation_rows()))]
    assert headings == ["order", "global", "labelset"]


@pytest.mark.slow
def test_terms_stand_in_the_order_of_the_vocabulary():
    chart = plot_ablation(ablation_rows(terms=[*ABLATIONS][::-1]))
    assert {tuple(m["encoding"]["y"]["scale"]["domain"]) for m in marks(chart.to_dict(), "bar")} == {tuple(ABLATIONS)}


@pytest.mark.slow
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


@pytest.mark.slow
def test_ablations_are_held_against_the_baseline_and_order_against_chance_too():
    lines = [
        [m["encoding"]["x"]["datum"] for m in marks(panel, "rule") if "datum" in m["encoding"]["x"]]
        for panel in panels(plot_ablation(ablation_rows()))
    ]
    assert lines == [[0.875, 0.5], [0.875], [0.875]]


@pytest.mark.slow
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
