"""Whole sweeps on one card by the number of workers that share it: trials an hour, with and without the start."""

import itertools
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import polars as pl

from benchmarks.fresh import write_sweep
from benchmarks.gpu.setting import Setting

ROUNDS = ((256, 3), (50, 3), (50, 1), (50, 6), (256, 1), (256, 6), (50, 4), (256, 4))
"""Batch size and workers, most wanted first: time may run out."""

AXES: dict[str, int] = {"optim.steps": 3000}
"""The recipe in full."""

TRIALS, PACK = 768, 128
"""Six packs, which 1, 3 and 6 workers share evenly."""

QUICK_AXES = {"optim.steps": 4, "eval.points": 2, "optim.warmup_steps": 2}
SECONDS = 60.0
"""After which a sweep is given up."""


def sweeps(setting: Setting) -> None:
    """Tell trials an hour of every number of workers."""
    rounds, trials, pack = (((50, 1), (50, 2)), 4, 2) if setting.quick else (ROUNDS, TRIALS, PACK)
    axes = QUICK_AXES if setting.quick else AXES
    for batch, workers in rounds:
        named = {"batch": batch, "workers": workers, "pack": pack, "trials": trials, "steps": axes["optim.steps"]}
        with tempfile.TemporaryDirectory() as folder:
            file = write_sweep(Path(folder, "sweep.toml"), trials=trials, axes={**axes, "optim.batch_size": batch})
            options = {"--engine": "local", "--device": setting.device.type, "--workers": workers, "--pack": pack}
            words = [sys.executable, "-m", "lrsym", "sweep", file, *itertools.chain.from_iterable(options.items())]
            words += ["--results", Path(folder, "results")]
            started = time.perf_counter()
            try:
                done = subprocess.run([*map(str, words)], timeout=SECONDS, capture_output=True, text=True, check=False)
            except subprocess.TimeoutExpired:
                setting.tell("sweep", **named, error=f"more than {SECONDS:g} s")
                continue
            if done.returncode:
                setting.tell("sweep", **named, error=(done.stdout + done.stderr)[-600:])
                continue
            seconds = {"command": time.perf_counter() - started, **_seconds(Path(folder, "results"))}
        hourly = {f"trials_an_hour_{name}": 3600 * trials / s for name, s in seconds.items()}
        setting.tell("sweep", **named, seconds=seconds, **hourly)


def _seconds(results: Path) -> dict[str, float]:
    """Return the seconds of the run, and those from the first pack's start to the last one's end."""
    run = pl.read_parquet(results / "runs" / "*.parquet").row(0, named=True)
    trials = pl.read_parquet(results / "trials" / "*.parquet").filter(pl.col("status") == "done")
    packs = trials.group_by("finished_at").agg(pl.col("seconds").sum()).sort("finished_at")
    begin = min(end - timedelta(seconds=s) for end, s in packs.iter_rows())
    return {
        "run": (run["finished_at"] - run["started_at"]).total_seconds(),
        "packs": (packs["finished_at"][-1] - begin).total_seconds(),
    }
