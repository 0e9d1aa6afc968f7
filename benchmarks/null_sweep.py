"""`python -m benchmarks.null_sweep`: the local engine on a large sweep whose trainer does nothing, and its costs.

Everything but the training is lrsym's own: the sweep file is parsed, planned against a store, packs go to spawned
workers, which report at each evaluation and write the rows.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import PROC, megabytes
from lrsym.results.store.store import Store
from lrsym.sweep.driver import plan_sweep, run
from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.rows import PackRows
from lrsym.sweep.execution.task import TrainTask
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.sweep_file import load
from lrsym.vocabulary import METRICS, SPLITS

SWEEP = """\
# Question: what does the driver cost?
# Cost: minutes
# Command: python -m benchmarks driver
name = "null"
replicates = {replicates}

[grid]
"optim.learning_rate" = {rates}
"optim.weight_decay" = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0]
"scenes.n_pair_labels" = [5, 6, 7, 8, 9, 10, 11, 12, 13, 15]
"scenes.layouts_per_pair" = [1, 2, 5, 10, 20]
"""
CELLS_A_RATE, REPLICATES = 500, 5

Costs = dict[str, dict[str, float]]


def main() -> None:
    """Parse, plan, run, and plan again; write a JSON object of costs by stage."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.null_sweep")
    parser.add_argument("--trials", type=int, required=True, help="a multiple of 2,500")
    parser.add_argument("--folder", type=Path, required=True, help="where the sweep file and the store go")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of costs")
    asked = parser.parse_args()
    file = write_sweep(asked.folder, trials=asked.trials)
    asked.out.write_text(json.dumps(costs(file, asked.folder / "results")))


def write_sweep(folder: Path, *, trials: int) -> Path:
    """Write the file of a sweep of so many trials, a multiple of 2,500; return it."""
    rates = [1e-3 * (1 + number / 1000) for number in range(trials // (CELLS_A_RATE * REPLICATES))]
    file = folder / "null.toml"
    file.write_text(SWEEP.format(replicates=REPLICATES, rates=rates))
    return file


def costs(file: Path, results: Path) -> Costs:
    """By stage the driver's processor seconds, the wall seconds and the memory after it in MB."""
    stages: Costs = {}

    def stage(name: str, do: Callable[[], Any]) -> Any:
        wall, own = time.perf_counter(), time.process_time()
        result = do()
        spent = {"processor": time.process_time() - own, "wall": time.perf_counter() - wall}
        stages[name] = {**spent, "memory": megabytes(PROC / "self/status", "VmRSS")}
        return result

    settings, store = Settings.resolve(engine="local", device="cpu", workers=2, pilot=False), Store(str(results))
    stage("start", lambda: None)
    sweep = stage("expand", lambda: load(file))
    plan = stage("plan", lambda: plan_sweep(sweep, store, settings))
    memory = MemoryWatch(trials=plan.pending)
    outcome = stage("run", lambda: run(plan, store, settings, make_task=NullTask.of, listener=memory.update))
    if outcome.statuses != {"done": plan.pending}:
        raise RuntimeError(f"{plan.pending} trials ended as {dict(outcome.statuses)}")
    stages |= {f"after {share:.0%}": {"memory": size} for share, size in memory.after.items()}
    again = stage("plan again", lambda: plan_sweep(sweep, store, settings))
    assert not again.pending
    return stages


class MemoryWatch:
    """Notes how large the driver is when a tenth, a half and all of the trials have ended: `after`, in MB."""

    def __init__(self, *, trials: int) -> None:
        self._trials, self._ended = trials, 0
        self.after: dict[float, float] = {}

    def update(self, pack: Pack, event: PackEvent) -> None:
        """Take in an event of a run."""
        self._ended += sum((event.statuses or {}).values())
        for share in (0.1, 0.5, 1.0):
            if share not in self.after and self._ended >= share * self._trials:
                self.after[share] = megabytes(PROC / "self/status", "VmRSS")


@dataclass(frozen=True)
class NullTask(TrainTask):
    """Trains nothing: reports as often as training does, and writes rows of made-up accuracies."""

    def __call__(self, pack: Pack, report: Callable[[float], None]) -> Counter[str]:
        """Write the rows of `pack`."""
        for step in pack.trials[0].evaluation_steps:
            report(step / pack.n_steps)
        rows, point = PackRows(pack.trials), {(split, metric): 0.5 for split in SPLITS for metric in METRICS}
        rows.points = [[point] for _ in pack.trials]
        Store(self.root).write(pack.id, rows.tables(seconds=1.0, run_id=self.run_id))
        return Counter(done=len(pack))


if __name__ == "__main__":
    from benchmarks import null_sweep  # workers find the task under this name

    null_sweep.main()
