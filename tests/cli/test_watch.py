"""A sweep while it runs, as those who look on see it: in the terminal, and on a page of this machine."""

import json
import re
import signal
import urllib.request
from pathlib import Path

import pytest

from lrsym.results.store.live import write_live
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.lease import Lease
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.spec.sweep_file import load
from tests.running import HANG_SECONDS, finish, lrsym, start
from tests.small_trials import write_sweep


@pytest.fixture
def under_way(tmp_path):
    """A sweep file and results in which a trial is done and another in training; nobody holds its lease."""
    path, results = write_sweep(tmp_path, steps=5), tmp_path / "r"
    done, training = load(path).trials[:2]
    store = Store(str(results))
    rows = {**axis_values(done), "status": "done", "trained_steps": 5, "unseen_order": 1.0, "run_id": "r"}
    tables = status_rows([done], status="done", message=None, run_id="r")
    table = tables["trials"]
    store.write("p", {"trials": type(table).from_pylist([{**table.to_pylist()[0], **rows}], schema=table.schema)})
    row = {**axis_values(training), "status": "training", "trained_steps": 3, "unseen_order": 0.5}
    write_live(store.files, "q", trials=[row], curves=[])
    return path, results


def test_status_watched_shows_the_diagram_of_what_is_trained_and_ends_when_all_is(trained):
    path, results = trained
    text = lrsym("status", path, "--results", results, "--watch")
    assert text.startswith("small: 8 trials: 8 done, 0 missing")
    assert re.search(r"n_pair_labels 5|layouts_per_pair 1", text)
    assert len(re.findall(r"\d\.\d+ \(\d\)", text)) == 2


def test_status_tells_how_far_those_in_training_are(under_way):
    path, results = under_way
    with Lease(Store(str(results)).files, "r") as lease:
        lease.claim([load(path).trials[1].trial_id])
        text = lrsym("status", path, "--results", results)
        told = json.loads(lrsym("status", path, "--results", results, "--json"))
    assert "1 in training now, by process" in text
    assert "1 of them evaluated, at 60% of their steps, unseen_order 0.50 so far" in text
    assert (told["training"], told["evaluated"], told["completed"], told["unseen_order"]) == (1, 1, 0.6, 0.5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("status", "--watch", "--json"), "--watch and --json exclude each other, got both; leave one of them out"),
        (("status", "--every", "0"), "--every must be a number of seconds from 0.1 to 86,400, got"),
        (("status", "--every", "3"), "--every is for --watch, got 3 without it"),
        (("watch", "--every", "nan"), "--every must be a number of seconds from 0.1 to 86,400, got"),
        (("watch", "--port", "70000"), "--port must be a port from 0 to 65,535, got 70000; leave it out"),
    ],
)
def test_mistakes_are_told_before_anything_is_shown(trained, words, message):
    verb, *options = words
    text = lrsym(verb, trained[0], "--results", trained[1], *options, code=2)
    assert message in text
    assert len(text.splitlines()) == 1


def look(path, results):
    """Watch a sweep for one look: the page, its state, and how the command ended after Ctrl-C."""
    process = start("-m", "lrsym", "watch", path, "--results", results)
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())[0]
        page = urllib.request.urlopen(address, timeout=HANG_SECONDS).read().decode()
        state = json.load(urllib.request.urlopen(f"{address}state.json", timeout=HANG_SECONDS))
    finally:
        process.send_signal(signal.SIGINT)
        code, _, errors = finish(process)
    return page, state, (code, errors)


@pytest.mark.slow
def test_the_page_of_a_search_shows_how_it_goes(searched):
    page, state, _ = look(*searched)
    assert "The search, so far" in page
    assert [*state["pictures"]] == ["search", "phase"]
    assert "how it went" in json.dumps(state["pictures"]["search"])


@pytest.mark.slow
def test_the_page_shows_state_and_pictures_and_ends_with_ctrl_c(under_way):
    page, state, ended = look(*under_way)
    assert "<h1>small</h1>" in page
    assert "8 trials: 1 done, 7 missing" in state["lines"][0]
    assert not state["over"]
    assert "1 trial is not at the end of training, drawn as last evaluated, at step 3." in json.dumps(
        state["pictures"]["phase"]
    )
    assert state["pictures"]["curves"]["spec"] is None
    assert ended == (130, "")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["phase", "line", "curves"])
def test_a_picture_shows_trials_in_training_where_it_is_asked_to(under_way, kind):
    path, results = under_way
    curves = [
        {"trial_id": load(path).trials[1].trial_id, "step": 3, "split": "unseen", "metric": "order", "value": 0.5}
    ]
    row = {**axis_values(load(path).trials[1]), "status": "training", "trained_steps": 3, "unseen_order": 0.5}
    write_live(Store(str(results)).files, "q", trials=[row], curves=curves)
    found = json.loads(lrsym("plot", kind, path, "--results", results, "--live", "--json"))["pictures"]
    drawn = next(file for file in found if file.endswith("-live.vl.json"))
    assert "1 trial is not at the end of training, drawn as last evaluated, at step 3." in Path(drawn).read_text()


@pytest.mark.parametrize("words", [("{path}", "{path}"), ("{path}", "{path}", "--minus"), ("{path}", "--refined")])
def test_live_is_of_one_sweep(under_way, words):
    path, results = under_way
    words = (word.format(path=path) for word in words)
    assert "--live" in lrsym("plot", "phase", *words, "--results", results, "--live", code=2)
