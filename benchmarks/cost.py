"""What a trial costs against how much work it is: steps, labels, the size of its pack, and the number of workers.

One axis moves at a time, the others stay at 300 steps of the recipe, 15 labels, a pack of 8 and one worker. Each point
is `lrsym sweep` in a fresh process with an empty store; its time is from the beginning of the first pack to the end of
the last one, evaluations (as many for each step as in the recipe) and mechanism included, starting excluded.
`benchmarks/picture.py` draws it.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from benchmarks import fresh
from benchmarks.against_ray import STEPS_A_POINT
from benchmarks.figures import Figure
from lrsym.results.store.store import load_trials

AXES = {"steps": (150, 300, 600, 1200), "labels": (5, 7, 9, 11, 13, 15), "pack": (1, 2, 4, 8, 16), "workers": (1, 2)}
NAME = "cost against "
"""What the benchmark of an axis is called, before its name."""


@dataclass(frozen=True)
class Setting:
    """A sweep of `packs` packs of one cell."""

    steps: int = 300
    labels: int = 15
    pack: int = 8
    workers: int = 1
    packs: int = 1


def measure(*, repeats: int, steps: int = 300, axes: Mapping[str, Sequence[int]] = AXES) -> list[Figure]:
    """Figures of every value of every one of `axes`, with `steps` steps where they do not vary."""
    settings = {(axis, value): _setting(axis, value, steps=steps) for axis in axes for value in axes[axis]}
    # A setting that several axes have in common is run once in a round.
    distinct = [*dict.fromkeys(settings.values())]
    seconds = [{setting: _seconds_a_trial(setting) for setting in distinct} for _ in range(repeats)]
    return [
        Figure.of([r[setting] for r in seconds], benchmark=f"{NAME}{axis}", variant=str(value), unit="s a trial")
        for (axis, value), setting in settings.items()
    ]


def _setting(axis: str, value: int, *, steps: int) -> Setting:
    """The setting with `axis` at `value`. Workers share two packs, so that both have one."""
    setting = Setting(steps=steps, packs=2 if axis == "workers" else 1)
    return replace(setting, **{axis: value})


def _seconds_a_trial(setting: Setting) -> float:
    points = max(1, setting.steps // STEPS_A_POINT)
    axes = {"optim.steps": setting.steps, "scenes.n_pair_labels": setting.labels, "eval.points": points}
    trials = setting.pack * setting.packs
    with tempfile.TemporaryDirectory() as folder:
        file, results = (
            fresh.write_sweep(Path(folder) / "cost.toml", trials=trials, axes=axes),
            Path(folder) / "results",
        )
        with fresh.lrsym_sweep(file, results, engine="local", pack=setting.pack, workers=setting.workers):
            pass
        ended = pl.col("finished_at").dt.epoch("us") / 1e6
        # `seconds` is a trial's share of its pack.
        began = ended - pl.col("seconds") * pl.col("pack_size")
        (taken,) = load_trials(results).select(ended.max() - began.min()).collect().to_series()
    return taken / trials
