"""`lrsym status` as a user meets it."""

import json

import pytest

from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.execution.lease import Holder, Lease
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.execution.traceback_log import logged_failure
from lrsym.sweep.spec.sweep_file import load
from tests.running import lrsym
from tests.small_trials import write_sweep


def test_another_sweep_that_shares_trials_shares_their_rows(trained):
    path, results = trained
    other = path.with_name("other.toml")
    other.write_text(path.read_text().replace('name = "small"', 'name = "other"').replace("[1, 4]", "[4]"))
    report = json.loads(lrsym("status", other, "--results", results, "--json"))
    assert report["statuses"] == {"done": 4}
    assert report["missing"] == 0


def test_failed_trials_are_planned_again_and_status_says_why(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    trials = load(path).trials
    rows = status_rows(trials[:3], status="crashed", message="worker killed by SIGKILL", run_id="r")
    Store(tmp_path / "r").write("p", rows)
    report = json.loads(lrsym("plan", path, "--results", tmp_path / "r", "--json"))
    assert (report["new"], report["failed"], report["done"]) == (5, 3, 0)
    text = lrsym("status", path, "--results", tmp_path / "r")
    assert "3 crashed" in text
    assert "3 x crashed: worker killed by SIGKILL" in text
    assert "5 missing" in text


def test_status_tells_the_core_hours_of_what_was_trained(trained):
    path, results = trained
    report = json.loads(lrsym("status", path, "--results", results, "--json"))
    seconds = load_trials(results).collect()["seconds"].sum()
    assert report["core_hours"] == pytest.approx(seconds / 3600)
    assert report["gpu_hours"] == 0
    assert f"finished trials took {seconds / 3600:.2g} core-hours\n" in lrsym("status", path, "--results", results)


def test_status_says_that_a_folder_is_not_there_yet(tmp_path):
    text = lrsym("status", write_sweep(tmp_path, steps=5), "--results", tmp_path / "r")
    assert f"missing in {tmp_path / 'r'}, which is not there yet" in text


def test_status_of_a_search_tells_its_cells_and_the_best(searched):
    text = lrsym("status", searched[0], "--results", searched[1])
    assert "rates: 5 of 5 cells asked for: 0 running, 5 complete, 0 failed" in text
    assert "best so far: maximise unseen_order: " in text
    assert "rates: 10 trials: 10 done, 0 missing" in text


def test_status_says_who_trains_a_sweep_now_or_that_nobody_does(tmp_path):
    path, store = write_sweep(tmp_path, steps=5), Store(tmp_path / "r")
    with Lease(store.files, "one") as lease:
        lease.claim([*load(path).trial_ids()][:3])
        text = lrsym("status", path, "--results", tmp_path / "r")
        assert "none trained yet" in text
        assert f"3 in training now, by {Holder.this_process()}" in text
        report = json.loads(lrsym("status", path, "--results", tmp_path / "r", "--json"))
        assert (report["training"], report["trainers"]) == (3, [str(Holder.this_process())])
    assert "nobody trains it now" in lrsym("status", path, "--results", tmp_path / "r")


def test_what_no_terminal_should_get_is_told_in_words(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    rows = status_rows(load(path).trials[:1], status="crashed", message="\x1b[2Jgone\r", run_id="r")
    Store(tmp_path / "r").write("p", rows)
    assert r"1 x crashed: \x1b[2Jgone\r" in lrsym("status", path, "--results", tmp_path / "r")
    shown = lrsym("query", "select message from trials", "--results", tmp_path / "r")
    assert "\x1b" not in shown
    said = lrsym("status", tmp_path / "no\x1b[31m.toml", code=2)
    assert "\x1b" not in said
    assert r"no\x1b[31m.toml" in said


def test_status_names_the_file_of_a_traceback(tmp_path):
    path, results = write_sweep(tmp_path, steps=5), tmp_path / "r"
    results.mkdir()
    failure = logged_failure(ValueError("a bug"), str(results))
    Store(results).write("p", status_rows(load(path).trials[:1], status="crashed", message=failure.message, run_id="r"))
    (log,) = (results / "logs").iterdir()
    assert f"1 x crashed: ValueError: a bug (traceback: {log})" in lrsym("status", path, "--results", results)
