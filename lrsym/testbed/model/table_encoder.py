"""One bare attention block, read at one token through its tables: forward pass, and its gradient written out.

With the tables S, M and c of `tables`, attention on key j is softmax_j(S[token of j] + S[position of j]), and with A,
attention summed by row, the embedding is A M + c: keys that show the same token share a row. A batch that is small
against the table sums the values by head first, (A V) W_O, which is less work.

The gradient is written by hand: in a step this short autograd spends as much on the bookkeeping around the tables as
the products take (docs/decisions/step.md). Source of the block: arXiv:2601.12809, simplified model.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.model.parameters import EncoderShape, Weights
from lrsym.testbed.model.table_block import TRAINED, Tables


@dataclass(frozen=True)
class ThroughRows:
    """A batch that meets the table M, or M W with a projection W folded in: `met`."""

    attention: Float[Tensor, "trial batch row head"]
    mixed: Float[Tensor, "trial rowhead width"]
    met: Float[Tensor, "trial rowhead width"]
    projection: Float[Tensor, "trial width width"] | None

    @classmethod
    def forward(cls, by_row: Tensor, tables: Tables, projection: Tensor | None) -> "tuple[Tensor, ThroughRows]":
        """What comes out, behind `projection` if there is one."""
        mixed, constant = tables.mixed(), tables.constant
        met = mixed
        if projection is not None:
            met, constant = mixed @ projection, constant @ projection
        return torch.baddbmm(constant, by_row.flatten(2), met), cls(by_row, mixed, met, projection)

    def backward(self, d_out: Tensor, tables: Tables) -> "Gradients":
        """Gradients of what went in."""
        d_projection, by_row = None, self.attention.flatten(2)
        d_mixed, d_constant = by_row.mT @ d_out, d_out.sum(dim=1, keepdim=True)
        d_by_row = (d_out @ self.met.mT).view_as(self.attention)
        if self.projection is not None:
            d_projection = torch.baddbmm(tables.constant.mT @ d_constant, self.mixed.mT, d_mixed)
            d_mixed, d_constant = d_mixed @ self.projection.mT, d_constant @ self.projection.mT
        d_heads = d_mixed.unflatten(1, self.attention.shape[2:]).transpose(1, 2).contiguous()  # once for both products
        return d_by_row, d_heads @ tables.output.mT, tables.values.mT @ d_heads, d_constant, d_projection


@dataclass(frozen=True)
class ThroughHeads:
    """A batch that sums the values by head, A V, before they meet W_O."""

    attention: Float[Tensor, "trial head batch row"]
    context: Float[Tensor, "trial batch width"]

    @classmethod
    def forward(cls, by_row: Tensor, tables: Tables) -> "tuple[Tensor, ThroughHeads]":
        """What comes out."""
        by_head = by_row.permute(0, 3, 1, 2).contiguous()
        context = (by_head @ tables.values).transpose(1, 2).flatten(2)
        return torch.baddbmm(tables.constant, context, tables.output.flatten(1, 2)), cls(by_head, context)

    def backward(self, d_out: Tensor, tables: Tables) -> "Gradients":
        """Gradients of what went in."""
        d_output = torch.bmm(self.context.mT, d_out).view_as(tables.output)
        d_context = torch.bmm(d_out, tables.output.flatten(1, 2).mT)
        d_heads = d_context.unflatten(2, tables.output.shape[1:3]).transpose(1, 2).contiguous()
        d_values = self.attention.mT @ d_heads
        d_by_row = (d_heads @ tables.values.mT).permute(0, 2, 3, 1)
        return d_by_row, d_values, d_output, d_out.sum(dim=1, keepdim=True), None


Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]
"""Of attention by row, values and W_O by head, the constant and the projection that was folded in."""


@dataclass(frozen=True)
class Pass:
    """A batch seen through the tables. `in_table` and `in_batch` say which row each key of each example has.

    `embedding` is what stood in front of a projection that was not folded in.
    """

    in_table: Int[Tensor, " _"]
    in_batch: Int[Tensor, " _"]
    attention: Float[Tensor, "trial key batch head"]
    way: ThroughRows | ThroughHeads
    embedding: Float[Tensor, "trial batch width"] | None = None


def read_out(
    tables: Tables, shape: EncoderShape, tokens: Int[Tensor, "trial batch key"], projection: Tensor | None
) -> tuple[Float[Tensor, "trial batch out"], Pass]:
    """Embeddings of the token rows, `projection` [trial, width, out] applied where there is one, and how they arose."""
    n_trials, batch, n_keys = tokens.shape
    n_rows, n_tokens = tables.rows.shape[1], shape.n_tokens
    attention, in_table = _attend(tables.logits, shape, tokens)
    in_batch = (tokens.transpose(1, 2) + _counted(n_trials, 1, batch, step=n_rows, device=tokens.device)).flatten()
    by_row = attention.new_zeros(n_trials * batch * n_rows, shape.n_heads)
    by_row = by_row.index_add_(0, in_batch, attention.flatten(0, 2)).view(n_trials, batch, n_rows, shape.n_heads)
    by_row[:, :, n_tokens : n_tokens + n_keys] = attention.transpose(1, 2)

    # Three orders of the same products, the one with the fewest operations (here divided by the width).
    h, width, after = shape.n_heads, shape.d_model, shape.d_model if projection is not None else 0
    heads_first = batch * (n_rows + width + after)
    rows_first = n_rows * width + batch * (n_rows * h + after)
    folded = n_rows * width * (1 + h) + batch * n_rows * h
    fold = projection is not None and folded < min(heads_first, rows_first)
    if heads_first <= rows_first and not fold:
        out, way = ThroughHeads.forward(by_row, tables)
    else:
        out, way = ThroughRows.forward(by_row, tables, projection if fold else None)
    if projection is None or fold:
        return out, Pass(in_table, in_batch, attention, way)
    return torch.bmm(out, projection), Pass(in_table, in_batch, attention, way, out)


def _attend(
    of_rows: Float[Tensor, "trial row head"], shape: EncoderShape, tokens: Int[Tensor, "trial batch key"]
) -> tuple[Float[Tensor, "trial key batch head"], Int[Tensor, " _"]]:
    """Attention on each key, from the logits of the rows, and which row each key has."""
    n_trials, batch, n_keys = tokens.shape
    # Keys come before examples: the softmax runs along an outer dimension, many examples at a time.
    n_rows, n_tokens = of_rows.shape[1], shape.n_tokens
    in_table = (tokens.transpose(1, 2) + _counted(n_trials, 1, 1, step=n_rows, device=tokens.device)).flatten()
    logits = of_rows.flatten(0, 1).index_select(0, in_table).view(n_trials, n_keys, batch, shape.n_heads)
    return torch.softmax(logits + of_rows[:, n_tokens : n_tokens + n_keys, None], dim=1), in_table


@dataclass(frozen=True)
class SceneTables:
    """What reads many scenes along the same directions, as an evaluation does.

    Most keys of a scene show the background. `keys` has what each key adds if it does, `tokens` what a token adds over
    the background: a product over the keys alone, not over all rows, and the sum of a few rows for the objects.
    """

    shape: EncoderShape
    logits: Float[Tensor, "trial row head"]
    keys: Float[Tensor, "trial key head out"]
    tokens: Float[Tensor, "trial token head out"]

    @classmethod
    def of(cls, tables: Tables, shape: EncoderShape, directions: Float[Tensor, "trial width out"]) -> "SceneTables":
        """Those of the vision encoder `shape` along `directions`."""
        added = (tables.mixed() @ directions).unflatten(1, (-1, shape.n_heads))
        tokens, keys = added[:, : shape.n_tokens], added[:, shape.n_tokens :]
        background = tokens[:, sc.BACKGROUND, None]
        keys = keys + background
        keys[:, shape.readout] += tokens[:, shape.readout_token] - background[:, 0]
        keys += (tables.constant @ directions)[:, :, None] / shape.n_heads  # a head's attention sums to one
        return cls(shape, tables.logits, keys, tokens - background)

    def along(
        self, scenes: Int[Tensor, "trial batch key"], objects: Int[Tensor, "trial batch object"]
    ) -> Float[Tensor, "trial batch out"]:
        """Products of the scenes' embeddings with the directions; `objects` are the keys that may show an object."""
        n_trials, batch, h, device = *scenes.shape[:2], self.shape.n_heads, scenes.device
        attention, _ = _attend(self.logits, self.shape, scenes)
        attention = attention.transpose(1, 2).contiguous()
        weights = attention.gather(2, objects[:, :, :, None].expand(-1, -1, -1, h))
        shown = scenes.gather(2, objects) + _counted(n_trials, 1, 1, step=self.shape.n_tokens, device=device)
        rows = shown[:, :, :, None] * h + _counted(h, step=1, device=device)
        bags = n_trials * batch, -1
        out = torch.nn.functional.embedding_bag(
            rows.view(bags), self.tokens.flatten(0, 2), per_sample_weights=weights.view(bags), mode="sum"
        )
        return out.view(n_trials, batch, -1).baddbmm_(attention.flatten(2), self.keys.flatten(1, 2))


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
        """Embeddings and attention."""
        named: Weights = dict(zip(TRAINED, weights, strict=True))
        tables = Tables.of(named, shape, scale)
        out, seen = read_out(tables, shape, tokens, projection)
        ctx.of = named, shape, scale, projection, tables, seen
        ctx.mark_non_differentiable(seen.attention)
        return out, seen.attention

    @staticmethod
    @once_differentiable  # its annotation makes ctx positional, which pyright takes for another signature
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Gradients in the order of the arguments of `forward`."""
        d_out, _ = grad_outputs
        weights, shape, scale, projection, tables, seen = ctx.of
        d_behind = None
        if seen.embedding is not None:
            d_behind, d_out = torch.bmm(seen.embedding.mT, d_out), torch.bmm(d_out, projection.mT)
        d_by_row, d_values, d_output, d_constant, d_folded = seen.way.backward(d_out, tables)
        d_logits = _through_attention(d_by_row, tables, seen, shape)
        found = tables.backward(
            weights, shape, scale, d_values=d_values, d_output=d_output, d_constant=d_constant, d_logits=d_logits
        )
        return None, None, None, d_behind if d_folded is None else d_folded, *(found[name] for name in TRAINED)


def _through_attention(d_by_row: Tensor, tables: Tables, seen: Pass, shape: EncoderShape) -> Tensor:
    """Gradient of the logits of the rows."""
    n_keys, n_heads, n_tokens = seen.attention.shape[1], shape.n_heads, shape.n_tokens
    d_attention = d_by_row.flatten(0, 2).index_select(0, seen.in_batch).view_as(seen.attention)
    d_attention += d_by_row[:, :, n_tokens : n_tokens + n_keys].transpose(1, 2)
    weighted = d_attention * seen.attention
    d_key = torch.addcmul(weighted, seen.attention, weighted.sum(dim=1, keepdim=True), value=-1)
    d_logits = torch.zeros_like(tables.logits)
    d_logits.view(-1, n_heads).index_add_(0, seen.in_table, d_key.flatten(0, 2))
    d_logits[:, n_tokens : n_tokens + n_keys] += d_key.sum(dim=2)
    return d_logits


@cache
def _counted(*shape: int, step: int, device: torch.device) -> Int[Tensor, "..."]:
    """0, step, 2 step, ... in this shape."""
    return torch.arange(torch.Size(shape).numel(), device=device).mul_(step).view(shape)
