# pyright: basic, reportArgumentType=false, reportCallIssue=false
"""The masks of dropout on a GPU: what `dropout` does in twenty passes over the words is done in one, in Triton.

The same words, bit by bit. Loaded only where there is a GPU; the test suite runs it in Triton's interpreter.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Int
from torch import Tensor

from lrsym.testbed.device_kernels import kernel
from lrsym.testbed.training.dropout import ODD

WORDS = 1024
"""Words of a block."""


@kernel
def _draw(
    masks, first_keys, second_keys, least, half,
    PLACE: tl.constexpr, FIRST: tl.constexpr, SECOND: tl.constexpr, WORDS: tl.constexpr,
):  # fmt: skip
    """Write the masks of a block of words: of their lower halves, and of their upper ones."""
    trial, place = tl.program_id(1).to(tl.int64), tl.program_id(0) * WORDS + tl.arange(0, WORDS)
    word = place.to(tl.uint32) * PLACE + tl.load(first_keys + trial).to(tl.uint32)
    word = (word ^ (word >> 16)) * FIRST ^ tl.load(second_keys + trial).to(tl.uint32)
    word = (word ^ (word >> 15)) * SECOND
    word = word ^ (word >> 16)
    bound, here, out = tl.load(least + trial), place < half, masks + trial * 2 * half + place
    tl.store(out, tl.where((word & 0xFFFF).to(tl.int32) < bound, 0, -1), mask=here)
    tl.store(out + half, tl.where((word >> 16).to(tl.int32) < bound, 0, -1), mask=here)


def draw(keys: Int[Tensor, "2 trial"], least: Int[Tensor, " trial"], half: int) -> Int[Tensor, "trial 2 half"]:
    """Return the masks of a site of so many words, from its keys and the least entries that are kept."""
    keys, n_trials = keys.contiguous(), keys.shape[1]
    masks = keys.new_empty(n_trials, 2, half)
    odd = {name: number % 2**32 for name, number in zip(("PLACE", "FIRST", "SECOND"), ODD, strict=True)}
    _draw[triton.cdiv(half, WORDS), n_trials](masks, keys[0], keys[1], least.contiguous(), half, **odd, WORDS=WORDS)
    return masks


def try_out(device: torch.device) -> None:
    """Make the kernel by calling it once."""
    draw(torch.zeros(2, 1, dtype=torch.int32, device=device), torch.zeros(1, dtype=torch.int32, device=device), 1)
