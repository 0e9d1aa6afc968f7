"""AdamW of a pack: torch's fused kernel, with a group of parameters for each run of members with equal settings.

Source: Loshchilov and Hutter, arXiv:1711.05101 (decoupled decay), with Adam's bias correction and a linear warm-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Int
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

    Each weight is [trial, ...] and contiguous; the last one (log_scale) is not decayed. Everything that changes from
    step to step is in tensors on the device of the weights, so that a step can be recorded and played again.
    """

    def __init__(self, optims: Sequence[Optim], weights: Sequence[Tensor]) -> None:
        self._pieces: list[_Piece] = []
        self._rates: list[tuple[Optim, Tensor]] = []
        groups, device = [], weights[0].device
        for start, stop, settings in _runs(optims):
            rows = slice(start, stop)
            pieces = [_Piece(i, rows, weight.detach()[rows]) for i, weight in enumerate(weights)]
            self._pieces += pieces
            rate = torch.zeros((), device=device)
            self._rates.append((settings, rate))
            for some, decay in ((pieces[:-1], settings.weight_decay), (pieces[-1:], 0.0)):
                groups.append({
                    "params": [piece.parameter for piece in some], "lr": rate, "weight_decay": decay,
                    "betas": (settings.beta1, settings.beta2), "eps": settings.epsilon,
                })  # fmt: skip
        self._torch = torch.optim.AdamW(groups, fused=True, capturable=device.type == "cuda")

    def step(self, gradients: Sequence[Tensor | None], *, number: Int[Tensor, ""]) -> None:
        """Step `number` (from 1); `gradients` in the order of the weights, None where there is none."""
        for piece in self._pieces:
            gradient = gradients[piece.number]
            piece.parameter.grad = None if gradient is None else gradient[piece.rows].contiguous()
        for settings, rate in self._rates:
            rate.copy_(settings.learning_rate * number / number.clamp(min=settings.warmup_steps))
        self._torch.step()

    def state(self) -> dict[str, Tensor]:
        """The moments and step counts by name, as they are now (not copies)."""
        known = [(i, self._torch.state.get(piece.parameter, {})) for i, piece in enumerate(self._pieces)]
        return {f"{i}.{name}": value for i, values in known for name, value in values.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take on what `state` gave, of a pack of the same members."""
        for name, value in state.items():
            number, _, kind = name.partition(".")
            parameter = self._pieces[int(number)].parameter
            self._torch.state[parameter][kind] = value.to(parameter.device, copy=True)


def _runs(optims: Sequence[Optim]) -> list[tuple[int, int, Optim]]:
    """Start and end of each run of members whose optimisers are set alike."""

    def key(member: int) -> tuple[float | int, ...]:
        o = optims[member]
        return (o.learning_rate, o.weight_decay, o.beta1, o.beta2, o.epsilon, o.warmup_steps)

    runs = [list(members) for _, members in groupby(range(len(optims)), key)]
    return [(members[0], members[-1] + 1, optims[members[0]]) for members in runs]
