# pyright: basic, reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false
"""What `table_encoder` does between its products, in one kernel each way: gather, softmax, sum by token.

    forward    attention of every key, and its sum by row (token, position)
    backward   the gradient of the rows' logits, summed over blocks of examples

Not part of the product: the part `attention` measures whether it would pay.
"""

import triton
import triton.language as tl
from torch import Tensor

EXAMPLES, TOKENS = 32, 32
"""Examples of a block, and tokens that it sums at a time."""


@triton.jit
def _forward(
    logits, tokens, attention, by_row, batch, n_tokens, n_rows, s_trial, s_example, s_row, s_head,
    KEYS: tl.constexpr, HEADS: tl.constexpr, EXAMPLES: tl.constexpr, TOKENS: tl.constexpr,
):  # fmt: skip
    trial, example = tl.program_id(0).to(tl.int64), tl.program_id(1) * EXAMPLES + tl.arange(0, EXAMPLES)
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
    for first in range(0, n_tokens, TOKENS):
        summed, number = tl.zeros((EXAMPLES, TOKENS, HEADS), tl.float32), first + tl.arange(0, TOKENS)
        for key in tl.static_range(KEYS):
            token = tl.load(tokens + (trial * batch + example) * KEYS + key, mask=here, other=0)
            logit = tl.load(table + token[:, None] * HEADS + head[None, :])
            logit += tl.load(table + (n_tokens + key) * HEADS + head)[None, :]
            share = tl.exp(logit - top) / total
            if first == 0:
                place = attention + ((trial * KEYS + key) * batch + example[:, None]) * HEADS + head[None, :]
                tl.store(place, share, mask=here[:, None])
                tl.store(row + (n_tokens + key) * s_row, share, mask=here[:, None])
            summed += tl.where(token[:, None] == number[None, :], 1.0, 0.0)[:, :, None] * share[:, None, :]
        place = by_row + trial * s_trial + example[:, None, None] * s_example + number[None, :, None] * s_row
        place += head[None, None, :] * s_head
        tl.store(place, summed, mask=here[:, None, None] & (number < n_tokens)[None, :, None])


@triton.jit
def _backward(
    d_by_row, attention, tokens, partial, batch, n_tokens, n_rows, n_blocks, s_trial, s_example, s_row, s_head,
    KEYS: tl.constexpr, HEADS: tl.constexpr, EXAMPLES: tl.constexpr, TOKENS: tl.constexpr,
):  # fmt: skip
    trial, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
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


def attend(logits: Tensor, tokens: Tensor, n_tokens: int) -> tuple[Tensor, Tensor]:
    """Return attention [trial, key, batch, head] and its sum by row [trial, batch, row, head].

    `logits` are [trial, row, head], `tokens` [trial, batch, key].
    """
    (n_trials, n_rows, heads), (batch, keys) = logits.shape, tokens.shape[1:]
    attention, by_row = logits.new_empty(n_trials, keys, batch, heads), logits.new_empty(n_trials, batch, n_rows, heads)
    sizes = {"KEYS": keys, "HEADS": heads, "EXAMPLES": EXAMPLES, "TOKENS": TOKENS}
    grid = (n_trials, triton.cdiv(batch, EXAMPLES))
    _forward[grid](
        logits, tokens.contiguous(), attention, by_row, batch, n_tokens, n_rows, *by_row.stride(), **sizes, num_warps=4
    )
    return attention, by_row


def logits_gradient(d_by_row: Tensor, attention: Tensor, tokens: Tensor, n_tokens: int) -> Tensor:
    """Return the gradient of the logits [trial, row, head] from that of the sums by row, whatever its strides."""
    n_trials, keys, batch, heads = attention.shape
    n_rows, n_blocks = d_by_row.shape[2], triton.cdiv(batch, EXAMPLES)
    partial = attention.new_empty(n_trials, n_blocks, n_rows, heads)
    sizes = {"KEYS": keys, "HEADS": heads, "EXAMPLES": EXAMPLES, "TOKENS": TOKENS}
    _backward[(n_trials, n_blocks)](
        d_by_row, attention, tokens.contiguous(), partial, batch, n_tokens, n_rows, n_blocks, *d_by_row.stride(),
        **sizes, num_warps=4,
    )  # fmt: skip
    return partial.sum(dim=1)
