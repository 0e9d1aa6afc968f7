"""Attention on the keys by the tables, summed by row, and its gradient: in torch, or on a GPU in kernels of our own."""

from dataclasses import dataclass
from functools import cache, cached_property
from types import ModuleType

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.device_kernels import kernels_for

MAX_KEYS = 32
"""Up to so many keys a GPU attends in kernels of our own: they are written out key by key."""

KERNEL_HEADS = (1, 2, 4, 8)
"""Numbers of heads for which it does so: powers of two, whose sums by 32 examples and 32 tokens fit into registers."""


@dataclass(frozen=True)
class InTorch:
    """Attention on `tokens` in torch; the tables have `n_rows` rows, the first `n_tokens` those of tokens."""

    tokens: Int[Tensor, "trial batch key"]
    n_tokens: int
    n_rows: int

    def attend(
        self, row_logits: Float[Tensor, "trial row head"]
    ) -> tuple[Float[Tensor, "trial key batch head"], Float[Tensor, "trial batch row head"]]:
        """Return the attention on each key, and its sums by row."""
        weights = self.weights(row_logits)
        return weights, self._sum_by_row(weights)

    def weights(self, row_logits: Float[Tensor, "trial row head"]) -> Float[Tensor, "trial key batch head"]:
        """Return the attention on each key, from the logits of the rows."""
        n_trials, batch, n_keys = self.tokens.shape
        # Keys come before examples: the softmax runs along an outer dimension, many examples at a time.
        logits = _rows(row_logits.flatten(0, 1), self._in_table).view(n_trials, n_keys, batch, row_logits.shape[2])
        return torch.softmax(logits + row_logits[:, self._positions, None], dim=1)

    def logits_gradient(
        self, d_by_row: Float[Tensor, "trial batch row head"], weights: Float[Tensor, "trial key batch head"]
    ) -> Float[Tensor, "trial row head"]:
        """Return the gradient of the logits of the rows."""
        d_weights = _rows(d_by_row.flatten(0, 2), self._in_batch).view_as(weights)
        d_weights += d_by_row[:, :, self._positions].transpose(1, 2)
        weighted = d_weights * weights
        d_key = torch.addcmul(weighted, weights, weighted.sum(dim=1, keepdim=True), value=-1)
        if not d_key.is_cpu:
            return self._sum_by_row(d_key).sum(dim=1)
        d_logits = d_key.new_zeros(len(d_key), self.n_rows, d_key.shape[3])
        d_logits.view(-1, d_key.shape[3]).index_add_(0, self._in_table, d_key.flatten(0, 2))
        d_logits[:, self._positions] += d_key.sum(dim=2)
        return d_logits

    def _sum_by_row(self, of_keys: Float[Tensor, "trial key batch head"]) -> Float[Tensor, "trial batch row head"]:
        """Return for each example the sum over the keys of each row: of their token's, and of their position's.

        The same bits each time: a GPU adds in any order where several keys meet in a row, so there they are written,
        and the background, the one token that an example shows more than once, is summed apart.
        """
        n_trials, _, batch, n_heads = of_keys.shape
        flat, by_row = of_keys.flatten(0, 2), of_keys.new_zeros(n_trials * batch * self.n_rows, n_heads)
        if of_keys.is_cpu:
            by_row = by_row.index_add_(0, self._in_batch, flat).view(n_trials, batch, self.n_rows, n_heads)
        else:
            by_row = by_row.index_copy_(0, self._in_batch, flat).view(n_trials, batch, self.n_rows, n_heads)
            shown = (self.tokens.transpose(1, 2) == sc.BACKGROUND)[:, :, :, None]
            by_row[:, :, sc.BACKGROUND] = (of_keys * shown).sum(dim=1)
        by_row[:, :, self._positions] = of_keys.transpose(1, 2)
        return by_row

    @property
    def _positions(self) -> slice:
        """The rows of the positions of the keys."""
        return slice(self.n_tokens, self.n_tokens + self.tokens.shape[2])

    @cached_property
    def _in_table(self) -> Int[Tensor, " trialkeybatch"]:
        """The row of each key's token in the tables of all trials."""
        return self._places(len(self.tokens), 1, 1)

    @cached_property
    def _in_batch(self) -> Int[Tensor, " trialkeybatch"]:
        """The row of each key's token in the sums of all examples of all trials."""
        return self._places(len(self.tokens), 1, self.tokens.shape[1])

    def _places(self, *shape: int) -> Int[Tensor, " trialkeybatch"]:
        first = spaced(*shape, step=self.n_rows, device=self.tokens.device)
        return (self.tokens.transpose(1, 2) + first).flatten()


@dataclass(frozen=True)
class InKernels:
    """The same in kernels of our own, `attention_kernels`, on a GPU."""

    kernels: ModuleType
    tokens: Int[Tensor, "trial batch key"]
    n_tokens: int

    def attend(self, row_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attention on each key, and its sums by row."""
        return self.kernels.attend(row_logits, self.tokens, self.n_tokens)

    def weights(self, row_logits: Tensor) -> Tensor:
        """Return the attention on each key, from the logits of the rows."""
        return self.kernels.attend(row_logits, self.tokens, self.n_tokens, sums=False)[0]

    def logits_gradient(self, d_by_row: Tensor, weights: Tensor) -> Tensor:
        """Return the gradient of the logits of the rows."""
        return self.kernels.logits_gradient(d_by_row, weights, self.tokens, self.n_tokens)


KeyAttention = InTorch | InKernels


def key_attention(
    row_logits: Float[Tensor, "trial row head"], tokens: Int[Tensor, "trial batch key"], n_tokens: int
) -> KeyAttention:
    """Return what attends to `tokens`: kernels of our own if they can, on a GPU, for few keys and few heads."""
    (_, n_rows, n_heads), n_keys = row_logits.shape, tokens.shape[2]
    if row_logits.is_cuda and row_logits.dtype == torch.float32 and n_keys <= MAX_KEYS and n_heads in KERNEL_HEADS:
        kernels = kernels_for("lrsym.testbed.model.attention_kernels", row_logits.device, n_keys, n_heads)
        if kernels is not None:
            return InKernels(kernels, tokens, n_tokens)
    return InTorch(tokens, n_tokens, n_rows)


def _rows(table: Float[Tensor, "row head"], index: Int[Tensor, " entry"]) -> Float[Tensor, "entry head"]:
    """Return the rows of `table` with these numbers.

    They are a few numbers long: a GPU's kernel for whole rows takes a block of threads for each, a quarter of a step.
    """
    if table.is_cpu:
        return table.index_select(0, index)
    return table.gather(0, index[:, None].expand(-1, table.shape[1]))


@cache
def spaced(*shape: int, step: int, device: torch.device) -> Int[Tensor, "..."]:
    """Return 0, step, 2 step, ... in this shape."""
    return torch.arange(torch.Size(shape).numel(), device=device).mul_(step).view(shape)
