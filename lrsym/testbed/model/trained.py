"""One trained trial, as the functions of the testbed take it: a pack of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.testbed.model.parameters import Flat, ModelShape, Weights


@dataclass(frozen=True)
class TrainedModel:
    """A trial with its parameters; `layout`, `flat` and `scale` go into `evaluate`, `ablations`, `profiles`."""

    trial: Trial
    layout: ModelShape
    flat: Flat
    scale: Float[Tensor, " trial"]

    @classmethod
    def of(cls, trial: Trial, flat: Float[Tensor, "1 parameter"]) -> "TrainedModel":
        """The model of `trial` with the parameters of `flat`, on its device."""
        scale = torch.tensor([trial.model.embedding_scale], device=flat.device)
        return cls(trial, ModelShape.of(trial), flat, scale)

    @classmethod
    def members(cls, trials: Sequence[Trial], flat: Flat) -> "list[TrainedModel]":
        """A model for each member of a pack, with memory of its own."""
        return [cls.of(trial, row[None].clone()) for trial, row in zip(trials, flat.detach(), strict=True)]

    @classmethod
    def from_tensors(cls, trial: Trial, tensors: Mapping[str, Tensor]) -> "TrainedModel":
        """The model of `trial` with parameters by name, as `tensors` gives them. Raises ValueError if they differ
        from the trial's in name or shape."""
        wanted = {f"{encoder}.{name}": shape for encoder, name, shape in ModelShape.of(trial).named()}
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        if wanted != found:
            odd = sorted({*wanted.items()} ^ {*found.items()})
            raise ValueError(f"parameters must be those of the trial; names or shapes differ in {odd[0][0]}")
        return cls.of(trial, torch.cat([tensors[name].flatten() for name in wanted])[None])

    @property
    def weights(self) -> dict[str, Weights]:
        """The parameters by encoder and name, with a leading trial axis of length 1."""
        return self.layout.views(self.flat)

    def tensors(self) -> dict[str, Tensor]:
        """The parameters by name ("vision.token", "loss.log_scale"), without the trial axis."""
        return {f"{encoder}.{name}": t[0] for encoder, named in self.weights.items() for name, t in named.items()}
