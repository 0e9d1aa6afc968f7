"""What the stop rules of searches save and lose on committed curves: one cell after another, in random orders.

The cells are those of `labels_by_layouts` with their replicates. In each order every cell is asked about after each
evaluation, with all cells before it as its history, as a worker would ask; the best is the one that a search would then
take, the cell with the highest last mean among those trained to the end. asha is also replayed with more rungs.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from benchmarks.figures import Figure
from lrsym.config.trial import Trial
from lrsym.results.store.store import load, load_trials
from lrsym.sweep.search import search_stop_rules
from lrsym.sweep.search.search_stop_rules import SEARCH_RULES, CellRule, make_rule
from lrsym.sweep.spec.sweep_file import load as load_sweep

ROOT = Path(__file__).parent.parent
REFERENCE, SWEEP = ROOT / "results" / "reference", ROOT / "sweeps" / "labels_by_layouts.toml"
SPLIT, METRIC = "unseen", "order"

Curve = tuple[tuple[float, ...], ...]
"""`curve[evaluation][replicate]`."""


def measure(*, orders: int) -> list[Figure]:
    """Figures of each rule over `orders` orders of the cells."""
    cells, trials, steps = committed_cells()
    figures = []
    for name in SEARCH_RULES:
        for rungs in (1, 2, 3) if name == "asha" else (search_stop_rules.RUNGS,):
            search_stop_rules.RUNGS, kept = rungs, search_stop_rules.RUNGS
            try:
                replays = [replay(name, cells, trials, steps, random.Random(order)) for order in range(orders)]
            finally:
                search_stop_rules.RUNGS = kept
            saved, lost = zip(*replays, strict=True)
            label = f"{name}, {rungs} rung{'s' if rungs > 1 else ''}" if name == "asha" else name
            rows = {
                "steps saved": ([100 * share for share in saved], "% of all steps"),
                "mean of the best below the best of all": (lost, SPLIT + "_" + METRIC),
                "best cell kept": ([100 * mean(loss == 0 for loss in lost)], "% of orders"),
                "mean loss": ([mean(lost)], SPLIT + "_" + METRIC),
            }
            figures += [
                Figure.of(values, benchmark=f"{label}, {len(cells)} cells", variant=variant, unit=unit)
                for variant, (values, unit) in rows.items()
            ]
    return figures


def committed_cells() -> tuple[list[Curve], list[list[Trial]], list[int]]:
    """The curves and the trials of each cell, and the evaluation steps that they share."""
    sweep = load_sweep(SWEEP)
    done = {*load_trials(REFERENCE, trial_ids=sweep.trial_ids()).filter(status="done").collect()["trial_id"]}
    points = load(REFERENCE, "curves", trial_ids=done).filter(split=SPLIT, metric=METRIC).sort("step").collect()
    by_trial = {str(key[0]): frame for key, frame in points.partition_by("trial_id", as_dict=True).items()}
    steps = points["step"].unique().sort().to_list()
    curves, trials = [], []
    for cell in sweep.cells:
        members = [cell.trial(seed) for seed in sweep.seeds]
        if all(trial.trial_id in by_trial for trial in members):
            values = [by_trial[trial.trial_id]["value"].to_list() for trial in members]
            curves.append(tuple(zip(*values, strict=True)))
            trials.append(members)
    return curves, trials, steps


def replay(
    name: str, cells: Sequence[Curve], trials: Sequence[Sequence[Trial]], steps: Sequence[int], chance: random.Random
) -> tuple[float, float]:
    """Share of the steps saved, and how far the best cell that is left lies below the best of all."""
    history: list[Curve] = []
    taken, best = 0, 0.0
    for cell in chance.sample(range(len(cells)), len(cells)):
        curve, members = cells[cell], [*trials[cell]]
        rule = make_rule(name, history, split=SPLIT, metric=METRIC, minimise=False, replicates=len(members))
        assert isinstance(rule, CellRule)
        end = _ends_at(rule, curve, members, steps)
        history.append(curve[: end + 1])
        taken += steps[end]
        if end == len(steps) - 1:
            best = max(best, mean(curve[-1]))
    every = max(mean(curve[-1]) for curve in cells)
    return 1 - taken / (steps[-1] * len(cells)), every - best


def _ends_at(rule: CellRule, curve: Curve, members: Sequence[Trial], steps: Sequence[int]) -> int:
    """The evaluation at which the cell ends."""
    everyone = range(len(members))
    for evaluation in range(len(steps) - 1):
        points = [[{(SPLIT, METRIC): at[i]} for at in curve[: evaluation + 1]] for i in everyone]
        if rule.members_to_stop(points, trials=members, steps=steps, training=everyone):
            return evaluation
    return len(steps) - 1
