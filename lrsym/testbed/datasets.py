"""The training set and three disjoint validation sets of a trial, as scene numbers.

Labels 1..n_pair_labels form the trained pairs, the next n_heldout_labels the unseen pairs. Drawn from the
trial's stream "scenes", without replacement, so the splits are disjoint; for one seed, more layouts or positions
contain fewer. Source: arXiv:2601.12809, section on data (three validation sets).
"""

from itertools import permutations

import numpy as np

from lrsym.testbed import scenes as sc
from lrsym.testbed.streams import stream
from lrsym.trial import Scenes


def splits(scenes: Scenes, *, seed: int) -> dict[str, sc.Numbers]:
    """Scene numbers by split (`train`, `single`, `seen`, `unseen`), ascending; a split may be empty."""
    single_train, single_rest = _draw_singles(scenes, seed)
    pair_train, pair_rest = _draw_pairs(scenes, seed)
    return {
        "train": np.sort(np.concatenate([single_train, pair_train])),
        "single": np.sort(single_rest),
        "seen": np.sort(pair_rest),
        "unseen": _unseen(scenes),
    }


def _draw_singles(scenes: Scenes, seed: int) -> tuple[sc.Numbers, sc.Numbers]:
    labels = np.arange(1, scenes.n_labels + 1)
    order = _shuffled_rows(stream(seed, "scenes/single"), len(labels), scenes.n_positions)
    numbers = sc.single_scene(scenes, labels[:, None], order)
    cut = scenes.positions_per_label
    return numbers[:, :cut].ravel(), numbers[:, cut:].ravel()


def _draw_pairs(scenes: Scenes, seed: int) -> tuple[sc.Numbers, sc.Numbers]:
    left, right = _ordered_pairs(1, scenes.n_pair_labels)
    order = _shuffled_rows(stream(seed, "scenes/pairs"), len(left), scenes.n_layouts)
    numbers = sc.pair_scene(scenes, left[:, None], right[:, None], order)
    cut = scenes.layouts_per_pair
    return numbers[:, :cut].ravel(), numbers[:, cut:].ravel()


def _unseen(scenes: Scenes) -> sc.Numbers:
    first = scenes.n_pair_labels + 1
    left, right = _ordered_pairs(first, first + scenes.n_heldout_labels - 1)
    every = np.arange(scenes.n_layouts)
    return np.sort(sc.pair_scene(scenes, left[:, None], right[:, None], every[None, :]).ravel())


def _ordered_pairs(first: int, last: int) -> tuple[sc.Numbers, sc.Numbers]:
    pairs = np.array(list(permutations(range(first, last + 1), 2)), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _shuffled_rows(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    return rng.permuted(np.tile(np.arange(n), (rows, 1)), axis=1)
