"""The share of worker time that a sweep of a few hundred trials does not spend in packs, and where it goes.

`lrsym sweep` in a fresh process with an empty store and two workers, packs of the size that the rule without a pilot
makes (a pilot takes ten seconds more where a sweep is long enough for one). From what the
rows tell of packs (when they finished, how long they took) follow when each began:

    before the first pack    the command, its imports, workers that start, torch
    between packs            tables written, the next pack handed out
    after the last pack      a worker that waits for the other one, the end of the command

Shares are of the workers' time from the start of the command to its end.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks import fresh
from benchmarks.against_ray import STEPS_A_POINT
from benchmarks.figures import Figure
from lrsym.results.store.store import load_trials
from lrsym.sweep.planning.packing import default_pack_size, make_packs
from lrsym.sweep.spec.sweep_file import load as load_sweep

ENGINES = ("local", "ray")
WORKERS = 2
BEFORE, BETWEEN, AFTER = "before the first pack", "between packs", "after the last pack"


def measure(*, trials: int, steps: int, repeats: int, engines: Sequence[str] = ENGINES) -> list[Figure]:
    """Figures of `engines` on `trials` trials of `steps` steps of the paper's batch size, 50."""
    runs: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    for engine in fresh.in_turn(engines, repeats):
        with tempfile.TemporaryDirectory() as folder:
            runs[engine].append(_shares(engine, Path(folder), trials=trials, steps=steps))
    return [
        Figure.of(
            [100 * shares[what] for shares in own],
            benchmark=f"{what}, {trials} trials of {steps} steps",
            variant=engine,
            unit="% of worker time",
        )
        for what in ("outside packs", BEFORE, BETWEEN, AFTER)
        for engine, own in runs.items()
    ]


def _shares(engine: str, folder: Path, *, trials: int, steps: int) -> dict[str, float]:
    """Shares of the workers' time, by what it went to."""
    axes = {"optim.steps": steps, "optim.batch_size": 50, "eval.points": max(1, steps // STEPS_A_POINT)}
    file, results = fresh.write_sweep(folder / "overhead.toml", trials=trials, axes=axes), folder / "results"
    size = default_pack_size(make_packs(load_sweep(file).trials, size=1).groups, workers=WORKERS, device="cpu")
    started = time.time()
    with fresh.lrsym_sweep(file, results, engine=engine, pack=size, workers=WORKERS):
        pass
    wall = time.time() - started
    packs = load_trials(results).group_by("finished_at").agg(pl.col("seconds").sum())
    end = pl.col("finished_at").dt.epoch("us") / 1e6 - started
    began, ended, trained = packs.select(end - pl.col("seconds"), ended=end, trained="seconds").collect()
    # While a first pack trains, the other workers begin theirs; the last ones to end are of different workers as well.
    first = sum(sorted(began)[:WORKERS])
    last = sum(wall - end for end in sorted(ended)[-WORKERS:])
    outside = WORKERS * wall - sum(trained)
    spent = {"outside packs": outside, BEFORE: first, BETWEEN: outside - first - last, AFTER: last}
    return {what: seconds / (WORKERS * wall) for what, seconds in spent.items()}
