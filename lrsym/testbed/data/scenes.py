"""Scenes and their captions, by number.

Scenes and captions are enumerated once for given axes, so that data sets are arrays of numbers and splits are
disjoint when their numbers are. Labels count from 1, pixels of the image from 0 (see `lrsym.config.geometry`).

    scene tokens    [CLS] x_1 .. x_P    background 0, labels 1..N, [CLS] N + 1
    caption tokens  4 for each caption  "is" 0, labels 1..N, "in the image" N + 1, then a token for each relation
                                        that the captions name, [EOT]

Single-object scenes come first (label, then pixel), then scenes with several objects (ordered group of labels, then
layout). Captions of one label come first, then those of the first relation (ordered pair), then of the second. The
pair (a, b) of relation "left" means: a is on the left of b. A scene has as many captions as are true of it.
Source: arXiv:2601.12809, section on data.
"""

from itertools import combinations

import numpy as np
from jaxtyping import Int

from lrsym.config.geometry import CAPTIONS, RELATIONS, holds
from lrsym.config.scene import SceneConfig

Numbers = Int[np.ndarray, "..."]

CAPTION_LENGTH = 4
EOT_POSITION = CAPTION_LENGTH - 1
CLS_POSITION = 0
BACKGROUND = 0


def relations(scenes: SceneConfig) -> tuple[str, ...]:
    """Return the relations that the captions name."""
    return CAPTIONS[scenes.captions]


def cls_token(scenes: SceneConfig) -> int:
    """Return the token id of [CLS]; the vision vocabulary has one more than this."""
    return scenes.n_labels + 1


def eot_token(scenes: SceneConfig) -> int:
    """Return the token id of [EOT]; the text vocabulary has one more than this."""
    return scenes.n_labels + 2 + len(relations(scenes))


def n_captions(scenes: SceneConfig) -> int:
    """Return how many captions there are: one for each label, and one for each relation and ordered pair."""
    return scenes.n_labels + len(relations(scenes)) * n_pairs(scenes)


def n_pairs(scenes: SceneConfig) -> int:
    """Return the number of ordered pairs of different labels."""
    return scenes.n_labels * (scenes.n_labels - 1)


def pair_number(scenes: SceneConfig, first: Numbers, second: Numbers) -> Numbers:
    """Return the number of the ordered pair (first, second) of different labels, 0..N(N - 1) - 1."""
    return (first - 1) * (scenes.n_labels - 1) + (second - 1) - (second > first)


def pair_labels(scenes: SceneConfig, pair: Numbers) -> tuple[Numbers, Numbers]:
    """Return the labels (first, second) of the pairs numbered `pair`: inverse of `pair_number`."""
    first, rank = np.divmod(pair, scenes.n_labels - 1)
    return first + 1, rank + (rank >= first) + 1


def single_scene(scenes: SceneConfig, label: Numbers, pixel: Numbers) -> Numbers:
    """Return the numbers of the scenes with one object."""
    return (label - 1) * scenes.n_pixels + pixel


def group_scene(scenes: SceneConfig, labels: Int[np.ndarray, "*n object"], layout: Numbers) -> Numbers:
    """Return the numbers of the scenes with `labels` on the pixels of `layout`, in turn."""
    number = np.zeros(labels.shape[:-1], dtype=np.int64)
    for place in range(scenes.n_objects):  # the label's rank among those not used before it
        earlier = sum(labels[..., e] < labels[..., place] for e in range(place))
        number = number * (scenes.n_labels - place) + labels[..., place] - 1 - earlier
    return n_single_scenes(scenes) + number * scenes.n_layouts + layout


def group_labels(scenes: SceneConfig, group: Numbers) -> Int[np.ndarray, "n object"]:
    """Return the labels of the ordered groups of labels, in their turn: inverse of the number in `group_scene`."""
    ranks = []
    for place in reversed(range(scenes.n_objects)):
        group, rank = np.divmod(group, scenes.n_labels - place)
        ranks.append(rank)
    chosen: list[np.ndarray] = []
    for rank in reversed(ranks):
        label = rank + 1
        for earlier in np.sort(np.stack(chosen), axis=0) if chosen else ():
            label = label + (label >= earlier)
        chosen.append(label)
    return np.stack(chosen, axis=-1)


