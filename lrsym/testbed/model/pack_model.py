"""The model of a pack: the one form in which weights are trained, evaluated, taken apart and saved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.testbed.data.pack_data import select_rows
from lrsym.testbed.model.parameters import Weights, initial_weights
from lrsym.testbed.model.shape import ModelShape


@dataclass(frozen=True)
class PackModel:
    """The weights of a pack's trials, which share a shape; a single trained trial is a pack of one.

    Row i of `weights[encoder][name]` [trial, ...] and of `embedding_scale`, by which token embeddings are multiplied,
    belongs to `trials[i]`. `model[i]` is the pack of member i alone, `model[i:j]` that of several: views, not copies.
    """

    trials: tuple[Trial, ...]
    shape: ModelShape
    weights: dict[str, Weights]
    embedding_scale: Float[Tensor, " trial"]

    @classmethod
    def initial(cls, trials: Sequence[Trial], *, device: torch.device | str = "cpu") -> "PackModel":
        """Return the untrained model of `trials`. Raises ValueError if their shapes differ."""
        shape = ModelShape.of_pack(trials)
        return cls._with_scales(trials, shape, initial_weights(shape, trials, device=device), device=device)

    @classmethod
    def from_tensors(cls, trial: Trial, tensors: Mapping[str, Tensor]) -> "PackModel":
        """Return the model of one trial from `tensors()`. Raises ValueError if names or shapes are not the trial's."""
        shape = ModelShape.of(trial)
        expected = {f"{encoder}.{name}": size for encoder, name, size in shape.named()}
        given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        if expected != given:
            name, _ = min({*expected.items()} ^ {*given.items()})
            raise ValueError(f"parameters must be those of the trial; names or shapes differ in {name}")
        weights: dict[str, Weights] = {}
        for encoder, name, _ in shape.named():
            weights.setdefault(encoder, {})[name] = tensors[f"{encoder}.{name}"][None]
        return cls._with_scales([trial], shape, weights, device=tensors["loss.log_scale"].device)

    @classmethod
    def _with_scales(
        cls, trials: Sequence[Trial], shape: ModelShape, weights: dict[str, Weights], *, device: torch.device | str
    ) -> "PackModel":
        scales = torch.tensor([t.model.embedding_scale for t in trials], device=device)
        return cls(tuple(trials), shape, weights, scales)

    def __len__(self) -> int:
        return len(self.trials)

    def __getitem__(self, index: int | slice) -> "PackModel":
        members = range(len(self))[index]
        rows = slice(members, members + 1) if isinstance(members, int) else slice(members.start, members.stop)
        return replace(self.map(lambda tensor: tensor[rows]), trials=self.trials[rows])

    def select(self, rows: Sequence[int]) -> "PackModel":
        """Return the pack of the members at `rows`, in memory of its own."""
        trials = tuple(self.trials[row] for row in rows)
        return replace(self.map(lambda tensor: select_rows(tensor, rows)), trials=trials)

    def members(self) -> "list[PackModel]":
        """Return the pack of each member alone, in their order."""
        return [self[i] for i in range(len(self))]

    @property
    def trial(self) -> Trial:
        """The trial of a pack of one. Raises ValueError for a larger pack."""
        if len(self) != 1:
            raise ValueError(f"a pack of {len(self)} trials has no single trial; select a member, as in model[0]")
        return self.trials[0]

    @property
    def device(self) -> torch.device:
        """The device of every tensor."""
        return self.embedding_scale.device

    def parameters(self) -> list[Tensor]:
        """Return the weights in the order of `ModelShape.named`, log_scale last."""
        return [weight for named in self.weights.values() for weight in named.values()]

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights of a pack of one by name ("vision.token", "loss.log_scale"), without the trial axis.

        Raises ValueError for a larger pack.
        """
        assert self.trial
        return {f"{encoder}.{name}": t[0] for encoder, named in self.weights.items() for name, t in named.items()}

    def map(self, function: Callable[[Tensor], Tensor]) -> "PackModel":
        """Return the model with `function` applied to each weight and to the embedding scales."""
        weights = {e: {name: function(t) for name, t in named.items()} for e, named in self.weights.items()}
        return replace(self, weights=weights, embedding_scale=function(self.embedding_scale))
