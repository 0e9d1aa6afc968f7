"""Accuracies of a pack on its splits: scores of every scene against every caption, then four counts.

Every member is scored on its own scenes. Definitions stand in `lrsym.vocabulary` (METRICS); candidates follow
arXiv:2601.12809 where it states them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lrsym.testbed import scenes as sc
from lrsym.testbed.autoregressive import PrefixTree
from lrsym.testbed.data import PackData, filled
from lrsym.testbed.encoder import encode, reader
from lrsym.testbed.parameters import Flat, ParameterLayout
from lrsym.vocabulary import METRICS, SPLITS
from lrsym.world import Scenes

CHUNK_CELLS = {"cpu": 1 << 20, "cuda": 1 << 26}
"""Scores held at a time (trials x scenes x captions): 4 MB in float32, near the cache of a core, or 256 MB."""

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
    scores, cells = scorer(layout, flat, data, scale=scale, left_out=left_out)
    found: Accuracies = {}
    for split in splits:
        right = torch.zeros(len(flat), len(METRICS), device=flat.device)
        total = torch.zeros_like(right)
        for members, scenes in _chunks(candidates.scenes[split], cells):
            number, outside = scenes.clamp(min=0), candidates.outside[split][members]
            credit, defined = grade(scores(members, number), data.captions_of[number], candidates, outside)
            counted = defined & (scenes >= 0)[:, :, None]
            right[members] += (credit * counted).sum(dim=1)
            total[members] += counted.sum(dim=1)
        found |= {(split, metric): (right / total)[:, i] for i, metric in enumerate(METRICS)}
    return found


def _chunks(scenes: Int[Tensor, "trial scene"], cells: int) -> Iterator[tuple[slice, Int[Tensor, "trial scene"]]]:
    """Members and some of their scenes at a time, of `cells` cells a scene: several members where they all fit, or one
    of them, in parts."""
    n_trials, n_scenes = scenes.shape
    most = max(1, CHUNK_CELLS[scenes.device.type] // cells)
    together = max(1, most // max(1, n_scenes))
    for first in range(0, n_trials, together) if n_scenes else ():
        members = slice(first, first + together)
        for part in scenes[members].split(max(1, most // together), dim=1):
            yield members, part


Scores = Callable[[slice, Int[Tensor, "trial scene"]], Float[Tensor, "trial scene caption"]]
"""From members of the pack and the numbers of as many scenes of each."""


def scorer(
    layout: ParameterLayout, flat: Flat, data: PackData, *, scale: Float[Tensor, " trial"], left_out: Collection[str]
) -> tuple[Scores, int]:
    """What gives some members' scores of scenes against every caption, higher is better, and the cells of a scene.

    The image embedding times the caption's direction (the cosine but for a factor that all captions of a scene share),
    or a decoder's log likelihood of the caption.
    """
    weights, vision = layout.views(flat), layout.vision
    if layout.autoregressive:
        tree, decoder = PrefixTree.of(data.captions, vision), weights["decoder"]

        def likelihood(members: slice, number: Int[Tensor, "trial scene"]) -> Float[Tensor, "trial scene caption"]:
            own = {name: weight[members] for name, weight in decoder.items()}
            return tree.scores(own, vision, data.scenes[number], scale=scale[members], left_out=left_out)

        return likelihood, tree.cells * vision.n_heads
    text, _ = encode(weights["text"], layout.text, data.captions, scale=scale)
    directions = torch.nn.functional.normalize(text, dim=2).mT
    read = reader(weights["vision"], vision, data.scenes, data.objects, directions, scale=scale, left_out=left_out)
    return read, len(data.captions)


def grade(
    scores: Float[Tensor, "trial scene caption"],
    own: Int[Tensor, "trial scene true"],
    candidates: Candidates,
    outside: Float[Tensor, "trial caption"],
) -> tuple[Float[Tensor, "trial scene metric"], Bool[Tensor, "trial scene metric"]]:
    """The credit of each scene in each metric, and whether the metric is defined for it; uses `scores` up.

    `own` has the captions that are true of a scene, -1 where there is none; `outside` is that of the scenes' split.
    Credit is 1 where a true caption is above every other one, else 0; in order it is the mean over the true captions of
    two labels, a half for a tie.
    """
    exists = own >= 0
    true = torch.where(exists, own, own.amax(dim=2, keepdim=True))
    swapped, sets = candidates.swapped[true], candidates.siblings[true].flatten(2)
    paired = (swapped != true) & exists
    of_true, of_swapped, of_set = (scores.gather(2, captions) for captions in (true, swapped, sets))
    ahead = ((of_true > of_swapped).float() + (of_true == of_swapped).float() / 2) * paired
    order = ahead.sum(dim=2) / paired.sum(dim=2).clamp(min=1)

    # The best of the other captions: among the few of the same labels, and among all those of other labels.
    best, best_of_set = of_true.amax(dim=2), of_set.amax(dim=2)
    of_wrong = of_set.masked_fill_((sets[:, :, :, None] == true[:, :, None]).any(dim=3), -torch.inf)
    wrong = of_wrong.amax(dim=2)
    wrong_inside = (of_wrong + outside[:, None].expand(-1, own.shape[1], -1).gather(2, sets)).amax(dim=2)
    elsewhere = scores.scatter_(2, sets, -torch.inf).amax(dim=2)
    elsewhere_inside = scores.add_(outside[:, None]).amax(dim=2)
    in_all = best > torch.maximum(wrong, elsewhere)
    in_split = best > torch.maximum(wrong_inside, elsewhere_inside)
    in_sets = best_of_set > elsewhere
    credit = {"order": order, "inset": in_split, "global": in_all, "labelset": in_sets}
    defined = {"order": paired.any(dim=2)}
    every = torch.ones_like(in_all)
    return (
        torch.stack([credit[metric].to(scores.dtype) for metric in METRICS], dim=2),
        torch.stack([defined.get(metric, every) for metric in METRICS], dim=2),
    )
