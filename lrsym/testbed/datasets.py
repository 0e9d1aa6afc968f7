"""The training set and the validation sets of a trial, all disjoint, as scene numbers.

Labels 1..n_pair_labels form the trained pairs, the next n_heldout_labels the unseen pairs. Drawn from the
trial's stream "scenes", without replacement, so the splits are disjoint; for one seed, more layouts or positions
contain fewer. Source: arXiv:2601.12809, section on data (single, seen and unseen; half-seen pairs
and coverage are ours).
"""

from itertools import permutations

import numpy as np
from jaxtyping import Int

from lrsym.testbed import scenes as sc
from lrsym.testbed.streams import stream
from lrsym.world import Scenes

Groups = Int[np.ndarray, "n object"]
"""Ordered groups of different labels: pairs, or triples."""

HALF_LAYOUTS, HALF_SCENES = 6, 1000
"""Layouts of each half-seen pair, and scenes in all; the paper's 15 and 5 labels give 900, as many as unseen pairs."""

MAX_SPLIT, SAMPLE = 10_000, 2000
"""A validation set of more scenes than MAX_SPLIT (three objects, large grids) is a random sample of size SAMPLE."""


def splits(scenes: Scenes, *, seed: int, most: int = MAX_SPLIT) -> dict[str, sc.Numbers]:
    """Scene numbers by split (vocabulary.SPLITS), ascending; a split may be empty.

    A validation set of more than `most` scenes is a random sample of that size, at most SAMPLE.
    """
    single_train, single_rest = _draw_singles(scenes, seed)
    pair_train, pair_rest, uncovered = _draw_pairs(scenes, seed)
    validation = {
        "single": single_rest,
        "seen": pair_rest,
        "unseen": _unseen(scenes),
        "half": _draw_half_seen(scenes, seed),
        "uncovered": uncovered,
    }
    kept = {
        name: _sample(numbers, min(most, SAMPLE), seed, name) if len(numbers) > most else np.sort(numbers)
        for name, numbers in validation.items()
    }
    return {"train": np.sort(np.concatenate([single_train, pair_train])), **kept}


def _draw_singles(scenes: Scenes, seed: int) -> tuple[sc.Numbers, sc.Numbers]:
    labels = np.arange(1, scenes.n_labels + 1)
    order = _shuffled_rows(stream(seed, "scenes/single"), len(labels), scenes.n_cells)
    numbers = sc.single_scene(scenes, labels[:, None], order)
    cut = scenes.positions_per_label
    return numbers[:, :cut].ravel(), numbers[:, cut:].ravel()


def _draw_pairs(scenes: Scenes, seed: int) -> tuple[sc.Numbers, sc.Numbers, sc.Numbers]:
    """Scenes of the pair labels: trained, trained pairs in other layouts, and pairs that are not trained."""
    groups = _ordered_groups(range(1, scenes.n_pair_labels + 1), scenes.n_objects)
    order = _shuffled_rows(stream(seed, "scenes/pairs"), len(groups), scenes.n_layouts)
    numbers = sc.group_scene(scenes, groups[:, None], order)
    trained, cut = _draw_covered(scenes, groups, seed), scenes.layouts_per_pair
    return numbers[trained, :cut].ravel(), numbers[trained, cut:].ravel(), numbers[~trained].ravel()


def _draw_covered(scenes: Scenes, groups: Groups, seed: int) -> np.ndarray:
    """Which of `groups` are trained; for one seed more coverage contains less."""
    rng = stream(seed, "scenes/coverage")
    choices = np.arange(len(groups))
    if scenes.pair_orders == "one":
        _, of_set = np.unique(np.sort(groups, axis=1), axis=0, return_inverse=True)
        shuffled = rng.permutation(choices)
        choices = shuffled[np.unique(of_set[shuffled], return_index=True)[1]]  # the first order of each set of labels
    trained = np.zeros(len(groups), dtype=bool)
    trained[rng.permutation(choices)[: scenes.n_trained_pairs]] = True
    return trained


def _unseen(scenes: Scenes) -> sc.Numbers:
    first = scenes.n_pair_labels + 1
    groups = _ordered_groups(range(first, first + scenes.n_heldout_labels), scenes.n_objects)
    return sc.group_scene(scenes, groups[:, None], np.arange(scenes.n_layouts)[None]).ravel()


def _draw_half_seen(scenes: Scenes, seed: int) -> sc.Numbers:
    last = scenes.n_pair_labels + scenes.n_heldout_labels
    groups = _ordered_groups(range(1, last + 1), scenes.n_objects)
    in_pairs = (groups <= scenes.n_pair_labels).sum(axis=1)
    groups = groups[(in_pairs > 0) & (in_pairs < scenes.n_objects)]
    order = _shuffled_rows(stream(seed, "scenes/half"), len(groups), scenes.n_layouts)
    numbers = sc.group_scene(scenes, groups[:, None], order[:, :HALF_LAYOUTS])
    return _sample(numbers.ravel(), HALF_SCENES, seed, "half-seen")


def _sample(numbers: sc.Numbers, most: int, seed: int, name: str) -> sc.Numbers:
    if len(numbers) > most:
        numbers = stream(seed, f"scenes/sample/{name}").permutation(numbers)[:most]
    return np.sort(numbers)


def _ordered_groups(labels: range, size: int) -> Groups:
    return np.array(list(permutations(labels, size)), dtype=np.int64).reshape(-1, size)


def _shuffled_rows(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    return rng.permuted(np.tile(np.arange(n), (rows, 1)), axis=1)
