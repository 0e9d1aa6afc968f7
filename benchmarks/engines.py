"""A small sweep by the local engine and by Ray Tune: throughput, first row, memory, and the share not spent on packs.

Each run is the real command in a fresh process with an empty store, two workers of one thread each, engines in turn.
The engines set their workers' environment themselves. The sweep is short, so start-up weighs more than in earnest.
"""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.figures import Figure
from benchmarks.processes import Memory
from lrsym.results.store import load_trials

ENGINES = ("local", "ray")
PACK_SIZE, WORKERS = 4, 2

SWEEP = """\
# Question: what do the engines cost?
# Cost: seconds
# Command: python -m benchmarks
name = "engines"
replicates = {trials}

[base]
"optim.steps" = {steps}
"eval.points" = 5
"""

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
    for repeat in range(repeats):
        for engine in itertools.islice(itertools.cycle(ENGINES), repeat, repeat + len(ENGINES)):
            with tempfile.TemporaryDirectory() as folder:
                runs[engine].append(_sweep(engine, Path(folder), trials=trials, steps=steps))
    figures = []
    for benchmark, (unit, of_run) in MEASURES.items():
        local, ray = ([of_run(run) for run in runs[engine]] for engine in ENGINES)
        ratios = [b / a for a, b in zip(local, ray, strict=True)]
        named = [("local", local, unit), ("ray", ray, unit), ("ray against local", ratios, "ratio")]
        figures += [Figure.of(values, benchmark=benchmark, variant=name, unit=u) for name, values, u in named]
    return figures


def _sweep(engine: str, folder: Path, *, trials: int, steps: int) -> Run:
    """Run the command and watch it until it ends."""
    file, results = folder / "engines.toml", folder / "results"
    file.write_text(SWEEP.format(trials=trials, steps=steps))
    options = {"--engine": engine, "--pack": PACK_SIZE, "--workers": WORKERS, "--device": "cpu", "--results": results}
    program = Path(sys.executable).with_name("lrsym")
    words = [program, "sweep", file, *itertools.chain.from_iterable(options.items())]
    # An address in the environment would send the packs to a cluster.
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    with (folder / "output").open("w+") as output:
        started = time.monotonic()
        with subprocess.Popen([str(w) for w in words], env=environment, stdout=output, stderr=output) as process:
            try:
                memory, first_row = _watch(process, results / "trials", started=started)
            finally:
                process.terminate()
        wall = time.monotonic() - started
        if process.returncode or first_row is None:
            raise RuntimeError(f"lrsym sweep --engine {engine} failed: {Path(output.name).read_text()[-500:]}")
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
