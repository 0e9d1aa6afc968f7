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
from functools import cache, cached_property
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.device_kernels import kernels_for
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.shape import EncoderShape
from lrsym.testbed.model.table_block import TRAINED, Tables

MAX_KEYS = 32
"""Up to so many keys a GPU attends in kernels of our own: they are written out key by key."""

KERNEL_HEADS = (1, 2, 4, 8)
"""Numbers of heads for which it does so: powers of two, whose sums by 32 examples and 32 tokens fit into registers."""


@dataclass(frozen=True)
class RowsFirst:
    """The order A M: attention by row, times `table`, which is M or, with a projection W folded in, M W."""

    attention: Float[Tensor, "trial batch row head"]
    row_outputs: Float[Tensor, "trial rowhead width"]
    table: Float[Tensor, "trial rowhead width"]
    projection: Float[Tensor, "trial width width"] | None

    @classmethod
    def forward(cls, by_row: Tensor, tables: Tables, projection: Tensor | None) -> "tuple[Tensor, RowsFirst]":
        """Return the embeddings, behind `projection` if there is one, and what `backward` needs."""
        row_outputs, constant = tables.row_outputs(), tables.constant
        table = row_outputs
        if projection is not None:
            table, constant = row_outputs @ projection, constant @ projection
        return torch.baddbmm(constant, by_row.flatten(2), table), cls(by_row, row_outputs, table, projection)

    def backward(self, d_out: Tensor, tables: Tables) -> "Gradients":
        """Return the gradients of attention by row, values, W_O by head, constant and projection."""
        d_projection, by_row = None, self.attention.flatten(2)
        d_table, d_constant = by_row.mT @ d_out, d_out.sum(dim=1, keepdim=True)
        d_by_row = (d_out @ self.table.mT).view_as(self.attention)
        if self.projection is not None:
            d_projection = torch.baddbmm(tables.constant.mT @ d_constant, self.row_outputs.mT, d_table)
            d_table, d_constant = d_table @ self.projection.mT, d_constant @ self.projection.mT
        d_heads = d_table.unflatten(1, self.attention.shape[2:]).transpose(1, 2).contiguous()  # once for both products
        return d_by_row, d_heads @ tables.output.mT, tables.values.mT @ d_heads, d_constant, d_projection


@dataclass(frozen=True)
class HeadsFirst:
    """The order (A V) W_O: values summed by head, then the product with W_O."""

    attention: Float[Tensor, "trial head batch row"]
    context: Float[Tensor, "trial batch width"]

    @classmethod
    def forward(cls, by_row: Tensor, tables: Tables) -> "tuple[Tensor, HeadsFirst]":
        """Return the embeddings, and what `backward` needs."""
        by_head = by_row.permute(0, 3, 1, 2).contiguous()
        context = (by_head @ tables.values).transpose(1, 2).flatten(2)
        return torch.baddbmm(tables.constant, context, tables.output.flatten(1, 2)), cls(by_head, context)

    def backward(self, d_out: Tensor, tables: Tables) -> "Gradients":
        """Return the gradients of attention by row, values, W_O by head, constant and projection."""
        d_output = torch.bmm(self.context.mT, d_out).view_as(tables.output)
        d_context = torch.bmm(d_out, tables.output.flatten(1, 2).mT)
        d_heads = d_context.unflatten(2, tables.output.shape[1:3]).transpose(1, 2).contiguous()
        d_values = self.attention.mT @ d_heads
        d_by_row = (d_heads @ tables.values.mT).permute(0, 2, 3, 1)
        return d_by_row, d_values, d_output, d_out.sum(dim=1, keepdim=True), None


Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]
"""Those of attention by row, values and W_O by head, the constant, and the projection if one was folded in."""


@dataclass(frozen=True)
class KeyPlaces:
    """Where the tokens of keys stand in tables of `n_rows` rows, key by key: over all trials, over all examples."""

    tokens: Int[Tensor, "trial batch key"]
    n_rows: int

    @cached_property
    def in_table(self) -> Int[Tensor, " trialkeybatch"]:
        """The row of S of all trials."""
        return self._offset(len(self.tokens), 1, 1)

    @cached_property
    def in_batch(self) -> Int[Tensor, " trialkeybatch"]:
        """The row of A of all examples of all trials."""
        return self._offset(len(self.tokens), 1, self.tokens.shape[1])

    def _offset(self, *shape: int) -> Int[Tensor, " trialkeybatch"]:
        offsets = _offsets(*shape, step=self.n_rows, device=self.tokens.device)
        return (self.tokens.transpose(1, 2) + offsets).flatten()


