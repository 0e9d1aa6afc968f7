"""Dropout as a model sees it: a mask of bits for each site of a step, drawn by whoever trains."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Site:
    """What is dropped at a site: `mask` has all bits where an entry is kept, else none; those are made larger."""

    mask: Int[Tensor, "trial ..."]
    factors: Float[Tensor, " trial"]


Drop = Callable[..., Site | None]
"""Dropout of a pack in a step: `drop(shape, attention=False)` is the site of a tensor of this shape [trial, ...], of
attention or of the stream; None where all of it is kept. Each call is a site of its own, so a step calls it in the same
order every time."""


def dropped(x: Float[Tensor, "trial ..."], drop: Drop | None, *, attention: bool = False) -> Float[Tensor, "trial ..."]:
    """Return `x` with entries set to 0, the others made larger."""
    site = drop(x.shape, attention=attention) if drop else None
    return x if site is None else _Masked.apply(x, site.mask) * site.factors.view(-1, *[1] * (x.dim() - 1))


class _Masked(torch.autograd.Function):
    """What a mask keeps of numbers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor) -> Tensor:
        """Return `x` where the mask has all bits, 0 elsewhere."""
        ctx.save_for_backward(mask)
        return masked(x, mask)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradient of `x`."""
        return masked(grad_outputs[0], *ctx.saved_tensors), None


def masked(x: Float[Tensor, "..."], mask: Int[Tensor, "..."], *, in_place: bool = False) -> Float[Tensor, "..."]:
    """Return `x` where the mask has all bits, 0 elsewhere. By its bits: a core is many times slower with a Boolean."""
    integers = torch.int32 if x.dtype == torch.float32 else torch.int64
    bits, mask = x.view(integers), mask.to(integers)
    return (bits.bitwise_and_(mask) if in_place else bits & mask).view(x.dtype)
