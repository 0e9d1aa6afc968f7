"""Pictures in a real browser: what the mouse tells, what a legend chooses, and what Shift and the wheel do."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from lrsym.cli.app import app
from tests.browser import BINARY, Browser
from tests.committed import REFERENCE
from tests.pages import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BINARY is None, reason="there is no Chromium: the package of that name has it"),
]

LABELS, ROTARY, RATES = (str(ROOT / f"sweeps/{name}.toml") for name in ("labels_by_layouts", "rotary", "rates"))
IDS = "trials"
"""The row of a tooltip that names trials."""

KINDS = {
    "phase": ("phase", LABELS),
    "phase of steps": ("phase --metric steps_to_unseen_order", LABELS),
    "probabilities": ("probabilities", LABELS),
    "mechanism": ("mechanism", LABELS),
    "line": ("line --x n_pair_labels --color layouts_per_pair", LABELS),
    "curves": ("curves --where 'n_pair_labels = 15'", LABELS),
    "ablation": ("ablation --where 'n_pair_labels = 15 and layouts_per_pair = 10'", LABELS),
    "symmetry": ("symmetry", LABELS),
    "cost": ("cost", LABELS),
    "contrast": ("contrast --of layouts_per_pair=20 --against layouts_per_pair=5", LABELS),
    "boundary": ("boundary --x n_pair_labels --by layouts_per_pair", LABELS),
}
NAMED = {"phase", "phase of steps", "probabilities", "mechanism", "line", "curves"}
"""Kinds of which a mark is a cell."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def shown(browser, tmp_path):
    """Draw a picture by a command and show its page."""

    def show(words: str, sweep: str, *, results=REFERENCE):
        kind, *options = shlex.split(words)
        stem = tmp_path / "picture"
        run = CliRunner().invoke(app, ["plot", kind, sweep, *options, "--results", str(results), "--out", str(stem)])
        assert run.exit_code == 0, run.output
        browser.problems.clear()
        browser.requests.clear()
        browser.resize(1600, 1200)
        browser.send("Page.navigate", url=stem.with_suffix(".html").as_uri())
        browser.wait("!!document.querySelector('#picture svg')")
        return browser

    return show


def marks(browser, role: str) -> int:
    """Number the marks of a kind that have a tooltip, in `window.marks`, and return how many there are."""
    return browser.evaluate(
        f"(window.marks = [...document.querySelectorAll('#picture svg .{role} path')]"
        ".filter(one => one.__data__ && one.__data__.tooltip)).length"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_no_layer_swallows_the_mouse(shown, kind):
    page = shown(*KINDS[kind])
    roles = ("mark-rect", "mark-symbol")
    found = [(role, number) for role in roles for number in range(0, marks(page, role), 7)]
    assert found
    for role, number in found[:12]:
        marks(page, role)
        told = page.hover(f"window.marks[{number}]")
        assert told
        if kind in NAMED:
            assert len(told[IDS].partition(",")[0]) == 32
    assert page.problems == []
    assert all(url.startswith("file://") for url in page.requests)


def test_a_click_in_the_legend_shows_one_line_alone_and_another_takes_it_back(shown):
    page = shown(*KINDS["line"])
    drawn = "[...document.querySelectorAll('#picture svg .mark-line path')]"
    lines = f"{drawn}.map(one => +(one.getAttribute('opacity') ?? 1))"
    everything = page.evaluate(lines)
    assert {*everything} == {1}
    page.click("#picture svg .role-legend-label text")
    page.wait(f"{lines}.some(opacity => opacity < 0.5)")
    assert sum(opacity == 1 for opacity in page.evaluate(lines)) == 1
    page.click("#picture svg .role-legend-label text")
    page.wait(f"{lines}.every(opacity => opacity === 1)")


def test_with_shift_the_wheel_zooms_and_dragging_moves_until_a_double_click_and_without_it_nothing_does(shown):
    page = shown(*KINDS["line"])
    assert "Shift" in page.evaluate("document.getElementById('hint').textContent")
    ticks = (
        "[...document.querySelectorAll('#picture svg .role-axis-label text')].map(one => one.textContent).sort().join()"
    )
    before = page.evaluate(ticks)
    band = "document.querySelector('#picture .mark-area').getBoundingClientRect()"
    x, y = page.evaluate(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({band})")
    wheel = {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": -400}
    page.send("Input.dispatchMouseEvent", **wheel)
    page.evaluate("new Promise(done => setTimeout(done, 300))")
    assert page.evaluate(ticks) == before
    page.send("Input.dispatchMouseEvent", **wheel, modifiers=8)
    page.wait(f"{ticks} !== {json.dumps(before)}")
    double = {"x": x, "y": y, "button": "left"}
    for clicks in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            page.send("Input.dispatchMouseEvent", type=kind, clickCount=clicks, **double)
    page.wait(f"{ticks} === {json.dumps(before)}")
    for kind, at in (("mousePressed", x), ("mouseMoved", x - 60), ("mouseReleased", x - 60)):
        page.send("Input.dispatchMouseEvent", type=kind, x=at, y=y, button="left", buttons=1, modifiers=8)
    page.wait(f"{ticks} !== {json.dumps(before)}")


def test_points_of_a_search_name_their_trials(shown):
    for words in ("search", "phase"):
        page = shown(words, RATES, results=ROOT / "results/search")
        assert marks(page, "mark-symbol") >= 60
        assert len(page.hover("window.marks[0]")[IDS].split(", ")) == 3
        assert page.problems == []
