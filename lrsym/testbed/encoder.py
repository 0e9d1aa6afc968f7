"""Encoders, read at one token: from token rows to embeddings.

One bare attention block goes through the term tables from end to end; what is more than that, through `blocks`.

Shapes: tokens [trial, batch, length] or, shared by the pack, [batch, length]; embeddings [trial, batch, width].
Source of the one block: arXiv:2601.12809, simplified model (residual kept, no LayerNorm, no MLP).
"""

from collections.abc import Collection

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.blocks import Drop, encode_blocks
from lrsym.testbed.parameters import EncoderShape, Weights
from lrsym.testbed.scores import kept, score_tables, value_tables

Attention = Float[Tensor, "trial batch head query key"]


def encode(
    weights: Weights,
    shape: EncoderShape,
    tokens: Int[Tensor, "*trial batch key"],
    *,
    scale: Float[Tensor, " trial"],
    left_out: Collection[str] = (),
    drop: Drop | None = None,
) -> tuple[Float[Tensor, "trial batch width"], list[Attention]]:
    """Embeddings of the token rows at the read-out position, and the attention of each block application.

    `scale` multiplies the token embeddings; terms named in `left_out` (see vocabulary.ABLATIONS) are zero in the
    first block; `drop` is the dropout of training. The last attention has the read-out row as its only query.
    Raises ValueError where terms are left out of a block that has none.
    """
    check_removable(shape, left_out)
    tokens = tokens.expand(len(scale), -1, -1)
    if shape.plain and drop is None:
        embedding, attention = _encode_plain(weights, shape, tokens, scale=scale, left_out=left_out)
        attentions = [attention.transpose(2, 3)[:, :, :, None]]
    else:
        read, attentions = encode_blocks(weights, shape, tokens, scale=scale, left_out=left_out, drop=drop)
        embedding = read[:, :, 0]
    return embedding @ weights["projection"] if shape.projected else embedding, attentions


def check_removable(shape: EncoderShape, left_out: Collection[str]) -> None:
    """Nothing; raises ValueError, naming what there is, where a term of `left_out` does not exist."""
    if unknown := sorted({*left_out} - {*shape.removable}):
        have = ", ".join(shape.removable) or "none, its first block reads no token + position embeddings"
        name = shape.name if shape.n_outputs else f"{shape.name} encoder"
        raise ValueError(f"the {name} has no term {', '.join(unknown)} to leave out; it has {have}")


def _encode_plain(
    weights: Weights,
    shape: EncoderShape,
    tokens: Int[Tensor, "trial batch key"],
    *,
    scale: Float[Tensor, " trial"],
    left_out: Collection[str],
) -> tuple[Float[Tensor, "trial batch width"], Float[Tensor, "trial batch key head"]]:
    """One attention block, from tables alone."""
    on_token, on_position = kept(score_tables(weights, shape, scale), left_out)
    n_trials, n_tokens = len(scale), shape.n_tokens
    batch = tokens.shape[1]
    trials = torch.arange(n_trials, device=tokens.device)[:, None, None]
    by_token = on_token.transpose(1, 2).flatten(0, 1)
    logits = by_token.index_select(0, (tokens + trials * n_tokens).flatten()).view(n_trials, batch, -1, shape.n_heads)
    attention = torch.softmax(logits + on_position.transpose(1, 2)[:, None], dim=2)

    # Attention on each token of the vocabulary: keys that show the same token share a value.
    rows = (tokens + torch.arange(n_trials * batch, device=tokens.device).view(n_trials, batch, 1) * n_tokens).flatten()
    on_vocabulary = attention.new_zeros(n_trials * batch * n_tokens, shape.n_heads)
    on_vocabulary = on_vocabulary.index_add(0, rows, attention.flatten(0, 2)).view(n_trials, batch, -1)
    value_token, value_position = value_tables(weights, shape, scale)
    embedding = on_vocabulary @ value_token.transpose(1, 2).flatten(1, 2)
    if "VP" not in left_out:
        embedding = embedding + attention.flatten(2) @ value_position.transpose(1, 2).flatten(1, 2)
    return embedding + _constant(weights, shape, scale)[:, None], attention


def _constant(weights: Weights, shape: EncoderShape, scale: Tensor) -> Tensor:
    """What every row gets: the residual of the read-out token and the biases, [trial, width]."""
    residual = weights["token"][:, shape.readout_token] * scale[:, None] + weights["position"][:, shape.readout]
    bias = (weights["value_bias"][:, None] @ weights["output_weight"])[:, 0] + weights["output_bias"]
    return residual + bias
