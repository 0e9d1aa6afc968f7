"""One bare attention block, read at one token through its tables: forward pass, and its gradient written out.

With the tables S, M and c of `table_block`:

    a_j = softmax_j(S[token of j] + S[position of j])       attention on key j, head by head
    A   = a summed over the keys of a row                   [example, (row, head)]; keys of one token share its row
    A M + c     or      (A V) W_O + c                       the embedding

The second order, by heads first, is less work for a batch that is small against the tables. `d_x` is the gradient of
the loss with respect to x.

The gradient is written by hand: in a step this short autograd spends as much on the bookkeeping around the tables as
the products take (docs/decisions/step.md). Source of the block: arXiv:2601.12809, simplified model.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.product_orders import HeadsFirst, RowsFirst
from lrsym.testbed.model.shape import EncoderShape
from lrsym.testbed.model.table_attention import KeyAttention, key_attention
from lrsym.testbed.model.table_block import TRAINED, Tables


@dataclass(frozen=True)
class ForwardCache:
    """Intermediates of one forward pass that its backward pass needs.

    `by` is what attended to the tokens. `product_order` holds what was multiplied; `embedding` is the input of a
    projection that was not folded in.
    """

    by: KeyAttention
    attention: Float[Tensor, "trial key batch head"]
    product_order: RowsFirst | HeadsFirst
    embedding: Float[Tensor, "trial batch width"] | None = None


def read_out(
    tables: Tables, shape: EncoderShape, tokens: Int[Tensor, "trial batch key"], projection: Tensor | None
) -> tuple[Float[Tensor, "trial batch out"], ForwardCache]:
    """Return embeddings of the token rows, behind `projection` [trial, width, out] if there is one, and the cache."""
    batch, n_rows = tokens.shape[1], tables.rows.shape[1]
    by = key_attention(tables.logits, tokens, shape.n_tokens)
    attention, by_row = by.attend(tables.logits)

    # Three orders of the same products, the one with the fewest operations (here divided by the width).
    h, width, after = shape.n_heads, shape.d_model, shape.d_model if projection is not None else 0
    heads_first = batch * (n_rows + width + after)
    rows_first = n_rows * width + batch * (n_rows * h + after)
    folded = n_rows * width * (1 + h) + batch * n_rows * h
    fold = projection is not None and folded < min(heads_first, rows_first)
    if heads_first <= rows_first and not fold:
        out, order = HeadsFirst.forward(by_row, tables)
    else:
        out, order = RowsFirst.forward(by_row, tables, projection if fold else None)
    if projection is None or fold:
        return out, ForwardCache(by, attention, order)
    return torch.bmm(out, projection), ForwardCache(by, attention, order, out)


class TableEncoder(torch.autograd.Function):
    """`read_out` of the tables with respect to the parameters TRAINED and the projection."""

    @staticmethod
    def forward(
        ctx: Any,
        shape: EncoderShape,
        scale: Float[Tensor, " trial"],
        tokens: Int[Tensor, "trial batch key"],
        projection: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Float[Tensor, "trial batch out"], Float[Tensor, "trial key batch head"]]:
        """Return embeddings and attention."""
        named: Weights = dict(zip(TRAINED, weights, strict=True))
        tables = Tables.of(named, shape, scale)
        out, cache = read_out(tables, shape, tokens, projection)
        ctx.inputs = named, shape, scale, projection, tables, cache
        ctx.mark_non_differentiable(cache.attention)
        return out, cache.attention

    @staticmethod
    @once_differentiable  # its annotation makes ctx positional, which pyright takes for another signature
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradients in the order of the arguments of `forward`."""
        d_out, _ = grad_outputs
        weights, shape, scale, projection, tables, cache = ctx.inputs
        d_projection = None
        if cache.embedding is not None:
            d_projection, d_out = torch.bmm(cache.embedding.mT, d_out), torch.bmm(d_out, projection.mT)
        d_by_row, d_values, d_output, d_constant, d_folded = cache.product_order.backward(d_out, tables)
        d_logits = cache.by.logits_gradient(d_by_row, cache.attention)
        gradients = tables.backward(
            weights, shape, scale, d_values=d_values, d_output=d_output, d_constant=d_constant, d_logits=d_logits
        )
        d_projection = d_projection if d_folded is None else d_folded
        return None, None, None, d_projection, *(gradients[name] for name in TRAINED)
