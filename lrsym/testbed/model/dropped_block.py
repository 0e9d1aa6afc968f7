"""One bare attention block under dropout, read at one token: no example shares a row with another, so no tables.

    x_j = (s E[token of j] + P[j]) dropped          the stream at key j; x is that of the read-out
    q   = x W_Q + b_Q                               the one query
    k   = q W_K^T / sqrt(h)                         head by head, as are a, z and the values
    a_j = softmax_j(k . x_j) dropped
    z   = sum of a_j x_j
    x + ((z W_V + (sum of a_j) b_V) W_O + b_O) dropped

No key has a key or value vector made: what meets x_j is k, and what is weighted is x_j itself. The passes over all x_j
have their gradients written out. The sites are those of `blocks`, in the same order: the same numbers are dropped.
Source of the block: arXiv:2601.12809, simplified model.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lrsym.testbed.model.drop import Drop, Site, dropped, masked
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.shape import EncoderShape


def encode_dropped(
    weights: Weights,
    shape: EncoderShape,
    tokens: Int[Tensor, "trial batch key"],
    *,
    scale: Float[Tensor, " trial"],
    drop: Drop,
) -> tuple[Float[Tensor, "trial batch width"], Float[Tensor, "trial batch head key"]]:
    """Return embeddings before projection, and the attention before any of it is dropped."""
    w, (n_trials, batch, n_keys), by_head = weights, tokens.shape, (shape.n_heads, shape.head_width)
    stream = drop((n_trials, batch, n_keys, shape.d_model))
    x, read = _Stream.apply(w["token"] * scale[:, None, None], w["position"], tokens, shape.readout, stream)
    attention = drop((n_trials, batch, shape.n_heads, 1, n_keys), attention=True)

    query = torch.baddbmm(w["query_bias"][:, None], read, w["query_weight"]).unflatten(2, by_head).transpose(1, 2)
    keys = w["key_weight"].unflatten(2, by_head).permute(0, 2, 3, 1)
    z, shares, total = _ReadOut.apply(x, (query @ keys).transpose(1, 2) * shape.head_width**-0.5, attention)
    values = w["value_weight"].unflatten(2, by_head).transpose(1, 2)
    bias = w["value_bias"].unflatten(1, by_head)[:, :, None] * total.transpose(1, 2)[..., None]
    context = (z.transpose(1, 2) @ values + bias).transpose(1, 2).flatten(2)
    added = torch.baddbmm(w["output_bias"][:, None], context, w["output_weight"])
    return read + dropped(added[:, :, None], drop)[:, :, 0], shares


class _Stream(torch.autograd.Function):
    """The stream before attention; its gradient sums by token in a product, in the same order each time."""

    @staticmethod
    def forward(
        ctx: Any, token: Tensor, position: Tensor, tokens: Tensor, readout: int, site: Site | None
    ) -> tuple[Tensor, Tensor]:
        """Return token + position embeddings of the keys, dropped, and once more those of the read-out."""
        if site:
            token, position = (table * site.factors[:, None, None] for table in (token, position))
        n_trials, n_tokens, width = token.shape
        first = torch.arange(n_trials, device=tokens.device)[:, None, None] * n_tokens
        x = token.flatten(0, 1).index_select(0, (tokens + first).flatten()).view(*tokens.shape, width)
        x += position[:, None]
        ctx.inputs = tokens, n_tokens, readout, site
        x = masked(x, site.mask, in_place=True) if site else x
        return x, x[:, :, readout].clone()

    @staticmethod
    @once_differentiable  # its annotation makes ctx positional, which pyright takes for another signature
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradients of the token and the position embeddings."""
        (d_x, d_read), (tokens, n_tokens, readout, site) = grad_outputs, ctx.inputs
        d_x = masked(d_x, site.mask) if site else d_x.clone()
        d_x[:, :, readout] += masked(d_read, site.mask[:, :, readout]) if site else d_read
        shown = tokens.flatten(1)[:, None] == torch.arange(n_tokens, device=tokens.device)[:, None]
        d_token, d_position = shown.to(d_x.dtype) @ d_x.flatten(1, 2), d_x.sum(dim=1)
        if site:
            d_token, d_position = (d * site.factors[:, None, None] for d in (d_token, d_position))
        return d_token, d_position, None, None, None


class _ReadOut(torch.autograd.Function):
    """Attention of one query on the stream itself."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, k: Tensor, site: Site | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return z [trial, batch, head, width], the attention before it is dropped, and its sums after that."""
        attention = torch.softmax(k @ x.mT, dim=3)
        kept = _thinned(attention, site)
        ctx.inputs = x, k, attention, kept, site
        ctx.mark_non_differentiable(attention)
        return kept @ x, attention, kept.sum(dim=3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradients of the stream and of k."""
        (d_z, _, d_total), (x, k, attention, kept, site) = grad_outputs, ctx.inputs
        d_attention = _thinned(d_z @ x.mT + d_total[..., None], site) * attention
        d_logits = d_attention.addcmul_(attention, d_attention.sum(dim=3, keepdim=True), value=-1)
        d_x = torch.cat([kept, d_logits], dim=2).mT @ torch.cat([d_z, k], dim=2)
        return d_x, d_logits @ x, None


def _thinned(attention: Float[Tensor, "trial batch head key"], site: Site | None) -> Tensor:
    """Return attention, or its gradient, with what the site drops."""
    return masked(attention, site.mask[:, :, :, 0]) * site.factors[:, None, None, None] if site else attention
