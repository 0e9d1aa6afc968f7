"""Encoders, read at one token: from token rows to embeddings.

One bare attention block goes through the term tables from end to end; what is more than that, through `blocks`.

Shapes: tokens [trial, batch, length] or, shared by the pack, [batch, length]; embeddings [trial, batch, width].
Source of the one block: arXiv:2601.12809, simplified model (residual kept, no LayerNorm, no MLP).
"""

from collections.abc import Callable, Collection

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.model.blocks import encode_blocks
from lrsym.testbed.model.drop import Drop
from lrsym.testbed.model.dropped_block import encode_dropped
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.scene_tables import SceneTables
from lrsym.testbed.model.shape import EncoderShape
from lrsym.testbed.model.table_block import TRAINED, Tables
from lrsym.testbed.model.table_encoder import TableEncoder, read_out

Attention = Float[Tensor, "trial batch head query key"]
SceneProjector = Callable[
    [Int[Tensor, "trial batch key"], Int[Tensor, "trial batch object"]], Float[Tensor, "trial batch out"]
]


def encode(
    weights: Weights,
    shape: EncoderShape,
    tokens: Int[Tensor, "*trial batch key"],
    *,
    scale: Float[Tensor, " trial"],
    left_out: Collection[str] = (),
    drop: Drop | None = None,
) -> tuple[Float[Tensor, "trial batch out"], list[Attention]]:
    """Return embeddings of the token rows at the read-out position, and the attention of each block application.

    `scale` multiplies the token embeddings; terms named in `left_out` (see vocabulary.ABLATIONS) are zero in the
    first block; `drop` is the dropout of training. The last attention has the read-out row as its only query.
    Raises ValueError where terms are left out of a block that has none.
    """
    check_ablatable(shape, left_out)
    tokens = tokens.expand(len(scale), -1, -1)
    projection = weights["projection"] if shape.projected else None
    if shape.is_single_block and drop is None:
        if left_out or not torch.is_grad_enabled():
            embedding, cache = read_out(Tables.of(weights, shape, scale, left_out), shape, tokens, projection)
            attention = cache.attention
        else:
            trained = (weights[name] for name in TRAINED)
            embedding, attention = TableEncoder.apply(shape, scale, tokens, projection, *trained)
        return _with_bias(embedding, weights, shape), [attention.permute(0, 2, 3, 1)[:, :, :, None]]
    if drop is not None and shape.is_single_block and not left_out:
        embedding, attention = encode_dropped(weights, shape, tokens, scale=scale, drop=drop)
        attentions = [attention[:, :, :, None]]
    else:
        read, attentions = encode_blocks(weights, shape, tokens, scale=scale, left_out=left_out, drop=drop)
        embedding = read[:, :, 0]
    return embedding if projection is None else _with_bias(embedding @ projection, weights, shape), attentions


def _with_bias(
    projected: Float[Tensor, "trial batch out"], weights: Weights, shape: EncoderShape
) -> Float[Tensor, "trial batch out"]:
    """Return projected embeddings with the projection's bias, where it has one."""
    return projected + weights["projection_bias"][:, None] if shape.projection_bias else projected


def scene_projector(
    weights: Weights,
    shape: EncoderShape,
    directions: Float[Tensor, "trial width out"],
    *,
    scale: Float[Tensor, " trial"],
    left_out: Collection[str] = (),
) -> SceneProjector:
    """Return a function that projects scenes on `directions`: their embeddings by the vision encoder times these.

    It takes token rows, and the keys of each that may show an object. What the weights alone decide is computed here,
    once for all scenes. Raise as `encode` does.
    """
    check_ablatable(shape, left_out)
    if shape.is_single_block:
        return SceneTables.of(Tables.of(weights, shape, scale, left_out), shape, directions).project

    def project(
        scenes: Int[Tensor, "trial batch key"], objects: Int[Tensor, "trial batch object"]
    ) -> Float[Tensor, "trial batch out"]:
        return encode(weights, shape, scenes, scale=scale, left_out=left_out)[0] @ directions

    return project


def check_ablatable(shape: EncoderShape, left_out: Collection[str]) -> None:
    """Raise ValueError, naming the terms that there are, unless every term of `left_out` is one of them."""
    if unknown := sorted({*left_out} - {*shape.ablatable_terms}):
        terms = ", ".join(shape.ablatable_terms) or "none, its first block reads no token + position embeddings"
        name = shape.name if shape.n_outputs else f"{shape.name} encoder"
        raise ValueError(f"the {name} has no term {', '.join(unknown)} to leave out; it has {terms}")
