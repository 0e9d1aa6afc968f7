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

from lrsym.config.scene import SceneConfig
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData, filled
from lrsym.testbed.model.autoregressive import PrefixTree
from lrsym.testbed.model.encoder import encode, scenes_along
from lrsym.testbed.model.parameters import EncoderShape, Flat, ModelShape
from lrsym.vocabulary import METRICS, SPLITS

CHUNK_CELLS = {"cpu": 1 << 20, "cuda": 1 << 26}
"""Numbers held at a time for each scene of each trial, its scores or what they come from: 4 MB, near the cache of a
core, or 256 MB."""

TABLE_CELLS = 1 << 26
"""Numbers in tables of row, head and caption that are held at a time, 256 MB: where a pack has more, some members are
evaluated after the others."""

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
    def of(cls, scenes: SceneConfig, data: PackData) -> "Candidates":
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


def _siblings(scenes: SceneConfig) -> Int[np.ndarray, "caption sibling"]:
    groups: dict[int, list[int]] = defaultdict(list)
    sets = sc.label_set(scenes, np.arange(sc.n_captions(scenes))).tolist()
    for caption, labels in enumerate(sets):
        groups[labels].append(caption)
    most = max(map(len, groups.values()))
    return np.array([groups[labels] + [caption] * (most - len(groups[labels])) for caption, labels in enumerate(sets)])


def evaluate(
    layout: ModelShape,
    flat: Flat,
    data: PackData,
    candidates: Candidates,
    *,
    scale: Float[Tensor, " trial"],
    splits: Collection[str] = tuple(SPLITS),
    left_out: Collection[str] = (),
) -> Accuracies:
    """Accuracies on `splits`, with the terms in `left_out` missing from what sees the image."""
    together = max(1, TABLE_CELLS // _table_cells(layout.vision, len(data.captions)))
    found: list[Tensor] = []
    for first in range(0, len(flat), together):
        own = slice(first, first + together)
        scores, cells = scorer(layout, flat[own], data, scale=scale[own], left_out=left_out)
        chunk = max(1, CHUNK_CELLS[flat.device.type] // (cells * len(flat[own])))
        shares = [_shares(scores, data, candidates, split=split, members=own, chunk=chunk) for split in splits]
        found.append(torch.stack(shares, dim=1))
    whole = torch.cat(found)
    return {(split, metric): whole[:, s, m] for s, split in enumerate(splits) for m, metric in enumerate(METRICS)}


def _shares(
    scores: "Scores", data: PackData, candidates: Candidates, *, split: str, members: slice, chunk: int
) -> Float[Tensor, "trial metric"]:
    """Mean credit of some members' scenes of a split, looked at `chunk` at a time; NaN where there is none."""
    every, outside = candidates.scenes[split][members], candidates.outside[split][members]
    right = outside.new_zeros(len(every), len(METRICS))
    total = torch.zeros_like(right)
    for scenes in every.split(chunk, dim=1) if every.shape[1] else ():
        number = scenes.clamp(min=0)
        credit, defined = grade(scores(number), data.captions_of[number], candidates, outside)
        counted = defined & (scenes >= 0)[:, :, None]
        right += (credit * counted).sum(dim=1)
        total += counted.sum(dim=1)
    return right / total


Scores = Callable[[Int[Tensor, "trial scene"]], Float[Tensor, "trial scene caption"]]
"""From numbers of scenes of each member."""


def scorer(
    layout: ModelShape, flat: Flat, data: PackData, *, scale: Float[Tensor, " trial"], left_out: Collection[str]
) -> tuple[Scores, int]:
    """What scores scenes against every caption, higher is better, and the numbers that it holds for each scene.

    The image embedding times the caption's direction (the cosine but for a factor that all captions of a scene share),
    or a decoder's log likelihood of the caption.
    """
    weights, vision = layout.views(flat), layout.vision
    if layout.autoregressive:
        tree, decoder = PrefixTree.of(data.captions, vision), weights["decoder"]
        wide = tree.rows.positions.numel() * max(vision.d_model, vision.d_mlp)
        return (
            lambda number: tree.scores(decoder, vision, data.scenes[number], scale=scale, left_out=left_out),
            max(wide, tree.cells * vision.n_heads),
        )
    text, _ = encode(weights["text"], layout.text, data.captions, scale=scale)
    directions = torch.nn.functional.normalize(text, dim=2).mT
    along = scenes_along(weights["vision"], vision, directions, scale=scale, left_out=left_out)
    wide = vision.n_heads if vision.plain else max(vision.d_model, vision.d_mlp, vision.n_heads * vision.length)
    cells = max(len(data.captions), vision.length * wide)
    return lambda number: along(data.scenes[number], data.objects[number]), cells


def _table_cells(vision: EncoderShape, n_captions: int) -> int:
    """Numbers in the tables of a member that reads scenes along captions; other encoders have fewer."""
    return 2 * (vision.n_tokens + vision.length) * vision.n_heads * n_captions


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
