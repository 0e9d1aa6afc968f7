"""Small trials that train in a moment, and what several test files build from them."""

import itertools

import torch

from lrsym.config.trial import Trial
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates
from lrsym.testbed.model.parameters import ModelShape
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
        self.layout = ModelShape.of(trials[0])
        self.candidates = Candidates.of(trials[0].scenes, self.data)
        self.scale = torch.tensor([t.model.embedding_scale for t in trials])
        *_, self.snapshot = fit(trials, self.data, device=CPU)
        self.flat = self.snapshot.parameters

    def arguments(self):
        return self.layout, self.flat, self.data, self.candidates


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
