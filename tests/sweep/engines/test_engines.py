"""Engines with real training, from the command line: in each case the same rows, none lost, none twice."""

import json
import math
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from lrsym.results.store.store import Store, load, load_trials
from lrsym.sweep.execution.checkpoint import CheckpointFile
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.sweep.spec.sweep_file import load as load_sweep
from tests.fitted import CPU
from tests.running import (
    assert_complete_and_single,
    finish,
    lrsym,
    parts,
    start_sweep,
    wait_for,
    wait_for_the_end_of,
    workers_of,
)
from tests.small_trials import pack_of, write_sweep

ENGINES = ["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])]

STEPS = 300
"""Of a trial that is killed in the middle."""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_worker_costs_nothing_but_time(tmp_path, engine):
    results = tmp_path / "results"
    process = start_sweep(write_sweep(tmp_path, steps=1500), results, "--pack", "2", "--engine", engine)
    victims = wait_for(lambda: workers_of(process.pid, engine) if parts(results) else [])
    os.kill(victims[0], signal.SIGKILL)
    code, out, err = finish(process)
    assert (code, "8 trials trained" in out) == (0, True), err
    assert_complete_and_single(results, 8)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_whole_process_group_killed_at_once_loses_no_finished_pack(tmp_path, engine):
    results, path = tmp_path / "results", write_sweep(tmp_path, steps=1500)
    process = start_sweep(path, results, "--pack", "1", "--engine", engine)
    wait_for(lambda: parts(results))
    workers = workers_of(process.pid, engine)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for_the_end_of(workers)  # Ray's outlive their raylet by about two seconds
    kept = {p.name: p.stat().st_mtime_ns for p in parts(results)}
    assert 1 <= len(kept) < 8
    code, out, err = finish(start_sweep(path, results, "--pack", "1", "--engine", engine, "--json"))
    report = json.loads(out)
    assert (code, report["reused"], report["statuses"]) == (0, len(kept), {"done": 8 - len(kept)}), err
    assert {p.name: p.stat().st_mtime_ns for p in parts(results) if p.name in kept} == kept
    assert_complete_and_single(results, 8)


def train_until_killed(path, results):
    """Train a sweep as one pack that keeps a checkpoint after each step, and die in the middle of it."""
    pack = pack_of(*load_sweep(path).trials)

    def report(completed):
        if completed > 0.3:
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint = CheckpointFile(results, pack, interval=0, max_overhead=math.inf)
    run_pack(pack.trials, run_id="r", device=CPU, report=report, checkpoint=checkpoint)


@pytest.mark.slow
def test_a_long_trial_that_is_killed_goes_on_from_its_checkpoint(tmp_path):
    path, results = write_sweep(tmp_path, steps=STEPS, seeds=1), tmp_path / "results"
    process = multiprocessing.get_context("spawn").Process(target=train_until_killed, args=(path, str(results)))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (checkpoint,) = results.glob("checkpoints/*.safetensors")
    assert parts(results) == []
    with safe_open(checkpoint, framework="numpy") as file:
        step = json.loads(file.metadata()["checkpoint"])["step"]
        kept = json.loads(file.get_tensor("rest").tobytes())
    assert 0.3 * STEPS < step < STEPS
    planned = lrsym("plan", path, "--results", results, "--no-pilot")
    assert "1 pack, the largest of 2 trials, 1 of them going on from a checkpoint" in planned
    told = lrsym("status", path, "--results", results)
    assert f"2 unfinished trials have a checkpoint, at {step / STEPS:.0%} of their steps" in told
    # Asked for packs of one: the pack that is under way stays as it is.
    code, out, err = finish(start_sweep(path, results, "--pack", "1"))
    assert (code, "2 trials trained" in out) == (0, True), err
    assert_complete_and_single(results, 2)
    rows = load_trials(results).collect()
    assert rows["pack_size"].to_list() == [2, 2]
    assert rows["seconds"].sum() > kept["seconds"]
    assert not checkpoint.exists()


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(tmp_path):
    # Far more packs than two workers finish before the driver hears of the interrupt.
    results, path = tmp_path / "results", write_sweep(tmp_path, steps=1500, seeds=100)
    process = start_sweep(path, results, "--pack", "2")
    wait_for(lambda: parts(results))
    workers = wait_for(lambda: workers_of(process.pid))
    os.killpg(process.pid, signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130
    assert f"lrsym sweep {path}" in out
    assert "Traceback" not in out + err
    wait_for_the_end_of(workers)
    assert 2 <= len(load_trials(results).filter(status="done").collect()) < 200
    assert list(results.glob("*/.*")) == []


@pytest.mark.slow
def test_a_store_that_cannot_be_written_stops_the_sweep_with_the_reason(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "curves").write_text("a file where a folder must be")
    path = write_sweep(tmp_path, steps=12, seeds=1)
    told = lrsym("sweep", path, "--results", results, "--workers", 1, "--pack", 2, code=2)
    assert told.startswith("error: rows cannot be written")
    assert "curves" in told
    assert "Traceback" not in told


@pytest.mark.slow
@pytest.mark.ray
def test_ray_leaves_the_same_rows_and_weights_as_local_processes_also_beside_a_clone(tmp_path):
    """Ray's workers look into the folder of the driver first, and a clone lies there under the package's name."""
    (tmp_path / "lrsym" / "results").mkdir(parents=True)
    (tmp_path / "lrsym" / "sweep").mkdir()
    path, rows, weights = write_sweep(tmp_path, steps=40, seeds=2), {}, {}
    for engine in ("local", "ray"):
        words = [Path(sys.executable).with_name("lrsym"), "sweep", path.name, "--results", engine, "--workers", "2"]
        words += ["--engine", engine, "--pack", "2", "--save-weights"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        drop = ["seconds", "run_id", "finished_at"]
        rows[engine] = load_trials(tmp_path / engine).drop(drop).sort("trial_id").collect()
        names = [p.name for p in (tmp_path / engine / "weights").iterdir()]
        weights[engine] = {name: load_file(tmp_path / engine / "weights" / name) for name in names}
        assert_complete_and_single(tmp_path / engine, 4)
    assert rows["ray"].equals(rows["local"])
    for name, tensors in weights["local"].items():
        assert all(np.array_equal(tensor, weights["ray"][name][key]) for key, tensor in tensors.items())
    assert {*weights["ray"]} == {f"{trial_id}.safetensors" for trial_id in Store(tmp_path / "ray").statuses()}
    assert load(tmp_path / "ray", "runs").collect()["engine"].to_list() == ["ray"]
    assert not (tmp_path / "ray" / ".tune").exists()


@pytest.mark.slow
def test_an_address_that_is_none_of_a_cluster_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    told = lrsym("sweep", write_sweep(tmp_path, steps=5), "--results", tmp_path, "--workers", 1, code=2)
    assert "RAY_ADDRESS must be host:port" in told


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("words", [["sweep", "--device", "cpu"], ["plan", "--device", "cuda"]])
def test_an_address_where_no_cluster_answers_is_told_in_seconds(tmp_path, monkeypatch, words):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    verb, *options = words
    told = lrsym(verb, write_sweep(tmp_path, steps=5), *options, "--results", tmp_path, "--workers", 1, code=2)
    assert f"no Ray cluster answers at RAY_ADDRESS {address} (Connection refused)" in told
    assert "Traceback" not in told
