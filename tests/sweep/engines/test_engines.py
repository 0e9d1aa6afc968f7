"""Engines under fire: killed workers, killed drivers, Ctrl-C; in each case the same rows, none lost, none twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from safetensors import safe_open

from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load, load_trials
from lrsym.sweep.engines.local import run_local
from lrsym.sweep.execution.task import WORKER_RETRIES, Job
from lrsym.sweep.planning.plan import make_packs
from tests.small_trials import SMALL, small


def write_sweep(folder: Path, *, steps: int, seeds: int = 4) -> Path:
    """A sweep file of 2 x `seeds` small trials."""
    base = {**SMALL, "optim.steps": steps, "eval.points": 10}
    del base["scenes.layouts_per_pair"]
    lines = [
        "# Question: does it run?", "# Cost: about nothing", "# Command: lrsym sweep small.toml",
        'name = "small"', f"replicates = {seeds}", "[base]",
        *(f'"{key}" = {json.dumps(value)}' for key, value in base.items()),
        "[grid]", '"scenes.layouts_per_pair" = [1, 4]',
    ]  # fmt: skip
    path = folder / "small.toml"
    path.write_text("\n".join(lines))
    return path


def start(path: Path, results: Path, *options: str) -> subprocess.Popen[str]:
    """`lrsym sweep` as its own process group, as a shell would start it."""
    words = [sys.executable, "-m", "lrsym", "sweep", str(path), "--results", str(results), "--workers", "2", *options]
    # A shell starts what it runs in the background with SIGINT ignored, and that would be inherited down to here.
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **heed
    )


def finish(process: subprocess.Popen[str], *, timeout: float = 240) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def wait_for(condition, *, seconds: float = 120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def parts(results: Path) -> list[Path]:
    return list((results / "trials").glob("*.parquet"))


def processes() -> Iterator[tuple[int, int, str]]:
    """Process number, parent and command line of everything that runs."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            yield int(folder.name), int(parent), (folder / "cmdline").read_text()
        except OSError:  # it is gone already
            continue


def children(driver: int) -> list[int]:
    """Worker processes of `driver`."""
    return [pid for pid, parent, command in processes() if parent == driver and "spawn_main" in command]


def assert_complete_and_single(results: Path, n: int):
    """Every trial done, once, and no row of any table twice."""
    raw = pl.concat([pl.read_parquet(p) for p in parts(results)])
    assert len(raw) == raw["trial_id"].n_unique() == n
    assert set(raw["status"]) == {"done"}
    for name in ("curves", "ablations", "terms"):
        table = load(results, name).collect()
        assert table["trial_id"].n_unique() == n
        assert not table.select(TABLES[name].key).is_duplicated().any()


def test_every_pack_is_trained_and_every_worker_is_gone_afterwards(tmp_path):
    packs, news = make_packs([small(seed=s) for s in range(6)], size=2), []
    run_local(packs, Job(tmp_path, "r", "cpu", 1), workers=2, listen=news.append)
    assert_complete_and_single(tmp_path, 6)
    assert sum((n.statuses or Counter() for n in news), Counter()) == {"done": 6}
    assert children(os.getpid()) == []


def test_a_killed_worker_costs_nothing_but_time(tmp_path):
    results = tmp_path / "results"
    process = start(write_sweep(tmp_path, steps=1500), results, "--pack", "2")
    victims = wait_for(lambda: children(process.pid) if parts(results) else [])
    os.kill(victims[0], signal.SIGKILL)
    code, out, err = finish(process)
    assert (code, "8 trials trained" in out) == (0, True), err
    assert_complete_and_single(results, 8)


def test_after_a_killed_driver_the_same_command_goes_on_where_it_stopped(tmp_path):
    # Packs of one: however fast the machine is, the two workers have not begun all eight when the first is written.
    results, path = tmp_path / "results", write_sweep(tmp_path, steps=1500)
    process = start(path, results, "--pack", "1")
    wait_for(lambda: parts(results))
    workers = children(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(Path(f"/proc/{w}").exists() for w in workers))  # they finish their pack and go
    kept = {p.name: p.stat().st_mtime_ns for p in parts(results)}
    assert len(kept) < 8
    code, out, err = finish(start(path, results, "--pack", "1"))
    assert code == 0, err
    assert f"{len(kept)} reused" in out
    assert {p.name: p.stat().st_mtime_ns for p in parts(results) if p.name in kept} == kept
    assert_complete_and_single(results, 8)


