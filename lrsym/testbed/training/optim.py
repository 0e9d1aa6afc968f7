"""AdamW of a pack: torch's fused kernel, called once for all members whose moments are averaged alike.

The kernel is called directly, because torch.optim imports the whole of torch's compiler (docs/decisions/step.md).
Source: Loshchilov and Hutter, arXiv:1711.05101 (decoupled decay), with Adam's bias correction and a linear warm-up.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.config.training import OptimConfig


class AdamW:
    """The optimiser of a pack; `step` changes the weights in place.

    Each weight is [trial, ...] and contiguous; the last one is log_scale, and `biases` are the numbers of biases and
    gains: whether these decay, each member says. Everything that changes from step to step is in tensors on the device
    of the weights, so that a step can be recorded and played again.
    """

    def __init__(
        self, optims: Sequence[OptimConfig], weights: Sequence[Tensor], *, biases: Collection[int] = ()
    ) -> None:
        parameters, device = [weight.detach() for weight in weights], weights[0].device
        self._first, self._second = ([torch.zeros_like(weight) for weight in parameters] for _ in range(2))
        self._number = torch.zeros((), device=device)
        stacks = (parameters, self._first, self._second)
        self._groups = [
            _Group(
                rows,
                optims[rows],
                _decays(optims[rows], n_weights=len(weights), biases=biases),
                *([tensor[rows] for tensor in stack] for stack in stacks),
            )
            for rows in _groups(optims)
        ]

    def step(self, gradients: Sequence[Tensor | None], *, number: Int[Tensor, ""]) -> None:
        """Take step `number` (from 1); `gradients` in the order of the weights, None where there is none."""
        self._number.copy_(number)
        for group in self._groups:
            group.step(gradients, self._number)

    def state(self) -> dict[str, Tensor]:
        """Return the moments by name, as they are now (not copies)."""
        moments = {"exp_avg": self._first, "exp_avg_sq": self._second}
        return {f"{name}.{i}": moment for name, tensors in moments.items() for i, moment in enumerate(tensors)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take on what `state` gave, of a pack of the same members."""
        for name, moment in self.state().items():
            moment.copy_(state[name])


class _Group:
    """Adjacent members, at `rows`, that share what the kernel takes as numbers: all but rate, warm-up and decay.

    `weights` and moments are the members' rows, as views, and `decays` are those of `_decays`. Where rates, warm-ups or
    decays differ, the kernel takes a step of rate 1 from zero, and each member adds its own share of that.
    """

    def __init__(
        self,
        rows: slice,
        optims: Sequence[OptimConfig],
        decays: Sequence[tuple[float, ...]],
        weights: Sequence[Tensor],
        first: Sequence[Tensor],
        second: Sequence[Tensor],
    ) -> None:
        self._rows, self._settings = rows, optims[0]
        self._weights, self._first, self._second = weights, first, second
        settings, device = [(o.learning_rate, o.warmup_steps) for o in optims], weights[0].device
        self._learning_rates, self._warmups = torch.tensor(settings, device=device).unbind(dim=1)
        self._decays = decays
        self._decay_rates = {d: torch.tensor(d, device=device) for d in {*decays} if any(d)}
        self._kernel_rate = torch.ones((), device=device)
        alike = len({*settings}) == 1 and all(len({*d}) == 1 for d in decays)
        self._updates = None if alike else [torch.zeros_like(weight) for weight in weights]

    def step(self, gradients: Sequence[Tensor | None], number: Float[Tensor, ""]) -> None:
        """Change the members' weights and moments."""
        rates = self._learning_rates * number / number.clamp(min=self._warmups)
        changed = [i for i, gradient in enumerate(gradients) if gradient is not None]  # a decoder's loss has no scale
        if self._updates is None:
            self._kernel_rate.copy_(rates[0])
            for decay in dict.fromkeys(self._decays[i][0] for i in changed):
                alike = [i for i in changed if self._decays[i][0] == decay]
                self._call(alike, self._weights, gradients, number, decay=decay)
            return
        torch.ops.aten._foreach_zero_(self._updates)
        self._call(changed, self._updates, gradients, number)
        kept = {decays: 1 - rates * of_members for decays, of_members in self._decay_rates.items()}
        for i in changed:
            weight, each_member = self._weights[i], (-1, *[1] * (self._weights[i].dim() - 1))
            if self._decays[i] in kept:
                weight.mul_(kept[self._decays[i]].view(each_member))
            weight.addcmul_(self._updates[i], rates.view(each_member))

    def _call(
        self,
        numbers: Sequence[int],
        weights: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        number: Float[Tensor, ""],
        *,
        decay: float = 0.0,
    ) -> None:
        """Let the kernel change those of `weights`, and of the moments, that have `numbers`."""
        stacks = ([tensors[i] for i in numbers] for tensors in (self._first, self._second))
        own = [gradient[self._rows].contiguous() for i in numbers if (gradient := gradients[i]) is not None]
        # The overload is named: asked for a number, torch would wait for the device to tell the rate.
        torch.ops.aten._fused_adamw_.tensor_lr(
            [weights[i] for i in numbers], own, *stacks, [], [number] * len(numbers),
            lr=self._kernel_rate, beta1=self._settings.beta1, beta2=self._settings.beta2, weight_decay=decay,
            eps=self._settings.epsilon, amsgrad=False, maximize=False,
        )  # fmt: skip


def _decays(optims: Sequence[OptimConfig], *, n_weights: int, biases: Collection[int]) -> list[tuple[float, ...]]:
    """Return for each weight the decay of each member, 0 where the member says that it does not decay."""
    whole = tuple(o.weight_decay for o in optims)
    of_biases = tuple(o.weight_decay * o.decay_biases for o in optims)
    of_temperature = tuple(o.weight_decay * o.decay_temperature for o in optims)
    return [*(of_biases if i in biases else whole for i in range(n_weights - 1)), of_temperature]


def _groups(optims: Sequence[OptimConfig]) -> list[slice]:
    """Return the rows of each group of adjacent members that share what the kernel takes as numbers."""

    def key(member: int) -> tuple[float, ...]:
        o = optims[member]
        return (o.beta1, o.beta2, o.epsilon)

    groups = [list(members) for _, members in groupby(range(len(optims)), key)]
    return [slice(members[0], members[-1] + 1) for members in groups]
