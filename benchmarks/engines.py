"""A small sweep by the local engine and by Ray Tune: throughput, first row, memory, and the share not spent on packs.

Each run is the real command in a fresh process with an empty store, two workers of one thread each, engines in turn.
The engines set their workers' environment themselves. The sweep is short, so start-up weighs more than in earnest.
"""

import itertools
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks import fresh
from benchmarks.figures import Figure, ratios
from benchmarks.processes import Memory
from lrsym.results.store.store import load_trials

ENGINES = ("local", "ray")
PACK_SIZE, WORKERS = 4, 2

POLL_SECONDS, SAMPLE_EVERY = 0.02, 15
"""How often the store is looked at, and after how many looks the memory: seldom, because it takes time from a core."""


@dataclass(frozen=True)
class Run:
    """What one sweep showed: trials a minute, seconds, MB, and the share of workers' time not spent in packs."""

    throughput: float
    first_row: float
    idle: float
    memory: Memory


MEASURES = {
    "throughput": ("trials a minute", lambda run: run.throughput),
    "first row": ("s", lambda run: run.first_row),
    "memory of the driver": ("MB", lambda run: run.memory.driver),
    "memory of the largest worker": ("MB", lambda run: run.memory.worker),
    "memory of all processes": ("MB, shared pages once", lambda run: run.memory.together),
    "overhead": ("% of worker time outside packs", lambda run: 100 * run.idle),
}


def measure(*, trials: int, steps: int, repeats: int) -> list[Figure]:
    """Figures of both engines on `trials` trials of `steps` steps, and Ray's as ratios of local's.

    Raises RuntimeError when a sweep fails.
    """
    runs: dict[str, list[Run]] = {engine: [] for engine in ENGINES}
    for engine in fresh.in_turn(ENGINES, repeats):
        with tempfile.TemporaryDirectory() as folder:
            runs[engine].append(_sweep(engine, Path(folder), trials=trials, steps=steps))
    figures = []
    for benchmark, (unit, of_run) in MEASURES.items():
        local, ray = ([of_run(run) for run in runs[engine]] for engine in ENGINES)
        named = [("local", local, unit), ("ray", ray, unit), ("ray against local", ratios(ray, local), "ratio")]
        figures += [Figure.of(values, benchmark=benchmark, variant=name, unit=u) for name, values, u in named]
    return figures


def _sweep(engine: str, folder: Path, *, trials: int, steps: int) -> Run:
    """Run the command and watch it until it ends."""
    axes = {"optim.steps": steps, "eval.points": 5}
    file, results = fresh.write_sweep(folder / "engines.toml", trials=trials, axes=axes), folder / "results"
    started = time.monotonic()
    with fresh.lrsym_sweep(file, results, engine=engine, pack=PACK_SIZE, workers=WORKERS) as process:
        memory, first_row = _watch(process, results / "trials", started=started)
    wall = time.monotonic() - started
    if first_row is None:
        raise RuntimeError(f"lrsym sweep --engine {engine} ended without a row")
    trained = load_trials(results).select(pl.col("seconds").sum()).collect().item()
    return Run(60 * trials / wall, first_row, 1 - trained / (WORKERS * wall), memory)


def _watch(process: subprocess.Popen[bytes], table: Path, *, started: float) -> tuple[Memory, float | None]:
    """Peaks of memory, and the seconds until the first part stood in `table`; returns when the process has ended."""
    memory, first_row = Memory(process.pid), None
    for look in itertools.count():
        if process.poll() is not None:
            break
        if first_row is None and any(table.glob("[!.]*.parquet")):
            first_row = time.monotonic() - started
        if look % SAMPLE_EVERY == 0:
            memory.sample()
        time.sleep(POLL_SECONDS)
    return memory, first_row
