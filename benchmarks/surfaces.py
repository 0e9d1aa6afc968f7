"""Grids whose boundary is known, for the replay of refinement: made-up surfaces, and the committed phase diagram."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from lrsym.results.analysis.surface_boundary import trained_boundary
from lrsym.results.store.store import load_trials
from lrsym.sweep.search.refine import cell_table
from lrsym.sweep.spec.sweep_file import load

ROOT = Path(__file__).parents[1]
LEVEL = 0.9
SHAPES = {"2 axes": (11, 6), "3 axes": (10, 8, 6)}
KINDS = ("plain", "ridge", "island")
NOISES = (0.5, 1.2)
"""Standard deviation of replicates [logit]: 0.64 in the committed phase diagram lies between."""

REPLICATES = 3

_SATURATION = 3.5
"""Logits that a surface is at most away from the level."""


@dataclass(frozen=True)
class FullGrid:
    """A finished grid: `accuracies` [cell, replicate], and of each cell whether it truly is `above` LEVEL.

    `ranks` [cell, axis]; `judged`, the cells whose truth is known; `island`, those of a small region above.
    """

    ranks: np.ndarray
    accuracies: np.ndarray
    above: np.ndarray
    judged: np.ndarray
    island: np.ndarray

    def misread(self, above: np.ndarray, *, among: np.ndarray | None = None) -> float:
        """Return the share of cells that a reading has on the wrong side, of those judged or `among` others."""
        among = self.judged if among is None else among
        return float((above != self.above)[among].mean()) if among.any() else 0.0


def make_up(axes: str, kind: str, noise: float, *, seed: int) -> FullGrid:
    """Return a surface of that kind, drawn anew for each seed: slope, bend, height, and the place of ridge or island.

    A cell's expected accuracy, over the noise of replicates, is above LEVEL where the surface is above zero.
    """
    shape, rng = SHAPES[axes], np.random.default_rng([seed, len(axes), KINDS.index(kind)])
    ranks = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape)).astype(float)
    at = ranks / (np.array(shape) - 1)
    slope = rng.dirichlet(np.full(len(shape), 4.0))
    height = at @ (slope / slope.max()) + 0.25 * np.sin(3 * at[:, -1] + rng.uniform(0, 6))
    height = (height - height.min()) / np.ptp(height)
    if kind == "ridge":
        surface = 2 - 11 * abs(height - rng.uniform(0.35, 0.65))
    else:
        surface = 8 * (height - np.quantile(height, rng.uniform(0.5, 0.7)))
    island = np.zeros(len(ranks), dtype=bool)
    if kind == "island":
        centre, radius = ranks[rng.choice(np.flatnonzero(surface < -2))], 1.3 if len(shape) == 2 else 1.6
        bump = np.exp(-0.5 * (((ranks - centre) / radius) ** 2).sum(axis=1))
        raised = surface + 1.2 * (np.clip(-surface, 0, None) + 3) * bump
        island, surface = (raised > 0) & (surface <= 0), raised
    surface = _SATURATION * np.tanh(surface / _SATURATION)
    logits = _logit_of_mean(LEVEL, noise) + surface[:, None] + noise * rng.normal(size=(len(ranks), REPLICATES))
    return FullGrid(ranks, expit(logits), surface >= 0, np.ones(len(ranks), dtype=bool), island)


def committed(*, seed: int) -> FullGrid:
    """Return the committed rows of labels_by_layouts, the replicates of each cell in an order drawn by the seed.

    The truth is the boundary by all rows; cells that it leaves undecided are not judged.
    """
    sweep = load(ROOT / "sweeps/labels_by_layouts.toml")
    trials = load_trials(ROOT / "results/reference", trial_ids=sweep.trial_ids()).collect()
    boundary = trained_boundary(cell_table(sweep), trials, metric="unseen_order", level=LEVEL)
    of_trial = dict(trials.select("trial_id", "unseen_order").iter_rows())
    accuracies = np.array([of_trial[name] for name in sweep.trial_ids()]).reshape(len(sweep.cells), sweep.replicates)
    shuffled = np.random.default_rng(seed).permuted(accuracies, axis=1)
    judged = np.array(boundary.sides()) != "undecided"
    return FullGrid(boundary.grid.ranks, shuffled, boundary.away >= 0, judged, np.zeros(len(judged), dtype=bool))


def _logit_of_mean(accuracy: float, noise: float) -> float:
    """Return the logit around which replicates with that `noise` have that mean accuracy."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)

    def above(logit: float) -> float:
        return float(expit(logit + noise * nodes) @ weights / weights.sum()) - accuracy

    return float(brentq(above, -15, 15))  # pyright: ignore[reportArgumentType]
