"""`lrsym best`, and what pictures and claims say of a search, as a user meets them."""

import json

import pytest

from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.search.optuna_sampler import random_point
from lrsym.sweep.spec.cell_file import cell_file
from lrsym.sweep.spec.sweep_file import load, load_any
from tests.cli.test_search import write_search
from tests.pages import ROOT
from tests.running import lrsym
from tests.small_trials import write_sweep
from tests.sweep.search.made_up_search import write


@pytest.fixture(scope="module")
def gridded(tmp_path_factory):
    """A grid of 2 cells with made-up accuracies, and its results."""
    folder = tmp_path_factory.mktemp("gridded")
    path = write_sweep(folder, steps=5)
    write(Store(folder / "r"), load(path).trials, "all")
    return path, folder / "r"


def test_the_answer_warns_of_luck_and_says_how_to_train_the_best_on_fresh_seeds(searched):
    text = lrsym("best", searched[0], "--results", searched[1], "-n", 2)
    assert "rates: maximise unseen_order; 5 cells of 2 replicates" in text
    assert "The best of 5 is chosen by its luck too" in text
    assert text.splitlines()[-1].startswith(f"a sweep file that does: lrsym best {searched[0]} --write rates-best.toml")
    best = json.loads(lrsym("best", searched[0], "--results", searched[1], "-n", 2, "--json"))
    assert [cell["rank"] for cell in best["best"]] == [1, 2]
    assert "\n".join(best["best"][0]["base"]) in text


def test_the_best_cell_is_written_as_a_sweep_under_seeds_that_did_not_choose_it(searched, tmp_path):
    path = tmp_path / "rates-best.toml"
    best = json.loads(lrsym("best", searched[0], "--results", searched[1], "--write", path, "--json"))
    assert best["written"] == str(path)
    (cell,) = load(path).cells
    assert [trial.seed for trial in load(path).trials] == [2, 3]
    assert [cell.trial(seed).trial_id for seed in range(2)] == best["best"][0]["trial_ids"]
    assert "is not written over" in lrsym("best", searched[0], "--results", searched[1], "--write", path, code=2)
    assert "ends in .toml" in lrsym("best", searched[0], "--results", searched[1], "--write", tmp_path / "x", code=2)


@pytest.mark.parametrize("number", [0, 5])
@pytest.mark.parametrize("name", [path.name for path in sorted((ROOT / "sweeps").glob("*.toml"))])
def test_the_file_of_a_cell_of_any_shipped_sweep_gives_its_trials(tmp_path, name, number):
    found = load_any(ROOT / "sweeps" / name)
    trials = found.trials if hasattr(found, "trials") else [found.space.cell(p).trial(0) for p in (first_point(found),)]
    trial = trials[min(number * found.replicates, len(trials) - 1)]
    path = tmp_path / "cell.toml"
    path.write_text(cell_file(trial, path=path, question="does it hold?", replicates=1, first=trial.seed))
    assert load(path).trial_ids() == [trial.trial_id]


def first_point(search):
    """A point of a search's space."""
    return search.space.nearest(random_point(search, 0))


def test_a_grid_is_asked_by_a_metric(gridded):
    words = ("best", gridded[0], "--results", gridded[1], "--metric", "unseen_order", "--json")
    high, low = json.loads(lrsym(*words)), json.loads(lrsym(*words, "--minimise"))
    assert [cell["objective"] for cell in high["best"]] == [cell["objective"] for cell in low["best"]][::-1]
    assert {cell["point"]["scenes.layouts_per_pair"] for cell in high["best"]} == {1, 4}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-n", "0"], "-n must be a number of cells from 1 to 1,000,000, got 0"),
        (["-n", "many"], "-n must be a number of cells from 1 to 1,000,000, got many"),
        (["--metric", "unseen_order"], "a search says itself what is sought (maximise unseen_order), got --metric"),
        (["--minimise"], "got --minimise; leave it out"),
    ],
)
def test_wrong_options_for_a_search_are_one_line(searched, words, message):
    text = lrsym("best", searched[0], "--results", searched[1], *words, code=2)
    assert message in text
    assert text.count("\n") == 1


def test_a_grid_without_a_metric_is_refused_with_an_example(gridded):
    text = lrsym("best", gridded[0], "--results", gridded[1], code=2)
    assert f"got no --metric; write for example lrsym best {gridded[0]} --metric unseen_order" in text


def test_a_search_that_has_not_begun_has_no_best_and_a_status_without_error(tmp_path):
    path, results = write_search(tmp_path, budget=3), tmp_path / "r"
    assert "has no trained cell" in lrsym("best", path, "--results", results, code=2)
    assert "rates: not begun" in lrsym("status", path, "--results", results)
    assert json.loads(lrsym("status", path, "--results", results, "--json"))["begun"] is False
    assert not results.exists()


def test_a_tie_for_the_first_place_is_told(tmp_path):
    path, store = write_sweep(tmp_path, steps=5), Store(tmp_path / "r")
    for cell, trials in enumerate((load(path).trials[:2], load(path).trials[2:])):
        rows = [{**axis_values(trial), "status": "done", "unseen_order": 1.0} for trial in trials]
        store.write(f"cell{cell}", {"trials": TABLES["trials"].build(rows)})
    words = ("best", path, "--results", tmp_path / "r", "--metric", "unseen_order", "-n", 1)
    told = "2 of 2 cells tie for the first place, 1 of them shown: that one stands first says nothing"
    assert told in lrsym(*words).splitlines()
    assert json.loads(lrsym(*words, "--json"))["tied_first"] == 2
    lrsym(*words, "--write", tmp_path / "best.toml")
    assert "does one of 2 equally good best of 2 cells" in (tmp_path / "best.toml").read_text()


def test_no_tie_is_told_where_one_cell_is_best(gridded):
    words = ("best", gridded[0], "--results", gridded[1], "--metric", "unseen_order")
    assert "tie for the first place" not in lrsym(*words)
    assert json.loads(lrsym(*words, "--json"))["tied_first"] == 1


def test_an_axis_is_no_outcome(gridded):
    text = lrsym("best", gridded[0], "--results", gridded[1], "--metric", "layouts_per_pair", code=2)
    assert text.startswith("error: --metric is an outcome, got the axis layouts_per_pair; write for example --metric")
