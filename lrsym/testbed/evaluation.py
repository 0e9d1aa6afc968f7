"""Accuracies of a pack on its splits: scores of every scene against every caption, then its credit in each metric.

Every member is scored on its own scenes. Definitions stand in `lrsym.vocabulary` (METRICS); candidates follow
arXiv:2601.12809 where it states them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lrsym.config.scene import SceneConfig
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData, pad_rows, select_rows
from lrsym.testbed.model.autoregressive import PrefixTree
from lrsym.testbed.model.encoder import encode, scene_projector
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.model.shape import EncoderShape
from lrsym.vocabulary import METRICS, SPLITS

MAX_CHUNK_NUMBERS = {"cpu": 1 << 20, "cuda": 1 << 26}
"""Bounds the numbers held at a time for the scenes of all trials, their scores or what they come from: 4 MB, near the
cache of a core, or 256 MB."""

MAX_TABLE_NUMBERS = 1 << 26
"""Bounds the numbers in tables of row, head and caption that are held at a time, 256 MB: where a pack has more, some
members are evaluated after the others."""


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of a pack: `values[i, s, m]` is that of member i on `splits[s]` in `metrics[m]`, 0..1.

    NaN where a metric is not defined on a split.
    """

    values: Float[Tensor, "trial split metric"]
    splits: tuple[str, ...]
    metrics: tuple[str, ...] = tuple(METRICS)

    def __getitem__(self, split_and_metric: tuple[str, str]) -> Float[Tensor, " trial"]:
        split, metric = split_and_metric
        return self.values[:, self.splits.index(split), self.metrics.index(metric)]

    def members(self) -> list[dict[tuple[str, str], float | None]]:
        """Return for each member its accuracies by (split, metric), None for NaN; in one transfer from the device."""
        keys = [(split, metric) for split in self.splits for metric in self.metrics]
        rows = self.values.flatten(1).tolist()
        return [{key: None if v != v else v for key, v in zip(keys, row, strict=True)} for row in rows]


@dataclass(frozen=True)
class Candidates:
    """What a caption competes with, and the scenes of each split, member by member, -1 behind a member's last.

    `siblings` are the captions that name the same labels, the caption itself among them, some of them twice where
    others have more. The first `n_single` captions name one label, the others two. `outside` is 0 for captions of a
    split and -inf for others: a caption is in a split when one of its scenes is.
    """

    swapped: Int[Tensor, " caption"]
    siblings: Int[Tensor, "caption sibling"]
    outside: dict[str, Float[Tensor, "trial caption"]]
    scenes: dict[str, Int[Tensor, "trial scene"]]
    n_single: int

    @classmethod
    def of(cls, data: PackData) -> "Candidates":
        """Return the candidates of a pack."""
        shared, device = data.trials[0].scenes, data.captions_of.device  # PackData has compared the captions of all
        every, captions_of = np.arange(sc.n_captions(shared)), data.captions_of.cpu().numpy()
        numbers, outside = {}, {}
        for split in SPLITS:
            of_members = [member[split] for member in data.splits]
            is_outside = np.full((len(of_members), len(every)), -np.inf, dtype=np.float32)
            for row, of_member in zip(is_outside, of_members, strict=True):
                true = captions_of[of_member]
                row[true[true >= 0]] = 0
            numbers[split] = torch.from_numpy(pad_rows(of_members, -1)).to(device)
            outside[split] = torch.from_numpy(is_outside).to(device)
        swapped, siblings = (torch.from_numpy(f).to(device) for f in (sc.swap(shared, every), _siblings(shared)))
        return cls(swapped, siblings, outside, numbers, shared.n_labels)

    def select(self, members: Sequence[int]) -> "Candidates":
        """Return the candidates of some members."""
        outside, scenes = (
            {split: select_rows(of_members, members) for split, of_members in by_split.items()}
            for by_split in (self.outside, self.scenes)
        )
        return replace(self, outside=outside, scenes=scenes)


