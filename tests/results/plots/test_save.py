"""Saved pictures: files that open anywhere, complete or not at all, each under a name of its own."""

import json
import re
import struct

import altair as alt
import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.interaction import Chosen, zoomed
from lrsym.results.plots.save import MAX_NAME, picture_name, save, save_as, to_spec
from lrsym.results.plots.theme import finish, in_theme, sign


def chart():
    points = alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_point().encode(x="x:Q")
    return points.properties(width=300, height=100, title="a title")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures") / "made"
    return save(chart(), folder / "phase.v1")


def test_a_picture_is_saved_as_page_image_and_specification_and_nothing_else_is_left(saved):
    assert [path.name for path in saved] == [f"phase.v1{ending}" for ending in (".html", ".png", ".svg", ".vl.json")]
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


def test_a_chart_of_many_rows_is_saved_too(tmp_path):
    many = alt.Chart(pl.DataFrame({"x": range(6000)})).mark_point().encode(x="x")
    (saved,) = save_as(many, tmp_path / "many.json")
    (rows,) = json.loads(saved.read_text())["datasets"].values()
    assert len(rows) == 6000


def test_a_picture_replaces_an_older_one(tmp_path):
    (tmp_path / "picture.vl.json").write_text("old")
    paths = save(chart(), tmp_path / "picture")
    assert '"a title"' in paths[3].read_text()


def test_a_picture_that_cannot_be_written_is_a_usage_error_and_leaves_nothing(tmp_path):
    (tmp_path / "picture.html").mkdir()
    with pytest.raises(UsageError, match=r"picture\.html cannot be written"):
        save(chart(), tmp_path / "picture")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.html"]


def test_no_text_of_a_picture_ends_the_script_of_its_page(tmp_path):
    text = "</script><script>alert(1)</script><!-- & \u2028"
    page, _, _, specification = save(chart().properties(title=text), tmp_path / "picture")
    html = page.read_text()
    assert html.count("<script>alert") == 0
    (spec,) = re.findall(r"^ *const spec = (.*);$", html, flags=re.MULTILINE)
    assert json.loads(spec)["title"] == json.loads(specification.read_text())["title"] == text


def test_what_is_lost_or_too_long_in_a_name_is_told_apart_by_a_hash():
    pairs = [
        ("(a or b) and c", "a or (b and c)"),
        ("name = 'x'", 'name = "x"'),
        ("a + b > 1", "a - b > 1"),
        ("x" * 300 + "a", "x" * 300 + "b"),
        ("ä", "ö"),
    ]
    for pair in pairs:
        names = {picture_name("small", "phase", where=where) for where in pair}
        assert len(names) == 2
        assert all(re.fullmatch(r"small-phase-[A-Za-z0-9_.-]*[0-9a-f]{8}", name) for name in names)
        assert all(len(name) <= MAX_NAME for name in names)


def test_options_that_change_a_picture_are_in_its_name():
    assert (
        picture_name("s", "phase", options={"x": "n_labels", "y": None, "level": 0.5}) == "s-phase-x-n_labels-level-0.5"
    )


def test_pictures_of_different_trials_have_names_that_differ_and_are_safe():
    conditions = (None, "seed < 2", "seed > 2", "seed = 2", "seed <> 2", "seed <= 2", "name like '%/x'")
    names = {picture_name("small", "phase", where=where) for where in conditions}
    assert len(names) == len(conditions)
    assert all(re.fullmatch(r"small-phase[A-Za-z0-9_.-]*", name) for name in names)


@pytest.mark.parametrize(
    ("title", "shown"), [("a < b", "a &lt; b"), (alt.TitleParams(["two", "lines"]), "two lines"), ("", "lrsym")]
)
def test_the_page_is_named_after_the_picture(tmp_path, title, shown):
    page = save(chart().properties(title=title), tmp_path / "picture")[0].read_text()
    assert f"<title>{shown}</title>" in page


def test_the_frame_of_a_picture_stays_with_it_in_every_theme_and_is_saved(tmp_path):
    frame = pl.DataFrame({"n_pair_labels": [5, 6], "mean": [0.5, None]})
    drawn = sign(finish(chart(), title="t", subtitle=[], width=300, frame=frame), ["here"])
    for made in (drawn, in_theme(drawn, "dark")):
        (path,) = save_as(made, tmp_path / "x.parquet")
        assert pl.read_parquet(path).equals(frame)
    assert [path.suffix for path in save(drawn, tmp_path / "all")][-1] == ".parquet"
    assert "_lrsym_frame" not in json.dumps(drawn.to_dict())


def test_a_chart_that_was_put_together_has_no_frame_to_save(tmp_path):
    with pytest.raises(UsageError, match="the chart has no frame"):
        save_as(chart() | chart(), tmp_path / "x.parquet")
    with pytest.raises(UsageError, match=r"\.json, \.parquet, got \.pdf"):
        save_as(chart(), tmp_path / "x.pdf")


def test_a_picture_drawn_twice_has_one_specification():
    specs = [to_spec(zoomed(Chosen("x").on(alt.layer(chart())), along=["x"])) for _ in range(2)]
    assert specs[0] == specs[1]
    assert len({param["name"] for param in specs[0]["params"]}) == 2


def test_a_chart_of_others_with_a_slider_is_saved(tmp_path):
    slider = alt.param(bind=alt.binding_range(min=0, max=1))
    (path,) = save_as(chart().add_params(slider), tmp_path / "x.html")
    assert 'id="hint"' not in path.read_text().replace("#hint", "")


def test_names_that_a_user_gave_stay_as_they_are():
    slider = alt.param(name="param_7", value=1, bind=alt.binding_range(min=0, max=1))
    made = (
        alt.Chart(pl.DataFrame({"view_9": [1]}))
        .mark_point()
        .encode(x="view_9:Q", size=alt.value(alt.expr("param_7 * 9")))
    )
    text = json.dumps(to_spec(made.add_params(slider)))
    assert '"name": "param_7"' in text
    assert '"field": "view_9"' in text
