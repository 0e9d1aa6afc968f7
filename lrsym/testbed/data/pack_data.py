"""The data of a pack: the scenes of all its members, each once, and who uses which for what."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.datasets import splits
from lrsym.testbed.model.autoregressive import MOST_SCORED


@dataclass(frozen=True)
class PackData:
    """The scenes a pack uses, numbered within the pack, and which member uses which for what.

    `objects` are the keys at which a scene may show an object (scenes.object_keys). An *example* is a scene with one
    of its captions: entry `scene * true + i` for caption i of `captions_of`. `trained` lists the captions of each
    member's training set, `column` says where in it a caption stands.
    """

    scenes: Int[Tensor, "scene key"]
    objects: Int[Tensor, "scene object"]
    captions_of: Int[Tensor, "scene true"]
    captions: Int[Tensor, "caption word"]
    splits: tuple[dict[str, sc.Numbers], ...]
    training_sets: tuple[np.ndarray, ...]
    trained: Int[Tensor, "trial column"]
    column: Int[Tensor, "trial caption"]

    @classmethod
    def of(cls, trials: Sequence[Trial], *, device: torch.device) -> "PackData":
        """Draw the splits of every member and enumerate the scenes that occur in any of them."""
        first = trials[0].scenes
        most = MOST_SCORED if trials[0].model.kind == "autoregressive" else None
        drawn = [splits(t.scenes, seed=t.seed, most=most) for t in trials]
        numbers = np.unique(np.concatenate([s for member in drawn for s in member.values()]))
        local = tuple({name: np.searchsorted(numbers, s) for name, s in member.items()} for member in drawn)
        tokens, captions_of = sc.scene_tokens(first, numbers), sc.scene_captions(first, numbers)
        examples = np.arange(captions_of.size).reshape(captions_of.shape)
        training_sets = tuple(examples[m["train"]][captions_of[m["train"]] >= 0] for m in local)
        distinct = [np.unique(captions_of.flat[s]) for s in training_sets]
        column = np.zeros((len(trials), sc.n_captions(first)), dtype=np.int64)
        for row, own in zip(column, distinct, strict=True):
            row[own] = np.arange(len(own))
        return cls(
            scenes=torch.from_numpy(tokens).to(device),
            objects=torch.from_numpy(sc.object_keys(first, tokens)).to(device),
            captions_of=torch.from_numpy(captions_of).to(device),
            captions=torch.from_numpy(sc.caption_tokens(first)).to(device),
            splits=local,
            training_sets=training_sets,
            trained=torch.from_numpy(filled(distinct, 0)).to(device),
            column=torch.from_numpy(column).to(device),
        )

    def examples(self, number: Int[Tensor, "*batch"]) -> tuple[Int[Tensor, "*batch key"], Int[Tensor, "*batch"]]:
        """Scene tokens and caption numbers of the examples numbered `number`."""
        return self.scenes[number // self.captions_of.shape[1]], self.captions_of.flatten()[number]


def filled(rows: Sequence[np.ndarray], value: int) -> Int[np.ndarray, "row entry"]:
    """Rows of different lengths as one array, the shorter ones filled up with `value`."""
    whole = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for line, row in zip(whole, rows, strict=True):
        line[: len(row)] = row
    return whole
