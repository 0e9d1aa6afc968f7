"""What tests of several verbs start from."""

import pytest

from lrsym.results.plots import save
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.sweep.spec.sweep_file import load, load_any
from tests.cli.test_search import write_search
from tests.fitted import train
from tests.small_trials import write_sweep
from tests.sweep.search.made_up_search import run


@pytest.fixture(scope="package")
def trained(tmp_path_factory):
    """A sweep of 8 small trials and the results of it, trained once for the tests of this folder."""
    folder = tmp_path_factory.mktemp("trained")
    path = write_sweep(folder, steps=12)
    trials = load(path).trials
    for members in (trials[:4], trials[4:]):
        train(folder / "results", members)
    run = {"run_id": "r", "sweep": "small", "engine": "local", "device": "cpu"}
    Store(folder / "results").write("run-r", {"runs": TABLES["runs"].build([run])})
    return path, folder / "results"


@pytest.fixture(scope="package")
def searched(tmp_path_factory):
    """A search of 5 cells with made-up accuracies, and its results."""
    folder = tmp_path_factory.mktemp("searched")
    path = write_search(folder, budget=5)
    run(load_any(path), Store(folder / "r"))
    return path, folder / "r"


@pytest.fixture
def unrendered(monkeypatch):
    """Pictures whose HTML, SVG and PNG are not rendered: for what is asked of their paths."""
    monkeypatch.setattr(save, "spec_as_svg", lambda spec: "a picture")
    monkeypatch.setattr(save, "svg_as_png", lambda svg: b"a picture")
    monkeypatch.setattr(save, "as_html", lambda chart: b"a page")
