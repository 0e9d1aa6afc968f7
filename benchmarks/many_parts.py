"""`python -m benchmarks.many_parts`: what merging many small parts takes, and merging again after some more.

Parts of one trial each in all the tables that training fills, as a sweep in packs of one leaves them: made-up values,
real sizes. Each compaction is the real command in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from lrsym.config.trial import Trial
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.sweep.execution.rows import PackRows
from lrsym.vocabulary import METRICS, SPLITS

STEPS = 20
"""Evaluations of a trial."""


def main() -> None:
    """Print a table: what was done, files, seconds, MB of memory, MB written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=5000, help="parts, each with a file in several tables")
    parser.add_argument("--more", type=int, default=100, help="parts that come before the second compaction")
    parser.add_argument("--tables", default="trials,curves", help=f"of {', '.join(TABLES)}")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, seeds = Path(folder) / "results", iter(range(asked.parts + asked.more))
        for what, n in (("compact", asked.parts), ("compact again", asked.more)):
            _write(root, [Trial(seed=seed) for seed in islice(seeds, n)], tables=asked.tables.split(","))
            files = {file: file.stat().st_ino for file in root.glob("*/*.parquet")}
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "lrsym", "compact", "--results", root], check=True)
            seconds = time.perf_counter() - began
            new = [file for file in root.glob("*/*.parquet") if files.get(file) != file.stat().st_ino]
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            written = sum(file.stat().st_size for file in new) / 1e6
            print(f"| {what} | {len(files):,} | {seconds:.1f} | {memory:.0f} | {written:.2f} |", flush=True)


def _write(root: Path, trials: list[Trial], *, tables: list[str]) -> None:
    """Write a part for each trial."""
    store, point = Store(str(root)), {(split, metric): 0.5 for split in SPLITS for metric in METRICS}
    template = PackRows((trials[0],))
    template.points, template.losses = [[point] * STEPS], [[0.5] * STEPS]
    made = template.tables(seconds=1.0, run_id="0" * 16)
    named = {name: made[name] for name in tables if made[name].num_rows}
    for trial in trials:
        own = {
            name: rows.set_column(0, rows.schema.field(0), [[trial.trial_id] * rows.num_rows])
            for name, rows in named.items()
        }
        store.write(trial.trial_id, own)


if __name__ == "__main__":
    main()
