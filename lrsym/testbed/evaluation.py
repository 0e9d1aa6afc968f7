"""Accuracies of a pack on its splits: scores of every scene against every caption, then four counts.

Every member is scored on its own scenes. Definitions stand in `lrsym.vocabulary` (METRICS); candidates follow
arXiv:2601.12809 where it states them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lrsym.testbed import scenes as sc
from lrsym.testbed.autoregressive import PrefixTree
from lrsym.testbed.data import PackData, filled
from lrsym.testbed.encoder import encode
from lrsym.testbed.parameters import Flat, ParameterLayout
from lrsym.vocabulary import METRICS, SPLITS
from lrsym.world import Scenes

CHUNK_CELLS = 1 << 22
"""Scores held at a time (trials x scenes x captions), 16 MB in float32."""

Accuracies = dict[tuple[str, str], Float[Tensor, " trial"]]
"""By (split, metric); NaN where a metric is not defined on a split."""


@dataclass(frozen=True)
class Candidates:
    """What a caption competes with, and the scenes of each split, member by member, -1 behind a member's last.

    `siblings` are the captions that name the same labels, the caption itself among them, some of them twice where
    others have more. `outside` is 0 for captions of a split and -inf for others: a caption is in a split when one of
    its scenes is.
    """

    swapped: Int[Tensor, " caption"]
    siblings: Int[Tensor, "caption sibling"]
    outside: dict[str, Float[Tensor, "trial caption"]]
    scenes: dict[str, Int[Tensor, "trial scene"]]

    @classmethod
    def of(cls, scenes: Scenes, data: PackData) -> "Candidates":
        """The candidates of a pack."""
        every, device = np.arange(sc.n_captions(scenes)), data.captions_of.device
        captions_of = data.captions_of.cpu().numpy()
        own, outside = {}, {}
        for split in SPLITS:
            of_members = [member[split] for member in data.splits]
            away = np.full((len(of_members), len(every)), -np.inf, dtype=np.float32)
            for row, numbers in zip(away, of_members, strict=True):
                true = captions_of[numbers]
                row[true[true >= 0]] = 0
            own[split] = torch.from_numpy(filled(of_members, -1)).to(device)
            outside[split] = torch.from_numpy(away).to(device)
        swapped, siblings = (torch.from_numpy(f).to(device) for f in (sc.swap(scenes, every), _siblings(scenes)))
        return cls(swapped, siblings, outside, own)


def _siblings(scenes: Scenes) -> Int[np.ndarray, "caption sibling"]:
    groups: dict[int, list[int]] = defaultdict(list)
    sets = sc.label_set(scenes, np.arange(sc.n_captions(scenes))).tolist()
    for caption, labels in enumerate(sets):
        groups[labels].append(caption)
    most = max(map(len, groups.values()))
    return np.array([groups[labels] + [caption] * (most - len(groups[labels])) for caption, labels in enumerate(sets)])


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
    found: Accuracies = {}
    for split in splits:
        right = torch.zeros(len(flat), len(METRICS), device=flat.device)
        total = torch.zeros_like(right)
        for scenes in candidates.scenes[split].split(chunk, dim=1) if candidates.scenes[split].shape[1] else ():
            number = scenes.clamp(min=0)
            credit, defined = grade(scores(data.scenes[number]), data.captions_of[number], candidates, split=split)
            counted = defined & (scenes >= 0)[:, :, None]
            right += (credit * counted).sum(dim=1)
            total += counted.sum(dim=1)
        found |= {(split, metric): (right / total)[:, i] for i, metric in enumerate(METRICS)}
    return found


Scorer = Callable[[Int[Tensor, "trial scene key"]], Float[Tensor, "trial scene caption"]]


def scorer(
    layout: ParameterLayout, flat: Flat, data: PackData, *, scale: Float[Tensor, " trial"], left_out: Collection[str]
) -> tuple[Scorer, int]:
    """Scores of scenes against every caption, higher is better, and how many scenes to score at a time.

    The image embedding times the caption's direction (the cosine but for a factor that all captions of a scene share),
    or a decoder's log likelihood of the caption.
    """
    weights, vision = layout.views(flat), layout.vision
    if layout.autoregressive:
        tree = PrefixTree.of(data.captions, vision)
        chunk = CHUNK_CELLS // (len(flat) * tree.cells * vision.n_heads)
        decoder = weights["decoder"]
        return lambda scenes: tree.scores(decoder, vision, scenes, scale=scale, left_out=left_out), max(1, chunk)
    text, _ = encode(weights["text"], layout.text, data.captions, scale=scale)
    directions = torch.nn.functional.normalize(text, dim=2).mT

    def along(scenes: Int[Tensor, "trial scene key"]) -> Float[Tensor, "trial scene caption"]:
        return encode(weights["vision"], vision, scenes, scale=scale, left_out=left_out, onto=directions)[0]

    return along, max(1, CHUNK_CELLS // (len(flat) * len(data.captions)))


def grade(
    scores: Float[Tensor, "trial scene caption"],
    own: Int[Tensor, "trial scene true"],
    candidates: Candidates,
    *,
    split: str,
) -> tuple[Float[Tensor, "trial scene metric"], Bool[Tensor, "trial scene metric"]]:
    """The credit of each scene of `split` in each metric, and whether the metric is defined for it; uses `scores` up.

    `own` has the captions that are true of a scene, -1 where there is none. Credit is 1 where a true caption is above
    every other one, else 0; in order it is the mean over the true captions of two labels, a half for a tie.
    """
    exists = own >= 0
    true = torch.where(exists, own, own.amax(dim=2, keepdim=True))
    swapped, sets = candidates.swapped[true], candidates.siblings[true].flatten(2)
    paired = (swapped != true) & exists
    of_true, of_swapped, of_set = (scores.gather(2, captions) for captions in (true, swapped, sets))
    ahead = ((of_true > of_swapped).float() + (of_true == of_swapped).float() / 2) * paired
    order = ahead.sum(dim=2) / paired.sum(dim=2).clamp(min=1)

    best, best_of_set = of_true.amax(dim=2), of_set.amax(dim=2)
    others = scores.scatter_(2, true, -torch.inf)
    in_all = best > others.amax(dim=2)
    in_split = best > (others + candidates.outside[split][:, None]).amax(dim=2)
    in_sets = best_of_set > others.scatter_(2, sets, -torch.inf).amax(dim=2)
    credit = {"order": order, "inset": in_split, "global": in_all, "labelset": in_sets}
    defined = {"order": paired.any(dim=2)}
    every = torch.ones_like(in_all)
    return (
        torch.stack([credit[metric].to(scores.dtype) for metric in METRICS], dim=2),
        torch.stack([defined.get(metric, every) for metric in METRICS], dim=2),
    )
