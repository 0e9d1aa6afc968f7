"""`lrsym report` as a user meets it: the page, its name, and why there is none."""

import base64
import gzip
import json
import re
from pathlib import Path

import pytest

import lrsym as package
from lrsym.results.plots.palette import DARK, INK
from tests.running import lrsym
from tests.small_trials import write_sweep


@pytest.mark.slow
def test_the_page_lies_beside_the_results_and_its_command_makes_it_again(trained, tmp_path):
    path, results = trained
    report = json.loads(lrsym("report", path, "--results", results, "--json"))
    page = Path(report["page"])
    assert page == results / "reports/small-report.html"
    assert f"lrsym report {path} --results {results}" in page.read_text()
    assert report["left_out"] == []


@pytest.mark.slow
def test_what_makes_another_page_makes_another_name(trained):
    path, results = trained
    words = ("report", path, "--results", results, "--metric", "seen_global", "--threshold", "0.8", "--json")
    assert Path(json.loads(lrsym(*words))["page"]).name == "small-report-metric-seen_global-threshold-0.8.html"


@pytest.mark.slow
def test_a_dark_page_and_its_charts_have_dark_colours_alone(trained):
    path, results = trained
    page = Path(json.loads(lrsym("report", path, "--results", results, "--theme", "dark", "--json"))["page"])
    text = page.read_text()
    assert page.name == "small-report-theme-dark.html"
    assert f"color-scheme: dark; --ink: {DARK[INK]};" in text
    assert not set(re.findall("#[0-9a-f]{6}", text[: text.index("</style>")])) & {*DARK}
    data = re.search('<script id="data" type="text/plain">(.*?)</script>', text, re.DOTALL)
    charts = json.loads(gzip.decompress(base64.b64decode(data[1])))
    assert DARK[INK] in json.dumps(charts)
    assert not any(f'"{light}"' in json.dumps(charts) for light in DARK)


@pytest.mark.slow
def test_verdicts_stand_on_the_page_of_the_sweep_that_they_are_about(trained, tmp_path):
    path, results = trained
    claims = tmp_path / "small.toml"
    claims.write_text(f"""name = "small"
[[claim]]
id = "C1"
sentence = "Accuracies are <b>accuracies</b>."
source = "here"
minimum_n = 4
[claim.sweeps]
small = "{path}"
[[claim.part]]
name = "unseen"
estimate = "select unseen_order as value from trials"
at_least = 0
at_most = 1
""")
    lrsym("report", path, "--results", results, "--claims", claims, "--out", tmp_path / "page")
    text = (tmp_path / "page.html").read_text()
    assert "Accuracies are &lt;b&gt;accuracies&lt;/b&gt;." in text
    assert "supported" in text


def test_claims_about_other_sweeps_are_refused(trained):
    text = lrsym("report", trained[0], "--results", trained[1], "--claims", "claims/recipe.toml", code=2)
    assert "none of its claims is asked of small" in text
    assert len(text.strip().splitlines()) == 1


def test_a_sweep_that_is_not_trained_says_how_to_train_it(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("report", path, "--results", tmp_path / "r", code=2)
    assert f"train first: lrsym sweep {path}" in text
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_python_writes_the_same_page(trained, tmp_path):
    path, results = trained
    page = package.report(path, tmp_path / "page.html", results=results)
    made = lrsym("report", path, "--results", results, "--out", tmp_path / "other.html")
    other = Path(made.splitlines()[-1]).read_text()
    command = f"\nlrsym report {path} --results {results}"
    assert page.read_text() == other.replace(command, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small.toml", "page.txt"), r"path must end in \.html, got page.txt; write for example page.html"),
        (([], "page.html"), "got an empty list; name a sweep"),
        (("small.toml", 3), "path must be the name of a file, got 3"),
    ],
)
def test_mistakes_in_python_are_one_line(trained, arguments, message):
    sweeps, path = arguments
    with pytest.raises(package.UsageError, match=message):
        package.report(trained[0] if sweeps else sweeps, path, results=trained[1])


@pytest.mark.slow
def test_a_part_of_a_sweep_is_a_page_of_its_own_that_says_so(trained):
    path, results = trained
    report = json.loads(lrsym("report", path, "--results", results, "--where", "layouts_per_pair = 4", "--json"))
    page = Path(report["page"])
    assert page.name == "small-report-layouts_per_pair-eq-4.html"
    text = page.read_text()
    assert "Only trials with <code>layouts_per_pair = 4</code>." in text
    assert "4 trials: 1 cells, 4 replicates of each." in text
    assert "--where &#39;layouts_per_pair = 4&#39;" in text
