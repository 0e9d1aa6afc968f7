"""The page in a real browser: no network, no complaint, and what a click, a key and a small screen do."""

import csv

import pytest

from lrsym.reports.details import MAX_SEEDED
from lrsym.reports.page import make_page
from lrsym.results.store.store import load_trials
from lrsym.sweep.spec.sweep_file import load
from tests.browser import BINARY, Browser
from tests.committed import REFERENCE
from tests.pages import ROOT
from tests.reports import made_up

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BINARY is None, reason="there is no Chromium: the package of that name has it"),
]

OTHER_CELL = '#sweep-0 .map button[aria-pressed="false"]'
SHOWN = "document.querySelector('.chosen').dataset.shown"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    path = folder / "page.html"
    sweeps = [load(ROOT / f"sweeps/{name}.toml") for name in ("labels_by_layouts", "recipe")]
    path.write_text(make_page(sweeps, str(REFERENCE)).html)
    browser = Browser(folder)
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    yield browser, path
    browser.close()


@pytest.fixture
def page(browser):
    """The page, loaded anew, wide."""
    driver, path = browser
    driver.problems.clear()
    driver.requests.clear()
    driver.open(path)
    return driver


def drawings(page):
    """What is written and drawn of the chosen cell: its name, its sentence, its seeds, and the lines of its charts."""
    named = "document.querySelector(`#sweep-0 .chosen [data-part=${part}]`).textContent"
    parts = f"['name', 'says', 'seeds'].map(part => {named})"
    lines = "[...document.querySelectorAll('#sweep-0 .chosen figure svg')].map(svg => svg.innerHTML)"
    return page.evaluate(f"[...{parts}, ...{lines}]")


def test_it_loads_without_a_complaint_and_without_a_request(page):
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith(("file://", "data:", "blob:"))] == []
    assert page.evaluate("document.querySelectorAll('.map table button').length") > 50
    assert page.evaluate("document.getElementById('trouble').hidden")


def test_a_click_on_a_cell_changes_every_view(page):
    before, shown = drawings(page), page.evaluate(SHOWN)
    page.click(OTHER_CELL)
    page.wait(f"{SHOWN} !== {shown!r}")
    after = drawings(page)
    assert len(before) == len(after) == 3 + 1 + 2
    assert [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old == new] == []
    assert page.evaluate("document.querySelectorAll('#sweep-0 .map [aria-pressed=true]').length") == 1
    assert page.problems == []


def test_the_table_of_seeds_has_the_rows_of_the_cell(page):
    n = page.evaluate("document.querySelectorAll('#sweep-0 .chosen [data-part=seeds] tbody tr').length")
    assert n == load(ROOT / "sweeps/labels_by_layouts.toml").replicates


def test_keys_reach_the_map_and_move_in_it(page):
    for _ in range(20):
        page.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('cell')"):
            break
    shown, place = page.evaluate(SHOWN), page.evaluate("({...document.activeElement.dataset})")
    page.press("ArrowLeft")
    page.wait(f"{SHOWN} !== {shown!r}")
    now = page.evaluate("({...document.activeElement.dataset})")
    assert (int(now["column"]), now["row"]) == (int(place["column"]) - 1, place["row"])
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


def choose(page, label, value):
    """Choose a value in the list with this label, as a reader would."""
    page.evaluate(
        f"(() => {{ const list = document.querySelector('.map select[data-of=\"{label}\"]'); list.focus();"
        f" list.value = '{value}'; list.dispatchEvent(new Event('change')); }})()"
    )


def test_another_outcome_colours_the_map_and_keeps_the_list_in_focus(page):
    colours = "[...document.querySelectorAll('#sweep-0 .map .cell')].map(cell => cell.style.background)"
    before = page.evaluate(colours)
    choose(page, "outcome", "unseen_global")
    page.wait(f"{SHOWN}.endsWith('unseen_global')")
    assert page.evaluate(colours) != before
    assert page.evaluate("document.activeElement.dataset.of") == "outcome"
    choose(page, "colours", "phase")
    assert "relational generalisation" in page.evaluate("document.querySelector('.map [data-part=legend]').textContent")
    assert page.problems == []


def test_it_is_as_wide_as_a_phone_and_its_buttons_can_be_hit(browser):
    driver, path = browser
    driver.open(path, width=390, height=800)
    assert driver.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = "[...document.querySelectorAll('.map button, select')].map(one => one.getBoundingClientRect().height)"
    assert min(driver.evaluate(sizes)) >= 40
    assert driver.evaluate("document.querySelector('[data-chart=curves] svg').getBoundingClientRect().right") <= 390


def test_above_so_many_trials_there_are_means_and_no_complaint(browser, tmp_path):
    found = made_up.sweep(labels=range(5, 25), layouts=range(1, 22), seeds=5)
    assert len(found) > MAX_SEEDED
    made_up.write(tmp_path / "r", found.trials)
    path = tmp_path / "page.html"
    path.write_text(make_page([found], str(tmp_path / "r")).html)
    driver, _ = browser
    driver.problems.clear()
    driver.open(path)
    assert driver.evaluate("document.querySelectorAll('.chosen figure svg').length") == 2
    assert driver.evaluate("document.querySelectorAll('.map .cell').length") == 20 * 21
    assert driver.problems == []


def test_cells_that_fill_no_plane_are_a_list_from_the_best_on(browser, tmp_path):
    layouts = [*range(1, 42)]
    labels = [5 + n % 9 for n in layouts]
    grid = f'[[zip]]\n"scenes.n_pair_labels" = {labels}\n"scenes.layouts_per_pair" = {layouts}\n'
    found = made_up.sweep(grid=grid, seeds=1)
    made_up.write(tmp_path / "r", found.trials)
    path = tmp_path / "page.html"
    path.write_text(make_page([found], str(tmp_path / "r")).html)
    driver, _ = browser
    driver.open(path)
    means = driver.evaluate("[...document.querySelectorAll('.map li b')].map(one => Number(one.textContent))")
    assert len(means) == 41
    assert means == sorted(means, reverse=True)
    shown = driver.evaluate(SHOWN)
    driver.click(".map li:nth-child(3) button")
    driver.wait(f"{SHOWN} !== {shown!r}")
    driver.press("ArrowUp")
    second = "document.querySelector('.map li:nth-child(2) button').getAttribute('aria-pressed') === 'true'"
    assert driver.wait(second)


def test_the_rows_can_be_saved(page, browser):
    page.click('#sweep-0 [data-part="download"]')
    file = browser[1].parent / "labels_by_layouts.csv"
    for _ in range(200):
        page.evaluate("new Promise(resolve => setTimeout(resolve, 20))")
        if file.exists():
            break
    with file.open(newline="") as text:
        saved = {row["trial_id"]: row for row in csv.DictReader(text)}
    stored = load_trials(REFERENCE, trial_ids=load(ROOT / "sweeps/labels_by_layouts.toml").trial_ids()).collect()
    assert {*saved} == {*stored["trial_id"]}
    for row in stored.select("trial_id", "unseen_order", "seed").iter_rows(named=True):
        assert float(saved[row["trial_id"]]["unseen_order"]) == pytest.approx(row["unseen_order"], rel=1e-5)
        assert int(saved[row["trial_id"]]["seed"]) == row["seed"]