def test_a_whole_process_group_killed_at_once_loses_no_finished_pack(tmp_path):
    results, path = tmp_path / "results", write_sweep(tmp_path, steps=1500)
    process = start(path, results, "--pack", "2")
    wait_for(lambda: parts(results))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = load_trials(results).filter(status="done").collect()["trial_id"].to_list()
    assert len(done) >= 2
    code, out, _ = finish(start(path, results, "--pack", "2", "--json"))
    report = json.loads(out)
    assert (code, report["reused"], report["statuses"]) == (0, len(done), {"done": 8 - len(done)})
    assert_complete_and_single(results, 8)


@pytest.mark.slow
def test_a_long_trial_that_is_killed_goes_on_from_its_checkpoint(tmp_path):
    path, results = write_sweep(tmp_path, steps=40_000, seeds=1), tmp_path / "results"
    process = start(path, results, "--pack", "2")
    (checkpoint,) = wait_for(lambda: [*results.glob("checkpoints/*.safetensors")])
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert parts(results) == []
    with safe_open(checkpoint, framework="numpy") as file:
        step = json.loads(file.metadata()["checkpoint"])["step"]
        kept = json.loads(file.get_tensor("rest").tobytes())
    assert 0 < step < 40_000
    planned = subprocess.run(
        [sys.executable, "-m", "lrsym", "plan", str(path), "--results", str(results), "--no-pilot"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "1 packs, the largest of 2 trials, 1 of them going on from a checkpoint" in planned.stdout
    words = [sys.executable, "-m", "lrsym", "status", str(path), "--results", str(results)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert f"2 unfinished trials have a checkpoint, at {step / 40_000:.0%} of their steps" in told
    # Asked for packs of one: the pack that is under way stays as it is.
    code, out, err = finish(start(path, results, "--pack", "1"))
    assert (code, "2 trials trained" in out) == (0, True), err
    assert_complete_and_single(results, 2)
    rows = load_trials(results).collect()
    assert rows["pack_size"].to_list() == [2, 2]
    assert rows["seconds"].sum() > kept["seconds"]
    assert not checkpoint.exists()


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])])
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(tmp_path, engine):
    # Far more packs than two workers finish while Ray hears of the interrupt.
    results, path = tmp_path / "results", write_sweep(tmp_path, steps=1500, seeds=100)
    process = start(path, results, "--pack", "2", "--engine", engine)
    wait_for(lambda: parts(results))
    workers = wait_for(lambda: children(process.pid) if engine == "local" else ray_workers(process.pid))
    os.killpg(process.pid, signal.SIGINT)
    code, out, err = finish(process, timeout=60)
    assert code == 130
    assert f"lrsym sweep {path}" in out
    assert "Traceback" not in out + err
    wait_for(lambda: not any(Path(f"/proc/{w}").exists() for w in workers), seconds=20)
    assert 2 <= len(load_trials(results).filter(status="done").collect()) < 200
    assert list(results.glob("*/.*")) == []


def test_a_pack_that_kills_its_worker_each_time_ends_as_crashed_and_the_others_as_done(tmp_path, monkeypatch):
    poison = small(seed=3)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Trap:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'lrsym.sweep.execution.train_pack':\n"
        "            import lrsym.sweep.planning.plan, lrsym.sweep.execution.task as job\n"
        "            before = job.pack_id\n"
        "            def deadly(pack):\n"
        f"                if any(t.trial_id == {poison.trial_id!r} for t in pack):\n"
        "                    os.kill(os.getpid(), signal.SIGKILL)\n"
        "                return before(pack)\n"
        "            job.pack_id = deadly\n"
        "if any('spawn_main' in word for word in sys.orig_argv): sys.meta_path.insert(0, Trap())\n"
    )
    packs = make_packs([small(seed=s) for s in range(5)], size=1)
    run_local(packs, Job(tmp_path / "r", "r", "cpu", 1), workers=2, listen=lambda news: None)
    rows = {r["seed"]: r for r in load_trials(tmp_path / "r").collect().to_dicts()}
    assert {seed: r["status"] for seed, r in rows.items()} == {s: "crashed" if s == 3 else "done" for s in range(5)}
    assert f"SIGKILL, {WORKER_RETRIES + 1} times" in rows[3]["message"]


def test_a_store_that_cannot_be_written_stops_the_sweep_with_the_reason(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "curves").write_text("a file where a folder must be")
    code, out, err = finish(start(write_sweep(tmp_path, steps=12), results, "--pack", "2"))
    assert code == 2
    assert err.startswith("error: rows cannot be written")
    assert "curves" in err
    assert "Traceback" not in out + err


