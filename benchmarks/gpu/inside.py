"""A pack in training as these parts need it: its step by itself, with or without a CUDA graph, and its losses.

The only file here that knows how `Training` keeps them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training import training as module
from lrsym.testbed.training.training import Training

DISTINCT_SEEDS = 32
"""Members beyond these repeat their data: to draw it is not what is timed."""


def prepared(
    axes: Mapping[str, object], size: int, device: torch.device, *, recorded: bool = True, rates: int = 1
) -> Training:
    """Return a training of `size` members that differ in their seed, and that have `rates` different learning rates."""
    seeds = [number % DISTINCT_SEEDS for number in range(size)]
    few = [Trial.from_axes({**axes, "seed": seed}) for seed in range(min(size, DISTINCT_SEEDS))]
    trials = [
        Trial.from_axes({**axes, "seed": seed, "optim.learning_rate": 1e-3 * (1 + number % rates / rates)})
        if rates > 1
        else few[seed]
        for number, seed in enumerate(seeds)
    ]
    training = Training(trials, _repeated(PackData.of(few, device=device), seeds, trials), device=device)
    return training if recorded else without_graph(training)


def _repeated(data: PackData, rows: Sequence[int], trials: Sequence[Trial]) -> PackData:
    """Return the data of `trials`, of which the i-th uses that of member rows[i] of `data`."""
    at = torch.tensor(rows, device=data.trained.device)
    return replace(
        data, trials=tuple(trials), splits=tuple(data.splits[row] for row in rows),
        training_sets=tuple(data.training_sets[row] for row in rows), trained=data.trained[at], column=data.column[at],
    )  # fmt: skip


def without_graph(training: Training) -> Training:
    """Return `training`, whose steps Python calls from now on."""
    training._graph = None
    return training


def step_alone(training: Training) -> Callable[[], None]:
    """Return what takes a step of `training` on the batch that lies ready: no new batch is drawn."""
    graph = training._graph
    return (lambda: graph(training._run)) if graph else training._run


def last_loss(training: Training) -> Tensor:
    """Return the loss [trial] that the last step began with."""
    return training._loss.clone()


def weights(training: Training) -> list[Tensor]:
    """Return copies of the weights, in the order of `PackModel.parameters`."""
    return [weight.detach().clone() for weight in training._model.parameters()]


def replace_loss(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make `function` the loss of every step in this process; return what was there."""
    before, module.batch_loss = module.batch_loss, function
    return before
