"""What reading costs with many trials: a made-up store of so many done trials, asked by each reader in a fresh process.

The rows are those of a sweep of a thousand cells, in parts of 100,000 trials, as `lrsym compact` leaves them. Times of
verbs hold all that a user waits for, the start of Python included; memory is the largest that the process took.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import fresh
from benchmarks.figures import Figure
from lrsym.results.analysis.phases import phases
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.spec.sweep_file import load

CELLS, PART = 1000, 100_000

FILE = """\
# Question: what does reading cost?
# Cost: see benchmarks
# Command: python -m benchmarks scale
name = "scale"
replicates = {replicates}
[base]
"scenes.n_labels" = 20
[grid]
"scenes.n_pair_labels" = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
"scenes.layouts_per_pair" = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
"model.embedding_scale" = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4]
"""

QUERY = "select n_pair_labels, avg(unseen_order) as mean, count(*) as n from trials group by 1 order by 1"


def measure(*, sizes: Sequence[int], repeats: int) -> list[Figure]:
    """Figures of a store of each of `sizes` trials, a multiple of 1,000."""
    figures = list[Figure]()
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            file, results = made_up_store(Path(folder), n_trials=size)
            figures += _readers(file, results, size, repeats=repeats)
    return figures


def made_up_store(folder: Path, *, n_trials: int) -> tuple[Path, Path]:
    """Write a sweep file and results with a row for each of its trials; return both."""
    file, results = folder / "scale.toml", folder / "results"
    file.write_text(FILE.format(replicates=n_trials // CELLS))
    sweep, random = load(file), np.random.default_rng(0)
    cells = [axis_values(cell.trial(0)) for cell in sweep.cells]
    ids = pl.Series("trial_id", sweep.trial_ids())
    table = pl.DataFrame(cells, infer_schema_length=None).drop("trial_id", "seed").with_row_index("cell")
    trials = pl.DataFrame({"cell": np.repeat(np.arange(CELLS, dtype=np.uint32), sweep.replicates)}).with_columns(
        ids, seed=pl.int_range(pl.len()) % sweep.replicates
    )
    written = TABLES["trials"].written
    for start in range(0, n_trials, PART):
        rows = trials.slice(start, PART).join(table, on="cell", how="left", maintain_order="left").drop("cell")
        values = {
            f"{split}_{metric}": random.uniform(0.4, 1, rows.height)
            for split in ("train", "single", "seen", "unseen")
            for metric in ("order", "inset", "global", "labelset")
        }
        shared = {"status": "done", "trained_steps": 3000, "seconds": 1.5, "pack_size": 64, "run_id": "0" * 16}
        rows = rows.with_columns(pl.Series(name, of) for name, of in values.items())
        rows = rows.with_columns(pl.lit(value).alias(name) for name, value in shared.items())
        rows = rows.match_to_schema(written, missing_columns="insert", integer_cast="upcast", float_cast="upcast")
        Store(str(results)).write(f"{start:032d}", {"trials": rows.to_arrow().cast(TABLES["trials"].arrow)})
    return file, results


def _readers(file: Path, results: Path, size: int, *, repeats: int) -> list[Figure]:
    named = {"benchmark": f"reading, {size:,} trials"}
    verbs = {
        "lrsym query, group by": ["query", QUERY, "--json"],
        "lrsym query --sweep, group by": ["query", QUERY, "--sweep", file, "--json"],
        "lrsym status": ["status", file],
        "lrsym plan --no-pilot": ["plan", file, "--no-pilot"],
        "lrsym plot phase": ["plot", "phase", file, "--where", "embedding_scale = 1.0"],
        "lrsym report": ["report", file],
    }
    taken = {"frame of a phase diagram": [fresh.call(_phase_frame, results) for _ in range(repeats)]}
    for variant, words in verbs.items():
        line = [sys.executable, "-m", "lrsym", *map(str, words), "--results", str(results)]
        taken[variant] = [fresh.call(command_cost, line) for _ in range(repeats)]
    figures = []
    for variant, own in taken.items():
        seconds, megabytes = zip(*own, strict=True)
        figures.append(Figure.of(seconds, variant=variant, unit="s", **named))
        figures.append(Figure.of(megabytes, variant=f"memory, {variant}", unit="MB", **named))
    return figures


def _phase_frame(results: Path) -> tuple[float, float]:
    """Return seconds for the frame of a phase diagram, imports left out, and the memory of the process in MB."""
    started = time.perf_counter()
    rows = load_trials(str(results)).filter(pl.col("embedding_scale") == 1.0)
    assert phases(rows, x="n_pair_labels", y="layouts_per_pair").height == CELLS // 10
    seconds = time.perf_counter() - started
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def command_cost(line: list[str]) -> tuple[float, float]:
    """Return the seconds that a command takes, and the largest memory of this process's commands so far in MB."""
    started = time.perf_counter()
    subprocess.run(line, check=True, capture_output=True)
    seconds = time.perf_counter() - started
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
