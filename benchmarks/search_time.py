"""A search of so many cells with three replicates by plain Ray Tune and by `lrsym sweep`: wall time, share of steps.

Both sides take TPE and stop early by ASHA with eta 3, evaluate at the same steps, and start from nothing: importing
torch and starting Ray are counted. Plain Ray Tune trains seed by seed and judges single seeds; lrsym trains cells in
packs and judges their means, and also writes what plain Ray Tune does not: curves and, for cells that are trained to
the end, ablations, profiles and measures. The two ask for different cells, so what is compared is time for a search of
one size, not what it finds.
"""

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl

from benchmarks import fresh
from benchmarks.figures import Figure, ratios
from lrsym.results.store.store import load

WORKERS, PACK, REPLICATES, POINTS = 2, 8, 3, 12

SPACE: dict[str, object] = {
    "optim.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "model.n_heads": [1, 2, 4, 8],
    "scenes.layouts_per_pair": {"low": 1, "high": 40},
}

PLAIN, REUSING = "plain Ray Tune", "plain Ray Tune, reuse_actors"
BASELINES = {PLAIN: [], REUSING: ["--reuse-actors"]}
ENGINES = {"lrsym, local": "local", "lrsym, ray": "ray"}

FILE = """\
# Question: what does a search cost?
# Cost: see benchmarks
# Command: python -m benchmarks
name = "search_time"
replicates = {replicates}
[base]
{base}
[search]
budget = {cells}
maximise = "unseen_order"
stop = "asha"
[search.space]
{space}
"""


def measure(*, cells: int, steps: int, batch_size: int, repeats: int) -> list[Figure]:
    """Figures of searches of `cells` cells, each replicate trained for at most `steps` steps."""
    axes = {
        "optim.batch_size": batch_size, "optim.steps": steps, "eval.points": POINTS, "eval.schedule": "log",
    }  # fmt: skip
    variants = {name: partial(_plain, options=options) for name, options in BASELINES.items()}
    variants |= {name: partial(_lrsym, engine=engine) for name, engine in ENGINES.items()}
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for name in fresh.in_turn([*variants], repeats):
        with tempfile.TemporaryDirectory() as folder:
            runs[name].append(variants[name](axes, Path(folder), cells=cells))
    what = f"search of {cells} cells x {REPLICATES}, batch {batch_size}, {steps} steps"
    figures = []
    for name, own in runs.items():
        seconds, shares = zip(*own, strict=True)
        figures.append(Figure.of(seconds, benchmark=what, variant=name, unit="s"))
        figures.append(Figure.of(shares, benchmark=what, variant=name, unit="share of all steps taken"))
    seconds = {name: [second for second, _ in own] for name, own in runs.items()}
    return figures + [
        Figure.of(ratios(seconds[base], seconds[name]), benchmark=f"speed, {what}", variant=name, unit=f"times {base}")
        for base in BASELINES
        for name in ENGINES
    ]


def _plain(axes: Mapping[str, object], folder: Path, *, cells: int, options: list[str]) -> tuple[float, float]:
    out = folder / "outcomes.json"
    words = [sys.executable, "-m", "benchmarks.plain_search", "--axes", json.dumps(axes), "--space", json.dumps(SPACE)]
    words += ["--cells", cells, "--replicates", REPLICATES, "--workers", WORKERS, "--out", out, *options]
    started = time.monotonic()
    with fresh.command(words):
        pass
    seconds = time.monotonic() - started
    steps = [outcome["step"] for outcome in json.loads(out.read_text())]
    return seconds, sum(steps) / (cells * REPLICATES * int(str(axes["optim.steps"])))


def _lrsym(axes: Mapping[str, object], folder: Path, *, cells: int, engine: str) -> tuple[float, float]:
    file, results = folder / "search.toml", folder / "results"
    inline = {key: json.dumps(axis) if isinstance(axis, list) else _inline(axis) for key, axis in SPACE.items()}
    tables = {
        name: "\n".join(f'"{key}" = {value}' for key, value in table.items())
        for name, table in {"base": {key: json.dumps(v) for key, v in axes.items()}, "space": inline}.items()
    }
    file.write_text(FILE.format(cells=cells, replicates=REPLICATES, **tables))
    started = time.monotonic()
    with fresh.lrsym_sweep(file, results, engine=engine, pack=PACK, workers=WORKERS):
        pass
    seconds = time.monotonic() - started
    steps = load(results, "trials").select(pl.sum("trained_steps")).collect().item()
    return seconds, steps / (cells * REPLICATES * int(str(axes["optim.steps"])))


def _inline(axis: object) -> str:
    assert isinstance(axis, dict)
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in axis.items()) + " }"
