"""Saved pictures: files that open anywhere, complete or not at all, each under a name of its own."""

import re
import struct

import altair as alt
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.save import picture_name, save


def chart():
    points = alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_point().encode(x="x:Q")
    return points.properties(width=300, height=100, title="a title")


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


def test_pictures_of_different_trials_have_names_that_differ_and_are_safe():
    conditions = (None, "seed < 2", "seed > 2", "seed = 2", "seed <> 2", "seed <= 2", "name like '%/x'")
    names = {picture_name("small", "phase", where=where) for where in conditions}
    assert len(names) == len(conditions)
    assert all(re.fullmatch(r"small-phase[A-Za-z0-9_.-]*", name) for name in names)
