"""Sweeps into an object store, with real training: none of their rows is lost or twice, whatever is killed."""

import json
import os
import signal

import polars as pl
import pytest

from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.store import Store, load, load_trials
from lrsym.sweep.execution.checkpoint import CheckpointFile
from lrsym.sweep.execution.task import TrainTask
from tests.fitted import train
from tests.running import finish, start_sweep, wait_for, wait_for_the_end_of, workers_of
from tests.small_trials import pack_of, small, write_sweep

ENGINES = ["local", pytest.param("ray", marks=pytest.mark.ray)]

SWEEP = {"steps": 700, "seeds": 3}
"""Six trials of about a second."""


def parts(url):
    return open_filesystem(url).list("trials")


def assert_complete_and_single(url, n):
    """Every trial done, once, and nothing left of those who trained it."""
    files = open_filesystem(url)
    raw = pl.concat(pl.read_parquet(files.get(name)) for name in parts(url))
    assert len(raw) == raw["trial_id"].n_unique() == n
    assert {*raw["status"]} == {"done"}
    for table in ("curves", "ablations", "terms"):
        assert load(url, table).collect()["trial_id"].n_unique() == n
    assert files.list("leases") == files.list("checkpoints") == []
    assert not files.has_folder(".tune") or files.list(".tune") == []


@pytest.mark.slow
def test_a_pack_that_is_stopped_goes_on_from_its_checkpoint_to_the_same_rows(s3, tmp_path):
    trials, seen = [small(seed=seed, optim__steps=6, eval__points=6) for seed in range(2)], []

    class StoppedError(BaseException):
        pass

    def stop(completed):
        seen.append(completed)
        if len(seen) == 3:
            raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckpointFile, "save_if_due", save_each_time)
        with pytest.raises(StoppedError):
            train(s3.url, trials, report=stop)
    (name,) = open_filesystem(s3.url).list("checkpoints")
    assert name == CheckpointFile(s3.url, pack_of(*trials)).name
    assert train(s3.url, trials) == train(tmp_path, trials) == {"done": 2}
    rows = [load(root, "curves").collect().sort(pl.all()) for root in (s3.url, tmp_path)]
    assert rows[0].equals(rows[1])
    assert_complete_and_single(s3.url, 2)


def save_each_time(self, training, rows, *, seconds):
    self.save(training.state(), rows(), seconds=seconds)


@pytest.mark.slow
@pytest.mark.ray
def test_a_whole_process_group_killed_at_once_loses_no_finished_pack(s3, tmp_path):
    path, engine = write_sweep(tmp_path, **SWEEP), "ray"  # local processes: tests/test_chaos.py
    process = start_sweep(path, s3.url, "--pack", "1", "--engine", engine)
    wait_for(lambda: parts(s3.url))
    workers = workers_of(process.pid, engine)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for_the_end_of(workers)
    kept = Store(s3.url).trial_parts()
    assert 1 <= len(kept) < 6
    code, out, err = finish(start_sweep(path, s3.url, "--pack", "1", "--engine", engine, "--json"))
    report = json.loads(out)
    assert (code, report["reused"], report["statuses"]) == (0, len(kept), {"done": 6 - len(kept)}), err
    now = Store(s3.url).trial_parts()
    assert {name: now[name] for name in kept} == kept
    assert_complete_and_single(s3.url, 6)


@pytest.mark.slow
def test_two_sweeps_at_a_time_share_the_work_and_train_no_trial_twice(s3, tmp_path):
    path = write_sweep(tmp_path, **SWEEP)
    both = [start_sweep(path, s3.url, "--pack", "1", "--json") for _ in range(2)]
    reports = []
    for process in both:
        code, out, err = finish(process)
        assert code == 0, err
        reports.append(json.loads(out))
    trained = [report["statuses"].get("done", 0) for report in reports]
    assert sum(trained) == 6
    assert_complete_and_single(s3.url, 6)
    runs = load(s3.url, "runs").collect()["run_id"]
    assert {*load_trials(s3.url).collect()["run_id"]} <= {*runs}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_that_fails_in_mid_sweep_ends_it_with_the_reason_and_the_same_command_goes_on(s3, tmp_path, engine):
    path = write_sweep(tmp_path, **SWEEP)
    process = start_sweep(path, s3.url, "--pack", "1", "--engine", engine)
    wait_for(lambda: parts(s3.url))
    s3.tell(fail={"status": 503, "methods": ["PUT"]})
    code, out, err = finish(process)
    assert code == 2, out + err
    told = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1, err
    assert "rows cannot be written: s3://bucket/" in told[0]
    assert "the object store failed again and again" in told[0]
    assert "Traceback" not in out + err
    s3.reset_faults()
    code, out, err = finish(start_sweep(path, s3.url, "--pack", "1", "--engine", engine))
    assert code == 0, err
    assert {*Store(s3.url).statuses().values()} == {"done"}
    assert len(Store(s3.url).statuses()) == 6


@pytest.mark.slow
@pytest.mark.ray
def test_a_node_without_access_to_the_store_says_so_and_waits_until_it_has_it(s3, monkeypatch):
    from lrsym.sweep.engines.ray_tune import engine, slots

    task, reports = TrainTask(s3.url, "run", "cpu", 1), []
    monkeypatch.setattr(engine.tune, "report", reports.append)
    monkeypatch.setattr(slots.platform, "node", lambda: "node7")
    s3.tell(fail={"status": 403})

    def see(seconds):
        s3.reset_faults()
        if len(reports) == 2:
            open_filesystem(s3.url).put(slots.marker(task), b"")

    monkeypatch.setattr(slots.time, "sleep", see)
    engine.run_pack_task({"pack_id": "p"}, board=None, task=task)
    assert [report["node_without_store"] for report in reports] == ["node7"] * 2
    assert "no permission" in reports[0]["why"]
    assert reports[1]["why"] == "it is not there"


@pytest.mark.slow
def test_a_server_that_throttles_now_and_then_costs_nothing(s3, tmp_path):
    s3.tell(fail={"status": 503, "every": 7})
    code, out, err = finish(start_sweep(write_sweep(tmp_path, steps=50), s3.url, "--pack", "2"))
    assert (code, "8 trials trained" in out) == (0, True), err
    assert_complete_and_single(s3.url, 8)
