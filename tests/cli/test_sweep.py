"""`lrsym sweep` as a user meets it: what it trains and records, and what it refuses before training."""

import contextlib
import json
import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from lrsym.results.store.store import Store
from lrsym.results.store.store import load as load_table
from lrsym.sweep import driver
from lrsym.sweep.driver import Outcome
from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.planning.plan import MAX_FAILED_RUNS
from lrsym.sweep.planning.settings import has_driver
from lrsym.sweep.search import run as search_run
from lrsym.sweep.spec.sweep_file import load, load_any
from tests.running import assert_complete_and_single, finish, lrsym, lrsym_errors, start_sweep
from tests.small_trials import write_sweep
from tests.sweep.search import made_up_search


@pytest.mark.parametrize(
    ("statuses", "stopped_by", "code", "timeout"),
    [({"timeout": 8}, None, 1, "2e-09"), ({"done": 6}, signal.SIGINT, 130, "1e-09")],
)
def test_the_command_that_goes_on_after_failures_and_after_ctrl_c_keeps_every_option(
    tmp_path, monkeypatch, statuses, stopped_by, code, timeout
):
    pending = 8 - sum(statuses.values())
    outcome = Outcome(run_id="r", statuses=Counter(statuses), pending=pending, stopped_by=stopped_by, seconds=1.0)
    monkeypatch.setattr(driver, "run", lambda *_, **__: outcome)
    path = write_sweep(tmp_path, steps=5)
    words = ("--results", tmp_path / "r", "--workers", 1, "--timeout", 1e-9, "--save-weights")
    text = lrsym("sweep", path, *words, code=code)
    assert ("try the failed ones again, with twice the time: " in text) == (stopped_by is None)
    assert f"lrsym sweep {path} --workers 1 --timeout {timeout} --save-weights --results {tmp_path / 'r'}" in text


@pytest.mark.parametrize("given", [(), ("--pack", 8)])
def test_the_command_that_tries_again_has_the_pack_size_that_fitted_into_memory(tmp_path, monkeypatch, given):
    statuses = Counter(done=7, out_of_memory=1)
    outcome = Outcome("r", statuses, pending=0, stopped_by=None, seconds=1.0, fitting_size=2)
    monkeypatch.setattr(driver, "run", lambda *_, **__: outcome)
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("sweep", path, "--results", tmp_path / "r", "--workers", 1, *given, code=1)
    assert "packs were split down to 2: larger ones did not fit into memory" in text
    assert f"lrsym sweep {path} --workers 1 --pack 2 --results {tmp_path / 'r'}" in text


LIMITED = ("--workers", 1, "--no-pilot", "--max-core-hours", 0.0005)


def test_a_limit_of_hours_cuts_a_sweep_as_it_cuts_its_plan_and_what_is_left_is_no_failure(tmp_path, monkeypatch):
    path, results, plans = write_sweep(tmp_path, steps=5), tmp_path / "r", []

    def run(plan, *_, **__):
        plans.append(plan)
        return Outcome("r", Counter(done=4), pending=4, stopped_by=None, seconds=1.0, hours=0.0006)

    monkeypatch.setattr(driver, "run", run)
    text = lrsym("sweep", path, "--results", results, *LIMITED)
    assert plans[0].packs.n_trials == 5
    planned = lrsym("plan", path, "--results", results, *LIMITED).splitlines()
    assert [line for line in planned if "leaves out 3 trials" in line] == text.splitlines()[1:2]
    assert (
        f"4 trials left out by --max-core-hours 0.0005. Go on: lrsym sweep {path} --workers 1 --max-core-hours 0.0005"
        in text
    )
    report = json.loads(lrsym("sweep", path, "--results", results, *LIMITED, "--json"))
    assert (report["pending"], report["left_out"]["trials"], report["core_hours"]) == (4, 3, 0.0006)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hours", "expected"),
    [(0.001, "2 cells left out by --max-core-hours 0.001. Go on: lrsym sweep "), (0.0009, "no other cells")],
)
def test_a_search_that_ends_before_its_budget_says_whether_it_was_the_hours(tmp_path, monkeypatch, hours, expected):
    path, results = write_sweep(tmp_path, steps=5), tmp_path / "r"
    space = '[search]\nbudget = 6\nmaximise = "unseen_order"\n[search.space]'
    path.write_text(path.read_text().replace("[grid]", space))

    def ends(plan, store, *_, **__):
        if hours < 0.001:
            made_up_search.run(load_any(path), store)
        return Outcome("r", Counter(), pending=24, stopped_by=None, seconds=1.0, hours=hours)

    monkeypatch.setattr(search_run, "run", ends)
    text = lrsym("sweep", path, "--results", results, "--max-core-hours", 0.001)
    assert expected in text
    assert "leaves out" not in text


