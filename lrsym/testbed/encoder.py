"""One encoder block, read at one token: from token rows to embeddings through the term tables.

Shapes: tokens [trial, batch, length] or, shared by the pack, [batch, length]; embeddings [trial, batch, width].
Source: arXiv:2601.12809, simplified model (one attention block with residual, no LayerNorm, no MLP).
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.parameters import EncoderShape, Weights
from lrsym.testbed.scores import PositionScores, TokenScores, kept, score_tables, value_tables


@dataclass(frozen=True)
class Trace:
    """Intermediates of one encoder call: the six score terms and the attention of the read-out token."""

    on_token: TokenScores
    on_position: PositionScores
    attention: Float[Tensor, "trial batch key head"]


def encode(
    weights: Weights,
    shape: EncoderShape,
    tokens: Int[Tensor, "*trial batch key"],
    *,
    scale: Float[Tensor, " trial"],
    left_out: Collection[str] = (),
) -> tuple[Float[Tensor, "trial batch width"], Trace]:
    """Embeddings of the token rows at the read-out position, and the trace.

    `scale` multiplies the token embeddings; terms named in `left_out` (see vocabulary.ABLATIONS) are zero.
    """
    tables = score_tables(weights, shape, scale)
    on_token, on_position = kept(tables, left_out)
    n_trials, n_tokens = len(scale), shape.n_tokens
    tokens = tokens.expand(n_trials, -1, -1)
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
    embedding = embedding + _constant(weights, shape, scale)[:, None]
    if shape.projected:
        embedding = embedding @ weights["projection"]
    return embedding, Trace(*tables, attention)


def _constant(weights: Weights, shape: EncoderShape, scale: Tensor) -> Tensor:
    """What every row gets: the residual of the read-out token and the biases, [trial, width]."""
    residual = weights["token"][:, shape.readout_token] * scale[:, None] + weights["position"][:, shape.readout]
    bias = (weights["value_bias"][:, None] @ weights["output_weight"])[:, 0] + weights["output_bias"]
    return residual + bias
