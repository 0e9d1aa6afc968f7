"""One-dimensional scenes and their captions, by number.

Scenes and captions are enumerated once for given `n_labels` and `n_positions`, so that data sets are arrays of
numbers and splits are disjoint when their numbers are. Labels count from 1, positions from 0.

    scene tokens    [CLS] x_1 .. x_P    background 0, labels 1..N, [CLS] N + 1
    caption tokens  4 for each caption  "is" 0, labels 1..N, "in the image" N + 1, "is on the left of" N + 2,
                                        [EOT] N + 3

Single-object scenes come first (label, then position), then two-object scenes (ordered pair, then layout); the
same for captions. A pair (a, b) has a on the left. Source: arXiv:2601.12809, section on data.
"""

import numpy as np
from jaxtyping import Int

from lrsym.trial import Scenes

Numbers = Int[np.ndarray, "..."]

CAPTION_LENGTH = 4
EOT_POSITION = CAPTION_LENGTH - 1
CLS_POSITION = 0


def cls_token(scenes: Scenes) -> int:
    """Token id of [CLS]; the vision vocabulary has one more than this."""
    return scenes.n_labels + 1


def eot_token(scenes: Scenes) -> int:
    """Token id of [EOT]; the text vocabulary has one more than this."""
    return scenes.n_labels + 3


def n_captions(scenes: Scenes) -> int:
    """Captions of the vocabulary: one for each label and one for each ordered pair."""
    return scenes.n_labels**2


def layouts(n_positions: int) -> Int[np.ndarray, "layout 2"]:
    """Every layout of two objects: positions p < q in lexicographic order."""
    return np.stack(np.triu_indices(n_positions, k=1), axis=1)


def pair_number(scenes: Scenes, left: Numbers, right: Numbers) -> Numbers:
    """Number of the ordered pair (left, right) of different labels, 0..N(N - 1) - 1."""
    return (left - 1) * (scenes.n_labels - 1) + (right - 1) - (right > left)


def pair_labels(scenes: Scenes, pair: Numbers) -> tuple[Numbers, Numbers]:
    """Labels (left, right) of the pairs numbered `pair`: inverse of `pair_number`."""
    left, rest = np.divmod(pair, scenes.n_labels - 1)
    return left + 1, rest + (rest >= left) + 1


def single_scene(scenes: Scenes, label: Numbers, position: Numbers) -> Numbers:
    """Numbers of the scenes with one object."""
    return (label - 1) * scenes.n_positions + position


def pair_scene(scenes: Scenes, left: Numbers, right: Numbers, layout: Numbers) -> Numbers:
    """Numbers of the scenes with `left` and `right` at the positions of `layout`."""
    return n_single_scenes(scenes) + pair_number(scenes, left, right) * scenes.n_layouts + layout


def n_single_scenes(scenes: Scenes) -> int:
    """Scenes with one object; two-object scenes are numbered from here."""
    return scenes.n_labels * scenes.n_positions


def has_two_objects(scenes: Scenes, number: Numbers) -> np.ndarray:
    """Which of the scenes show two objects."""
    return number >= n_single_scenes(scenes)


def scene_tokens(scenes: Scenes, number: Numbers) -> Int[np.ndarray, "n token"]:
    """Token rows of the scenes numbered `number`, [CLS] first."""
    tokens = np.zeros((len(number), 1 + scenes.n_positions), dtype=np.int64)
    tokens[:, CLS_POSITION] = cls_token(scenes)
    two = has_two_objects(scenes, number)
    rows, single = np.flatnonzero(~two), number[~two]
    tokens[rows, 1 + single % scenes.n_positions] = 1 + single // scenes.n_positions
    rows = np.flatnonzero(two)
    pair, layout = np.divmod(number[two] - n_single_scenes(scenes), scenes.n_layouts)
    positions = layouts(scenes.n_positions)[layout]
    for labels, column in zip(pair_labels(scenes, pair), positions.T, strict=True):
        tokens[rows, 1 + column] = labels
    return tokens


def scene_caption(scenes: Scenes, number: Numbers) -> Numbers:
    """Number of the caption that describes each scene."""
    singles = n_single_scenes(scenes)
    pair = (number - singles) // scenes.n_layouts
    return np.where(has_two_objects(scenes, number), scenes.n_labels + pair, number // scenes.n_positions)


def caption_labels(scenes: Scenes, caption: Numbers) -> Int[np.ndarray, "n 2"]:
    """Labels named by each caption, in order; the second is 0 where only one is named."""
    left, right = pair_labels(scenes, np.maximum(caption - scenes.n_labels, 0))
    single = caption < scenes.n_labels
    return np.stack([np.where(single, caption + 1, left), np.where(single, 0, right)], axis=1)


def caption_tokens(scenes: Scenes) -> Int[np.ndarray, "caption token"]:
    """Token rows of every caption of the vocabulary, [EOT] last."""
    labels = caption_labels(scenes, np.arange(n_captions(scenes)))
    single = labels[:, 1] == 0
    relation = np.where(single, 0, scenes.n_labels + 2)
    rest = np.where(single, scenes.n_labels + 1, labels[:, 1])
    return np.stack([labels[:, 0], relation, rest, np.full(len(labels), eot_token(scenes))], axis=1)


def mirror(tokens: Int[np.ndarray, "n token"]) -> Int[np.ndarray, "n token"]:
    """The scenes seen in a mirror: pixels in reverse order, [CLS] where it was."""
    return np.concatenate([tokens[:, :1], tokens[:, :0:-1]], axis=1)


def swap(scenes: Scenes, caption: Numbers) -> Numbers:
    """The captions with their two labels exchanged; captions of one label stay as they are."""
    left, right = caption_labels(scenes, caption).T
    single = right == 0
    safe = np.where(single, np.where(left == 1, 2, 1), right)
    return np.where(single, caption, scenes.n_labels + pair_number(scenes, safe, left))


def caption_text(scenes: Scenes, caption: int) -> str:
    """The caption in words, labels as numbers."""
    left, right = caption_labels(scenes, np.array([caption]))[0]
    return f"{left} is in the image" if right == 0 else f"{left} is on the left of {right}"
