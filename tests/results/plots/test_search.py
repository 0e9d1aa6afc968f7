"""The picture of a search, read from its specification."""

import json

import polars as pl
import pytest

from lrsym.results.analysis.search_frames import SearchedAxis, SearchFrames
from lrsym.results.plots.search import MAX_AXES, plot_search
from lrsym.results.plots.sweep_rows import NothingToDrawError
from lrsym.vocabulary import SUGGESTION_OUTCOMES
from tests.charts import marks, nodes, rows, subtitle

RATE = SearchedAxis("optim.learning_rate", low=1e-4, high=1e-2, log=True)
NORM = SearchedAxis("model.layer_norm", values=("none", "pre", "post"))


SCHEMA = {"number": pl.Int64, "outcome": pl.String, "final": pl.Boolean, "objective": pl.List(pl.Float64),
          "point": pl.String, "trial_ids": pl.List(pl.String)}  # fmt: skip


def frames(*, outcomes=("trained", "trained", "failed"), objectives=("unseen_order",), axes=(RATE, NORM)):
    suggestions = [
        {"number": i, "outcome": outcome, "trial_ids": [f"t{i}"], "final": outcome == "trained",
         "objective": None if outcome in ("failed", "running") else [0.5 + i / 10] * len(objectives),
         "point": json.dumps({axis.key: axis.values[0] if axis.values else axis.high for axis in axes})}
        for i, outcome in enumerate(outcomes)
    ]  # fmt: skip
    shares = [(words, axis.name, (i + 1.0) / 10) for words in objectives for i, axis in enumerate(axes)]
    return SearchFrames(
        pl.DataFrame(suggestions, SCHEMA), axes, objectives,
        (True,) * len(objectives),
        pl.DataFrame(shares, ["objective", "axis", "share"], orient="row").sort("share", descending=True),
    )  # fmt: skip


def titles(spec, channel="x"):
    return [node["encoding"][channel].get("title") for node in nodes(spec) if channel in node.get("encoding", {})]


@pytest.mark.slow
def test_outcomes_are_told_apart_by_shape():
    spec = plot_search(frames(outcomes=tuple(SUGGESTION_OUTCOMES)), name="s").to_dict()
    shape = next(mark["encoding"]["shape"] for mark in marks(spec, "point"))
    assert shape["scale"]["domain"] == [*SUGGESTION_OUTCOMES]
    assert len({*shape["scale"]["range"]}) == len(SUGGESTION_OUTCOMES)


@pytest.mark.slow
def test_what_has_no_objective_stands_at_the_foot_of_the_history():
    spec = plot_search(frames(outcomes=("trained", "failed", "running")), name="s").to_dict()
    (foot,) = [mark for mark in marks(spec, "point") if "value" in mark["encoding"].get("y", {})]
    assert [row["outcome"] for row in rows(spec, foot)] == ["failed", "running"]


@pytest.mark.slow
def test_an_axis_is_logarithmic_where_the_search_is_and_words_are_categories():
    spec = plot_search(frames(), name="s").to_dict()
    found = {str(mark["encoding"]["x"]["title"]): mark["encoding"]["x"] for mark in marks(spec, "point")}
    rate, norm = found["['learning rate', '(learning_rate)']"], found["layer_norm"]
    assert (rate["scale"]["type"], rate["scale"]["domain"]) == ("log", [1e-4, 1e-2])
    assert (norm["type"], norm["scale"]["domain"]) == ("nominal", ["none", "pre", "post"])


def test_every_point_on_a_list_of_numbers_lies_on_a_value_of_the_axis():
    scale = SearchedAxis("model.embedding_scale", values=(11.3137, 0.9995, 0.0012345))
    found = frames(axes=(scale,))
    spec = plot_search(found, name="s").to_dict()
    (panel,) = [mark for mark in marks(spec, "point") if mark["encoding"]["x"].get("field") == "word"]
    assert {*found.slices()["word"]} == {"11.3137"} < {*panel["encoding"]["x"]["scale"]["domain"]}
    assert {*found.ticks()["text"]} > {*panel["encoding"]["x"]["scale"]["domain"]}


@pytest.mark.slow
def test_the_most_important_axes_come_first_and_the_others_are_counted():
    axes = tuple(SearchedAxis(f"model.axis_{i}", low=0, high=1) for i in range(MAX_AXES + 2))
    chart = plot_search(frames(axes=axes), name="s")
    shown = [title for title in titles(chart.to_dict()) if title and title.startswith("axis_")]
    assert shown == [f"axis_{i}" for i in range(MAX_AXES + 1, 1, -1)]
    assert f"The {MAX_AXES} most important axes; 2 more are left out." in subtitle(chart)


@pytest.mark.slow
def test_several_objectives_have_their_front_in_place_of_the_history():
    spec = plot_search(frames(objectives=("unseen_order", "seconds", "seed")), name="s").to_dict()
    assert "suggestion" not in titles(spec)
    first = marks(spec, "point")[0]["encoding"]
    assert (first["x"]["field"], first["y"]["field"], first["color"]["field"]) == ("value_1", "value_2", "value_3")
    (ring,) = [mark for mark in marks(spec, "point") if mark["mark"].get("size") == 150]
    assert [row["number"] for row in rows(spec, ring)] == [1]


def test_one_axis_needs_no_importance_and_no_parallel_lines():
    spec = plot_search(frames(axes=(RATE,)), name="s").to_dict()
    assert marks(spec, "bar") == []
    assert len(marks(spec, "line")) == 1


@pytest.mark.slow
def test_equal_objectives_have_room_around_them_so_that_their_tick_is_true():
    spec = plot_search(frames(outcomes=("trained",)), name="s").to_dict()
    assert {tuple(mark["encoding"]["y"]["scale"]["domain"]) for mark in marks(spec, "point")} == {(0.25, 0.75)}


@pytest.mark.parametrize(("outcomes", "why"), [(("failed",) * 3, "3 failed"), ((), "none asked for")])
def test_a_search_without_an_objective_is_nothing_to_draw(outcomes, why):
    with pytest.raises(NothingToDrawError, match=rf"s has none \({why}\)"):
        plot_search(frames(outcomes=outcomes), name="s")