def n_single_scenes(scenes: SceneConfig) -> int:
    """Return the number of scenes with one object; the others are numbered from here."""
    return scenes.n_labels * scenes.n_pixels


def has_several_objects(scenes: SceneConfig, number: Numbers) -> np.ndarray:
    """Return which of the scenes show more than one object."""
    return number >= n_single_scenes(scenes)


def scene_tokens(scenes: SceneConfig, number: Numbers) -> Int[np.ndarray, "n token"]:
    """Return the token rows of the scenes numbered `number`, [CLS] first."""
    tokens = np.full((len(number), 1 + scenes.n_pixels), BACKGROUND, dtype=np.int64)
    tokens[:, CLS_POSITION] = cls_token(scenes)
    several = has_several_objects(scenes, number)
    rows, single = np.flatnonzero(~several), number[~several]
    tokens[rows, 1 + single % scenes.n_pixels] = 1 + single // scenes.n_pixels
    group, layout = np.divmod(number[several] - n_single_scenes(scenes), scenes.n_layouts)
    pixels = np.array(scenes.layouts)[layout]
    rows = np.flatnonzero(several)
    for labels, column in zip(group_labels(scenes, group).T, pixels.T, strict=True):
        tokens[rows, 1 + column] = labels
    return tokens


def object_keys(scenes: SceneConfig, tokens: Int[np.ndarray, "n token"]) -> Int[np.ndarray, "n object"]:
    """Return the keys of each scene's objects, in the order of the pixels; in scenes with fewer, then of background."""
    return 1 + np.argsort(tokens[:, 1:] == BACKGROUND, axis=1, kind="stable")[:, : scenes.n_objects]


def scene_number(scenes: SceneConfig, tokens: Int[np.ndarray, " token"]) -> int:
    """Return the number of the scene with several objects that a token row shows: inverse of `scene_tokens`."""
    shown = tokens[1:]
    objects = {*np.flatnonzero(shown != BACKGROUND).tolist()}
    layout = next(i for i, pixels in enumerate(scenes.layouts) if {*pixels} == objects)
    labels = shown[list(scenes.layouts[layout])]
    return int(group_scene(scenes, labels[None], np.array([layout]))[0])


def scene_captions(scenes: SceneConfig, number: Numbers) -> Int[np.ndarray, "n true"]:
    """Return the numbers of the captions that are true of each scene; -1 where it has fewer than others can have."""
    several = has_several_objects(scenes, number)
    group, layout = np.divmod(number[several] - n_single_scenes(scenes), scenes.n_layouts)
    labels = group_labels(scenes, group)
    columns = []
    for r, relation in enumerate(relations(scenes)):
        for a, b in combinations(range(scenes.n_objects), 2):
            forward, backward = (
                np.array([holds(relation, s[x], s[y], n_columns=scenes.n_positions) for s in scenes.layouts])[layout]
                for x, y in ((a, b), (b, a))
            )
            first = scenes.n_labels + r * n_pairs(scenes)
            straight, reverse = (first + pair_number(scenes, labels[:, x], labels[:, y]) for x, y in ((a, b), (b, a)))
            columns.append(np.where(forward, straight, np.where(backward, reverse, -1)))
    captions = np.full((len(number), len(columns)), -1, dtype=np.int64)
    captions[~several, 0] = number[~several] // scenes.n_pixels
    captions[several] = np.stack(columns, axis=1)
    return captions


def label_captions(scenes: SceneConfig, number: Numbers) -> Int[np.ndarray, "n object"]:
    """Return the captions of each label of a scene of several objects alone; -1 where there is one, which has it."""
    several = has_several_objects(scenes, number)
    captions = np.full((len(number), scenes.n_objects), -1, dtype=np.int64)
    group = (number[several] - n_single_scenes(scenes)) // scenes.n_layouts
    captions[several] = group_labels(scenes, group) - 1
    return captions


