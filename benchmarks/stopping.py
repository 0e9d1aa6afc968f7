"""Ending trials early: what `stop = "decided"` gets wrong and saves on the committed curves, and what leaving costs.

The rule is asked after each evaluation of every committed trial, as a worker would ask it. It is wrong about a trial
whose order on some split, or whose phase, is another one at the end. What leaving costs is the processor time of one
thread: of a step with so many members, and of making the training that goes on without one.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

import polars as pl
import torch

from benchmarks.figures import Figure
from benchmarks.step import CPU
from lrsym.config.trial import Trial
from lrsym.results.store.store import load, load_trials
from lrsym.sweep.execution.grid_stop_rules import JUDGED, Decided
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training.training import Training
from lrsym.vocabulary import PHASE_THRESHOLD

REFERENCE = Path(__file__).parent.parent / "results" / "reference"

MARGIN = 0.05
"""Accuracies that differ by more are different."""

CEILINGS = (0.95, 0.96, 0.97, 0.98, 0.99)

Point = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Curve:
    """A committed trial that ran to its end: its evaluation steps, and its accuracies by split and metric."""

    steps: tuple[int, ...]
    points: tuple[Point, ...]

    def stops_at(self, rule: Decided) -> int | None:
        """Return the evaluation at which `rule` stops it; None where it is trained to its end."""
        for evaluation in range(len(self.steps) - 1):
            curve = self.points[: evaluation + 1]
            if rule.members_to_stop([curve], trials=[], steps=self.steps, training=[0]):
                return evaluation
        return None


@dataclass(frozen=True)
class Replay:
    """What a rule would have done to `n` trials. `saved` is the share of its steps that each stopped one was spared."""

    n: int
    saved: tuple[float, ...]
    wrong_order: int
    wrong_phase: int
    share_of_all_steps: float

    @property
    def stopped(self) -> int:
        """The number of trials that were stopped."""
        return len(self.saved)


def measure(*, repeats: int, steps: int) -> list[Figure]:
    """Figures of the replay at several ceilings, and of packs of eight that lose members, `steps` steps a repeat."""
    curves = [*committed_curves()]
    rules = {f"ceiling {ceiling}": Decided(ceiling=ceiling) for ceiling in CEILINGS}
    rules["ceiling 0.97, chance not counted"] = Decided(margin=-1)
    replays = {name: replay(rule, curves) for name, rule in rules.items()}
    figures = [figure for name, done in replays.items() for figure in _replay_figures(name, done)]
    return figures + [f for batch in (256, 50) for f in _leaving_figures(batch, repeats=repeats, steps=steps)]


def committed_curves(trial_ids: Collection[str] | None = None) -> Iterator[Curve]:
    """Yield the curve of every committed trial that is done, or of those with `trial_ids`."""
    done = load_trials(REFERENCE, trial_ids=trial_ids).filter(status="done").collect()["trial_id"].to_list()
    points = load(REFERENCE, "curves", trial_ids=done).filter(pl.col("metric").is_in(JUDGED)).collect()
    for of_trial in points.sort("step").partition_by("trial_id", maintain_order=True):
        by_step: dict[int, Point] = {}
        for step, split, metric, value in of_trial.select("step", "split", "metric", "value").iter_rows():
            by_step.setdefault(step, {})[split, metric] = value
        yield Curve(tuple(by_step), tuple(by_step.values()))


def replay(rule: Decided, curves: Sequence[Curve]) -> Replay:
    """Return what `rule` does to `curves`."""
    ends = [(curve, at) for curve in curves if (at := curve.stops_at(rule)) is not None]
    pairs = [(curve.points[at], curve.points[-1]) for curve, at in ends]
    steps = sum(curve.steps[-1] for curve in curves)
    return Replay(
        n=len(curves),
        saved=tuple(1 - curve.steps[at] / curve.steps[-1] for curve, at in ends),
        wrong_order=sum(any(abs(now[k] - last[k]) > MARGIN for k in now if k[1] == "order") for now, last in pairs),
        wrong_phase=sum(_phase(now) != _phase(last) for now, last in pairs),
        share_of_all_steps=sum(curve.steps[-1] - curve.steps[at] for curve, at in ends) / steps,
    )


def _phase(point: Point) -> int:
    """Return how many of the nested accuracies are reached; a split that does not exist is passed over."""
    orders = [point[split, "order"] for split in ("train", "seen", "unseen") if (split, "order") in point]
    return next((i for i, order in enumerate(orders) if order < PHASE_THRESHOLD), len(orders))


def _replay_figures(name: str, done: Replay) -> list[Figure]:
    values = {
        "stopped": (100 * done.stopped / done.n, "% of trials"),
        "order differs at the end": (100 * done.wrong_order / done.n, "% of trials"),
        "phase differs at the end": (100 * done.wrong_phase / done.n, "% of trials"),
        "steps saved, mean over all trials": (100 * sum(done.saved) / done.n, "% of a trial's steps"),
        "steps saved, mean over stopped ones": (100 * mean(done.saved or [0.0]), "% of a trial's steps"),
        "steps saved, in all": (100 * done.share_of_all_steps, "% of all steps"),
    }
    return [
        Figure.of([value], benchmark=f"decided, {name}", variant=variant, unit=unit)
        for variant, (value, unit) in values.items()
    ]


def _leaving_figures(batch_size: int, *, repeats: int, steps: int) -> list[Figure]:
    """Figures of a pack of eight whose members leave one by one: a step with so many, and what each leaving takes."""
    torch.set_num_threads(1)
    pack = [Trial.from_axes({"seed": seed, "optim.batch_size": batch_size}) for seed in range(8)]
    data = PackData.of(pack, device=CPU)
    step: dict[int, list[float]] = {n: [] for n in range(8, 0, -1)}
    leaving: list[float] = []
    for _ in range(repeats):
        training = Training(pack, data, device=CPU)
        for n in step:
            if n < 8:
                started = time.thread_time()
                training = training.select(range(n))
                leaving.append(1e3 * (time.thread_time() - started))
            training.advance()
            started = time.thread_time()
            for _ in range(steps):
                training.advance()
            step[n].append(1e3 * (time.thread_time() - started) / steps)
    gains = [(median(step[more]) - median(step[fewer])) for more, fewer in pairwise(step)]
    name = f"leaving, batch {batch_size}"
    return [
        *(Figure.of(taken, benchmark=name, variant=f"step with {n}", unit="ms") for n, taken in step.items()),
        Figure.of(gains, benchmark=name, variant="gain of a step by one member fewer", unit="ms"),
        Figure.of(leaving, benchmark=name, variant="going on without a member", unit="ms"),
        Figure.of([median(leaving) / median(gains)], benchmark=name, variant="pays after", unit="steps"),
    ]
