"""The training set and the validation sets of a trial, all disjoint, as scene numbers.

Labels 1..n_pair_labels form the trained pairs, the next n_heldout_labels the unseen pairs. Drawn from the
trial's stream "scenes", without replacement, so the splits are disjoint; for one seed, more layouts or positions
contain fewer. Source: arXiv:2601.12809, section on data (single, seen and unseen; half-seen pairs
and coverage are ours).
"""

from itertools import permutations

import numpy as np
from jaxtyping import Int

from lrsym.config.scene import HALF_LAYOUTS, SceneConfig
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.streams import stream

Groups = Int[np.ndarray, "n object"]
"""Ordered groups of different labels: pairs, or triples."""

MAX_SPLIT = 10_000
"""Scenes of a validation set of three objects or of grids, of which larger ones are sampled. One row of two objects is
small: all of it counts."""

SAMPLE_SIZE = 2000
"""Scenes of the random sample of a larger validation set, at most."""

MAX_HALF = 1000
"""Half-seen scenes, where validation sets are bounded; of more, so many are drawn at random."""

MAX_DECODER_SPLIT = 1000
"""Scenes of a decoder's validation sets, of which larger ones are sampled: to score a scene costs four examples of
training."""


def splits(scenes: SceneConfig, *, seed: int, max_size: int | None = None) -> dict[str, sc.Numbers]:
    """Return scene numbers by split (vocabulary.SPLITS), ascending; a split may be empty.

    A validation set of more than `max_size` scenes is a random sample of that size, at most SAMPLE_SIZE. Without
    `max_size` that is done for three objects and for grids alone, beyond MAX_SPLIT.
    """
    single_train, single_heldout = _draw_singles(scenes, seed)
    pair_train, pair_heldout, uncovered = _draw_pairs(scenes, seed)
    validation = {
        "single": single_heldout,
        "seen": pair_heldout,
        "unseen": _unseen(scenes),
        "half": _draw_half_seen(scenes, seed),
        "uncovered": uncovered,
    }
    if max_size is None and (scenes.n_objects > 2 or scenes.n_rows > 1):
        max_size = MAX_SPLIT
    if max_size is not None:
        validation = {name: _sample(name, numbers, seed, max_size=max_size) for name, numbers in validation.items()}
    train = np.concatenate([single_train, pair_train])
    # Numbers of a group come together, so most of them stand in runs, of which this sort makes use.
    return {name: np.sort(numbers, kind="stable") for name, numbers in {"train": train, **validation}.items()}


def _draw_singles(scenes: SceneConfig, seed: int) -> tuple[sc.Numbers, sc.Numbers]:
    labels = np.arange(1, scenes.n_labels + 1)
    order = _shuffled_rows(stream(seed, "scenes/single"), len(labels), scenes.n_pixels)
    numbers = sc.single_scene(scenes, labels[:, None], order)
    cut = scenes.positions_per_label
    return numbers[:, :cut].ravel(), numbers[:, cut:].ravel()


def _draw_pairs(scenes: SceneConfig, seed: int) -> tuple[sc.Numbers, sc.Numbers, sc.Numbers]:
    """Return scenes of the pair labels: trained, trained pairs in other layouts, and pairs that are not trained."""
    groups = _ordered_groups(range(1, scenes.n_pair_labels + 1), scenes.n_objects)
    order = _shuffled_rows(stream(seed, "scenes/pairs"), len(groups), scenes.n_layouts)
    numbers = sc.group_scene(scenes, groups[:, None], order)
    trained, cut = _draw_covered(scenes, groups, seed), scenes.layouts_per_pair
    return numbers[trained, :cut].ravel(), numbers[trained, cut:].ravel(), numbers[~trained].ravel()


