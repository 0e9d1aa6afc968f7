"""Which cells of a grid to train next where a boundary is looked for; the same observations give the same cells.

Straddle (Bryan et al., NIPS 2005): the cell whose interval reaches furthest over the level. Every third cell is instead
the one farthest from all tried, so that an island is not missed.
"""

from collections.abc import Sequence
from math import ceil

import numpy as np

from lrsym.results.analysis.surface import Surface, Z

COARSE_SHARE = 0.5
"""Share of the values of each axis that a coarse start is to cover."""

COARSE_REPEATS = 5
"""Cells of the coarse start that get a second replicate, which tells how far replicates lie apart."""

EXPLORE_EVERY = 3
"""One cell in so many is the farthest from all tried."""

NEIGHBOUR = 1.0
"""Steps: where no cell is farther from all tried, nothing is left to explore."""


def coarse_start(ranks: np.ndarray, *, replicates: int) -> list[int]:
    """Return the cells to begin with, from their `ranks` [cell, axis]: spread evenly, some of them once more."""
    tried: list[int] = []
    for _ in range(ceil(len(ranks) * COARSE_SHARE ** ranks.shape[1])):
        tried.append(farthest(ranks, tried)[0])
    again = tried[:: ceil(len(tried) / COARSE_REPEATS)] if replicates > 1 else []
    return tried + again


def farthest(ranks: np.ndarray, tried: Sequence[int], *, free: np.ndarray | None = None) -> tuple[int, float]:
    """Return the cell, among those `free`, that is farthest from all `tried`, and its distance in steps.

    Where nothing is tried it is the one next to the middle. The first of several.
    """
    if len(tried):
        away = ranks[:, None, :] - ranks[np.unique(tried)][None, :, :]
        distance = np.sqrt((away**2).sum(axis=2)).min(axis=1)
    else:
        distance = -np.sqrt(((ranks - ranks.mean(axis=0)) ** 2).sum(axis=1))
    if free is not None:
        distance = np.where(free, distance, -np.inf)
    cell = int(distance.argmax())
    return cell, float(distance[cell])


def next_cells(
    ranks: np.ndarray, tried: Sequence[int], surface: Surface | None, *, level: float, n: int, replicates: int
) -> list[int]:
    """Return the next `n` cells to train a replicate of; fewer where every cell has all of its `replicates`.

    `tried` are the cells of all replicates so far, those in training and those that gave no value included; `surface`,
    which is None before there is a value, expects these. `level` is in logits.
    """
    counts, chosen = np.bincount(tried, minlength=len(ranks)), []
    while len(chosen) < n and (free := counts < replicates).any():
        explores = surface is None or (len(tried) + len(chosen)) % EXPLORE_EVERY == EXPLORE_EVERY - 1
        cell, distance = farthest(ranks, np.flatnonzero(counts).tolist(), free=free) if explores else (0, 0.0)
        if surface is not None:
            if distance <= NEIGHBOUR:
                reach = Z * surface.sd - abs(surface.mean - level)
                cell = int(np.where(free, reach, -np.inf).argmax())
            surface = surface.expecting(cell)
        counts[cell] += 1
        chosen.append(cell)
    return chosen