@pytest.mark.ray
def test_ray_leaves_the_same_rows_as_local_processes(tmp_path):
    path = write_sweep(tmp_path, steps=40, seeds=2)
    outcomes = {}
    for engine in ("local", "ray"):
        code, _, err = finish(start(path, tmp_path / engine, "--engine", engine, "--pack", "2"))
        assert code == 0, err
        drop = ["seconds", "run_id", "finished_at"]
        outcomes[engine] = load_trials(tmp_path / engine).drop(drop).sort("trial_id").collect()
    assert outcomes["ray"].equals(outcomes["local"])
    assert load(tmp_path / "ray", "runs").collect()["engine"].to_list() == ["ray"]
    assert not (tmp_path / "ray" / ".tune").exists()


@pytest.mark.ray
def test_a_folder_named_as_the_package_does_not_get_in_the_way(tmp_path, monkeypatch):
    """As where the user stands beside a clone: Ray's workers look there first."""
    (tmp_path / "lrsym" / "results").mkdir(parents=True)
    (tmp_path / "lrsym" / "sweep").mkdir()
    monkeypatch.chdir(tmp_path)
    words = [Path(sys.executable).with_name("lrsym"), "sweep", write_sweep(tmp_path, steps=12, seeds=1)]
    words += ["--results", tmp_path / "r", "--engine", "ray", "--workers", "2"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_complete_and_single(tmp_path / "r", 2)


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_weights_of_every_done_trial_are_kept_if_asked_for(tmp_path, engine):
    options = ("--engine", engine, "--pack", "2", "--save-weights")
    code, _, err = finish(start(write_sweep(tmp_path, steps=12, seeds=2), tmp_path / "r", *options))
    assert code == 0, err
    names = {p.name for p in (tmp_path / "r" / "weights").iterdir()}
    assert names == {f"{trial_id}.safetensors" for trial_id in Store(tmp_path / "r").statuses()}
    assert len(names) == 4


@pytest.mark.ray
def test_an_address_that_is_none_of_a_cluster_is_refused(tmp_path):
    words = [sys.executable, "-m", "lrsym", "sweep", str(write_sweep(tmp_path, steps=5)), "--results", str(tmp_path)]
    environment = {**os.environ, "RAY_ADDRESS": "http://127.0.0.1:8265"}
    done = subprocess.run([*words, "--workers", "1"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "RAY_ADDRESS must be host:port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.ray
@pytest.mark.slow
def test_a_killed_ray_worker_costs_nothing_but_time(tmp_path):
    results = tmp_path / "results"
    process = start(write_sweep(tmp_path, steps=1500), results, "--engine", "ray", "--pack", "2")
    wait_for(lambda: parts(results))
    os.kill(wait_for(lambda: ray_workers(process.pid))[0], signal.SIGKILL)
    code, _, err = finish(process)
    assert code == 0, err
    assert_complete_and_single(results, 8)


@pytest.mark.ray
@pytest.mark.parametrize(("failures", "again"), [(1, True), (WORKER_RETRIES, True), (WORKER_RETRIES + 1, False)])
def test_a_pack_that_tune_gives_up_is_tried_again_while_it_has_tries_left(failures, again):
    from lrsym.sweep.engines.ray_tune import _ignore, _Listener

    listener = _Listener(_ignore)
    listener.on_trial_error(0, [], SimpleNamespace(config={"pack_id": "p"}, num_failures=failures))
    assert ("p" in listener.given_up, "p" in listener.dead) == (again, not again)


@pytest.mark.ray
@pytest.mark.slow
def test_after_a_killed_ray_driver_the_same_command_goes_on(tmp_path):
    results, path = tmp_path / "results", write_sweep(tmp_path, steps=1500)
    process = start(path, results, "--engine", "ray", "--pack", "2")
    wait_for(lambda: parts(results))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(5)  # workers outlive their raylet by about two seconds
    done = len(Store(results).statuses())
    code, out, err = finish(start(path, results, "--engine", "ray", "--pack", "2", "--json"))
    assert code == 0, err
    assert json.loads(out)["reused"] == done >= 2
    assert_complete_and_single(results, 8)


def ray_workers(driver: int) -> list[int]:
    """Processes of Ray that train for `driver`: children of the raylet that it started."""
    raylets = [pid for pid, parent, _ in processes() if parent == driver]
    return [
        pid for pid, parent, command in processes() if parent in raylets and command.startswith("ray::ImplicitFunc")
    ]
