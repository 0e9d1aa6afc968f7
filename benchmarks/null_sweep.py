"""`python -m benchmarks.null_sweep`: the local engine on a large sweep whose trainer does nothing, and its costs.

Everything but the training is lrsym's own: the sweep file is parsed, planned against a store, packs go to spawned
workers, which report at each evaluation and write the rows. A spawned worker imports the program of its driver, and so
it comes to the trainer that does nothing.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.processes import PROC, megabytes
from lrsym.config.trial import Trial
from lrsym.sweep import driver as drive
from lrsym.sweep.execution.progress import Display
from lrsym.sweep.execution.task import Progress
from lrsym.sweep.spec.sweep_file import load

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
    rates = [1e-3 * (1 + number / 1000) for number in range(asked.trials // (CELLS_A_RATE * REPLICATES))]
    file = asked.folder / "null.toml"
    file.write_text(SWEEP.format(replicates=REPLICATES, rates=rates))
    asked.out.write_text(json.dumps(costs(file, asked.folder / "results")))


def costs(file: Path, results: Path) -> Costs:
    """By stage the driver's processor seconds, the wall seconds and the memory after it in MB."""
    stages: Costs = {}

    def stage(name: str, do: Callable[[], Any]) -> Any:
        wall, own = time.perf_counter(), time.process_time()
        found = do()
        spent = {"processor": time.process_time() - own, "wall": time.perf_counter() - wall}
        stages[name] = {**spent, "memory": megabytes(PROC / "self/status", "VmRSS")}
        return found

    settings = drive.Settings.resolve(
        engine="local", device="cpu", workers=2, pack_size=None, timeout=None, pilot=False
    )
    store = drive.Store(str(results))
    stage("start", lambda: None)
    sweep = stage("expand", lambda: load(file))
    stage("identify", lambda: [trial.trial_id for trial in sweep.trials])
    plan = stage("plan", lambda: drive.plan_sweep(sweep, store, settings))
    drive.Display = Watched
    outcome = stage("run", lambda: drive.run_sweep(sweep, store, settings, plan))
    if outcome.statuses != {"done": len(sweep.trials)}:
        raise RuntimeError(f"{len(sweep.trials)} trials ended as {dict(outcome.statuses)}")
    stages |= {f"after {share:.0%}": {"memory": memory} for share, memory in Watched.memory.items()}
    again = stage("plan again", lambda: drive.plan_sweep(sweep, store, settings))
    assert not again.pending
    return stages


class Watched(Display):
    """The display, which notes how large the driver is when a tenth, a half and all of the trials have ended."""

    memory: ClassVar[dict[float, float]] = {}

    def listen(self, news: Progress) -> None:
        """As the display does."""
        super().listen(news)
        for share in (0.1, 0.5, 1.0):
            if share not in self.memory and self.ended >= share * self._trials:
                self.memory[share] = megabytes(PROC / "self/status", "VmRSS")


def null_pack(
    trials: Sequence[Trial], *, run_id: str, report: Callable[[float], None], **unused: object
) -> dict[str, Any]:
    """In place of `run_pack`: reports as often, trains nothing, and returns rows of made-up accuracies."""
    from lrsym.sweep.execution.train_pack import PackRows
    from lrsym.vocabulary import METRICS, SPLITS

    for step in trials[0].evaluation_steps:
        report(step / trials[0].n_steps)
    rows = PackRows(trials)
    rows.final = [{f"{split}_{metric}": 0.5 for split in SPLITS for metric in METRICS} for _ in trials]
    return rows.tables([0] * len(trials), seconds=1.0, run_id=run_id)


if __name__ == "__mp_main__":  # a spawned worker
    from lrsym.sweep.execution import train_pack as run

    run.run_pack = null_pack

if __name__ == "__main__":
    main()