@dataclass(frozen=True)
class ForwardCache:
    """Intermediates of one forward pass that its backward pass needs.

    `by` is what attended to `tokens`: kernels of our own, or torch by the places of the keys. `product_order` holds
    what was multiplied; `embedding` is the input of a projection that was not folded in.
    """

    tokens: Int[Tensor, "trial batch key"]
    by: ModuleType | KeyPlaces
    attention: Float[Tensor, "trial key batch head"]
    product_order: RowsFirst | HeadsFirst
    embedding: Float[Tensor, "trial batch width"] | None = None


def read_out(
    tables: Tables, shape: EncoderShape, tokens: Int[Tensor, "trial batch key"], projection: Tensor | None
) -> tuple[Float[Tensor, "trial batch out"], ForwardCache]:
    """Return embeddings of the token rows, behind `projection` [trial, width, out] if there is one, and the cache."""
    batch, n_rows = tokens.shape[1], tables.rows.shape[1]
    if by := _kernels(tables.logits, tokens):
        attention, by_row = by.attend(tables.logits, tokens, shape.n_tokens)
    else:
        by = KeyPlaces(tokens, n_rows)
        attention = _attend(tables.logits, shape, tokens, by)
        by_row = _sum_by_row(attention, tokens, by, shape, n_rows)

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
        return out, ForwardCache(tokens, by, attention, order)
    return torch.bmm(out, projection), ForwardCache(tokens, by, attention, order, out)


def _kernels(logits: Tensor, tokens: Int[Tensor, "trial batch key"]) -> ModuleType | None:
    """Return the kernels of our own if they can do it: on a GPU, for few keys and few heads."""
    n_keys, n_heads = tokens.shape[2], logits.shape[2]
    if not logits.is_cuda or logits.dtype != torch.float32 or n_keys > MAX_KEYS or n_heads not in KERNEL_HEADS:
        return None
    return kernels_for("lrsym.testbed.model.attention_kernels", logits.device, n_keys, n_heads)


def _attend(
    row_logits: Float[Tensor, "trial row head"],
    shape: EncoderShape,
    tokens: Int[Tensor, "trial batch key"],
    places: KeyPlaces,
) -> Float[Tensor, "trial key batch head"]:
    """Return the attention on each key, from the logits of the rows."""
    (n_trials, batch, n_keys), n_tokens = tokens.shape, shape.n_tokens
    # Keys come before examples: the softmax runs along an outer dimension, many examples at a time.
    logits = _rows(row_logits.flatten(0, 1), places.in_table).view(n_trials, n_keys, batch, shape.n_heads)
    return torch.softmax(logits + row_logits[:, n_tokens : n_tokens + n_keys, None], dim=1)


@dataclass(frozen=True)
class SceneTables:
    """Tables that project many scenes on the same directions, as an evaluation does.

    Most keys of a scene show the background. `keys` has what each key adds if it does, `tokens` what a token adds over
    the background: a product over the keys alone, not over all rows, and the sum of a few rows for the objects.
    """

    shape: EncoderShape
    logits: Float[Tensor, "trial row head"]
    keys: Float[Tensor, "trial key head out"]
    tokens: Float[Tensor, "trial token head out"]

    @classmethod
    def of(cls, tables: Tables, shape: EncoderShape, directions: Float[Tensor, "trial width out"]) -> "SceneTables":
        """Return the tables of the vision encoder `shape` for `directions`."""
        added = (tables.row_outputs() @ directions).unflatten(1, (-1, shape.n_heads))
        tokens, keys = added[:, : shape.n_tokens], added[:, shape.n_tokens :]
        background = tokens[:, sc.BACKGROUND, None]
        keys = keys + background
        keys[:, shape.readout] += tokens[:, shape.readout_token] - background[:, 0]
        keys += (tables.constant @ directions)[:, :, None] / shape.n_heads  # a head's attention sums to one
        return cls(shape, tables.logits, keys, tokens - background)

    def project(
        self, scenes: Int[Tensor, "trial batch key"], objects: Int[Tensor, "trial batch object"]
    ) -> Float[Tensor, "trial batch out"]:
        """Return products of the scenes' embeddings with the directions; `objects`: keys that may show an object."""
        n_trials, batch, h, device = *scenes.shape[:2], self.shape.n_heads, scenes.device
        if kernels := _kernels(self.logits, scenes):
            attention, _ = kernels.attend(self.logits, scenes, self.shape.n_tokens, sums=False)
        else:
            attention = _attend(self.logits, self.shape, scenes, KeyPlaces(scenes, self.logits.shape[1]))
        attention = attention.transpose(1, 2).contiguous()
        weights = attention.gather(2, objects[:, :, :, None].expand(-1, -1, -1, h))
        shown = scenes.gather(2, objects) + _offsets(n_trials, 1, 1, step=self.shape.n_tokens, device=device)
        rows = shown[:, :, :, None] * h + _offsets(h, step=1, device=device)
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
        d_logits = _logits_gradient(d_by_row, tables, cache, shape)
        gradients = tables.backward(
            weights, shape, scale, d_values=d_values, d_output=d_output, d_constant=d_constant, d_logits=d_logits
        )
        d_projection = d_projection if d_folded is None else d_folded
        return None, None, None, d_projection, *(gradients[name] for name in TRAINED)


