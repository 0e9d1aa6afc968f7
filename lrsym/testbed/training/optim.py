"""AdamW of a pack: torch's fused kernel, called once for each group of members with equal settings.

The kernel is called directly, because torch.optim imports the whole of torch's compiler (docs/decisions/step.md).
Source: Loshchilov and Hutter, arXiv:1711.05101 (decoupled decay), with Adam's bias correction and a linear warm-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Int
from torch import Tensor

from lrsym.config.training import OptimConfig


@dataclass(frozen=True)
class _Piece:
    """Some members' rows of the weight `number` and of its two moments, as views."""

    number: int
    parameter: Tensor
    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class _Group:
    """Adjacent members, at `rows`, whose optimisers are set alike, and their rate in this step.

    `decayed` are all their weights but log_scale.
    """

    rows: slice
    settings: OptimConfig
    rate: Tensor
    decayed: list[_Piece]
    log_scale: _Piece


class AdamW:
    """The optimiser of a pack; `step` changes the weights in place.

    Each weight is [trial, ...] and contiguous; the last one (log_scale) is not decayed. Everything that changes from
    step to step is in tensors on the device of the weights, so that a step can be recorded and played again.
    """

    def __init__(self, optims: Sequence[OptimConfig], weights: Sequence[Tensor]) -> None:
        parameters, device = [weight.detach() for weight in weights], weights[0].device
        self._first, self._second = ([torch.zeros_like(weight) for weight in parameters] for _ in range(2))
        self._number = torch.zeros((), device=device)
        self._groups: list[_Group] = []
        for rows, settings in _groups(optims):
            stacks = zip(parameters, self._first, self._second, strict=True)
            pieces = [_Piece(i, *(tensor[rows] for tensor in stack)) for i, stack in enumerate(stacks)]
            self._groups.append(_Group(rows, settings, torch.zeros((), device=device), pieces[:-1], pieces[-1]))

    def step(self, gradients: Sequence[Tensor | None], *, number: Int[Tensor, ""]) -> None:
        """Take step `number` (from 1); `gradients` in the order of the weights, None where there is none."""
        self._number.copy_(number)
        for group in self._groups:
            o = group.settings
            group.rate.copy_(o.learning_rate * number / number.clamp(min=o.warmup_steps))
            for pieces, decay in ((group.decayed, o.weight_decay), ([group.log_scale], 0.0)):
                pairs = [(p, g[group.rows].contiguous()) for p in pieces if (g := gradients[p.number]) is not None]
                if not pairs:  # a decoder's loss has no scale
                    continue
                # The overload is named: asked for a number, torch would wait for the device to tell the rate.
                torch.ops.aten._fused_adamw_.tensor_lr(
                    [p.parameter for p, _ in pairs], [gradient for _, gradient in pairs],
                    [p.first for p, _ in pairs], [p.second for p, _ in pairs], [], [self._number] * len(pairs),
                    lr=group.rate, beta1=o.beta1, beta2=o.beta2, weight_decay=decay, eps=o.epsilon,
                    amsgrad=False, maximize=False,
                )  # fmt: skip

    def state(self) -> dict[str, Tensor]:
        """Return the moments by name, as they are now (not copies)."""
        moments = {"exp_avg": self._first, "exp_avg_sq": self._second}
        return {f"{name}.{i}": moment for name, tensors in moments.items() for i, moment in enumerate(tensors)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take on what `state` gave, of a pack of the same members."""
        for name, moment in self.state().items():
            moment.copy_(state[name])


def _groups(optims: Sequence[OptimConfig]) -> list[tuple[slice, OptimConfig]]:
    """Return each group of adjacent members whose optimisers are set alike."""

    def key(member: int) -> tuple[float | int, ...]:
        o = optims[member]
        return (o.learning_rate, o.weight_decay, o.beta1, o.beta2, o.epsilon, o.warmup_steps)

    groups = [list(members) for _, members in groupby(range(len(optims)), key)]
    return [(slice(members[0], members[-1] + 1), optims[members[0]]) for members in groups]