def caption_relation(scenes: SceneConfig, caption: Numbers) -> Numbers:
    """Return the index into `relations` of what each caption says; -1 where it names one label."""
    return (caption - scenes.n_labels) // n_pairs(scenes) if scenes.n_labels > 1 else np.full_like(caption, -1)


def caption_labels(scenes: SceneConfig, caption: Numbers) -> Int[np.ndarray, "n 2"]:
    """Return the labels named by each caption, in order; the second is 0 where only one is named."""
    first, second = pair_labels(scenes, np.maximum(caption - scenes.n_labels, 0) % n_pairs(scenes))
    single = caption < scenes.n_labels
    return np.stack([np.where(single, caption + 1, first), np.where(single, 0, second)], axis=1)


def caption_tokens(scenes: SceneConfig) -> Int[np.ndarray, "caption token"]:
    """Return the token rows of every caption of the vocabulary, [EOT] last."""
    every = np.arange(n_captions(scenes))
    labels = caption_labels(scenes, every)
    single = labels[:, 1] == 0
    relation = np.where(single, 0, scenes.n_labels + 2 + caption_relation(scenes, every))
    second = np.where(single, scenes.n_labels + 1, labels[:, 1])
    return np.stack([labels[:, 0], relation, second, np.full(len(labels), eot_token(scenes))], axis=1)


def label_set(scenes: SceneConfig, caption: Numbers) -> Numbers:
    """Return a number for the labels that a caption names, in whatever order and relation."""
    first, second = caption_labels(scenes, caption).T
    safe = np.where(second == 0, first % scenes.n_labels + 1, second)
    low, high = np.minimum(first, safe), np.maximum(first, safe)
    return np.where(second == 0, caption, scenes.n_labels + pair_number(scenes, low, high))


def mirror(scenes: SceneConfig, tokens: Int[np.ndarray, "n token"]) -> Int[np.ndarray, "n token"]:
    """Return the scenes seen in a mirror: the pixels of each row in reverse order, [CLS] where it was."""
    image = tokens[:, 1:].reshape(-1, scenes.n_rows, scenes.n_positions)[:, :, ::-1]
    return np.concatenate([tokens[:, :1], image.reshape(len(tokens), -1)], axis=1)


def swap(scenes: SceneConfig, caption: Numbers) -> Numbers:
    """Return the captions with their two labels exchanged; captions of one label stay as they are."""
    first, second = caption_labels(scenes, caption).T
    single = second == 0
    safe = np.where(single, first % scenes.n_labels + 1, second)
    start = scenes.n_labels + caption_relation(scenes, caption) * n_pairs(scenes)
    return np.where(single, caption, start + pair_number(scenes, safe, first))


def caption_text(scenes: SceneConfig, caption: int) -> str:
    """Return the caption in words, labels as numbers."""
    first, second = caption_labels(scenes, np.array([caption]))[0]
    if second == 0:
        return f"{first} is in the image"
    words = RELATIONS[relations(scenes)[int(caption_relation(scenes, np.array([caption]))[0])]]
    return f"{first} {words} {second}"


def ends(scenes: SceneConfig, tokens: Int[np.ndarray, "n token"]) -> tuple[Numbers, Numbers]:
    """Return the pixels of the first and the last object of each scene along the first relation.

    For `left` these are the leftmost and the rightmost; both are -1 where that relation does not hold between the two
    (one object, one column).
    """
    columns, by_row = scenes.n_positions, scenes.captions == "above"
    order = np.array(sorted(range(scenes.n_pixels), key=lambda c: divmod(c, columns)[:: 1 if by_row else -1]))
    shown = tokens[:, 1 + order] != BACKGROUND
    first, last = order[shown.argmax(axis=1)], order[::-1][shown[:, ::-1].argmax(axis=1)]
    pixels, relation = range(scenes.n_pixels), relations(scenes)[0]
    related = np.array([[holds(relation, a, b, n_columns=columns) for b in pixels] for a in pixels])[first, last]
    return np.where(related, first, -1), np.where(related, last, -1)
