"""Training of a pack: trials of one static shape, stacked along a leading trial axis.

Pack invariance: a member gives the same numbers, to float tolerance, alone, in any pack and in any order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed import scenes as sc
from lrsym.testbed.autoregressive import MOST_SCORED, caption_loss
from lrsym.testbed.batches import batches
from lrsym.testbed.blocks import Drop
from lrsym.testbed.contrastive import MAX_LOG_SCALE, contrastive_loss
from lrsym.testbed.datasets import splits
from lrsym.testbed.encoder import encode
from lrsym.testbed.optim import AdamW
from lrsym.testbed.parameters import Flat, ParameterLayout, Weights
from lrsym.testbed.streams import stream as stream_of
from lrsym.trial import Trial


@dataclass(frozen=True)
class PackData:
    """The scenes a pack uses, numbered within the pack, and which member uses which for what.

    An *example* is a scene with one of its captions: entry `scene * true + i` for caption i of `captions_of`.
    `trained` lists the captions of each member's training set, `column` says where in it a caption stands.
    """

    scenes: Int[Tensor, "scene key"]
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
        captions_of = sc.scene_captions(first, numbers)
        examples = np.arange(captions_of.size).reshape(captions_of.shape)
        training_sets = tuple(examples[m["train"]][captions_of[m["train"]] >= 0] for m in local)
        distinct = [np.unique(captions_of.flat[s]) for s in training_sets]
        column = np.zeros((len(trials), sc.n_captions(first)), dtype=np.int64)
        for row, own in zip(column, distinct, strict=True):
            row[own] = np.arange(len(own))
        return cls(
            scenes=torch.from_numpy(sc.scene_tokens(first, numbers)).to(device),
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


@dataclass(frozen=True)
class Snapshot:
    """A pack after `step` steps. `diverged_at` is 0 for members that are still finite."""

    step: int
    parameters: Flat
    loss: Float[Tensor, " trial"]
    diverged_at: Int[Tensor, " trial"]


def fit(trials: Sequence[Trial], data: PackData, *, device: torch.device) -> Iterator[Snapshot]:
    """Train the pack and yield a snapshot at each evaluation step, the last step included.

    A member whose loss is not finite is marked; it trains on, into nothing, and its neighbours do not notice.
    Raises ValueError when the trials do not share a static shape.
    """
    if len({t.static_shape for t in trials}) != 1:
        raise ValueError("trials of a pack must share their static shape; group them by Trial.static_shape")
    layout = ParameterLayout.of(trials[0])
    leaves = [w.requires_grad_() for w in layout.separate(layout.initial(trials).to(device))]
    weights = layout.by_name(leaves)
    optimiser = AdamW([t.optim for t in trials], leaves)
    scale = torch.tensor([t.model.embedding_scale for t in trials], device=device)
    diverged_at = torch.zeros(len(trials), dtype=torch.int64, device=device)
    evaluation_steps = set(trials[0].evaluation_steps)
    stream, drop = batches(trials, data.training_sets, device=device), dropout(trials, device=device)
    for step in range(1, trials[0].n_steps + 1):
        batch = next(stream)
        loss = batch_loss(layout, weights, data, batch, scale=scale, drop=drop)
        gradients = torch.autograd.grad(loss.sum(), leaves, allow_unused=True)
        diverged_at = _diverged(diverged_at, loss, step)
        optimiser.step(gradients, number=step)
        with torch.no_grad():
            leaves[-1].clamp_(max=MAX_LOG_SCALE)
        if step in evaluation_steps:
            # The update itself may have been the end: ask whether the loss still exists after it.
            with torch.no_grad():
                diverged_at = _diverged(diverged_at, batch_loss(layout, weights, data, batch, scale=scale), step)
                yield Snapshot(step, layout.joined(leaves), loss.detach(), diverged_at)


def _diverged(before: Int[Tensor, " trial"], loss: Float[Tensor, " trial"], step: int) -> Int[Tensor, " trial"]:
    """The step at which each member's loss was lost, 0 where it is still finite."""
    return torch.where(~loss.isfinite() & (before == 0), step, before)


def batch_loss(
    layout: ParameterLayout,
    weights: dict[str, Weights],
    data: PackData,
    batch: Int[Tensor, "trial batch"],
    *,
    scale: Float[Tensor, " trial"],
    drop: Drop | None = None,
) -> Float[Tensor, " trial"]:
    """Loss of each member on its batch of examples."""
    scenes, caption = data.examples(batch)
    if layout.autoregressive:
        words = data.captions[caption]
        return caption_loss(weights["decoder"], layout.vision, scenes, words, scale=scale, drop=drop)
    image, _ = encode(weights["vision"], layout.vision, scenes, scale=scale, drop=drop)
    own = None
    if drop is None and data.trained.shape[1] <= batch.shape[1]:
        # Fewer captions in all than in a batch: each is encoded once. (Under dropout every example has its own.)
        own, caption = data.column.gather(1, caption), data.trained
    text, _ = encode(weights["text"], layout.text, data.captions[caption], scale=scale, drop=drop)
    return contrastive_loss(image, text, weights["loss"]["log_scale"], own)


def dropout(trials: Sequence[Trial], *, device: torch.device) -> Drop | None:
    """Dropout of a pack, each member from its own stream "dropout" and at its own rate; None where no rate is set."""
    if not any(t.model.dropout for t in trials):
        return None
    rates = [np.float32(t.model.dropout) for t in trials]
    streams = [stream_of(t.seed, "dropout") for t in trials]

    def drop(x: Tensor) -> Tensor:
        factors = [
            (rng.random(x.shape[1:], dtype=np.float32) >= p) / (1 - p) for rng, p in zip(streams, rates, strict=True)
        ]
        return x * torch.from_numpy(np.stack(factors)).to(device)

    return drop