@pytest.mark.slow_after(3)
@pytest.mark.parametrize("verb", ["plan", "sweep"])
@pytest.mark.parametrize(
    ("option", "hours", "expected"),
    [
        ("--max-core-hours", "0", "must be a number of hours above 0 and at most 1,000,000,000, got 0; "),
        ("--max-core-hours", "-1", "got -1; leave it out for no limit"),
        ("--max-core-hours", "nan", "got nan; leave"),
        ("--max-gpu-hours", "inf", "got inf; leave"),
        ("--max-gpu-hours", "2", "is not for --device cpu, got 2; use --max-core-hours"),
        ("--max-core-hours", "1e-6", "is less than the smallest pack takes; give at least 8.6e-05 (by a rough rule"),
    ],
)
def test_a_limit_of_hours_that_cannot_be_kept_is_one_line_and_nothing_is_written(
    tmp_path, verb, option, hours, expected
):
    words = (write_sweep(tmp_path, steps=5), "--results", tmp_path / "r", "--device", "cpu", option, hours)
    text = lrsym(verb, *words, code=2)
    assert text.startswith(f"error: {option} ")
    assert expected in text
    assert len(text.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_a_trial_that_was_stopped_early_is_no_failure(tmp_path, monkeypatch):
    statuses = Counter(done=5, stopped=3)
    outcome = Outcome(run_id="r", statuses=statuses, pending=0, stopped_by=None, seconds=1.0)
    monkeypatch.setattr(driver, "run", lambda *_, **__: outcome)
    text = lrsym("sweep", write_sweep(tmp_path, steps=5), "--results", tmp_path / "r", "--no-pilot")
    assert "5 trials trained in 1 s, 3 stopped" in text
    assert "failed" not in text


@pytest.mark.slow
def test_a_run_is_recorded_with_where_it_came_from(tmp_path):
    lrsym("sweep", write_sweep(tmp_path, steps=5), "--results", tmp_path / "r", "--workers", 1)
    rows = json.loads(lrsym("query", "select * from runs", "--results", tmp_path / "r", "--json"))
    assert len(rows) == 1
    assert {k: rows[0][k] for k in ("sweep", "engine", "workers", "device", "n_planned")} == {
        "sweep": "small", "engine": "local", "workers": 1, "device": "cpu", "n_planned": 8,
    }  # fmt: skip
    assert rows[0]["finished_at"] is not None
    assert rows[0]["torch"].startswith("2.13.0")


def test_results_that_cannot_be_written_are_one_clear_line(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "runs").write_text("a file where a folder must be")
    text = lrsym("sweep", path, "--results", tmp_path / "r", code=2)
    assert "check path, permissions and free space" in text


def test_results_that_cannot_be_made_are_told_before_a_pilot(tmp_path):
    path = write_sweep(tmp_path, steps=440_000)
    (tmp_path / "file").write_text("a file where a folder must be")
    text = lrsym("sweep", path, "--results", tmp_path / "file" / "r", code=2)
    assert "a part of this path is a file and no folder; name another" in text
    assert "pilot" not in text


@pytest.mark.parametrize("verb", ["plan", "sweep"])
def test_an_accelerator_that_is_not_supported_is_one_line_and_nothing_is_written(tmp_path, verb):
    text = lrsym(verb, write_sweep(tmp_path, steps=5), "--results", tmp_path / "r", "--device", "mps", code=2)
    assert "--device must be one of auto, cpu, cuda, got mps; other accelerators are not supported" in text
    assert len(text.splitlines()) == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.skipif(has_driver(Path("/dev")), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("sweep", path, "--results", tmp_path / "r", "--device", "cuda", "--engine", "local", code=2)
    assert "use --device cpu" in text
    assert not (tmp_path / "r").exists()


# Not a slow one: a process that has had a Ray of its own cannot join a cluster, and the slow tests share one.
@pytest.mark.parametrize(
    ("engine", "then"),
    [
        ("local", "gone"),
        pytest.param("local", "replaced", marks=pytest.mark.slow),
        pytest.param("ray", "replaced", marks=pytest.mark.ray),
    ],
)
def test_a_results_folder_that_is_moved_in_mid_sweep_is_an_error_and_no_trial_counts(
    tmp_path, monkeypatch, then, engine
):
    results, load_engine = tmp_path / "r", driver.load_engine

    def moved(queue, task, *, workers):
        shutil.move(results, tmp_path / "moved")
        if then == "replaced":
            results.mkdir()
        load_engine(engine)(queue, task, workers=workers)

    monkeypatch.setattr(driver, "load_engine", lambda name: moved)
    words = ("--results", results, "--workers", 1, "--pack", 4, "--engine", engine)
    text = lrsym("sweep", write_sweep(tmp_path, steps=5), *words, code=2).splitlines()[-1]
    assert text.startswith("error: ")
    assert "removed" in text
    assert "moved" in text
    assert results.exists() == ((then, engine) != ("gone", "local"))  # Tune makes its own folder


def test_what_other_sweeps_trained_meanwhile_is_told_to_readers_and_programs(tmp_path, monkeypatch):
    counts = {"elsewhere": 3, "others": ("process 7 on host",)}
    outcome = Outcome("r", Counter(done=5), pending=0, stopped_by=None, seconds=1.0, **counts)
    monkeypatch.setattr(driver, "run", lambda *_, **__: outcome)
    words = ("sweep", write_sweep(tmp_path, steps=5), "--results", tmp_path / "r", "--no-pilot")
    assert "3 trials were trained meanwhile by others: process 7 on host" in lrsym(*words)
    report = json.loads(lrsym(*words, "--json"))
    assert (report["elsewhere"], report["others"]) == (3, ["process 7 on host"])


@pytest.mark.slow
def test_what_is_set_holds_for_every_verb_and_stands_in_the_commands_that_they_print(tmp_path, trained):
    path, results = trained[0], tmp_path / "r"
    shutil.copytree(trained[1], results)
    words = (path, "--results", results, "--set", "optim.steps=9", "--set", "optim.warmup_steps=1")
    echoed = f"{path} --set optim.steps=9 --set optim.warmup_steps=1"
    echo = f"--set optim.steps=9 --set optim.warmup_steps=1 --results {results}"
    assert "8 missing" in lrsym("status", *words)
    assert "8 new" in (planned := lrsym("plan", *words, "--no-pilot"))
    assert planned.splitlines()[-1].endswith(echo)
    assert f"lrsym best {echoed}" in lrsym("best", *words, code=2)
    assert f"lrsym sweep {echoed} --results {results}" in lrsym("best", *words, "--metric", "unseen_order", code=2)
    assert "nothing of its trials" in lrsym("forget", *words)
    assert f"lrsym sweep {echoed} --results {results}" in lrsym("plot", "phase", *words, code=2)
    asked = ("query", "select count(*) as n from trials", "--results", results, "--json", "--set", "optim.steps=12")
    assert json.loads(lrsym(*asked, "--sweep", path)) == [{"n": 8}]
    assert "--set is for --sweep, got optim.steps=12 without it; add --sweep" in lrsym(*asked, code=2)
    same = (path, "--results", results, "--set", "optim.steps=12")
    assert "optim.steps" in lrsym("plot", "curves", *same)
    assert "8 done" in lrsym("status", *same)


@pytest.mark.slow
def test_a_quiet_sweep_prints_its_result_and_warnings_alone(tmp_path):
    path = write_sweep(tmp_path, steps=5, seeds=1)
    words = ("sweep", path, "--results", tmp_path / "r", "--workers", 1, "--no-pilot")
    assert lrsym_errors(*words, "--quiet") == ""
    assert "trials are in" in lrsym(*words, "-q")
    lines = lrsym("sweep", path, "--results", tmp_path / "r2", "--workers", 1, "--no-pilot", "-q").splitlines()
    assert len(lines) == 1
    assert "trials trained in" in lines[0]


@pytest.mark.slow
def test_a_part_of_a_sweep_is_trained_and_the_command_that_goes_on_names_it(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    words = (path, "--results", tmp_path / "r", "--workers", 1, "--no-pilot")
    text = lrsym("plan", *words, "--where", "seed < 2", "--limit", 3)
    assert "3 trials = 3 new" in text
    assert "--where 'seed < 2' --limit 3" in text
    report = json.loads(lrsym("sweep", *words, "--where", "seed < 2", "--json"))
    assert (report["trials"], report["statuses"]) == (4, {"done": 4})
    assert "4 missing" in lrsym("status", path, "--results", tmp_path / "r")
    said = "none of the 8 trials of small where seed = 77; there seed is 0, 1"
    assert said in lrsym("sweep", *words, "--where", "seed = 77", code=2)


@pytest.mark.parametrize("option", [("--where", "seed = 0"), ("--limit", 1), ("--shard", "1/2")])
def test_a_search_has_no_parts(tmp_path, option):
    path = write_sweep(tmp_path, steps=5)
    space = '[search]\nbudget = 6\nmaximise = "unseen_order"\n[search.space]'
    path.write_text(path.read_text().replace("[grid]", space))
    assert f"{option[0]} is for grids" in lrsym("sweep", path, *option, code=2)


@pytest.mark.slow
def test_the_shards_of_a_sweep_are_planned_apart_and_together_are_all_of_it(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    words = (path, "--results", tmp_path / "r", "--workers", 1, "--no-pilot")
    plans = [json.loads(lrsym("plan", *words, "--shard", f"{i}/3", "--json")) for i in (1, 2, 3)]
    assert sum(plan["new"] for plan in plans) == 8
    assert all(0 < plan["new"] < 8 for plan in plans)
    text = lrsym("plan", *words, "--shard", "2/3")
    assert text.startswith("small, shard 2/3: ")
    assert "--shard 2/3" in text.splitlines()[-1]
    status = [lrsym("status", path, "--results", tmp_path / "r", "--shard", f"{i}/3") for i in (1, 2, 3)]
    assert [f"small, shard {i}/3: {plans[i - 1]['new']} trials" in status[i - 1] for i in (1, 2, 3)] == [True] * 3
    empty = lrsym("sweep", *words, "--shard", "9/9")
    assert empty == "small, shard 9/9: has no trials: there are fewer packs than shards\n"
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("verb", ["sweep", "plan", "status"])
def test_what_is_no_shard_is_one_line_and_nothing_is_written(tmp_path, verb):
    words = (verb, write_sweep(tmp_path, steps=5), "--results", tmp_path / "r", "--shard", "0/3")
    assert lrsym(*words, code=2).startswith('error: --shard must be I/N with I from 1 to N, got "0/3"')
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_shards_that_run_at_the_same_time_train_every_trial_once(tmp_path):
    path, results = write_sweep(tmp_path, steps=300, seeds=5), tmp_path / "r"
    running = [start_sweep(path, results, "--shard", f"{i}/3", "--no-pilot", "--json") for i in (1, 2, 3)]
    ended = [finish(process) for process in running]
    assert [code for code, _, _ in ended] == [0, 0, 0], ended
    reports = [json.loads(out) for _, out, _ in ended]
    assert sum(report["statuses"]["done"] for report in reports) == 10
    assert [report["elsewhere"] for report in reports] == [0, 0, 0]
    assert_complete_and_single(results, 10)


def given_up(tmp_path):
    path, store = write_sweep(tmp_path, steps=5), Store(tmp_path / "r")
    trials = load(path).trials
    done = status_rows(trials[:5], status="done", message=None, run_id="r")
    failed = status_rows(trials[5:], status="timeout", message="slow", run_id="r", attempts=[MAX_FAILED_RUNS] * 3)
    store.write("done", done)
    store.write("failed", failed)
    return path, ("--results", tmp_path / "r")


@pytest.mark.slow
def test_trials_that_are_given_up_are_told_by_every_verb_and_a_sweep_that_leaves_them_exits_with_1(tmp_path):
    path, words = given_up(tmp_path)
    again = f"given up after {MAX_FAILED_RUNS} runs or more: 3 timeout; try them again: lrsym sweep {path}"
    text = lrsym("sweep", path, *words, "--workers", 1, code=1)
    assert "small: 5 trials are in" in text
    assert f"{again} --workers 1 --retry timeout --results {tmp_path / 'r'}" in text
    assert "5 done, 0 failed before, 3 given up" in (planned := lrsym("plan", path, *words))
    assert again in planned
    assert f"3 given up after {MAX_FAILED_RUNS} runs or more" in lrsym("status", path, *words)
    assert json.loads(lrsym("status", path, *words, "--json"))["given_up"] == 3


@pytest.mark.slow
def test_what_is_given_up_is_planned_where_it_is_asked_for(tmp_path):
    path, words = given_up(tmp_path)
    text = lrsym("plan", path, *words, "--retry", "timeout")
    assert "3 trials = 0 new, 0 done, 3 failed before" in text
    assert "--retry timeout" in text.splitlines()[-1]
    assert "no trial is crashed or out_of_memory" in lrsym(
        "sweep", path, *words, "--retry", "crashed", "--retry", "out_of_memory"
    )
    refused = lrsym("sweep", path, *words, "--retry", "done", code=2)
    assert 'error: --retry must be one of out_of_memory, timeout, crashed, got "done"' in refused


def ends_all(queue, task, *, workers):
    """An engine whose packs are all done at once."""
    while not queue.finished:
        pack = queue.next()
        Store(task.root).write(pack.part, status_rows(pack.trials, status="done", message=None, run_id=task.run_id))
        queue.on_event(PackEvent(pack.id, 1.0, Counter(done=len(pack))))


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("moment", ["in the engine", "with the lease", "with the row of the run", "with the outcome"])
def test_a_signal_when_all_is_trained_changes_neither_summary_nor_exit_code_and_leaves_no_lease(
    tmp_path, monkeypatch, moment
):
    def engine(queue, task, *, workers):
        ends_all(queue, task, workers=workers)
        if moment == "in the engine":
            terminate()

    def disturbed(function, *, when=lambda *_: True):
        def call(*arguments):
            if when(*arguments):
                terminate()
            return function(*arguments)

        return call

    monkeypatch.setattr(driver, "load_engine", lambda name: engine)
    if moment == "with the lease":
        monkeypatch.setattr(driver.Lease, "__exit__", disturbed(driver.Lease.__exit__))
    if moment == "with the row of the run":
        at_the_end = lambda store, row: "finished_at" in row  # noqa: E731
        monkeypatch.setattr(driver, "_write_run", disturbed(driver._write_run, when=at_the_end))
    if moment == "with the outcome":
        monkeypatch.setattr(Store, "run_statuses", disturbed(Store.run_statuses))
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("sweep", path, "--results", tmp_path / "r", "--no-pilot", "--workers", 1)
    assert "8 trials trained" in text
    assert "stopped" not in text
    assert not any((tmp_path / "r/leases").iterdir())
    assert all(row["finished_at"] for row in load_table(tmp_path / "r", "runs").collect().to_dicts())


def test_a_signal_while_the_last_row_of_a_stopped_run_is_written_does_not_change_how_it_ends(tmp_path, monkeypatch):
    def engine(queue, task, *, workers):
        raise KeyboardInterrupt  # without a signal, as a library may

    write = driver._write_run

    def write_and_terminate(store, row):
        if "finished_at" in row:
            terminate()
        write(store, row)

    monkeypatch.setattr(driver, "load_engine", lambda name: engine)
    monkeypatch.setattr(driver, "_write_run", write_and_terminate)
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("sweep", path, "--results", tmp_path / "r", "--no-pilot", "--workers", 1, code=143)
    assert "stopped with 8 trials left" in text


def test_a_signal_that_ends_in_a_panic_of_polars_stops_the_sweep_as_any_other(tmp_path, monkeypatch):
    def panics(queue, task, *, workers):
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        raise pl.exceptions.PanicException("called `Result::unwrap()` on an `Err` value")

    monkeypatch.setattr(driver, "load_engine", lambda name: panics)
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("sweep", path, "--results", tmp_path / "r", "--no-pilot", "--workers", 1, code=143)
    assert "stopped with 8 trials left" in text
