"""Small models: untrained ones with noise, trained ones, and trials trained into a store."""

from functools import cached_property

import torch

from lrsym.sweep.execution.events import Failure
from lrsym.sweep.execution.task import TrainTask
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates, evaluate
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.training.training import fit
from tests.small_trials import pack_of, small

CPU = torch.device("cpu")

# Encoders of every kind.
VARIANTS = {
    "two blocks": {"model__vision_blocks": 2, "model__text_blocks": 3},
    "repeats": {"model__text_blocks": 2, "model__repeats": 2},
    "mlp": {"model__d_mlp": 17},
    "pre": {"model__layer_norm": "pre"},
    "post": {"model__layer_norm": "post"},
    "full, pre": {
        "model__vision_blocks": 2, "model__text_blocks": 2, "model__repeats": 2, "model__d_mlp": 17,
        "model__layer_norm": "pre",
    },
    "full, post": {
        "model__vision_blocks": 2, "model__text_blocks": 2, "model__repeats": 2, "model__d_mlp": 17,
        "model__layer_norm": "post",
    },
    "rotary": {"model__positions": "rotary", "model__init_position_std": 0.0},
    "rotary, deep": {
        "model__positions": "rotary", "model__init_position_std": 0.0, "model__vision_blocks": 2,
        "model__text_blocks": 2,
    },
}  # fmt: skip


class Fitted:
    """A pack with everything an evaluation needs, trained when it is first asked for."""

    def __init__(self, trials):
        self.trials = trials
        self.data = PackData.of(trials, device=CPU)
        self.candidates = Candidates.of(self.data)

    @cached_property
    def snapshot(self):
        *_, last = fit(self.trials, self.data, device=CPU)
        return last

    @property
    def model(self):
        return self.snapshot.model

    def arguments(self):
        return self.model, self.data, self.candidates

    def evaluate(self, **options):
        return evaluate(*self.arguments(), **options)


def noisy_model(trials, *, std=0.1, dtype=torch.float32):
    """The untrained model of a pack with noise on every weight, so that no bias is zero."""
    generator = torch.Generator().manual_seed(17)
    model = PackModel.initial(trials).map(lambda tensor: tensor.to(dtype))
    for weight in model.parameters():
        weight += std * torch.randn(weight.shape, generator=generator, dtype=dtype)
    return model


def noisy_pack(dtype=torch.float32, **changes):
    """The noisy model of two trials that differ in their scale, and their data."""
    trials = [
        small(seed=s, model__embedding_scale=1.0 + s, **{"model__init_weight_gain": 1.5, **changes}) for s in range(2)
    ]
    return noisy_model(trials, dtype=dtype), PackData.of(trials, device=CPU)


def vision(model):
    """The vision encoder of a pack, as the functions of one encoder take it."""
    return model.weights["vision"], model.shape.vision, model.embedding_scale


def assert_same_weights(first, second, **tolerance):
    """Raise AssertionError unless two packs of the same trials have the same weights by name."""
    for encoder, named in first.weights.items():
        torch.testing.assert_close(named, second.weights[encoder], **tolerance)


def train(root, trials, *, report=lambda completed: None, **options):
    """How `trials` ended as one pack in the store at `root`; a failure is recorded, and a checkpoint discarded."""
    task, pack = TrainTask(str(root), "r", "cpu", 1, **options), pack_of(*trials)
    outcome = task(pack, report)
    if not isinstance(outcome, Failure):
        return outcome
    if outcome.status != "timeout":
        task.discard_checkpoint(pack)
    return task.record_failure(pack, outcome, [1] * len(pack))
