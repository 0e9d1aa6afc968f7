"""What all pictures share: readable names and a heading that fits."""

import altair as alt
import pytest

from lrsym.config.axes import axes
from lrsym.results.plots.theme import axis_title, finish, fitting_title, format_value, log_ticks, sign


def chart(subtitle=()):
    points = alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_point().encode(x="x:Q")
    return finish(points.properties(width=300, height=100), title="a title", subtitle=[*subtitle], width=300)


def test_a_number_in_a_heading_stays_with_its_percent_sign():
    for text in ("a " * n + "is 95 % of it" for n in range(10, 40)):
        lines = chart(subtitle=[text]).to_dict()["title"]["subtitle"]
        assert " ".join(lines) == text
        assert not any(line.startswith("%") for line in lines)


@pytest.mark.parametrize("axis", axes(), ids=lambda axis: axis.name)
def test_every_axis_has_a_title_that_names_its_column(axis):
    assert axis.name in axis_title(axis.name)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.2, "0.2"), (1.0, "1"), (1e-4, "0.0001"), (11.313708498984761, "11.3137"), (True, "true"), (None, "absent")],
)
def test_values_are_written_in_their_shortest_form(value, text):
    assert format_value(value) == text


def test_a_title_without_room_is_broken_before_its_bracket_and_where_that_is_too_long_further():
    assert fitting_title("n_pair_labels", pixels=300) == "label diversity (n_pair_labels)"
    assert fitting_title("n_pair_labels", pixels=160) == ["label diversity", "(n_pair_labels)"]
    long = fitting_title("positions_per_label", pixels=168)
    assert long == ["single-object scenes", "per label", "(positions_per_label)"]


def test_long_lines_of_the_heading_are_wrapped_and_keep_every_word():
    words = [f"word{i}" for i in range(40)]
    lines = chart(subtitle=[" ".join(words)]).to_dict()["title"]["subtitle"]
    assert max(map(len, lines)) <= 64
    assert " ".join(lines).split() == words


def test_a_signature_stands_below_the_picture_and_leaves_the_picture_as_it_was():
    unsigned = chart()
    before = unsigned.to_dict()
    signed = sign(unsigned, ["lrsym plot phase " + "a" * 40 + " " + "b" * 80, "drawn today"]).to_dict()
    assert signed["vconcat"][-1]["mark"]["text"] == ["lrsym plot phase " + "a" * 40, "b" * 80, "drawn today"]
    assert len(signed["vconcat"]) == len(before["vconcat"]) + 1
    assert len(unsigned.to_dict()["vconcat"]) == len(before["vconcat"])


def test_an_axis_of_steps_has_ticks_even_between_two_marks():
    assert log_ticks([90, 1450, 3000]) == [100, 300, 1000, 3000]
    assert log_ticks([1450, 1900, 2900]) == [1450, 2900]
    assert log_ticks([1450]) == [1450]
    assert log_ticks([]) == []
