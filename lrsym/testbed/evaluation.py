"""Accuracies of a pack on its four splits: scores of every scene against every caption, then four counts.

Definitions stand in `lrsym.vocabulary` (METRICS); candidates follow arXiv:2601.12809 where it states them.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lrsym.testbed import scenes as sc
from lrsym.testbed.contrastive import cosine
from lrsym.testbed.encoder import encode
from lrsym.testbed.parameters import Flat, ParameterLayout
from lrsym.testbed.training import PackData
from lrsym.trial import Scenes
from lrsym.vocabulary import METRICS, SPLITS

CHUNK_CELLS = 1 << 22
"""Scores held at a time (trials x scenes x captions), 16 MB in float32."""

Accuracies = dict[tuple[str, str], Float[Tensor, " trial"]]
"""By (split, metric); NaN where a metric is not defined on a split."""


@dataclass(frozen=True)
class Candidates:
    """What scores are compared with, and which scenes are looked at for which splits."""

    swapped: Int[Tensor, " caption"]
    label_set: Int[Tensor, " caption"]
    of_split: dict[str, Bool[Tensor, "trial caption"]]
    groups: tuple[tuple[Int[Tensor, " _"], tuple[str, ...]], ...]

    @classmethod
    def of(cls, scenes: Scenes, data: PackData) -> "Candidates":
        """The candidates of a pack; a caption belongs to a split when one of its scenes does.

        `groups` sorts the scenes of the pack by the splits they are in for any member, so that scores are
        computed once for each scene.
        """
        every = np.arange(sc.n_captions(scenes))
        device = data.caption_of.device
        swapped = torch.from_numpy(sc.swap(scenes, every)).to(device)
        of_split = {}
        for split, member in data.members.items():
            occurs = torch.zeros(len(member), len(every), device=device)
            occurs.index_add_(1, data.caption_of, member.to(occurs.dtype))
            of_split[split] = occurs > 0
        in_split = torch.stack([data.members[split].any(dim=0) for split in SPLITS], dim=1)
        signatures, group = in_split.unique(dim=0, return_inverse=True)
        named = [tuple(s for s, inside in zip(SPLITS, row, strict=True) if inside) for row in signatures.tolist()]
        groups = tuple(((group == i).nonzero()[:, 0], names) for i, names in enumerate(named))
        return cls(swapped, torch.minimum(swapped, torch.arange(len(every), device=device)), of_split, groups)


def evaluate(
    layout: ParameterLayout,
    flat: Flat,
    data: PackData,
    candidates: Candidates,
    *,
    scale: Float[Tensor, " trial"],
    splits: Collection[str] = tuple(SPLITS),
    left_out: Collection[str] = (),
) -> Accuracies:
    """Accuracies on `splits`, with the terms in `left_out` missing from the vision encoder."""
    weights = layout.views(flat)
    text, _ = encode(weights["text"], layout.text, data.captions, scale=scale)
    chunk = max(1, CHUNK_CELLS // (len(flat) * len(data.captions)))
    right = {(split, metric): torch.zeros(len(flat), device=flat.device) for split in splits for metric in METRICS}
    total = {key: torch.zeros_like(count) for key, count in right.items()}
    for every_row, of_group in candidates.groups:
        asked = [split for split in of_group if split in splits]
        for rows in every_row.split(chunk) if asked else ():
            image, _ = encode(weights["vision"], layout.vision, data.scenes[rows], scale=scale, left_out=left_out)
            graded = grade(cosine(image, text), data.caption_of[rows], candidates, splits=asked)
            for (split, metric), (credit, defined) in graded.items():
                counted = data.members[split][:, rows] & defined
                right[split, metric] += (credit * counted).sum(dim=1)
                total[split, metric] += counted.sum(dim=1)
    return {key: right[key] / total[key] for key in right}


Grades = dict[tuple[str, str], tuple[Float[Tensor, "trial scene"], Bool[Tensor, " scene"]]]


def grade(
    scores: Float[Tensor, "trial scene caption"],
    own: Int[Tensor, " scene"],
    candidates: Candidates,
    *,
    splits: Collection[str],
) -> Grades:
    """By (split, metric): the credit of each scene, and whether the metric is defined for it.

    Credit is 1 or 0, and a half for a tie in order.
    """
    swapped = candidates.swapped[own]
    two, every = swapped != own, torch.ones_like(own, dtype=torch.bool)
    score, other = (scores.gather(2, c.expand(len(scores), -1)[:, :, None])[:, :, 0] for c in (own, swapped))
    order = (score > other).float() + (score == other).float() / 2
    best = scores.argmax(dim=2)
    graded: Grades = {}
    for split in splits:
        best_of_split = scores.masked_fill(~candidates.of_split[split][:, None], -torch.inf).argmax(dim=2)
        graded[split, "order"] = (order, two)
        graded[split, "inset"] = ((best_of_split == own).float(), every)
        graded[split, "global"] = ((best == own).float(), every)
        graded[split, "labelset"] = ((candidates.label_set[best] == candidates.label_set[own]).float(), every)
    return graded
