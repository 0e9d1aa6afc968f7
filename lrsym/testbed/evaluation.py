"""Accuracies of a pack on its splits: scores of every scene against every caption, then four counts.

Definitions stand in `lrsym.vocabulary` (METRICS); candidates follow arXiv:2601.12809 where it states them.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lrsym.testbed import scenes as sc
from lrsym.testbed.autoregressive import PrefixTree
from lrsym.testbed.contrastive import cosine
from lrsym.testbed.encoder import encode
from lrsym.testbed.parameters import Flat, ParameterLayout
from lrsym.testbed.training import PackData
from lrsym.vocabulary import METRICS, SPLITS
from lrsym.world import Scenes

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
        device = data.captions_of.device
        swapped, label_set = (torch.from_numpy(f(scenes, every)).to(device) for f in (sc.swap, sc.label_set))
        of_split = {}
        for split, member in data.members.items():
            occurs = torch.zeros(len(member), len(every), device=device)
            for own in data.captions_of.unbind(1):
                occurs.index_add_(1, own.clamp(min=0), (member & (own >= 0)).to(occurs.dtype))
            of_split[split] = occurs > 0
        in_split = torch.stack([data.members[split].any(dim=0) for split in SPLITS], dim=1)
        signatures, group = in_split.unique(dim=0, return_inverse=True)
        named = [tuple(s for s, inside in zip(SPLITS, row, strict=True) if inside) for row in signatures.tolist()]
        groups = tuple(((group == i).nonzero()[:, 0], names) for i, names in enumerate(named))
        return cls(swapped, label_set, of_split, groups)


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
    """Accuracies on `splits`, with the terms in `left_out` missing from what sees the image."""
    scores, chunk = scorer(layout, flat, data, scale=scale, left_out=left_out)
    right = {(split, metric): torch.zeros(len(flat), device=flat.device) for split in splits for metric in METRICS}
    total = {key: torch.zeros_like(count) for key, count in right.items()}
    for every_row, of_group in candidates.groups:
        asked = [split for split in of_group if split in splits]
        for rows in every_row.split(chunk) if asked else ():
            graded = grade(scores(data.scenes[rows]), data.captions_of[rows], candidates, splits=asked)
            for (split, metric), (credit, defined) in graded.items():
                counted = data.members[split][:, rows] & defined
                right[split, metric] += (credit * counted).sum(dim=1)
                total[split, metric] += counted.sum(dim=1)
    return {key: right[key] / total[key] for key in right}


Scorer = Callable[[Int[Tensor, "scene key"]], Float[Tensor, "trial scene caption"]]


def scorer(
    layout: ParameterLayout, flat: Flat, data: PackData, *, scale: Float[Tensor, " trial"], left_out: Collection[str]
) -> tuple[Scorer, int]:
    """Scores of scenes against every caption, higher is better, and how many scenes to score at a time.

    Cosine similarity of two encoders, or a decoder's log likelihood of the caption.
    """
    weights, vision = layout.views(flat), layout.vision
    if layout.autoregressive:
        tree = PrefixTree.of(data.captions, vision)
        chunk = CHUNK_CELLS // (len(flat) * tree.cells * vision.n_heads)
        decoder = weights["decoder"]
        return lambda scenes: tree.scores(decoder, vision, scenes, scale=scale, left_out=left_out), max(1, chunk)
    text, _ = encode(weights["text"], layout.text, data.captions, scale=scale)

    def cosines(scenes: Int[Tensor, "scene key"]) -> Float[Tensor, "trial scene caption"]:
        image, _ = encode(weights["vision"], vision, scenes, scale=scale, left_out=left_out)
        return cosine(image, text)

    return cosines, max(1, CHUNK_CELLS // (len(flat) * len(data.captions)))


Grades = dict[tuple[str, str], tuple[Float[Tensor, "trial scene"], Bool[Tensor, " scene"]]]


def grade(
    scores: Float[Tensor, "trial scene caption"],
    own: Int[Tensor, "scene true"],
    candidates: Candidates,
    *,
    splits: Collection[str],
) -> Grades:
    """By (split, metric): the credit of each scene, and whether the metric is defined for it.

    `own` has the captions that are true of a scene, -1 where there is none. Credit is 1 where a true caption is the
    best one, else 0; in order it is the mean over the true captions of two labels, a half for a tie.
    """
    exists = own >= 0
    true = own.clamp(min=0)
    swapped = candidates.swapped[true]
    paired, every = (swapped != true) & exists, torch.ones_like(own[:, 0], dtype=torch.bool)
    score, other = (scores.gather(2, c.expand(len(scores), -1, -1)) for c in (true, swapped))
    ahead = ((score > other).float() + (score == other).float() / 2) * paired
    order = ahead.sum(dim=2) / paired.sum(dim=1).clamp(min=1)

    def hits(chosen: Int[Tensor, "trial scene"], right: Int[Tensor, "scene true"]) -> Float[Tensor, "trial scene"]:
        return ((chosen[:, :, None] == right) & exists).any(dim=2).float()

    best = scores.argmax(dim=2)
    in_all, in_sets = hits(best, true), hits(candidates.label_set[best], candidates.label_set[true])
    graded: Grades = {}
    for split in splits:
        best_of_split = scores.masked_fill(~candidates.of_split[split][:, None], -torch.inf).argmax(dim=2)
        graded[split, "order"] = (order, paired.any(dim=1))
        graded[split, "inset"] = (hits(best_of_split, true), every)
        graded[split, "global"] = (in_all, every)
        graded[split, "labelset"] = (in_sets, every)
    return graded
