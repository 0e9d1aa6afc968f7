"""`lrsym forget` as a user meets it: it counts first, removes only what it is told to, and nothing that is in use."""

import json
import shutil

import pytest

from lrsym.results.store.store import Store, load, load_trials
from lrsym.sweep.execution.lease import Lease
from lrsym.sweep.search.run import chosen_so_far
from lrsym.sweep.spec.sweep_file import load as load_sweep
from lrsym.sweep.spec.sweep_file import load_any
from tests.running import lrsym
from tests.small_trials import write_checkpoint
from tests.sweep.search.made_up_search import run


@pytest.fixture
def copied(trained, tmp_path):
    """The sweep of `trained` and a copy of its results, with weights of each trial and the checkpoint of two."""
    path, results = trained[0], tmp_path / "r"
    shutil.copytree(trained[1], results)
    trials = load_sweep(path).trials
    (results / "weights").mkdir()
    for trial in trials:
        (results / "weights" / f"{trial.trial_id}.safetensors").write_text("")
    (results / "weights" / "of_another.safetensors").write_text("")
    write_checkpoint(results, [trials[0], trials[-1]], step=1, steps=2)
    return path, results


def files(results):
    return {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}


def test_it_counts_and_removes_nothing_until_it_is_told_to(copied):
    path, results = copied
    before = files(results)
    told = lrsym("forget", path, "--results", results)
    assert f"small: 8 trials to forget in {results}: 8 done" in told
    assert "8 of trials" in told
    assert "weights: 8; checkpoints: 1" in told
    assert f"nothing is removed yet; remove them for good: lrsym forget {path} --yes --results {results}" in told
    assert files(results) == before


@pytest.mark.slow
def test_what_is_forgotten_is_gone_and_trained_again_by_the_next_sweep(copied):
    path, results = copied
    counted = json.loads(lrsym("forget", path, "--results", results, "--json"))
    told = json.loads(lrsym("forget", path, "--results", results, "--json", "--yes"))
    assert told == {key: value for key, value in counted.items() if key != "command"} | {"removed": True}
    assert load_trials(results).collect().is_empty()
    assert load(results, "curves").collect().is_empty()
    assert [file.name for file in (results / "weights").iterdir()] == ["of_another.safetensors"]
    assert list((results / "checkpoints").iterdir()) == []
    assert json.loads(lrsym("plan", path, "--results", results, "--json", "--no-pilot"))["new"] == 8
    assert f"small: nothing of its trials is in {results}" in lrsym("forget", path, "--results", results, "--yes")


def test_a_condition_chooses_trials_and_the_others_keep_all_they_have(copied):
    path, results = copied
    where = "layouts_per_pair = 4 and seed > 1"
    told = lrsym("forget", path, "--results", results, "--where", where, "--yes")
    assert "2 trials forgotten" in told
    assert "checkpoints: 1" in told
    assert "1 other trials share these checkpoints, and start afresh" in told
    left = load_trials(results).collect()
    assert left.height == 6
    assert {*load(results, "curves").collect()["trial_id"]} == {*left["trial_id"]}
    assert len(list((results / "weights").iterdir())) == 7


def test_trials_without_rows_are_chosen_by_their_axes(copied):
    path, results = copied
    for table in ("trials", "curves", "ablations", "text_ablations", "terms", "confusions", "runs"):
        shutil.rmtree(results / table, ignore_errors=True)
    (results / "trials").mkdir()
    told = json.loads(lrsym("forget", path, "--results", results, "--where", "seed = 3", "--json", "--yes"))
    assert (told["trials"], told["weights"], told["checkpoints"]) == (2, 2, 1)
    none = json.loads(lrsym("forget", path, "--results", results, "--where", "status = 'done'", "--json", "--yes"))
    assert (none["trials"], none["removed"]) == (0, False)


@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_what_another_process_trains_is_refused_with_who_it_is(copied, yes):
    path, results = copied
    with Lease(Store(results).files, "other") as lease:
        lease.claim([load_sweep(path).trials[0].trial_id])
        before = files(results)
        told = lrsym("forget", path, "--results", results, *yes, code=2)
        assert "1 of these are in training" in told
        assert "wait for it or stop it" in told
        assert files(results) == before
        lrsym("forget", path, "--results", results, "--where", "layouts_per_pair = 4", *yes)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--where", "nope = 1"], "no condition on the table trials"),
        (["--where", "seed"], "no condition on the table trials"),
        (["--where", ""], "no condition on the table trials"),
        (["--results", "{results}/typo"], "there are no results in"),
        (["--results", "{results}/trials"], "give --results"),
    ],
)
def test_a_mistake_is_one_line_and_removes_nothing(copied, words, expected):
    path, results = copied
    before = files(results)
    words = [word.format(results=results) for word in words]
    told = lrsym("forget", path, *(() if "--results" in words else ("--results", results)), *words, "--yes", code=2)
    assert expected in told
    assert len(told.splitlines()) == 1
    assert files(results) == before


@pytest.mark.slow
def test_a_search_that_is_forgotten_begins_anew_and_some_of_its_trials_are_trained_again(searched, tmp_path):
    path, results = searched[0], tmp_path / "r"
    shutil.copytree(searched[1], results)
    search, store = load_any(path), Store(results)
    points = [s.point for s in chosen_so_far(search, store)]
    one = chosen_so_far(search, store)[1]
    lrsym("forget", path, "--results", results, "--where", f"trial_id = '{one.trial_ids[0]}'", "--yes")
    assert [s.number for s in chosen_so_far(search, store) if not s.known] == [one.number]
    assert [pack.trial_ids for pack in run(search, store)] == [one.trial_ids[:1]]
    assert all(s.known for s in chosen_so_far(search, store))
    told = lrsym("forget", path, "--results", results, "--yes")
    assert "it begins anew" in told
    assert chosen_so_far(search, store) == []
    assert f"nothing of its trials is in {results}" in lrsym("forget", path, "--results", results, "--yes")
    run(search, store)
    assert [s.point for s in chosen_so_far(search, store)] == points


def test_a_search_that_another_process_runs_is_not_forgotten(searched, tmp_path):
    path, results = searched[0], tmp_path / "r"
    shutil.copytree(searched[1], results)
    with Lease(Store(results).files, "other", alone=load_any(path).alone):
        assert "is being run" in lrsym("forget", path, "--results", results, "--yes", code=2)
