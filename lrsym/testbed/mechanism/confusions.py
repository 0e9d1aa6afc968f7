"""What wins when a scene is missed: the kind of the caption that scores highest.

A miss that names the wrong order, one label alone or a label that is not there are failures of different parts; late
in training held-out pairs are lost to captions of one of their labels.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates, Scorer, each_scorer
from lrsym.testbed.model.pack_model import PackModel
from lrsym.vocabulary import SPLITS, WINNERS

Shares = dict[tuple[str, str], float]
"""Share of the scenes of a split by (split, kind of winner); they add up to 1 for each split."""


def confusions(model: PackModel, data: PackData, candidates: Candidates) -> list[Shares]:
    """Return for each member what wins on each split that has scenes; kinds are `vocabulary.WINNERS`.

    Where captions tie for the highest score, one of them is called the winner.
    """
    names = _labels_named(data).to(data.captions_of.device)
    found: list[Shares] = [{} for _ in model.trials]
    for members, score, chunk in each_scorer(model, data):
        for split in SPLITS:
            numbers = candidates.scenes[split][members]
            counts = _count(score, data, names, numbers, chunk=chunk).tolist()
            for of_member, row in zip(found[members], counts, strict=True):
                if total := sum(row):
                    of_member |= {(split, kind): n / total for kind, n in zip(WINNERS, row, strict=True)}
    return found


def _labels_named(data: PackData) -> Bool[Tensor, "caption label"]:
    """Return which labels each caption names; label 0 is none."""
    scenes = data.trials[0].scenes
    labels = sc.caption_labels(scenes, np.arange(sc.n_captions(scenes)))
    names = np.zeros((len(labels), scenes.n_labels + 1), dtype=bool)
    np.put_along_axis(names, labels, True, axis=1)
    names[:, 0] = False
    return torch.from_numpy(names)


def _count(
    score: Scorer,
    data: PackData,
    names: Bool[Tensor, "caption label"],
    numbers: Int[Tensor, "trial scene"],
    *,
    chunk: int,
) -> Float[Tensor, "trial kind"]:
    """Return how many scenes of each member each kind of caption wins, `chunk` scenes at a time."""
    counts = torch.zeros(len(numbers), len(WINNERS), device=numbers.device)
    for scenes in numbers.split(chunk, dim=1) if numbers.shape[1] else ():
        existing = scenes.clamp(min=0)
        best = score(existing).argmax(dim=2)
        true = data.captions_of[existing]
        is_true = (true == best[:, :, None]).any(dim=2)
        shown = (names[true.clamp(min=0)] & (true >= 0)[..., None]).any(dim=2)
        named, right = names[best].sum(dim=2), (names[best] & shown).sum(dim=2)
        kinds = {
            "true": is_true,
            "order": (named == 2) & (right == 2) & ~is_true,
            "single": (named == 1) & (right == 1) & ~is_true,
            "partner": (named == 2) & (right == 1),
            "other": right == 0,
        }
        one_of = torch.stack([kinds[kind] for kind in WINNERS], dim=2) & (scenes >= 0)[:, :, None]
        counts += one_of.sum(dim=1)
    return counts
