"""The picture of boundaries: what stands in a row, what is said where there is none, and distances of several."""

from itertools import pairwise

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.boundary import plot_boundary
from tests.charts import marks, nodes, rows, subtitle
from tests.results.analysis import made_up_successes
from tests.results.analysis.made_up_successes import MIXED, STEP

AXES = {"x": "n_pair_labels", "by": "layouts_per_pair"}


def trials(**lines):
    """The seeds of each line, by layouts: `one=STEP` is 1 layout."""
    numbers = {"one": 1, "five": 5, "ten": 10}
    found = [made_up_successes.rows(texts, by={"layouts_per_pair": numbers[name]}) for name, texts in lines.items()]
    return pl.concat(found)


def texts(spec):
    """What is written at the ends of rows, from below."""
    return [
        row["short"]
        for layer in marks(spec, "text")
        if layer["encoding"]["text"]["field"] == "short"
        for row in rows(spec, layer)
    ]


def drawn(frame, **options):
    chart = plot_boundary(frame, **options)
    return chart, chart.to_dict()


@pytest.mark.slow
def test_a_row_says_its_boundary_with_its_interval_or_what_there_is_instead():
    _, spec = drawn(trials(one=STEP, five=["11111"] * 5, ten=["ddddd"] * 5), **AXES)
    assert texts(spec) == ["8 [7, 9]", "above from 5 to 13", "no seed has a value"]


@pytest.mark.slow
def test_squares_tell_the_share_of_seeds_of_each_cell_and_curves_stand_beside_them():
    _, spec = drawn(trials(one=MIXED), **AXES)
    squares = [row for m in marks(spec, "point") if m["mark"].get("shape") == "square" for row in rows(spec, m)]
    assert [row["share"] for row in squares] == [0, 0.2, 0.6, 1, 0.8]
    curve = max((rows(spec, layer) for layer in marks(spec, "line")), key=len)
    assert [row["n_pair_labels"] for row in (curve[0], curve[-1])] == [5, 13]
    assert all(a["share"] <= b["share"] for a, b in pairwise(curve))


@pytest.mark.slow
def test_an_open_end_of_an_interval_is_drawn_to_the_last_value():
    _, spec = drawn(trials(one=["01010", *["11111"] * 4], five=STEP), **AXES)
    bars = [row for m in marks(spec, "rule") if "x2" in m["encoding"] for row in rows(spec, m)]
    assert all(5 <= row["drawn_low"] <= row["at"] <= row["drawn_high"] <= 13 for row in bars)
    assert any(row["low"] is None for row in bars)


@pytest.mark.slow
def test_the_heading_says_what_a_dot_and_a_bar_are_and_what_was_left_out():
    chart, _ = drawn(trials(one=["00000", "000d0", "11111", "11111", "11111"]), **AXES)
    assert "bar: its 95 % interval (profile likelihood, 5 seeds a line)" in subtitle(chart)
    assert "Left out: 1 diverged." in subtitle(chart)


@pytest.mark.slow
def test_lines_that_go_up_and_down_are_told():
    chart, _ = drawn(trials(one=["00000", "11111", "00000", "11111", "11111"], five=STEP), **AXES)
    assert "Not monotone: 1 of 2 lines" in subtitle(chart)


@pytest.mark.slow
def test_of_two_sweeps_the_distance_stands_beside_them():
    both = pl.concat(
        frame.with_columns(sweep=pl.lit(name))
        for name, frame in {"b": trials(one=STEP), "a": trials(one=["00000", *STEP[:-1]])}.items()
    )
    chart, spec = drawn(both, **AXES)
    assert texts(spec)[:2] == ["8 [7, 9]", "10 [9, 11]"]
    assert texts(spec)[2].startswith("+2.00, p 0.")
    assert any("distance from b" in str(node.get("title")) for node in nodes(spec))
    assert "how far each sweep lies from the first" in subtitle(chart)


def test_a_colour_besides_several_sweeps_is_refused():
    both = pl.concat(trials(one=STEP).with_columns(sweep=pl.lit(name)) for name in "ab")
    with pytest.raises(UsageError, match="several sweeps are told apart by colour already, got --color d_model"):
        plot_boundary(both, color="d_model")


def test_more_colours_than_can_be_read_are_refused():
    many = pl.concat(made_up_successes.rows(STEP, by={"d_model": width}) for width in range(1, 9))
    with pytest.raises(UsageError, match="d_model has 8 values, a picture has room for 6 colours"):
        plot_boundary(many, x="n_pair_labels", color="d_model", by=None)
