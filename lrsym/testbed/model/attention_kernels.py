# pyright: basic, reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false
"""What `table_attention` does between its products, on a GPU in one kernel each way (Triton): gather, softmax, sums.

    forward    attention on every key, and its sum by row: by token and by position
    backward   the gradient of the rows' logits, summed over blocks of examples

Logits are read from the tables anew in every pass over the keys: they lie in a cache, and nothing of [key, batch, head]
but the attention itself is written. No sum is made by atomic additions: the same bits each time. Loaded only where
there is a GPU; the test suite runs it in Triton's interpreter.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.device_kernels import kernel

BLOCK = {"EXAMPLES": 32, "TOKENS": 32}
"""Examples of a block, and tokens that it sums at a time."""


@kernel
def _forward(
    logits, tokens, attention, by_row, batch, n_tokens, n_rows, s_trial, s_example, s_row, s_head,
    KEYS: tl.constexpr, HEADS: tl.constexpr, EXAMPLES: tl.constexpr, TOKENS: tl.constexpr,
    SUMS: tl.constexpr,
):  # fmt: skip
    """Write the attention on each key of a block of examples, and, for SUMS, its sums by row."""
    trial, example = tl.program_id(1).to(tl.int64), tl.program_id(0) * EXAMPLES + tl.arange(0, EXAMPLES)
    head, here, table = tl.arange(0, HEADS), example < batch, logits + trial * n_rows * HEADS
    top, total = tl.full((EXAMPLES, HEADS), -float("inf"), tl.float32), tl.zeros((EXAMPLES, HEADS), tl.float32)
    for key in tl.static_range(KEYS):
        token = tl.load(tokens + (trial * batch + example) * KEYS + key, mask=here, other=0)
        logit = tl.load(table + token[:, None] * HEADS + head[None, :])
        logit += tl.load(table + (n_tokens + key) * HEADS + head)[None, :]
        higher = tl.maximum(top, logit)
        total = total * tl.exp(top - higher) + tl.exp(logit - higher)
        top = higher
    row = by_row + trial * s_trial + example[:, None] * s_example + head[None, :] * s_head
    for first in range(0, n_tokens if SUMS else 1, TOKENS):
        summed, number = tl.zeros((EXAMPLES, TOKENS, HEADS), tl.float32), first + tl.arange(0, TOKENS)
        for key in tl.static_range(KEYS):
            token = tl.load(tokens + (trial * batch + example) * KEYS + key, mask=here, other=0)
            logit = tl.load(table + token[:, None] * HEADS + head[None, :])
            logit += tl.load(table + (n_tokens + key) * HEADS + head)[None, :]
            share = tl.exp(logit - top) / total
            if first == 0:
                place = attention + ((trial * KEYS + key) * batch + example[:, None]) * HEADS + head[None, :]
                tl.store(place, share, mask=here[:, None])
                if SUMS:
                    tl.store(row + (n_tokens + key) * s_row, share, mask=here[:, None])
            if SUMS:
                summed += tl.where(token[:, None] == number[None, :], 1.0, 0.0)[:, :, None] * share[:, None, :]
        if SUMS:
            place = by_row + trial * s_trial + example[:, None, None] * s_example + number[None, :, None] * s_row
            place += head[None, None, :] * s_head
            tl.store(place, summed, mask=here[:, None, None] & (number < n_tokens)[None, :, None])


@kernel
def _backward(
    d_by_row, attention, tokens, partial, batch, n_tokens, n_rows, n_blocks, s_trial, s_example, s_row, s_head,
    KEYS: tl.constexpr, HEADS: tl.constexpr, EXAMPLES: tl.constexpr, TOKENS: tl.constexpr,
):  # fmt: skip
    """Write the gradient of the logits of all rows, summed over a block of examples."""
    trial, block = tl.program_id(1).to(tl.int64), tl.program_id(0)
    example, head = block * EXAMPLES + tl.arange(0, EXAMPLES), tl.arange(0, HEADS)
    here = example < batch
    row = d_by_row + trial * s_trial + example[:, None] * s_example + head[None, :] * s_head
    along = tl.zeros((EXAMPLES, HEADS), tl.float32)
    for key in tl.static_range(KEYS):
        token = tl.load(tokens + (trial * batch + example) * KEYS + key, mask=here, other=0)
        place = attention + ((trial * KEYS + key) * batch + example[:, None]) * HEADS + head[None, :]
        share = tl.load(place, mask=here[:, None], other=0.0)
        slope = tl.load(row + token[:, None] * s_row, mask=here[:, None], other=0.0)
        slope += tl.load(row + (n_tokens + key) * s_row, mask=here[:, None], other=0.0)
        along += share * slope
    out = partial + (trial * n_blocks + block) * n_rows * HEADS
    for first in range(0, n_tokens, TOKENS):
        summed, number = tl.zeros((EXAMPLES, TOKENS, HEADS), tl.float32), first + tl.arange(0, TOKENS)
        for key in tl.static_range(KEYS):
            token = tl.load(tokens + (trial * batch + example) * KEYS + key, mask=here, other=0)
            place = attention + ((trial * KEYS + key) * batch + example[:, None]) * HEADS + head[None, :]
            share = tl.load(place, mask=here[:, None], other=0.0)
            slope = tl.load(row + token[:, None] * s_row, mask=here[:, None], other=0.0)
            slope += tl.load(row + (n_tokens + key) * s_row, mask=here[:, None], other=0.0)
            slope = share * (slope - along)
            if first == 0:
                tl.store(out + (n_tokens + key) * HEADS + head, tl.sum(slope, 0))
            summed += tl.where(token[:, None] == number[None, :], 1.0, 0.0)[:, :, None] * slope[:, None, :]
        place = out + number[:, None] * HEADS + head[None, :]
        tl.store(place, tl.sum(summed, 0), mask=(number < n_tokens)[:, None])


def attend(
    logits: Float[Tensor, "trial row head"], tokens: Int[Tensor, "trial batch key"], n_tokens: int, *, sums: bool = True
) -> tuple[Float[Tensor, "trial key batch head"], Float[Tensor, "trial summed row head"]]:
    """Return the attention on each key and its sums by row, from the logits of the rows, those of `n_tokens` first.

    The sums are empty, of no examples, where they are not asked for.
    """
    (n_trials, n_rows, heads), (batch, keys) = logits.shape, tokens.shape[1:]
    attention = logits.new_empty(n_trials, keys, batch, heads)
    by_row = logits.new_empty(n_trials, batch if sums else 0, n_rows, heads)
    grid, sizes = (triton.cdiv(batch, BLOCK["EXAMPLES"]), n_trials), (batch, n_tokens, n_rows)
    _forward[grid](
        logits, tokens.contiguous(), attention, by_row, *sizes, *by_row.stride(), KEYS=keys, HEADS=heads, SUMS=sums,
        **BLOCK,
    )  # fmt: skip
    return attention, by_row


def logits_gradient(
    d_by_row: Float[Tensor, "trial batch row head"],
    attention: Float[Tensor, "trial key batch head"],
    tokens: Int[Tensor, "trial batch key"],
    n_tokens: int,
) -> Float[Tensor, "trial row head"]:
    """Return the gradient of the logits of the rows from that of the sums by row, whatever its strides."""
    n_trials, keys, batch, heads = attention.shape
    n_rows, n_blocks = d_by_row.shape[2], triton.cdiv(batch, BLOCK["EXAMPLES"])
    partial, sizes = attention.new_empty(n_trials, n_blocks, n_rows, heads), (batch, n_tokens, n_rows, n_blocks)
    _backward[n_blocks, n_trials](
        d_by_row, attention, tokens.contiguous(), partial, *sizes, *d_by_row.stride(), KEYS=keys, HEADS=heads, **BLOCK
    )
    return partial.sum(dim=1)


def try_out(device: torch.device, n_keys: int, n_heads: int) -> None:
    """Make the kernels for so many keys and heads by calling them once."""
    logits, tokens = torch.zeros(1, n_keys + 1, n_heads, device=device), torch.zeros(1, 1, n_keys, device=device).long()
    attend(logits, tokens, 1, sums=False)
    attention, by_row = attend(logits, tokens, 1)
    logits_gradient(by_row, attention, tokens, 1)
