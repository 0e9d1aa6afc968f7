"""`lrsym plan` as a user meets it: what is left to train, and the command that trains it."""

import json

import pytest
from typer.testing import CliRunner

from lrsym.cli.app import app
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.spec.sweep_file import load
from tests.running import lrsym
from tests.small_trials import write_sweep


def test_plan_counts_what_is_new_and_prints_the_command_to_run(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    results = tmp_path / "results"
    report = json.loads(lrsym("plan", path, "--results", results, "--workers", 2, "--json"))
    assert {k: report[k] for k in ("trials", "new", "done", "failed")} == {
        "trials": 8,
        "new": 8,
        "done": 0,
        "failed": 0,
    }
    assert report["command"] == f"lrsym sweep {path} --workers 2 --results {results}"
    assert report["command"] in lrsym("plan", path, "--results", results, "--workers", 2)
    assert not results.exists()


def test_the_command_to_run_repeats_the_options_that_were_given(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    words = ("--workers", 3, "--pack", 2, "--device", "cpu", "--engine", "ray")
    command = json.loads(lrsym("plan", path, *words, "--json"))["command"]
    assert command == f"lrsym sweep {path} --workers 3 --pack 2 --device cpu --engine ray"


@pytest.mark.parametrize(("size", "packs"), [("1", 8), ("3", 3), ("8", 1)])
def test_pack_sets_how_many_trials_train_together(tmp_path, size, packs):
    path = write_sweep(tmp_path, steps=5)
    report = json.loads(lrsym("plan", path, "--results", tmp_path / "r", "--pack", size, "--json"))
    assert report["packs"] == packs


def test_plan_says_which_seeds_a_limit_of_hours_leaves_out_and_the_command_keeps_the_limit(tmp_path):
    words = ("plan", write_sweep(tmp_path, steps=5), "--results", tmp_path / "r", "--max-core-hours", 0.0005)
    report, text = json.loads(lrsym(*words, "--json")), lrsym(*words)
    left_out = report["left_out"]
    assert (left_out["by_seed"], left_out["trials"], left_out["rough"]) == ({"2": 1, "3": 2}, 3, True)
    assert (report["trials"], report["new"]) == (8, 8)
    line = (
        "--max-core-hours 0.0005 leaves out 3 trials, seed 2 of 1 cell, seed 3 of 2 cells: "
        f"about {left_out['hours']:.2g} core-hours by a rough rule, right to a factor of three"
    )
    assert line in text.splitlines()
    assert "--max-core-hours 0.0005" in report["command"]


def test_a_limit_that_is_enough_leaves_nothing_out(tmp_path):
    words = ("plan", write_sweep(tmp_path, steps=5), "--results", tmp_path / "r", "--max-core-hours", 1)
    assert json.loads(lrsym(*words, "--json"))["left_out"] is None
    assert "leaves out" not in lrsym(*words)


def test_plan_after_a_sweep_has_nothing_to_do_and_a_wider_sweep_only_what_is_new(trained):
    path, results = trained
    report = json.loads(lrsym("plan", path, "--results", results, "--json"))
    assert (report["new"], report["done"], report["packs"]) == (0, 8, 0)
    assert "all 8 trials are in" in lrsym("sweep", path, "--results", results)
    wider = path.with_name("wider.toml")
    wider.write_text(path.read_text().replace("[1, 4]", "[1, 4, 5]"))
    report = json.loads(lrsym("plan", wider, "--results", results, "--json"))
    assert (report["new"], report["done"]) == (4, 8)


def test_a_file_without_its_head_is_a_warning_and_still_planned(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("# Cost")))
    result = CliRunner().invoke(app, ["plan", str(path), "--results", str(tmp_path / "r")])
    assert result.exit_code == 0
    assert "warning" in result.output
    assert "Cost" in result.output


def write_stopped(root, trials, *, rule):
    """Rows of trials that a rule stopped."""
    rows = [{**axis_values(trial), "status": "stopped", "stop_rule": rule} for trial in trials]
    Store(root).write(rule, {"trials": TABLES["trials"].build(rows)})


def test_a_grid_takes_its_own_decided_trials_as_finished_and_trains_what_a_search_stopped_in_full(tmp_path):
    path, results = write_sweep(tmp_path, steps=5), tmp_path / "r"
    trials = load(path).trials
    write_stopped(results, trials[:2], rule="decided")
    write_stopped(results, trials[2:5], rule="asha")
    words = ("plan", path, "--results", results, "--no-pilot")
    assert "8 trials = 3 new, 0 done, 0 failed before, 5 stopped early, to be trained in full" in lrsym(*words)
    path.write_text('stop = "decided"\n' + path.read_text())
    assert "8 trials = 3 new, 2 done, 0 failed before, 3 stopped early" in lrsym(*words)
    assert "3 x stopped early: asha" in lrsym("status", path, "--results", results)
