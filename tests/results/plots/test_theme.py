"""What all pictures share: readable names, a heading that fits, and files that open anywhere."""

import re
import struct

import altair as alt
import pytest

from lrsym.config.axes import axes
from lrsym.errors import UsageError
from lrsym.results.plots.theme import axis_title, finish, label, save


def chart(subtitle=()):
    points = alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_point().encode(x="x:Q")
    return finish(points.properties(width=300, height=100), title="a title", subtitle=[*subtitle], width=300)


@pytest.mark.parametrize("axis", axes(), ids=lambda axis: axis.name)
def test_every_axis_has_a_title_that_names_its_column(axis):
    assert axis.name in axis_title(axis.name)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.2, "0.2"), (1.0, "1"), (1e-4, "0.0001"), (11.313708498984761, "11.3137"), (True, "true"), (None, "absent")],
)
def test_values_are_written_in_their_shortest_form(value, text):
    assert label(value) == text


def test_long_lines_of_the_heading_are_wrapped_and_keep_every_word():
    words = [f"word{i}" for i in range(40)]
    lines = chart(subtitle=[" ".join(words)]).to_dict()["title"]["subtitle"]
    assert max(map(len, lines)) <= 64
    assert " ".join(lines).split() == words


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures") / "made"
    return save(chart(), folder / "phase.v1")


def test_a_picture_is_saved_as_page_image_and_specification_and_nothing_else_is_left(saved):
    assert [path.name for path in saved] == ["phase.v1.html", "phase.v1.png", "phase.v1.vl.json"]
    assert sorted(saved[0].parent.iterdir()) == saved


def test_the_page_fetches_nothing(saved):
    page = saved[0].read_text()
    tags = re.findall(r"<(?:script|link)\b[^>]*>", page)
    assert tags
    assert not [tag for tag in tags if re.search(r"\b(?:src|href)\s*=", tag)]
    assert len(page) > 500_000  # the libraries are within


def test_the_image_has_twice_the_pixels_of_the_chart_and_room_for_its_heading(saved):
    content = saved[1].read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    assert content.startswith(b"\x89PNG")
    assert 2 * 300 < width < 2 * 400
    assert 2 * 100 < height < 2 * 250


def test_a_picture_replaces_an_older_one(tmp_path):
    (tmp_path / "picture.vl.json").write_text("old")
    paths = save(chart(), tmp_path / "picture")
    assert '"a title"' in paths[2].read_text()


def test_a_picture_that_cannot_be_written_is_a_usage_error_and_leaves_nothing(tmp_path):
    (tmp_path / "picture.html").mkdir()
    with pytest.raises(UsageError, match=r"picture\.html cannot be written"):
        save(chart(), tmp_path / "picture")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.html"]
