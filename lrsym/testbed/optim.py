"""AdamW of a pack: torch's fused kernel, called once for each run of members with equal settings.

The kernel is called directly: around it torch.optim takes a twentieth of a short step, and importing what it needs for
torch.compile a second of every worker's start (docs/decisions/step.md).
Source: Loshchilov and Hutter, arXiv:1711.05101 (decoupled decay), with Adam's bias correction and a linear warm-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Int
from torch import Tensor

from lrsym.parts import Optim

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class _Group:
    """Some of the weights of members `rows`, who are set alike; `rate` is their rate in this step."""

    rows: slice
    weights: range
    settings: Optim
    decay: float
    rate: Tensor


class AdamW:
    """The optimiser of a pack; `step` changes the weights in place.

    Each weight is [trial, ...] and contiguous; the last one (log_scale) is not decayed. Everything that changes from
    step to step is in tensors on the device of the weights, so that a step can be recorded and played again.
    """

    def __init__(self, optims: Sequence[Optim], weights: Sequence[Tensor]) -> None:
        self._weights = [weight.detach() for weight in weights]
        self._moments = {name: [torch.zeros_like(weight) for weight in self._weights] for name in _MOMENTS}
        device, last = self._weights[0].device, len(self._weights) - 1
        self._number = torch.zeros((), device=device)
        self._groups: list[_Group] = []
        for rows, settings in _runs(optims):
            rate = torch.zeros((), device=device)
            self._groups.append(_Group(rows, range(last), settings, settings.weight_decay, rate))
            self._groups.append(_Group(rows, range(last, last + 1), settings, 0.0, rate))

    def step(self, gradients: Sequence[Tensor | None], *, number: Int[Tensor, ""]) -> None:
        """Step `number` (from 1); `gradients` in the order of the weights, None where there is none."""
        self._number.copy_(number)
        for group in self._groups:
            rows, o = group.rows, group.settings
            known = {i: gradient for i in group.weights if (gradient := gradients[i]) is not None}
            if not known:  # a decoder's loss has no scale
                continue
            group.rate.copy_(o.learning_rate * number / number.clamp(min=o.warmup_steps))
            torch.ops.aten._fused_adamw_(
                [self._weights[i][rows] for i in known],
                [gradient[rows].contiguous() for gradient in known.values()],
                *([moments[i][rows] for i in known] for moments in self._moments.values()),
                [],
                [self._number] * len(known),
                lr=group.rate, beta1=o.beta1, beta2=o.beta2, weight_decay=group.decay, eps=o.epsilon,
                amsgrad=False, maximize=False,
            )  # fmt: skip

    def state(self) -> dict[str, Tensor]:
        """The moments by name, as they are now (not copies)."""
        return {f"{name}.{i}": moment for name, own in self._moments.items() for i, moment in enumerate(own)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take on what `state` gave, of a pack of the same members."""
        for name, moment in self.state().items():
            moment.copy_(state[name])


def _runs(optims: Sequence[Optim]) -> list[tuple[slice, Optim]]:
    """Each run of members whose optimisers are set alike."""

    def key(member: int) -> tuple[float | int, ...]:
        o = optims[member]
        return (o.learning_rate, o.weight_decay, o.beta1, o.beta2, o.epsilon, o.warmup_steps)

    runs = [list(members) for _, members in groupby(range(len(optims)), key)]
    return [(slice(members[0], members[-1] + 1), optims[members[0]]) for members in runs]
