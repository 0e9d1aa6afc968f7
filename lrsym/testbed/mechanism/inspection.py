"""An encoder on two mirrored scenes: score terms by key, attention.

Source of the terms: `lrsym.testbed.model.scores`. Everything is of the read-out query, [CLS] or [EOT].
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.config.geometry import CAPTIONS
from lrsym.config.scene import SceneConfig
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.model.encoder import encode
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.scores import QUERY_COMPONENTS, score_tables
from lrsym.testbed.model.shape import EncoderShape


def mirrored_scenes(scenes: SceneConfig) -> Int[np.ndarray, "2 token"]:
    """Return token rows of a scene and of its mirror image.

    They show held-out labels where there are enough, else pair labels. The layout is the one whose objects stand most
    evenly over the image.
    """
    first = scenes.n_pair_labels + 1 if scenes.n_heldout_labels >= scenes.n_objects else 1
    labels = np.arange(first, first + scenes.n_objects)
    number = sc.group_scene(scenes, labels[None], np.array([_even_layout(scenes)]))
    scene = sc.scene_tokens(scenes, number)
    return np.concatenate([scene, mirror_image(scenes, scene)])


def mirror_image(scenes: SceneConfig, tokens: Int[np.ndarray, "n token"]) -> Int[np.ndarray, "n token"]:
    """Return the scenes with left and right exchanged; above and below where captions name `above` alone."""
    if "left" in CAPTIONS[scenes.captions]:
        return sc.mirror(scenes, tokens)
    rows = tokens[:, 1:].reshape(-1, scenes.n_rows, scenes.n_positions)[:, ::-1]
    return np.concatenate([tokens[:, :1], rows.reshape(len(tokens), -1)], axis=1)


def _even_layout(scenes: SceneConfig) -> int:
    """Return the index of the layout nearest to equal distances along each direction that captions name."""
    pixels = np.array(scenes.layouts)
    even = (np.arange(scenes.n_objects) + 1) / (scenes.n_objects + 1)
    middle = np.full(scenes.n_objects, 0.5)
    named = CAPTIONS[scenes.captions]
    columns = (even if {"left", "right"} & {*named} else middle) * scenes.n_positions - 0.5
    rows = (even if "above" in named else middle) * scenes.n_rows - 0.5
    distance = (pixels % scenes.n_positions - columns) ** 2 + (pixels // scenes.n_positions - rows) ** 2
    return int(distance.sum(axis=1).argmin())


def contributions(
    weights: Weights, shape: EncoderShape, scale: Float[Tensor, " trial"], tokens: Int[Tensor, "*trial batch key"]
) -> dict[str, Float[Tensor, "trial batch head key"]]:
    """Return what each score term adds to the logits of the read-out query of the first block, key by key.

    Their sum is the logit, up to what all keys share. In memory heads come last, so that keys are copied as they are.
    """
    on_token, on_position = score_tables(weights, shape, scale)
    n_rows, length = tokens.shape[-2:]
    entry = tokens + shape.n_tokens * torch.arange(len(scale), device=tokens.device)[:, None, None]
    terms = {}
    for i, component in enumerate(QUERY_COMPONENTS):
        by_token, by_position = on_token[:, i].mT.flatten(0, 1), on_position[:, i, :, :length].mT
        terms[component + "E"] = torch.nn.functional.embedding(entry, by_token).mT
        terms[component + "P"] = by_position.contiguous().mT[:, None].expand(-1, n_rows, -1, -1)
    return terms


def readout_attention(
    weights: Weights, shape: EncoderShape, scale: Float[Tensor, " trial"], tokens: Int[Tensor, "*trial batch key"]
) -> list[Float[Tensor, "trial batch head key"]]:
    """Return the attention of the read-out token on every key, for each block application in turn."""
    _, attentions = encode(weights, shape, tokens, scale=scale)
    # The last application computes this query alone.
    return [a[:, :, :, shape.readout if a.shape[3] > 1 else 0] for a in attentions]