def _siblings(scenes: SceneConfig) -> Int[np.ndarray, "caption sibling"]:
    groups: dict[int, list[int]] = defaultdict(list)
    sets = sc.label_set(scenes, np.arange(sc.n_captions(scenes))).tolist()
    for caption, labels in enumerate(sets):
        groups[labels].append(caption)
    most = max(map(len, groups.values()))
    return np.array([groups[labels] + [caption] * (most - len(groups[labels])) for caption, labels in enumerate(sets)])


def evaluate(
    model: PackModel,
    data: PackData,
    candidates: Candidates,
    *,
    splits: Collection[str] = tuple(SPLITS),
    left_out: Collection[str] = (),
    text_left_out: Collection[str] = (),
    max_chunk_numbers: int | None = None,
    max_table_numbers: int = MAX_TABLE_NUMBERS,
) -> Accuracies:
    """Return the accuracies of every member of `model`, row i on the scenes of member i of `data`.

    Terms named in `left_out` (vocabulary.ABLATIONS) are missing from what sees the image, those in `text_left_out` from
    the text encoder. The last two bound memory, by default by MAX_CHUNK_NUMBERS of the device. Raises ValueError where
    a term does not exist, or a member has no data.
    """
    if len(model) != len(data.trials):
        raise ValueError(f"evaluate needs the data of the model's {len(model)} trials, got those of {len(data.trials)}")
    bounds = {"max_chunk_numbers": max_chunk_numbers, "max_table_numbers": max_table_numbers}
    without = {"left_out": left_out, "text_left_out": text_left_out}
    values = [
        torch.stack(
            [_mean_credit(score, data, candidates, split=s, members=members, chunk=chunk) for s in splits], dim=1
        )
        for members, score, chunk in each_scorer(model, data, **without, **bounds)
    ]
    return Accuracies(torch.cat(values), tuple(splits))


