"""What the driver of a large sweep costs, with a trainer that does nothing: time for each trial, and memory.

The local engine with two workers, in a fresh process with an empty store (`benchmarks/null_sweep.py`). The driver's own
processor time is what limits how many workers it can feed; wall time of the run is mostly the workers' writing of
tables. Memory is that of the driver: once the sweep is expanded and planned, it should not grow any more.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks import fresh
from benchmarks.figures import Figure
from lrsym.config.trial import Trial
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.sweep.execution.train_pack import run_pack

STAGES = {
    "expand": "read the file, hash identities",
    "plan": "plan against an empty store",
    "run": "hand out packs, listen",
    "plan again": "plan against the full store",
}
MEMORY = {
    "start": "before", "expand": "expanded", "plan": "planned", "after 10%": "a tenth trained",
    "after 50%": "half trained", "after 100%": "all trained", "plan again": "planned again",
}  # fmt: skip

NAME = "driver, "
"""What the benchmark of a size begins with."""


def measure(*, sizes: Sequence[int], repeats: int) -> list[Figure]:
    """Figures of a sweep of each of `sizes` trials, and of the rows of a pack of 8, written `repeats` times."""
    figures = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "costs.json"
            words = [sys.executable, "-m", "benchmarks.null_sweep", "--trials", size]
            with fresh.command([*words, "--folder", folder, "--out", out]):
                pass
            stages: dict[str, dict[str, float]] = json.loads(out.read_text())
        own = {told: 1e3 * stages[name]["processor"] / size for name, told in STAGES.items()}
        own["all of these, once"] = sum(own[told] for name, told in STAGES.items() if name != "plan again")
        rows = [(told, value, "ms of the driver's processor time a trial") for told, value in own.items()]
        rows.append(("run, workers included", 1e3 * stages["run"]["wall"] / size, "ms a trial"))
        rows += [(f"memory, {told}", stages[name]["memory"], "MB") for name, told in MEMORY.items()]
        name = f"{NAME}{size:,} trials"
        figures += [Figure.of([value], benchmark=name, variant=variant, unit=unit) for variant, value, unit in rows]
    return [*figures, *fresh.call(rows_of_a_pack, repeats=repeats)]


def rows_of_a_pack(*, repeats: int) -> list[Figure]:
    """Time to build and to write the rows of a pack of 8 trials, as many rows as the recipe's."""
    axes = {"optim.steps": 20, "optim.batch_size": 50, "eval.schedule": "linear"}
    few = {"scenes.n_labels": 20, "scenes.n_pair_labels": 5}  # as many rows, but fewer scenes to evaluate
    pack = [Trial.from_axes({**axes, **few, "seed": seed}) for seed in range(8)]
    tables = run_pack(pack, run_id="benchmark", device=torch.device("cpu")).tables
    rows = {name: table.to_pylist() for name, table in tables.items()}
    with tempfile.TemporaryDirectory() as folder:
        store, named = Store(folder), {"benchmark": "rows of a pack of 8", "unit": "ms a trial"}
        ways: dict[str, Callable[[], object]] = {
            "build tables": lambda: {name: TABLES[name].build(of_table) for name, of_table in rows.items()},
            "write tables": lambda: store.write("part", tables),
        }
        figures = [
            Figure.of([1e3 * _seconds(do) / len(pack) for _ in range(repeats)], variant=variant, **named)
            for variant, do in ways.items()
        ]
    count = sum(map(len, rows.values())) / len(pack)
    named["unit"] = "rows a trial"
    return [*figures, Figure.of([count], variant="rows of all tables", **named)]


def _seconds(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started