def _draw_covered(scenes: SceneConfig, groups: Groups, seed: int) -> np.ndarray:
    """Return which of `groups` are trained; for one seed more coverage contains less."""
    rng = stream(seed, "scenes/coverage")
    choices = np.arange(len(groups))
    if scenes.pair_orders == "one":
        choices = _one_order(groups, rng)
    trained = np.zeros(len(groups), dtype=bool)
    trained[rng.permutation(choices)[: scenes.n_trained_pairs]] = True
    return trained


def _one_order(groups: Groups, rng: np.random.Generator) -> np.ndarray:
    """Return the numbers of one group for each set of labels, in an order drawn at random."""
    number = {tuple(group): n for n, group in enumerate(groups.tolist())}
    ascending = [group for group in number if list(group) == sorted(group)]
    if groups.shape[1] == 2:
        forward = rng.random(len(ascending)) < 0.5
        return np.array([number[g if f else g[::-1]] for g, f in zip(ascending, forward, strict=True)])
    orders = rng.permuted(np.array(ascending), axis=1)
    return np.array([number[tuple(group)] for group in orders.tolist()])


def _unseen(scenes: SceneConfig) -> sc.Numbers:
    first = scenes.n_pair_labels + 1
    groups = _ordered_groups(range(first, first + scenes.n_heldout_labels), scenes.n_objects)
    return sc.group_scene(scenes, groups[:, None], np.arange(scenes.n_layouts)[None]).ravel()


def partner_scenes(scenes: SceneConfig, *, seed: int) -> Int[np.ndarray, "label scene"]:
    """Return for each held-out label its scenes beside a pair label that are trained, none of them half-seen ones.

    For one seed more partners contain fewer.
    """
    if not scenes.heldout_partners:
        return np.zeros((scenes.n_heldout_labels, 0), dtype=np.int64)
    groups, order = _half_seen(scenes, seed)
    rng = stream(seed, "scenes/partners")
    first = scenes.n_pair_labels + 1
    of_labels = []
    for label in range(first, first + scenes.n_heldout_labels):
        mine = (groups == label).any(axis=1)
        numbers = sc.group_scene(scenes, groups[mine][:, None], order[mine, HALF_LAYOUTS:])
        of_labels.append(rng.permutation(numbers.ravel())[: scenes.heldout_partners])
    return np.array(of_labels, dtype=np.int64).reshape(scenes.n_heldout_labels, scenes.heldout_partners)


def _draw_half_seen(scenes: SceneConfig, seed: int) -> sc.Numbers:
    groups, order = _half_seen(scenes, seed)
    return sc.group_scene(scenes, groups[:, None], order[:, :HALF_LAYOUTS]).ravel()


def _half_seen(scenes: SceneConfig, seed: int) -> tuple[Groups, Int[np.ndarray, "n layout"]]:
    """Return the groups of labels of both kinds, and for each its layouts in an order drawn at random."""
    last = scenes.n_pair_labels + scenes.n_heldout_labels
    groups = _ordered_groups(range(1, last + 1), scenes.n_objects)
    in_pairs = (groups <= scenes.n_pair_labels).sum(axis=1)
    groups = groups[(in_pairs > 0) & (in_pairs < scenes.n_objects)]
    order = _shuffled_rows(stream(seed, "scenes/half"), len(groups), scenes.n_layouts)
    return groups, order


def _sample(split: str, numbers: sc.Numbers, seed: int, *, max_size: int) -> sc.Numbers:
    """Return `numbers`, or a random sample of them where they are too many."""
    name, max_size = ("half-seen", min(max_size, MAX_HALF)) if split == "half" else (split, max_size)
    if len(numbers) <= max_size:
        return numbers
    return stream(seed, f"scenes/sample/{name}").permutation(numbers)[: min(max_size, SAMPLE_SIZE)]


def _ordered_groups(labels: range, size: int) -> Groups:
    return np.array(list(permutations(labels, size)), dtype=np.int64).reshape(-1, size)


def _shuffled_rows(rng: np.random.Generator, rows: int, n: int) -> np.ndarray:
    return rng.permuted(np.tile(np.arange(n), (rows, 1)), axis=1)
