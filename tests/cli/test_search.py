"""A search by the command line: from its file to its last cell, killed, resumed, on both engines."""

import json
import os
import random
import re
import signal
import time

import pytest

import lrsym as package
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.execution.lease import Lease
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.planning.plan import MAX_FAILED_RUNS
from lrsym.sweep.spec.sweep_file import load_any
from tests.running import finish, lrsym, start
from tests.small_trials import SMALL
from tests.sweep.search.made_up_search import run

"""With more, a pack on a busy machine may be outrun by a whole batch of the others, which does not wait for it."""


def write_search(folder, *, budget, steps=6):
    base = {**SMALL, "optim.steps": steps}
    del base["scenes.layouts_per_pair"], base["optim.learning_rate"]
    lines = [
        "# Question: which rate?", "# Cost: about nothing", "# Command: lrsym sweep rates.toml",
        'name = "rates"', "replicates = 2", "[base]", *(f'"{key}" = {json.dumps(v)}' for key, v in base.items()),
        "[search]", f"budget = {budget}", 'maximise = "unseen_order"', "[search.space]",
        '"optim.learning_rate" = { low = 1e-4, high = 1e-2, log = true }', '"scenes.layouts_per_pair" = [1, 4]',
    ]  # fmt: skip
    path = folder / "rates.toml"
    path.write_text("\n".join(lines))
    return path


def suggestions(results):
    frame = Store(results).scan("suggestions").sort("number")
    return frame.select("number", "batch", "origin", "state", "point", "objective", "pending").collect().to_dicts()


@pytest.mark.slow
def test_a_search_is_planned_run_and_gone_on_with_by_the_same_verb(tmp_path):
    path, results = write_search(tmp_path, budget=3), tmp_path / "r"
    plan = json.loads(lrsym("plan", path, "--results", results, "--json", "--no-pilot"))
    assert (plan["cells_done"], plan["cells_left"], plan["trials"], plan["sampler"]) == (0, 3, 6, "tpe")
    assert not results.exists()
    told = json.loads(lrsym("sweep", path, "--results", results, "--workers", 2, "--json"))
    assert (told["cells"]["complete"], told["statuses"]) == (3, {"done": 6})
    again = json.loads(lrsym("sweep", path, "--results", results, "--workers", 2, "--budget", 5, "--json"))
    assert (again["cells"]["complete"], again["statuses"]) == (5, {"done": 4})
    assert load_trials(results).collect().height == 10
    assert json.loads(lrsym("status", path, "--results", results, "--json"))["statuses"] == {"done": 10}
    rows = json.loads(
        lrsym("query", "select count(*) as n from trials", "--sweep", path, "--results", results, "--json")
    )
    assert rows == [{"n": 10}]


@pytest.mark.slow
def test_a_search_whose_cells_all_diverged_says_so_and_where_to_change_it(tmp_path):
    path, results = write_search(tmp_path, budget=2), tmp_path / "r"
    run(load_any(path), Store(results), status=lambda trial: "diverged")
    message = lrsym("sweep", path, "--results", results, "--no-pilot", code=2)
    line = path.read_text().split("\n").index("[search.space]") + 1
    assert f"{path}:{line}: no cell has a number to compare, got none in 2" in message


@pytest.mark.slow
def test_cells_whose_trials_failed_are_left_to_train_and_trained_by_the_same_command(tmp_path):
    path, results = write_search(tmp_path, budget=2, steps=50_000), tmp_path / "r"
    words = ("--results", results, "--workers", 1, "--pack", 4, "--no-pilot", "--json")
    failed = json.loads(lrsym("sweep", path, *words, "--timeout", 0.01, code=1))
    assert (failed["statuses"], failed["cells"]["running"]) == ({"timeout": 4}, 2)
    plan = json.loads(lrsym("plan", path, "--results", results, "--no-pilot", "--json"))
    assert (plan["cells_done"], plan["cells_left"]) == (0, 2)
    again = json.loads(lrsym("sweep", path, *words, "--timeout", 0.01, code=1))
    assert again["statuses"] == {"timeout": 4}


@pytest.mark.slow
def test_a_search_that_is_whole_trains_nothing_and_begins_no_run(tmp_path):
    path, results = write_search(tmp_path, budget=2), tmp_path / "r"
    for cells in (2, 2):
        done = json.loads(lrsym("sweep", path, "--results", results, "--workers", 1, "--json"))
        assert done["cells"]["complete"] == cells
    assert Store(results).scan("runs").collect().height == 1


