"""The data of a pack: the scenes of all its members, each once, and who uses which for what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from lrsym.config.agreement import agreed, disagreement
from lrsym.config.scene import SceneConfig
from lrsym.config.trial import Trial
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.datasets import MAX_DECODER_SPLIT, partner_scenes, splits

_PARTNERS = "partners"
"""Beside the names of splits: scenes that are trained with the caption of one of their labels alone."""


@dataclass(frozen=True)
class PackData:
    """The scenes a pack uses, numbered within the pack, and which member uses which for what.

    `objects` are the keys at which a scene may show an object (scenes.object_keys). An *example* is a scene with one
    of its captions: entry `scene * example + i` for caption i of `examples_of`, which are those of `captions_of` and,
    where a member is trained with them, those of the labels alone. `trained` lists the captions of each member's
    training set, `column` says where in it a caption stands. `true_of` are all captions that are true of a scene, those
    of its labels alone among them; with `multi_positive` none of them is a wrong answer.
    """

    trials: tuple[Trial, ...]
    scenes: Int[Tensor, "scene key"]
    objects: Int[Tensor, "scene object"]
    captions_of: Int[Tensor, "scene true"]
    examples_of: Int[Tensor, "scene example"]
    true_of: Int[Tensor, "scene every"]
    captions: Int[Tensor, "caption word"]
    splits: tuple[dict[str, sc.Numbers], ...]
    training_sets: tuple[np.ndarray, ...]
    trained: Int[Tensor, "trial column"]
    column: Int[Tensor, "trial caption"]
    multi_positive: bool

    @classmethod
    def of(cls, trials: Sequence[Trial], *, device: torch.device) -> "PackData":
        """Draw the splits of every member and enumerate the scenes that occur in any of them.

        Raises ValueError, naming two trials, if their layouts, captions or scenes of one number differ.
        """
        _check_vocabularies(trials)
        shared = trials[0].scenes
        drawn = [_draw_splits(t) for t in trials]
        numbers, local = _number_within(drawn)
        tokens, captions_of = sc.scene_tokens(shared, numbers), sc.scene_captions(shared, numbers)
        _check_scenes(trials, drawn, local, tokens, captions_of)
        true_of = np.concatenate([captions_of, sc.label_captions(shared, numbers)], axis=1)
        examples_of = true_of if any(map(_has_label_captions, trials)) else captions_of
        training_sets = tuple(
            _training_set(trial, member, examples_of, n_true=captions_of.shape[1])
            for trial, member in zip(trials, local, strict=True)
        )
        trained = [np.unique(examples_of.flat[s]) for s in training_sets]
        column = np.zeros((len(trials), sc.n_captions(shared)), dtype=np.int64)
        for row, captions in zip(column, trained, strict=True):
            row[captions] = np.arange(len(captions))
        return cls(
            trials=tuple(trials),
            scenes=torch.from_numpy(tokens).to(device),
            objects=torch.from_numpy(sc.object_keys(shared, tokens)).to(device),
            captions_of=torch.from_numpy(captions_of).to(device),
            examples_of=torch.from_numpy(examples_of).to(device),
            true_of=torch.from_numpy(true_of).to(device),
            captions=torch.from_numpy(sc.caption_tokens(shared)).to(device),
            splits=tuple({name: numbers for name, numbers in m.items() if name != _PARTNERS} for m in local),
            training_sets=training_sets,
            trained=torch.from_numpy(pad_rows(trained, 0)).to(device),
            column=torch.from_numpy(column).to(device),
            multi_positive=agreed("loss", trials, lambda trial: trial.optim.multi_positive),
        )

    def select(self, members: Sequence[int]) -> "PackData":
        """Return the data of some members, with the scenes of all."""
        rows = [*members]
        if rows == [*range(len(self.trials))]:
            return self
        trials, splits, training_sets = (
            tuple(of_member[row] for row in rows) for of_member in (self.trials, self.splits, self.training_sets)
        )
        return replace(
            self, trials=trials, splits=splits, training_sets=training_sets,
            trained=select_rows(self.trained, rows), column=select_rows(self.column, rows),
        )  # fmt: skip

    def examples(self, number: Int[Tensor, "*batch"]) -> tuple[Int[Tensor, "*batch key"], Int[Tensor, "*batch"]]:
        """Return scene tokens and caption numbers of the examples numbered `number`."""
        return self.scenes[number // self.examples_of.shape[1]], self.examples_of.flatten()[number]

    def is_true(
        self, number: Int[Tensor, "trial batch"], captions: Int[Tensor, "trial column"]
    ) -> Bool[Tensor, "trial batch column"]:
        """Return which of `captions` are true of the scene of each example."""
        true = self.true_of[number // self.examples_of.shape[1]]
        return (true[:, :, :, None] == captions[:, None, None, :]).any(dim=2)


def pad_rows(rows: Sequence[np.ndarray], value: int) -> Int[np.ndarray, "row entry"]:
    """Return rows of different lengths as one array, the shorter ones filled up with `value`."""
    padded = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for line, row in zip(padded, rows, strict=True):
        line[: len(row)] = row
    return padded


def select_rows(tensor: Tensor, rows: Sequence[int]) -> Tensor:
    """Return the rows of `tensor` with these numbers, in memory of their own."""
    return tensor.index_select(0, torch.tensor([*rows], dtype=torch.int64, device=tensor.device))


def _has_label_captions(trial: Trial) -> bool:
    return trial.scenes.label_captions or trial.scenes.heldout_partners > 0


def _training_set(
    trial: Trial, member: Mapping[str, sc.Numbers], examples_of: Int[np.ndarray, "scene example"], *, n_true: int
) -> Int[np.ndarray, " entry"]:
    """Return the examples of a member; the first `n_true` columns of `examples_of` are what scenes are tested on."""
    examples = np.arange(examples_of.size).reshape(examples_of.shape)
    train, partners = member["train"], member[_PARTNERS]
    used = examples_of[train] >= 0
    used[:, n_true:] &= trial.scenes.label_captions
    if not len(partners):
        return examples[train][used]
    alone = examples_of[partners] >= trial.scenes.n_pair_labels  # captions of one label: its number, less one
    alone[:, :n_true] = False
    return np.concatenate([examples[train][used], examples[partners][alone]])


def _draw_splits(trial: Trial) -> dict[str, sc.Numbers]:
    max_size = MAX_DECODER_SPLIT if trial.model.kind == "autoregressive" else None
    drawn = splits(trial.scenes, seed=trial.seed, max_size=max_size)
    return {**drawn, _PARTNERS: np.sort(partner_scenes(trial.scenes, seed=trial.seed).ravel())}


def _number_within(drawn: Sequence[Mapping[str, sc.Numbers]]) -> tuple[sc.Numbers, tuple[dict[str, sc.Numbers], ...]]:
    """Return the numbers of all scenes drawn, ascending, and the splits of each member as places among them."""
    every = [s for member in drawn for s in member.values() if len(s)]
    # A table of all scenes up to the last: the draws go through most of them too, once for each member.
    occurs = np.zeros(1 + max(s[-1] for s in every), dtype=bool)
    for of_split in every:
        occurs[of_split] = True
    place = np.cumsum(occurs) - 1
    return np.flatnonzero(occurs), tuple({name: place[s] for name, s in member.items()} for member in drawn)


def _check_vocabularies(trials: Sequence[Trial]) -> None:
    """Raise ValueError unless all members have the same layouts, and captions that mean the same."""
    first = trials[0]
    layouts, captions = first.scenes.layouts, _captions(first.scenes)
    for member in _distinct(trials):
        other = trials[member]
        if other.scenes.layouts != layouts:
            raise disagreement("layouts", first, other)
        if not all(map(np.array_equal, captions, _captions(other.scenes))):
            raise disagreement("captions", first, other)


def _captions(scenes: SceneConfig) -> tuple[np.ndarray, ...]:
    """Return tokens, swap and label set of every caption."""
    every = np.arange(sc.n_captions(scenes))
    return sc.caption_tokens(scenes), sc.swap(scenes, every), sc.label_set(scenes, every)


def _check_scenes(
    trials: Sequence[Trial],
    drawn: Sequence[Mapping[str, sc.Numbers]],
    local: Sequence[Mapping[str, sc.Numbers]],
    tokens: Int[np.ndarray, "scene key"],
    captions_of: Int[np.ndarray, "scene true"],
) -> None:
    """Raise ValueError unless each member's own scenes, made by its configuration, are those of the pack."""
    for member in _distinct(trials):
        scenes = trials[member].scenes
        numbers, rows = (np.concatenate([*of_split[member].values()]) for of_split in (drawn, local))
        if not np.array_equal(sc.scene_tokens(scenes, numbers), tokens[rows]):
            raise disagreement("scenes", trials[0], trials[member])
        if not np.array_equal(sc.scene_captions(scenes, numbers), captions_of[rows]):
            raise disagreement("captions of scenes", trials[0], trials[member])


def _distinct(trials: Sequence[Trial]) -> list[int]:
    """Return one member for each configuration of scenes but the first member's."""
    members = {trial.scenes: member for member, trial in reversed([*enumerate(trials)])}
    return [member for member in members.values() if member]
