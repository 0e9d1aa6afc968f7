"""`lrsym doctor` as a user meets it: what a bug report needs, and what is wrong with its remedy."""

import json

from lrsym.results.store.store import Store
from lrsym.sweep.execution import diagnosis
from lrsym.sweep.execution.lease import Holder, Lease
from tests.running import lrsym


def test_it_tells_versions_machine_and_results_and_writes_nothing(trained, monkeypatch):
    _, results = trained
    (results / "leases").mkdir(exist_ok=True)
    before = sorted(results.rglob("*"))
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do not tell")
    with Lease(Store(results).files, "one"):
        report = json.loads(lrsym("doctor", "--results", results, "--json"))
        assert report["results"]["sweeps running"] == [str(Holder.this_process())]
    assert (report["problems"], report["results"]["trials"]) == ([], {"done": 8})
    assert report["results"]["parts"]["trials"] >= 1
    assert report["environment"]["RAY_ADDRESS"] == "10.0.0.1:6379"
    assert {"lrsym", "python", "torch", "ray", "commit"} <= {*report["versions"]}
    text = lrsym("doctor", "--results", results)
    assert "nothing is wrong" in text
    assert "do not tell" not in text + json.dumps(report)
    assert sorted(results.rglob("*")) == before


def test_a_folder_that_is_not_there_is_no_problem(tmp_path):
    report = json.loads(lrsym("doctor", "--results", tmp_path / "r", "--json"))
    assert (report["results"]["exists"], report["problems"]) == (False, [])
    assert not (tmp_path / "r").exists()


def test_what_is_wrong_is_told_with_its_remedy_and_the_exit_code_is_1(tmp_path, monkeypatch):
    (tmp_path / "trials").mkdir()
    damaged = tmp_path / "trials" / f"{'a' * 32}.parquet"
    damaged.write_bytes(b"PAR1 and no more")
    monkeypatch.setattr(diagnosis, "_LIBRARIES", ("torch", "a-library-that-is-not-there"))
    monkeypatch.setattr(diagnosis, "MIN_FREE_BYTES", 2**80)
    said = lrsym("doctor", "--results", tmp_path, code=1)
    assert f"wrong: {damaged}" in said
    assert "wrong: a-library-that-is-not-there is not installed; install lrsym anew" in said
    assert "MiB are free where" in said
    assert "nothing is wrong" not in said


def test_what_can_be_no_results_folder_is_a_problem_and_the_rest_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    said = lrsym("doctor", "--results", tmp_path / "file", code=1)
    assert "wrong: results must be a folder" in said
    assert "versions" in said
