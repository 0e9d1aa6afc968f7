"""Small trials that train in a moment, and what several test files build from them."""

import itertools

import torch

from lrsym.config.trial import Trial
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates, evaluate
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.training.training import fit

CPU = torch.device("cpu")

SMALL = {
    "scenes.n_positions": 5,
    "scenes.n_labels": 7,
    "scenes.n_pair_labels": 3,
    "scenes.n_heldout_labels": 3,
    "scenes.positions_per_label": 2,
    "scenes.layouts_per_pair": 4,
    "model.d_model": 12,
    "model.n_heads": 3,
    "model.init_token_std": 0.3,
    "model.init_position_std": 0.3,
    "optim.batch_size": 11,
    "optim.steps": 6,
    "optim.warmup_steps": 2,
    "optim.learning_rate": 0.01,
    "eval.points": 2,
}


def small(**changes):
    """A small trial; keyword `optim__steps=3` sets the axis "optim.steps"."""
    return Trial.from_axes({**SMALL, **{key.replace("__", "."): value for key, value in changes.items()}})


class Fitted:
    """A trained pack with everything an evaluation needs."""

    def __init__(self, trials):
        self.trials = trials
        self.data = PackData.of(trials, device=CPU)
        self.candidates = Candidates.of(self.data)
        *_, self.snapshot = fit(trials, self.data, device=CPU)
        self.model = self.snapshot.model

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


def assert_same_weights(first, second, **tolerance):
    """Raise AssertionError unless two packs of the same trials have the same weights by name."""
    for encoder, named in first.weights.items():
        torch.testing.assert_close(named, second.weights[encoder], **tolerance)


def true_sentences(scenes, tokens):
    """Every caption that is true of a scene, as text, read off its pixels."""
    places = {int(t): divmod(cell, scenes.n_positions) for cell, t in enumerate(tokens[1:]) if t}
    if len(places) == 1:
        return {f"{next(iter(places))} is in the image"}
    named = {"left": ["left"], "both": ["left", "right"], "above": ["above"], "left+above": ["left", "above"]}
    found = set()
    for (a, (row, column)), (b, (other_row, other_column)) in itertools.permutations(places.items(), 2):
        holds = {"left": column < other_column, "right": column > other_column, "above": row < other_row}
        words = {"left": "is on the left of", "right": "is on the right of", "above": "is above"}
        found |= {f"{a} {words[r]} {b}" for r in named[scenes.captions] if holds[r]}
    return found
