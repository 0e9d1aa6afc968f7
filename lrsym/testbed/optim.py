"""AdamW over one flat buffer, with rates, decays and betas of each trial by broadcasting.

torch's optimisers take one rate for each parameter group; a pack needs one for each row. Source: Loshchilov and
Hutter, arXiv:1711.05101 (decoupled decay), with the bias correction of Adam and a linear warm-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lrsym.parts import Optim


@dataclass
class AdamW:
    """State of the optimiser of a pack; `step` changes the flat buffer in place."""

    rate: Float[Tensor, "trial 1"]
    decay: Float[Tensor, "trial 1"]
    beta1: Float[Tensor, "trial 1"]
    beta2: Float[Tensor, "trial 1"]
    epsilon: Float[Tensor, "trial 1"]
    warmup: Float[Tensor, "trial 1"]
    mean: Float[Tensor, "trial parameter"]
    square: Float[Tensor, "trial parameter"]

    @classmethod
    def of(cls, optims: Sequence[Optim], flat: Float[Tensor, "trial parameter"]) -> "AdamW":
        """A fresh state for the buffer `flat`, one row of settings for each of `optims`."""

        def column(name: str) -> Tensor:
            return torch.tensor([[float(getattr(o, name))] for o in optims], device=flat.device)

        return cls(
            rate=column("learning_rate"),
            decay=column("weight_decay"),
            beta1=column("beta1"),
            beta2=column("beta2"),
            epsilon=column("epsilon"),
            warmup=column("warmup_steps"),
            mean=torch.zeros_like(flat),
            square=torch.zeros_like(flat),
        )

    def step(
        self,
        flat: Float[Tensor, "trial parameter"],
        gradient: Float[Tensor, "trial parameter"],
        *,
        number: int,
        alive: Bool[Tensor, "trial 1"],
    ) -> None:
        """Step `number` (from 1) on `flat`, in place; `gradient` is used up.

        The last column (log_scale) is not decayed; rows not `alive` stay as they are.
        """
        rate = self.rate * (number / self.warmup.clamp(min=number)) * alive
        correction1, correction2 = 1 - self.beta1**number, (1 - self.beta2**number).sqrt()
        self.mean.lerp_(gradient, 1 - self.beta1)
        self.square.lerp_(gradient.mul_(gradient), 1 - self.beta2)
        # The gradient's memory holds the update from here on: a pass saved is time saved.
        update = torch.sqrt(self.square, out=gradient).add_(self.epsilon * correction2)
        torch.div(self.mean, update, out=update).mul_(rate * correction2 / correction1)
        flat[:, :-1].mul_(1 - rate * self.decay)
        flat.sub_(update)
