"""`lrsym boundary` and its pictures as a user meets them, on rows that are made up."""

import json

import pytest

import lrsym as package
from lrsym.sweep.spec.sweep_file import load
from tests.reports import made_up
from tests.running import lrsym

GRID = """name = "{name}"
replicates = 3
[base]
"model.d_model" = {width}
[grid]
"scenes.n_pair_labels" = [5, 8]
"scenes.layouts_per_pair" = [1, 5, 10, 20, 40]
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two sweeps and their results: order crosses 0.9 between 10 and 20 layouts in both."""
    folder = tmp_path_factory.mktemp("two")
    files = []
    for name, width in (("narrow", 16), ("wide", 32)):
        files.append(folder / f"{name}.toml")
        files[-1].write_text(GRID.format(name=name, width=width))
        made_up.write(folder / "r" / name, load(files[-1]).trials)
    lrsym("merge", folder / "r/wide", "--results", folder / "r/narrow")
    return files, folder / "r/narrow"


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


ALONG = ("--x", "layouts_per_pair", "--by", "n_pair_labels")


def ask(two, *words, files=1, code=0):
    return lrsym("boundary", *two[0][:files], "--results", two[1], *ALONG, *words, code=code)


def test_the_answer_is_a_row_a_value_with_the_gap_and_the_seeds(two):
    text = ask(two)
    assert (
        "narrow: where half of the seeds reach 0.9 in unseen_order, along layouts_per_pair, fitted along its bin"
        in text
    )
    assert text.count("rises between 10 and 20, in every seed") == 2


def test_json_holds_every_number(two):
    report = json.loads(ask(two, "--json", files=2))
    assert (report["sweeps"], report["by_ratio"], report["color"]) == (["narrow", "wide"], True, "sweep")
    assert [row["at"] for row in report["boundaries"]] == pytest.approx([200**0.5] * 4)
    assert all(5 < row["low"] < 10 for row in report["boundaries"])  # three seeds cannot tell the gap alone
    assert [(row["of"], row["against"], row["n_shared"]) for row in report["differences"]] == [
        ("wide", "narrow", 3)
    ] * 2
    assert [row["estimate"] for row in report["differences"]] == pytest.approx([0, 0])


def test_python_gives_the_same(two):
    frame = package.boundary(two[0][0], x="layouts_per_pair", by="n_pair_labels", results=two[1])
    assert frame["at"].to_list() == pytest.approx([200**0.5] * 2)
    moved = package.boundary(two[0], x="layouts_per_pair", by="n_pair_labels", minus=True, results=two[1])
    assert moved["estimate"].to_list() == pytest.approx([0, 0])
    assert package.phase_probabilities(two[0][0], results=two[1]).height == 4 * 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "name"),
    [
        (
            ("boundary", *ALONG, "--level", "0.8"),
            "narrow-boundary-unseen_order-level-0.8-x-layouts_per_pair-by-n_pair_l",
        ),
        (("probabilities",), "narrow-probabilities-unseen_order"),
    ],
)
@pytest.mark.usefixtures("unrendered")
def test_its_pictures_are_saved(two, words, name):
    report = json.loads(lrsym("plot", words[0], two[0][0], "--results", two[1], *words[1:], "--json"))
    assert len(report["pictures"]) == 5
    assert all(name in picture for picture in report["pictures"])


@pytest.mark.slow_after(4)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--level", "1.5"), "--level must be an accuracy above 0 and below 1, got 1.5; the usual one is 0.9"),
        (("--metric", "loss"), "metric must be a split and a metric, such as unseen_order, got loss"),
        (("--color", "layout"), "no axis layout; "),
        (("--where", "layouts_per_pair = 5"), "two values of an axis or more, layouts_per_pair has one, 5; choose"),
        (("--where", "seed = 9"), "no trial of narrow in"),
        (
            ("--metric", "uncovered_order"),
            "none of 30 trials has a value of uncovered_order: 30 without a value; choose another --metric",
        ),
    ],
)
@pytest.mark.parametrize("verb", [("boundary",), ("plot", "boundary")], ids=["verb", "picture"])
def test_a_mistake_is_one_line_with_the_remedy(two, verb, words, message):
    text = lrsym(*verb, two[0][0], "--results", two[1], *ALONG, *words, code=2)
    assert message in text
    assert len(text.strip().splitlines()) == 1


def test_a_threshold_that_no_accuracy_reaches_is_refused(two):
    text = lrsym("plot", "probabilities", two[0][0], "--results", two[1], "--threshold", "2", code=2)
    assert "--threshold must be an accuracy above 0 and at most 1, got 2" in text