def _logits_gradient(d_by_row: Tensor, tables: Tables, cache: ForwardCache, shape: EncoderShape) -> Tensor:
    """Return the gradient of the logits of the rows."""
    n_keys, n_heads, n_tokens = cache.attention.shape[1], shape.n_heads, shape.n_tokens
    if isinstance(cache.by, ModuleType):
        return cache.by.logits_gradient(d_by_row, cache.attention, cache.tokens, n_tokens)
    places = cache.by
    d_attention = _rows(d_by_row.flatten(0, 2), places.in_batch).view_as(cache.attention)
    d_attention += d_by_row[:, :, n_tokens : n_tokens + n_keys].transpose(1, 2)
    weighted = d_attention * cache.attention
    d_key = torch.addcmul(weighted, cache.attention, weighted.sum(dim=1, keepdim=True), value=-1)
    if not d_key.is_cpu:
        return _sum_by_row(d_key, cache.tokens, places, shape, tables.rows.shape[1]).sum(dim=1)
    d_logits = torch.zeros_like(tables.logits)
    d_logits.view(-1, n_heads).index_add_(0, places.in_table, d_key.flatten(0, 2))
    d_logits[:, n_tokens : n_tokens + n_keys] += d_key.sum(dim=2)
    return d_logits


def _sum_by_row(
    of_keys: Float[Tensor, "trial key batch head"],
    tokens: Int[Tensor, "trial batch key"],
    places: KeyPlaces,
    shape: EncoderShape,
    n_rows: int,
) -> Float[Tensor, "trial batch row head"]:
    """Return for each example the sum over the keys of each row: a key counts in its token's and in its position's.

    The same bits each time: a GPU adds in any order where several keys meet in a row, so there they are written, and
    the background, the one token that an example shows more than once, is summed apart.
    """
    n_trials, n_keys, batch, n_heads = of_keys.shape
    flat, by_row = of_keys.flatten(0, 2), of_keys.new_zeros(n_trials * batch * n_rows, n_heads)
    if of_keys.is_cpu:
        by_row = by_row.index_add_(0, places.in_batch, flat).view(n_trials, batch, n_rows, n_heads)
    else:
        by_row = by_row.index_copy_(0, places.in_batch, flat).view(n_trials, batch, n_rows, n_heads)
        shown = (tokens.transpose(1, 2) == sc.BACKGROUND)[:, :, :, None]
        by_row[:, :, sc.BACKGROUND] = (of_keys * shown).sum(dim=1)
    by_row[:, :, shape.n_tokens : shape.n_tokens + n_keys] = of_keys.transpose(1, 2)
    return by_row


def _rows(table: Float[Tensor, "row head"], index: Int[Tensor, " entry"]) -> Float[Tensor, "entry head"]:
    """Return the rows of `table` with these numbers.

    They are a few numbers long: a GPU's kernel for whole rows takes a block of threads for each, a quarter of a step.
    """
    if table.is_cpu:
        return table.index_select(0, index)
    return table.gather(0, index[:, None].expand(-1, table.shape[1]))


@cache
def _offsets(*shape: int, step: int, device: torch.device) -> Int[Tensor, "..."]:
    """Return 0, step, 2 step, ... in this shape."""
    return torch.arange(torch.Size(shape).numel(), device=device).mul_(step).view(shape)
