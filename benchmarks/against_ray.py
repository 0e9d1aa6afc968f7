"""The same trials by plain Ray Tune with a textbook trainer and by `lrsym sweep`: trials an hour, from a cold start.

Each run is a fresh process with an empty folder and two workers of one thread: importing torch, starting Ray and
stopping it again are counted. Variants run in turn and ratios are taken within a round. Both sides train the same seeds
and evaluate them at the same steps, as many for each step as the recipe has. lrsym's side also does what plain Ray Tune
does not: ablations, profiles and measures of each trial, and Parquet. A run is shorter than a trial of the recipe, so
starting weighs more than in earnest, and most on the faster side; the parts `full_length` are without that.
lrsym's packs have 8 trials, the size that it takes by itself without a pilot.
"""

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from benchmarks import fresh
from benchmarks.figures import Figure, ratios
from lrsym.results.store.store import load

BATCH_SIZES = (256, 50)
WORKERS, PACK = 2, 8
STEPS_A_POINT = 150
"""The recipe evaluates 20 times in 3,000 steps."""

PLAIN = "plain Ray Tune"
LOGGED, READOUT = f"{PLAIN}, default loggers", f"{PLAIN}, read-out query only"
BASELINES: dict[str, list[str]] = {PLAIN: [], LOGGED: ["--loggers"], READOUT: ["--readout-only"]}
"""With the options of `benchmarks/plain_ray.py`. The last one saves what only a model of one block can save."""

ENGINES = {"lrsym, local": "local", "lrsym, ray": "ray"}
LOSS_TOLERANCE, ACCURACY_TOLERANCE = 1e-4, 0.02
"""At the first evaluation, in nats and as a share of scenes. Rounding alone moves a loss by 1e-6 (part `step`); it can
turn over scores that are all but equal, and one scene is 0.01 of the smallest split."""


@dataclass(frozen=True)
class Run:
    """What one run took, in seconds, and its curves: seed, step, loss and accuracies by name."""

    seconds: float
    curves: pl.DataFrame


def measure(
    *, trials: int, steps: int, repeats: int, baselines: Sequence[str], batch_sizes: Sequence[int] = BATCH_SIZES
) -> list[Figure]:
    """Figures of `trials` trials of `steps` steps at each batch size, against each of `baselines`, PLAIN among them.

    Raises ValueError where the two sides do not train alike.
    """
    return [
        figure
        for size in batch_sizes
        for figure in _measure(size, trials=trials, steps=steps, repeats=repeats, baselines=baselines)
    ]


def _measure(batch_size: int, *, trials: int, steps: int, repeats: int, baselines: Sequence[str]) -> list[Figure]:
    axes: dict[str, object] = {
        "optim.batch_size": batch_size,
        "optim.steps": steps,
        "eval.points": max(2, steps // STEPS_A_POINT),
    }
    axes |= {"eval.schedule": "linear"}  # so that the first evaluation comes when there is something to compare
    variants = {name: partial(_plain, options=BASELINES[name]) for name in baselines}
    variants |= {name: partial(_lrsym, engine=engine) for name, engine in ENGINES.items()}
    runs: dict[str, list[Run]] = {name: [] for name in variants}
    for name in fresh.in_turn([*variants], repeats):
        with tempfile.TemporaryDirectory() as folder:
            runs[name].append(variants[name](axes, Path(folder), trials=trials))
    differences = [_difference(runs[PLAIN][0].curves, runs[name][0].curves) for name in ENGINES]
    first, last = (max(pair) for pair in zip(*differences, strict=True))
    seconds = {name: [run.seconds for run in own] for name, own in runs.items()}
    at, unit = f"batch {batch_size}", f"trials an hour, {trials} trials of {steps} steps"
    figures = [
        Figure.of([3600 * trials / s for s in own], benchmark=f"sweep, {at}", variant=name, unit=unit)
        for name, own in seconds.items()
    ]
    for base, name in itertools.product(baselines, ENGINES):
        values = ratios(seconds[base], seconds[name])
        figures.append(Figure.of(values, benchmark=f"speed, {at}", variant=name, unit=f"times {base}"))
    told = {"first evaluation, any trial": first, "last evaluation, mean over trials": last}
    for variant, value in told.items():
        unit = "largest difference of accuracies"
        figures.append(Figure.of([value], benchmark=f"agreement, {at}", variant=variant, unit=unit))
    return figures


def _plain(axes: Mapping[str, object], folder: Path, *, trials: int, options: Sequence[str]) -> Run:
    out = folder / "reports.json"
    words = [sys.executable, "-m", "benchmarks.plain_ray", "--axes", json.dumps(axes), "--trials", trials]
    words += ["--workers", WORKERS, "--out", out, *options]
    started = time.monotonic()
    with fresh.command(words):
        pass
    return Run(time.monotonic() - started, pl.DataFrame(json.loads(out.read_text())))


def _lrsym(axes: Mapping[str, object], folder: Path, *, trials: int, engine: str) -> Run:
    file, results = fresh.write_sweep(folder / "sweep.toml", trials=trials, axes=axes), folder / "results"
    started = time.monotonic()
    with fresh.lrsym_sweep(file, results, engine=engine, pack=min(PACK, trials // WORKERS), workers=WORKERS):
        pass
    seconds = time.monotonic() - started
    named = pl.when(pl.col("metric") == "loss").then(pl.lit("loss")).otherwise(pl.format("{}_{}", "split", "metric"))
    seeds = load(results, "trials").select("trial_id", "seed")
    curves = load(results, "curves").join(seeds, on="trial_id").with_columns(name=named).collect()
    return Run(seconds, curves.pivot("name", index=["seed", "step"], values="value"))


def _difference(plain: pl.DataFrame, lrsym: pl.DataFrame) -> tuple[float, float]:
    """Largest differences of accuracies: at the first evaluation of any trial, and of means at the last one.

    Raises ValueError where the sides differ in what they report, or at the first evaluation beyond the tolerances.
    """
    key = ["seed", "step"]
    plain, lrsym = (frame.select(sorted(frame.columns)).sort(key) for frame in (plain, lrsym))
    if plain.columns != lrsym.columns or not plain.select(key).equals(lrsym.select(key)):
        raise ValueError(f"the sides report {plain.shape} and {lrsym.shape} rows and columns of different things")
    names = [name for name in plain.columns if name not in (*key, "loss")]
    apart = pl.DataFrame({name: plain[name] - lrsym[name] for name in (*names, "loss")}).with_columns(plain["step"])
    first, last = (apart.filter(pl.col("step") == step) for step in (apart["step"].min(), apart["step"].max()))
    loss, accuracy = (first.select(pl.max_horizontal(pl.col(of).abs().max())).item() for of in ("loss", names))
    if not (loss <= LOSS_TOLERANCE and accuracy <= ACCURACY_TOLERANCE):
        raise ValueError(f"at the first evaluation losses differ by {loss:.2g} nats, accuracies by {accuracy:.2g}")
    return accuracy, last.select(pl.max_horizontal(pl.col(names).mean().abs())).item()
