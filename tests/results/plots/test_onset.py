"""The picture of onsets: what stands in which panel, what the heading counts, and what is refused."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.onset import plot_onset
from tests.charts import marks, panels, rows, subtitle
from tests.results.analysis.test_onset import EP, NONE, VALUE, ablations, measures

SEEDS = {
    0: ({10: NONE, 20: NONE, 30: EP}, {10: (0.0,), 20: (0.9,), 30: (0.9,)}),
    1: ({10: NONE, 20: VALUE, 30: VALUE}, {10: (0.0,), 20: (0.1,), 30: (0.2,)}),
    2: ({10: NONE, 20: NONE, 30: EP}, {10: (0.0,), 20: (0.9,), 30: (1.0,)}),
}


def tables(seeds=SEEDS, **axes):
    """Rows of ablation_curves with the axes of their trials, and of measure_curves."""
    left_out, told = [], []
    for seed, (orders, attend) in seeds.items():
        name = f"{seed}-{axes}"
        named = {axis: pl.lit(value) for axis, value in axes.items()}
        left_out.append(ablations(orders, trial_id=name).with_columns(seed=pl.lit(seed), **named))
        told.append(measures(attend, trial_id=name))
    return pl.concat(left_out), pl.concat(told)


def draw(*parts):
    left_out, told = zip(*parts, strict=True)
    return plot_onset(pl.concat(left_out), beside=pl.concat(told))


@pytest.mark.slow
def test_lines_are_means_of_the_seeds_by_their_path_at_the_end():
    spec = draw(tables(n_heads=1)).to_dict()
    (line,) = marks(spec["vconcat"][0]["concat"][0], "line")
    found = {(row["path"], row["step"]): (row["mean"], row["n"]) for row in rows(spec, line)}
    assert found["ep", 20] == (0.5, 2)
    assert found["value", 20] == (0.9, 1)


@pytest.mark.slow
def test_paths_are_counted_at_each_step_and_add_up_to_the_seeds():
    spec = draw(tables(n_heads=1)).to_dict()
    (area,) = marks(spec["vconcat"][0]["concat"][2], "area")
    found = {(row["step"], row["path"]): row["n"] for row in rows(spec, area)}
    assert found == {
        (10, "value"): 0, (10, "ep"): 0, (10, "none"): 3, (20, "value"): 1, (20, "ep"): 0, (20, "none"): 2,
        (30, "value"): 1, (30, "ep"): 2, (30, "none"): 0,
    }  # fmt: skip


@pytest.mark.slow
def test_seeds_with_the_same_onsets_are_one_dot_that_names_them():
    spec = draw(tables(n_heads=1)).to_dict()
    (dots,) = marks(spec["vconcat"][0]["concat"][3], "circle")
    assert rows(spec, dots) == [{"path": "ep", "attention_at": 20, "order_at": 30, "n": 2, "seeds": "0, 2"}]


@pytest.mark.slow
def test_the_heading_counts_what_comes_first_and_since_when_paths_stand():
    text = subtitle(draw(tables(n_heads=1)))
    assert "Of 3 trials: attention before order in 2, order before attention in 1." in text
    assert "from step 30 on (median of 3)" in text


@pytest.mark.slow
def test_each_cell_has_a_row_of_four_panels():
    chart = draw(tables(n_heads=2), tables(n_heads=1))
    titles = [panel["title"]["text"] for panel in panels(chart)]
    assert titles[::4] == ["order, n_heads 1", "order, n_heads 2"]
    assert titles[1:4] == ["attention", "paths", "onset of both"]


@pytest.mark.slow
def test_trials_without_terms_are_drawn_under_a_name_of_their_own():
    seeds = {0: ({10: (0.5,), 20: (0.9,)}, {10: (0.0,), 20: (0.9,)})}
    spec = draw(tables(seeds, n_heads=1)).to_dict()
    (area,) = marks(spec["vconcat"][0]["concat"][2], "area")
    assert {row["path"] for row in rows(spec, area)} == {"no terms"}


@pytest.mark.slow
def test_where_nothing_is_ever_reached_there_are_no_dots_and_the_heading_says_so():
    seeds = {0: ({10: NONE, 20: NONE}, {10: (0.0,), 20: (0.0,)})}
    chart = draw(tables(seeds, n_heads=1))
    assert "Of 1 trials: neither of them ever in 1." in subtitle(chart)
    assert rows(chart.to_dict(), marks(chart.to_dict(), "circle")[0]) == []


def test_more_cells_than_a_page_holds_are_refused():
    with pytest.raises(UsageError, match=r"5 cells to draw, a picture has room for 4.*n_heads.*--where"):
        draw(*(tables(n_heads=n) for n in range(1, 6)))


def test_without_unseen_pairs_there_is_nothing_to_draw():
    left_out, told = tables(n_heads=1)
    with pytest.raises(UsageError, match="two or more labels are held out"):
        plot_onset(left_out.with_columns(split=pl.lit("seen")), beside=told)
