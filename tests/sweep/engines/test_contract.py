"""What every engine keeps to, whatever happens to its processes: each trial ends once, none is lost, nothing is left.

Engines are run by a driver process of their own, with a task that trains nothing.
"""

import json
import math
import os
import re
import signal
import time

import pytest

from lrsym.config.trial import Trial
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.execution.lease import Lease
from lrsym.sweep.execution.queue import MAX_RETRIES
from tests.running import (
    assert_complete_and_single,
    finish,
    parts,
    processes,
    start,
    wait_for,
    wait_for_the_end_of,
    workers_of,
)

pytestmark = pytest.mark.parametrize(
    "engine", ["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])]
)


def drive(engine, results, *, behaviour=None, **options):
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    told = json.dumps(behaviour or {})
    return start("-m", "tests.sweep.engines.made_up_task", engine, results, "--behaviour", told, *words)


def report_of(process, *, code=0):
    found, out, err = finish(process)
    # Python's own end does not heed a second Ctrl-C any more: a shell tells that death by a signal as the same code.
    assert (128 - found if found < 0 else found) == code, err
    assert "Traceback" not in out + err
    return json.loads(out)


def rows(results):
    return {row["seed"]: row for row in load_trials(results).collect().to_dicts()}


def message(results, seed):
    """What the row of a trial says, without the name of the file that has the traceback, which is there."""
    said, log, rest = re.fullmatch(r"(.*?) \(traceback: (logs/\w+\.txt)\)(.*)", rows(results)[seed]["message"]).groups()
    assert "Traceback" in (results / log).read_text()
    return said + rest


def small_default(seed):
    return Trial(seed=seed)


def tries(results):
    return sum(len(path.read_text()) for path in (results / "tries").iterdir())


@pytest.mark.parametrize(
    ("trials", "workers"), [(7, 2), *(pytest.param(*of, marks=pytest.mark.slow) for of in ((7, 1), (3, 4)))]
)
def test_every_pack_is_run_once_and_nothing_is_left_behind(tmp_path, engine, trials, workers):
    process = drive(engine, tmp_path, trials=trials, pack=2, workers=workers)
    assert report_of(process)["statuses"] == {"done": trials}
    assert_complete_and_single(tmp_path, trials, tables=())
    assert tries(tmp_path) == math.ceil(trials / 2)
    assert workers_of(process.pid, engine) == []
    assert not (tmp_path / ".tune").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_a_killed_worker_costs_its_pack_one_try(tmp_path, engine):
    process = drive(engine, tmp_path, trials=4, behaviour={2: "kill once"})
    assert report_of(process)["statuses"] == {"done": 4}
    assert_complete_and_single(tmp_path, 4, tables=())
    assert tries(tmp_path) == 5


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_of_a_pack_that_kills_its_worker_each_time_only_the_trial_to_blame_ends_as_crashed(tmp_path, engine):
    process = drive(engine, tmp_path, trials=4, pack=2, behaviour={2: "kill"})
    assert report_of(process)["statuses"] == {"done": 3, "crashed": 1}
    assert {seed: row["status"] for seed, row in rows(tmp_path).items() if row["status"] != "done"} == {2: "crashed"}
    assert f"{MAX_RETRIES + 1} times" in rows(tmp_path)[2]["message"]
    assert tries(tmp_path) == 1 + (MAX_RETRIES + 1) + 2  # the other pack; the whole, its halves


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_of_a_pack_that_crashes_only_the_trial_to_blame_ends_as_crashed(tmp_path, engine):
    process = drive(engine, tmp_path, trials=8, pack=8, workers=1, behaviour={2: "faulty"})
    assert report_of(process)["statuses"] == {"done": 7, "crashed": 1}
    odd = {seed: (row["status"], row["attempts"]) for seed, row in rows(tmp_path).items() if row["status"] != "done"}
    assert odd == {2: ("crashed", 1)}
    assert tries(tmp_path) == 1 + 2 + 2 + 2  # the pack, and the halves of the one to blame down to one trial
    assert report_of(drive(engine, tmp_path, trials=8, behaviour={2: "faulty"}))["statuses"] == {"crashed": 1}
    assert rows(tmp_path)[2]["attempts"] == 2


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_a_pack_that_is_too_large_for_the_memory_is_halved_until_it_fits(tmp_path, engine):
    process = drive(engine, tmp_path, trials=4, pack=4, behaviour={3: "memory"})
    assert report_of(process)["statuses"] == {"done": 4}
    assert_complete_and_single(tmp_path, 4, tables=())


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
@pytest.mark.usefixtures("ray_stands")
def test_where_memory_is_short_every_trial_is_trained_in_packs_that_fit(tmp_path, engine, device):
    everywhere = dict.fromkeys(range(12), "allocate")
    process = drive(engine, tmp_path, trials=12, pack=6, workers=1, behaviour=everywhere, **{"task-device": device})
    report = report_of(process)
    assert report["statuses"] == {"done": 12}
    assert_complete_and_single(tmp_path, 12, tables=())
    assert report["fitting_size"] == 2  # of 6 trials neither 6 nor 3 have room
    assert tries(tmp_path) == 2 + 8  # only a pack of 6 and one of 3 failed: others were split before


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_an_error_on_a_gpu_costs_its_pack_one_try_and_the_next_packs_nothing(tmp_path, engine):
    behaviour = {1: "fault"}
    process = drive(engine, tmp_path, trials=6, workers=1, behaviour=behaviour, **{"task-device": "cuda:0"})
    assert report_of(process)["statuses"] == {"done": 6}
    assert_complete_and_single(tmp_path, 6, tables=())
    assert tries(tmp_path) == 7


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_on_a_cpu_the_same_worker_goes_on_after_an_error(tmp_path, engine):
    process = drive(engine, tmp_path, trials=3, workers=1, behaviour={0: "fault"})
    assert report_of(process)["statuses"] == {"crashed": 3}
    assert tries(tmp_path) == 3
    assert message(tmp_path, 0) == "RuntimeError: CUDA error: an illegal memory access was encountered"


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_of_a_pack_that_fails_on_its_gpu_each_time_the_trial_to_blame_ends_with_the_error(tmp_path, engine):
    process = drive(engine, tmp_path, trials=4, pack=2, behaviour={2: "faulty"}, **{"task-device": "cuda:0"})
    assert report_of(process)["statuses"] == {"done": 3, "crashed": 1}
    assert message(tmp_path, 2) == f"RuntimeError: CUDA error: device-side assert triggered, {MAX_RETRIES + 1} times"


@pytest.mark.slow
def test_a_store_that_cannot_be_written_ends_the_run_with_the_reason(tmp_path, engine):
    process = drive(engine, tmp_path, trials=4, behaviour={1: "full"})
    code, out, err = finish(process)
    assert code == 1
    assert "error: rows cannot be written: [Errno 28] No space left on device: 'some/file'" in err
    assert "Traceback" not in out + err
    assert workers_of(process.pid, engine) == []


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_a_message_that_cannot_be_shown_is_told_as_far_as_it_can_be(tmp_path, engine):
    process = drive(engine, tmp_path, trials=3, behaviour={0: "unspeakable", 1: "binary"})
    assert report_of(process)["statuses"] == {"done": 1, "crashed": 2}
    assert message(tmp_path, 0) == "UnspeakableError: its message cannot be shown (ValueError)"
    assert message(tmp_path, 1) == r"RuntimeError: [red]\x1b[31m\udc80 end"


@pytest.mark.slow
def test_a_killed_driver_loses_no_finished_pack_and_the_same_command_goes_on(tmp_path, engine):
    process = drive(engine, tmp_path, trials=40, seconds=0.3)
    wait_for(lambda: parts(tmp_path))
    workers = workers_of(process.pid, engine)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for_the_end_of(workers)  # local ones finish their pack and go
    done = len(Store(tmp_path).statuses())
    assert 1 <= done < 40
    report = report_of(drive(engine, tmp_path, trials=40, pack=5))
    assert (report["reused"], report["statuses"]) == (done, {"done": 40 - done})
    assert_complete_and_single(tmp_path, 40, tables=())


@pytest.mark.slow
def test_two_runs_at_once_train_every_trial_once_between_them(tmp_path, engine):
    both = [drive(engine, tmp_path, trials=12, seconds=0.2) for _ in range(2)]
    ended = [finish(process) for process in both]
    assert [code for code, _, _ in ended] == [0, 0], ended
    reports = [json.loads(out) for _, out, _ in ended]
    assert [report["pending"] for report in reports] == [0, 0]
    trained = [report["statuses"].get("done", 0) for report in reports]
    assert sum(trained) == 12
    assert min(trained) > 0
    assert_complete_and_single(tmp_path, 12, tables=())
    assert tries(tmp_path) == 12
    assert all("trains in" in err for _, _, err in ended)
    assert list((tmp_path / "leases").iterdir()) == []


@pytest.mark.slow
def test_a_run_waits_for_what_another_trains_and_takes_over_what_a_killed_one_leaves(tmp_path, engine):
    first = drive(engine, tmp_path, trials=2, seconds=600)
    wait_for(lambda: (tmp_path / "tries").exists() and tries(tmp_path) == 2)
    second = drive(engine, tmp_path, trials=2)
    lines = iter(second.stderr.readline, "")
    assert any("waiting for 2 trials" in line for line in lines)
    workers = workers_of(first.pid, engine)
    for pid in (first.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    first.communicate()
    assert report_of(second)["statuses"] == {"done": 2}
    assert_complete_and_single(tmp_path, 2, tables=())
    assert list((tmp_path / "leases").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_run_that_waits_for_another_is_stopped_at_once_and_leaves_no_lease(tmp_path, engine, number):
    with Lease(Store(tmp_path).files, "other") as other:
        other.claim(trial.trial_id for trial in map(small_default, range(2)))
        process = drive(engine, tmp_path, trials=2)
        assert any("waiting for 2 trials" in line for line in iter(process.stderr.readline, ""))
        stopped = time.monotonic()
        os.killpg(process.pid, number)
        report = report_of(process, code=128 + number)
        assert time.monotonic() - stopped < 45  # the other's lease holds for a minute
        assert (report["statuses"], report["pending"]) == ({}, 2)
        assert [path.stem for path in (tmp_path / "leases").iterdir()] == ["other"]


@pytest.mark.slow
@pytest.mark.usefixtures("ray_stands")
def test_no_pack_begins_once_the_hours_are_spent_and_the_run_ends_well(tmp_path, engine):
    process = drive(engine, tmp_path, trials=6, seconds=0.1, **{"max-core-hours": 1e-6})
    report = report_of(process)
    ended = report["statuses"]["done"]
    assert 1 <= ended <= 2  # those that the two workers began with
    assert report["pending"] == 6 - ended
    assert len(Store(tmp_path).statuses()) == ended
    assert report["seconds"] >= 0.1 * ended


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGTERM], 143),
        pytest.param([signal.SIGHUP], 129, marks=pytest.mark.slow),
        pytest.param([signal.SIGHUP, signal.SIGTERM, signal.SIGHUP], 129, marks=pytest.mark.slow),
        pytest.param([signal.SIGINT] * 5, 130, marks=pytest.mark.slow),
        pytest.param([signal.SIGINT], 130, marks=pytest.mark.slow),
        pytest.param([signal.SIGINT] * 2, 130, marks=pytest.mark.slow),
    ],
    ids=["sigterm", "sighup", "sighup_and_more", "ctrl_c_five_times", "ctrl_c", "ctrl_c_twice"],
)
def test_a_signal_keeps_what_is_done_and_leaves_no_process(tmp_path, engine, signals, code):
    process = drive(engine, tmp_path, trials=40, seconds=0.3)
    wait_for(lambda: parts(tmp_path))
    workers = wait_for(lambda: workers_of(process.pid, engine))
    for number in signals:
        os.killpg(process.pid, number)
        time.sleep(0.02)  # so that the next one is another signal
    report = report_of(process, code=code)
    wait_for_the_end_of(workers)
    ended = sum(report["statuses"].values())
    assert report["pending"] == 40 - ended > 0
    assert max(1, ended) <= len(Store(tmp_path).statuses()) < 40
    assert engine == "ray" or list(tmp_path.glob("*/.*")) == []  # Ray kills: half a file may stay for the next run


@pytest.mark.slow
def test_a_signal_while_processes_are_being_started_stops_the_run(tmp_path, engine):
    process = drive(engine, tmp_path, trials=40, seconds=0.3)
    first = {"local": "multiprocessing", "ray": "gcs_server"}[engine]  # git was asked before, with no run under way yet
    wait_for(lambda: any(parent == process.pid and first in command for _, parent, command in processes()))
    os.kill(process.pid, signal.SIGTERM)
    report = report_of(process, code=143)
    assert report["pending"] == 40 - sum(report["statuses"].values()) > 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_whose_exception_was_lost_stops_the_run_all_the_same(tmp_path, engine, number):
    process = drive(engine, tmp_path, **{"trials": 400, "seconds": 0.3, "lost-signal": int(number)})
    report = report_of(process, code=128 + number)
    assert 0 < sum(report["statuses"].values()) < 40