def each_scorer(
    model: PackModel,
    data: PackData,
    *,
    left_out: Collection[str] = (),
    text_left_out: Collection[str] = (),
    max_chunk_numbers: int | None = None,
    max_table_numbers: int = MAX_TABLE_NUMBERS,
) -> Iterator[tuple[slice, "Scorer", int]]:
    """Yield members, what scores their scenes, and how many scenes at a time; arguments as those of `evaluate`."""
    max_chunk_numbers = max_chunk_numbers or MAX_CHUNK_NUMBERS[model.device.type]
    together = max(1, max_table_numbers // _table_numbers(model.shape.vision, len(data.captions)))
    for first in range(0, len(model), together):
        members = slice(first, first + together)
        score, numbers_per_scene = _scorer(model[members], data, left_out=left_out, text_left_out=text_left_out)
        yield members, score, max(1, max_chunk_numbers // (numbers_per_scene * len(model[members])))


def _mean_credit(
    score: "Scorer", data: PackData, candidates: Candidates, *, split: str, members: slice, chunk: int
) -> Float[Tensor, "trial metric"]:
    """Return the mean credit of some members' scenes of a split, `chunk` of them at a time; NaN where there is none."""
    numbers, outside = candidates.scenes[split][members], candidates.outside[split][members]
    right = outside.new_zeros(len(numbers), len(METRICS))
    total = torch.zeros_like(right)
    for scenes in numbers.split(chunk, dim=1) if numbers.shape[1] else ():
        existing = scenes.clamp(min=0)
        credit, defined = scene_credit(score(existing), data.captions_of[existing], candidates, outside)
        counted = defined & (scenes >= 0)[:, :, None]
        right += (credit * counted).sum(dim=1)
        total += counted.sum(dim=1)
    return right / total


Scorer = Callable[[Int[Tensor, "trial scene"]], Float[Tensor, "trial scene caption"]]
"""From numbers of scenes of each member."""


def _scorer(
    model: PackModel, data: PackData, *, left_out: Collection[str], text_left_out: Collection[str]
) -> tuple[Scorer, int]:
    """Return what scores scenes against every caption, higher is better, and the numbers it holds for each scene.

    A score is the product of the image embedding and the caption's direction (the cosine but for a factor that all
    captions of a scene share), or a decoder's log likelihood of the caption.
    """
    weights, scale, vision = model.weights, model.embedding_scale, model.shape.vision
    if model.shape.autoregressive:
        tree, decoder = PrefixTree.of(data.captions, vision), weights["decoder"]
        wide = tree.rows.positions.numel() * max(vision.d_model, vision.d_mlp)
        return (
            lambda number: tree.scores(decoder, vision, data.scenes[number], scale=scale, left_out=left_out),
            max(wide, tree.n_query_key_pairs * vision.n_heads),
        )
    text, _ = encode(weights["text"], model.shape.text, data.captions, scale=scale, left_out=text_left_out)
    directions = torch.nn.functional.normalize(text, dim=2).mT
    project = scene_projector(weights["vision"], vision, directions, scale=scale, left_out=left_out)
    single = vision.is_single_block
    wide = vision.n_heads if single else max(vision.d_model, vision.d_mlp, vision.n_heads * vision.length)
    numbers_per_scene = max(len(data.captions), vision.length * wide)
    return lambda number: project(data.scenes[number], data.objects[number]), numbers_per_scene


def _table_numbers(vision: EncoderShape, n_captions: int) -> int:
    """Return the numbers in the tables of a member that projects scenes on captions; other encoders have fewer."""
    return 2 * (vision.n_tokens + vision.length) * vision.n_heads * n_captions


def scene_credit(
    scores: Float[Tensor, "trial scene caption"],
    true_captions: Int[Tensor, "trial scene true"],
    candidates: Candidates,
    outside: Float[Tensor, "trial caption"],
) -> tuple[Float[Tensor, "trial scene metric"], Bool[Tensor, "trial scene metric"]]:
    """Return the credit of each scene in each metric, and whether the metric is defined for it. Overwrites `scores`.

    `true_captions` are those that are true of a scene, -1 where there is none; `outside` is that of the scenes' split.
    Credit is 1 where a true caption is above every other one, else 0; in order it is the mean over the true captions of
    two labels, a half for a tie.
    """
    exists = true_captions >= 0
    true = torch.where(exists, true_captions, true_captions.amax(dim=2, keepdim=True))
    swapped, sets = candidates.swapped[true], candidates.siblings[true].flatten(2)
    paired = (swapped != true) & exists
    of_true, of_swapped, of_set = (scores.gather(2, captions) for captions in (true, swapped, sets))
    ahead = ((of_true > of_swapped).float() + (of_true == of_swapped).float() / 2) * paired
    order = ahead.sum(dim=2) / paired.sum(dim=2).clamp(min=1)

    # The best of the other captions: among the few of the same labels, and among all those of other labels.
    best, best_of_set = of_true.amax(dim=2), of_set.amax(dim=2)
    of_wrong = of_set.masked_fill_((sets[:, :, :, None] == true[:, :, None]).any(dim=3), -torch.inf)
    wrong = of_wrong.amax(dim=2)
    wrong_inside = (of_wrong + outside[:, None].expand(-1, true.shape[1], -1).gather(2, sets)).amax(dim=2)
    others = scores.scatter_(2, sets, -torch.inf)
    elsewhere_pairs = _highest(others[:, :, candidates.n_single :])
    elsewhere = torch.maximum(_highest(others[:, :, : candidates.n_single]), elsewhere_pairs)
    elsewhere_inside = scores.add_(outside[:, None]).amax(dim=2)
    in_all = best > torch.maximum(wrong, elsewhere)
    in_split = best > torch.maximum(wrong_inside, elsewhere_inside)
    in_pairs = best > torch.maximum(wrong, elsewhere_pairs)
    in_sets = best_of_set > elsewhere
    credit = {"order": order, "inset": in_split, "pairs": in_pairs, "global": in_all, "labelset": in_sets}
    of_pairs = paired.any(dim=2)
    defined = {"order": of_pairs, "pairs": of_pairs}
    always = torch.ones_like(in_all)
    return (
        torch.stack([credit[metric].to(scores.dtype) for metric in METRICS], dim=2),
        torch.stack([defined.get(metric, always) for metric in METRICS], dim=2),
    )


def _highest(scores: Float[Tensor, "trial scene caption"]) -> Float[Tensor, "trial scene"]:
    """Return the highest score of each scene; -inf where there is no caption."""
    return scores.amax(dim=2) if scores.shape[2] else scores.new_full(scores.shape[:2], -torch.inf)
