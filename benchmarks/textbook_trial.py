"""A whole trial by the textbook: the model with lrsym's initial values, its batches, and accuracies along the way.

What is shared with lrsym is what makes the two sides comparable: scenes, splits, initial values, the order of batches,
and the definitions of the metrics. Embeddings come from the model itself, as it trains.
"""

import itertools
from collections.abc import Iterator

import torch
from torch.nn import functional as F

from benchmarks.textbook import Clip, Encoder, losses
from lrsym.config.trial import Trial
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates, scene_credit
from lrsym.testbed.model.pack_model import PackModel
from lrsym.vocabulary import METRICS

SCENES_AT_ONCE = 1024
"""Scenes in a batch of evaluation: larger ones are no faster on a core, and smaller ones slower on a GPU."""

Accuracies = dict[str, float]
"""By `<split>_<metric>`; what is not defined is missing."""


def model_of(trial: Trial, *, readout_only: bool) -> Clip:
    """The model of `trial` at its initial values."""
    model, scale = PackModel.initial([trial]), trial.model.embedding_scale
    log_scale = model.weights["loss"]["log_scale"][0].clone()
    vision, text = (
        Encoder(shape, model.weights[shape.name], scale=scale, readout_only=readout_only)
        for shape in model.shape.encoders
    )
    return Clip(vision, text, log_scale=log_scale, batch_size=trial.optim.batch_size)


def train(trial: Trial, *, device: torch.device, readout_only: bool = False) -> Iterator[tuple[int, float, Accuracies]]:
    """Step, loss before it, and accuracies after it, at each evaluation step of `trial`."""
    data = PackData.of([trial], device=device)
    candidates = Candidates.of(data)
    model = model_of(trial, readout_only=readout_only).to(device)
    drawn = (batch[0] for batch in batches([trial], data.training_sets, device=device))
    evaluated = set(trial.evaluation_steps)
    trace = itertools.islice(losses(model, trial.optim, data, drawn), trial.n_steps)
    for step, loss in enumerate(trace, start=1):
        if step in evaluated:
            yield step, loss.item(), accuracies(model, data, candidates)


@torch.inference_mode()
def accuracies(model: Clip, data: PackData, candidates: Candidates) -> Accuracies:
    """Accuracies on every split; one transfer from the device."""
    captions = F.normalize(model.text(data.captions), dim=1)
    found = {}
    for split, numbers in data.splits[0].items():
        if not len(numbers):
            continue
        rows = torch.from_numpy(numbers).to(captions.device)
        images = torch.cat([model.vision(data.scenes[part]) for part in rows.split(SCENES_AT_ONCE)])
        scores = F.normalize(images, dim=1) @ captions.T
        credit, defined = scene_credit(
            scores[None], data.captions_of[rows][None], candidates, candidates.outside[split]
        )
        right, total = (credit * defined).sum(dim=(0, 1)), defined.sum(dim=(0, 1))
        found |= {f"{split}_{metric}": (right / total)[i] for i, metric in enumerate(METRICS)}
    values = torch.stack([*found.values()]).tolist()
    return {name: value for name, value in zip(found, values, strict=True) if value == value}