@pytest.mark.slow
def test_trials_that_are_given_up_are_told_by_every_verb_and_trained_where_they_are_asked_for(tmp_path):
    path, results = write_search(tmp_path, budget=2), tmp_path / "r"
    words, again = ("--results", results), f"lrsym sweep {path} --workers 1 --retry crashed --results {results}"
    found, store = load_any(path), Store(results)
    packs = run(found, store, status=lambda trial: "crashed")
    lost = [trial for pack in packs for trial in pack.trials]
    store.write(
        "again", status_rows(lost, status="crashed", message="lost", run_id="r", attempts=[MAX_FAILED_RUNS] * 4)
    )
    text = lrsym("sweep", path, *words, "--workers", 1, code=1)
    assert "rates: 0 cells are in" in text
    assert f"given up after {MAX_FAILED_RUNS} runs or more: 4 crashed; try them again: {again}" in text
    assert again in (planned := lrsym("plan", path, *words, "--workers", 1))
    assert "0 done, 0 to train, 4 trials given up" in planned
    assert f"4 given up after {MAX_FAILED_RUNS} runs or more; lrsym sweep --retry" in lrsym("status", path, *words)
    lrsym("status", path, *words, "--watch")  # which ends
    with pytest.warns(
        UserWarning, match=r"^given up: 4 trials of rates; try again by run_sweep with retry=\['crashed'\]$"
    ):
        package.run_sweep(path, results, workers=1)
    assert "rates: no trial is timeout in" in lrsym("sweep", path, *words, "--retry", "timeout")
    assert "0 done, 2 to train, 2 of them begun" in lrsym("plan", path, *words, "--retry", "crashed", "--no-pilot")
    done = json.loads(lrsym("sweep", path, *words, "--retry", "crashed", "--workers", 1, "--no-pilot", "--json"))
    assert (done["statuses"], done["cells"]["complete"], done["given_up"]) == ({"done": 4}, 2, {})


@pytest.mark.slow
def test_a_search_that_has_trained_its_whole_space_has_nothing_to_train(tmp_path):
    path, results = write_search(tmp_path, budget=6), tmp_path / "r"
    path.write_text(re.sub(r"{ low = .* }", "[1e-3, 1e-2]", path.read_text()))
    run(load_any(path), Store(results))
    plan = json.loads(lrsym("plan", path, "--results", results, "--json"))
    assert (plan["budget"], plan["cells_done"], plan["cells_left"]) == (6, 4, 0)
    assert "rates: all 4 cells are in" in lrsym("sweep", path, "--results", results)
    text = lrsym("status", path, "--results", results, "--watch")  # which ends
    assert "rates: 4 of 4 cells asked for: 0 running, 4 complete, 0 failed" in text


@pytest.mark.slow
def test_cells_that_the_hours_leave_out_are_told_by_verb_and_function(tmp_path):
    path, results = write_search(tmp_path, budget=3), tmp_path / "r"
    hours = {"workers": 1, "pack": 2, "no_pilot": True, "device": "cpu", "max_core_hours": 1e-9}
    with pytest.warns(UserWarning, match=r"^left out by max_core_hours=1e-09: 2 cells of rates$"):
        package.run_sweep(path, results, **hours)
    words = ("--workers", 1, "--pack", 2, "--no-pilot", "--device", "cpu", "--max-core-hours", 1e-9)
    assert "1 cell left out by --max-core-hours 1e-09" in lrsym("sweep", path, "--results", results, *words)


def test_a_smaller_budget_than_there_are_cells_says_so(searched):
    path, results = searched
    said = lrsym("sweep", path, "--budget", 3, "--results", results)
    assert f"5 cells are in {results}, more than the budget of 3" in said


@pytest.mark.parametrize("verb", [["boundary"], ["plot", "boundary"]])
def test_a_search_has_no_boundary(searched, verb):
    path, results = searched
    assert lrsym(*verb, path, "--results", results, code=2).startswith("error: a boundary is of grids, ")
    with pytest.raises(package.UsageError, match="a boundary is of grids"):
        package.boundary(path, results=results)


def start_one(path, results, *options):
    """A search with one worker, so that what it asks for follows from its seed alone."""
    return start("-m", "lrsym", "sweep", path, "--results", results, "--workers", "1", *options)


@pytest.mark.slow
def test_a_search_whose_driver_is_killed_ten_times_trains_what_it_would_have_trained(tmp_path):
    path, chance = write_search(tmp_path, budget=40), random.Random(1)
    options = ("--pack", "4", "--no-pilot")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert finish(start_one(path, whole, *options))[0] == 0
    for number in range(10):
        process = start_one(path, killed, *options)
        time.sleep(chance.uniform(1, 6))
        kill = os.killpg if number % 2 else os.kill  # with its workers, or they finish their pack
        kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert finish(start_one(path, killed, *options))[0] == 0
    assert suggestions(killed) == suggestions(whole)
    assert len({row["point"] for row in suggestions(killed) if row["origin"] == "asked"}) == 40
    assert load_trials(killed).collect()["trial_id"].is_unique().all()


@pytest.mark.slow
@pytest.mark.ray
def test_both_engines_ask_for_the_same_cells(tmp_path):
    path, options = write_search(tmp_path, budget=20), ("--pack", "4", "--no-pilot", "--engine")
    for engine in ("local", "ray"):
        assert finish(start_one(path, tmp_path / engine, *options, engine))[0] == 0
    assert suggestions(tmp_path / "ray") == suggestions(tmp_path / "local")


@pytest.mark.slow
def test_a_search_that_another_process_runs_is_refused_with_who_runs_it_and_nothing_is_written(tmp_path):
    path, results = write_search(tmp_path, budget=2), tmp_path / "r"
    with Lease(Store(results).files, "other", alone=load_any(path).alone):
        before = sorted(results.rglob("*"))
        told = lrsym("sweep", path, "--results", results, "--no-pilot", code=2)
        assert f"is being run in {results} by process {os.getpid()} on" in told
        assert len(told.splitlines()) == 1
        assert sorted(results.rglob("*")) == before
        lrsym("plan", path, "--results", results, "--no-pilot")
        lrsym("status", path, "--results", results)
