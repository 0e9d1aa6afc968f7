"""AdamW of a pack: torch's fused kernel, with a group of parameters for each run of members with equal settings.

Source: Loshchilov and Hutter, arXiv:1711.05101 (decoupled decay), with Adam's bias correction and a linear warm-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from lrsym.parts import Optim


@dataclass(frozen=True)
class _Piece:
    """Members `rows` of the weight `number`, as torch's optimiser knows them."""

    number: int
    rows: slice
    parameter: Tensor


class AdamW:
    """The optimiser of a pack; `step` changes the weights in place.

    Each weight is [trial, ...] and contiguous; the last one (log_scale) is not decayed.
    """

    def __init__(self, optims: Sequence[Optim], weights: Sequence[Tensor]) -> None:
        self._pieces: list[_Piece] = []
        self._settings: list[Optim] = []
        groups = []
        for start, stop, settings in _runs(optims):
            rows = slice(start, stop)
            pieces = [_Piece(i, rows, weight.detach()[rows]) for i, weight in enumerate(weights)]
            self._pieces += pieces
            for some, decay in ((pieces[:-1], settings.weight_decay), (pieces[-1:], 0.0)):
                self._settings.append(settings)
                groups.append({
                    "params": [piece.parameter for piece in some], "lr": settings.learning_rate, "weight_decay": decay,
                    "betas": (settings.beta1, settings.beta2), "eps": settings.epsilon,
                })  # fmt: skip
        self.torch = torch.optim.AdamW(groups, fused=True)

    def step(self, gradients: Sequence[Tensor | None], *, number: int) -> None:
        """Step `number` (from 1); `gradients` in the order of the weights, None where there is none."""
        for piece in self._pieces:
            gradient = gradients[piece.number]
            piece.parameter.grad = None if gradient is None else gradient[piece.rows].contiguous()
        for group, settings in zip(self.torch.param_groups, self._settings, strict=True):
            group["lr"] = settings.learning_rate * number / max(settings.warmup_steps, number)
        self.torch.step()


def _runs(optims: Sequence[Optim]) -> list[tuple[int, int, Optim]]:
    """Start and end of each run of members whose optimisers are set alike."""

    def key(member: int) -> tuple[float | int, ...]:
        o = optims[member]
        return (o.learning_rate, o.weight_decay, o.beta1, o.beta2, o.epsilon, o.warmup_steps)

    runs = [list(members) for _, members in groupby(range(len(optims)), key)]
    return [(members[0], members[-1] + 1, optims[members[0]]) for members in runs]
