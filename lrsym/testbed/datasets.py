"""The training set and the validation sets of a trial, all disjoint, as scene numbers.

Labels 1..n_pair_labels form the trained pairs, the next n_heldout_labels the unseen pairs. Drawn from the
trial's stream "scenes", without replacement, so the splits are disjoint; for one seed, more layouts or positions
contain fewer. Source: arXiv:2601.12809, section on data (single, seen and unseen; half-seen pairs
and coverage are ours).
"""

from itertools import permutations

import numpy as np

from lrsym.testbed import scenes as sc
from lrsym.testbed.streams import stream
from lrsym.trial import Scenes

HALF_LAYOUTS = 6
"""Layouts of each half-seen pair: with the paper's 15 and 5 labels the split is as large as the unseen pairs."""


def splits(scenes: Scenes, *, seed: int) -> dict[str, sc.Numbers]:
    """Scene numbers by split (vocabulary.SPLITS), ascending; a split may be empty."""
    single_train, single_rest = _draw_singles(scenes, seed)
    pair_train, pair_rest, uncovered = _draw_pairs(scenes, seed)
    return {
        "train": np.sort(np.concatenate([single_train, pair_train])),
        "single": np.sort(single_rest),
        "seen": np.sort(pair_rest),
        "unseen": _unseen(scenes),
        "half": _draw_half_seen(scenes, seed),
        "uncovered": np.sort(uncovered),
    }


def _draw_singles(scenes: Scenes, seed: int) -> tuple[sc.Numbers, sc.Numbers]:
    labels = np.arange(1, scenes.n_labels + 1)
    order = _shuffled_rows(stream(seed, "scenes/single"), len(labels), scenes.n_positions)
    numbers = sc.single_scene(scenes, labels[:, None], order)
    cut = scenes.positions_per_label
    return numbers[:, :cut].ravel(), numbers[:, cut:].ravel()


def _draw_pairs(scenes: Scenes, seed: int) -> tuple[sc.Numbers, sc.Numbers, sc.Numbers]:
    """Scenes of the pair labels: trained, trained pairs in other layouts, and pairs that are not trained."""
    left, right = _ordered_pairs(1, scenes.n_pair_labels)
    order = _shuffled_rows(stream(seed, "scenes/pairs"), len(left), scenes.n_layouts)
    numbers = sc.pair_scene(scenes, left[:, None], right[:, None], order)
    trained, cut = _draw_covered(scenes, seed), scenes.layouts_per_pair
    return numbers[trained, :cut].ravel(), numbers[trained, cut:].ravel(), numbers[~trained].ravel()


def _draw_covered(scenes: Scenes, seed: int) -> np.ndarray:
    """Which of the ordered pairs of the pair labels are trained; for one seed more coverage contains less."""
    left, right = _ordered_pairs(1, scenes.n_pair_labels)
    rng = stream(seed, "scenes/coverage")
    choices = np.arange(len(left))
    if scenes.pair_orders == "one":
        first = np.flatnonzero(left < right)
        mirrored = {(a, b): i for i, (a, b) in enumerate(zip(left, right, strict=True))}
        second = np.array([mirrored[right[i], left[i]] for i in first])
        choices = np.where(rng.random(len(first)) < 0.5, first, second)
    trained = np.zeros(len(left), dtype=bool)
    trained[rng.permutation(choices)[: scenes.n_trained_pairs]] = True
    return trained


def _draw_half_seen(scenes: Scenes, seed: int) -> sc.Numbers:
    last = scenes.n_pair_labels + scenes.n_heldout_labels
    left, right = _ordered_pairs(1, last)
    half = (left <= scenes.n_pair_labels) != (right <= scenes.n_pair_labels)
    left, right = left[half, None], right[half, None]
    order = _shuffled_rows(stream(seed, "scenes/half"), len(left), scenes.n_layouts)
    return np.sort(sc.pair_scene(scenes, left, right, order[:, :HALF_LAYOUTS]).ravel())


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
