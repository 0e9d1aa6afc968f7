"""Training of a pack: trials of one static shape, stacked along a leading trial axis.

Pack invariance: a member gives the same numbers, to float tolerance, alone, in any pack and in any order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lrsym.testbed import scenes as sc
from lrsym.testbed.autoregressive import MOST_SCORED, caption_loss
from lrsym.testbed.batches import batches
from lrsym.testbed.blocks import Drop
from lrsym.testbed.contrastive import MAX_LOG_SCALE, contrastive_loss
from lrsym.testbed.datasets import splits
from lrsym.testbed.encoder import encode
from lrsym.testbed.optim import AdamW
from lrsym.testbed.parameters import Flat, ParameterLayout
from lrsym.testbed.streams import stream as stream_of
from lrsym.trial import Trial


@dataclass(frozen=True)
class PackData:
    """The scenes a pack uses, numbered within the pack, and which member uses which for what.

    An *example* is a scene with one of its captions: entry `scene * true + i` for caption i of `captions_of`.
    """

    scenes: Int[Tensor, "scene key"]
    captions_of: Int[Tensor, "scene true"]
    captions: Int[Tensor, "caption word"]
    members: dict[str, Bool[Tensor, "trial scene"]]
    training_sets: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, trials: Sequence[Trial], *, device: torch.device) -> "PackData":
        """Draw the splits of every member and enumerate the scenes that occur in any of them."""
        first = trials[0].scenes
        most = MOST_SCORED if trials[0].model.kind == "autoregressive" else None
        drawn = [splits(t.scenes, seed=t.seed, most=most) for t in trials]
        numbers = np.unique(np.concatenate([s for member in drawn for s in member.values()]))
        local = [{name: np.searchsorted(numbers, s) for name, s in member.items()} for member in drawn]
        masks = {name: np.zeros((len(trials), len(numbers)), dtype=bool) for name in drawn[0]}
        for row, member in enumerate(local):
            for name, chosen in member.items():
                masks[name][row, chosen] = True
        captions_of = sc.scene_captions(first, numbers)
        examples = np.arange(captions_of.size).reshape(captions_of.shape)
        return cls(
            scenes=torch.from_numpy(sc.scene_tokens(first, numbers)).to(device),
            captions_of=torch.from_numpy(captions_of).to(device),
            captions=torch.from_numpy(sc.caption_tokens(first)).to(device),
            members={name: torch.from_numpy(mask).to(device) for name, mask in masks.items()},
            training_sets=tuple(examples[m["train"]][captions_of[m["train"]] >= 0] for m in local),
        )

    def examples(self, number: Int[Tensor, "*batch"]) -> tuple[Int[Tensor, "*batch key"], Int[Tensor, "*batch word"]]:
        """Token rows of the scenes and captions of the examples numbered `number`."""
        n_true = self.captions_of.shape[1]
        return self.scenes[number // n_true], self.captions[self.captions_of.flatten()[number]]


@dataclass(frozen=True)
class Snapshot:
    """A pack after `step` steps. `diverged_at` is 0 for members that are still finite."""

    step: int
    parameters: Flat
    loss: Float[Tensor, " trial"]
    diverged_at: Int[Tensor, " trial"]


def fit(trials: Sequence[Trial], data: PackData, *, device: torch.device) -> Iterator[Snapshot]:
    """Train the pack and yield a snapshot at each evaluation step, the last step included.

    The parameters of a snapshot are the live buffer: read them before asking for the next snapshot. A member
    whose loss or gradient is not finite keeps its parameters from then on; its neighbours do not notice.
    Raises ValueError when the trials do not share a static shape.
    """
    if len({t.static_shape for t in trials}) != 1:
        raise ValueError("trials of a pack must share their static shape; group them by Trial.static_shape")
    layout = ParameterLayout.of(trials[0])
    flat = layout.initial(trials).to(device).requires_grad_()
    optimiser = AdamW.of([t.optim for t in trials], flat.detach())
    scale = torch.tensor([t.model.embedding_scale for t in trials], device=device)
    diverged_at = torch.zeros(len(trials), dtype=torch.int64, device=device)
    evaluation_steps = set(trials[0].evaluation_steps)
    stream, drop = batches(trials, data.training_sets, device=device), dropout(trials, device=device)
    for step in range(1, trials[0].n_steps + 1):
        batch = next(stream)
        loss = batch_loss(layout, flat, data, batch, scale=scale, drop=drop)
        (gradient,) = torch.autograd.grad(loss.sum(), flat)
        finite = loss.isfinite() & gradient.sum(dim=1).isfinite()
        diverged_at = torch.where(~finite & (diverged_at == 0), step, diverged_at)
        alive = (diverged_at == 0)[:, None]
        gradient.masked_fill_(~alive, 0)
        with torch.no_grad():
            optimiser.step(flat, gradient, number=step, alive=alive)
            flat[:, -1].clamp_(max=MAX_LOG_SCALE)
        if step in evaluation_steps:
            # The update itself may have been the end: ask whether the loss still exists after it.
            with torch.no_grad():
                finite = batch_loss(layout, flat, data, batch, scale=scale).isfinite()
            diverged_at = torch.where(~finite & (diverged_at == 0), step, diverged_at)
            yield Snapshot(step, flat.detach(), loss.detach(), diverged_at)


def batch_loss(
    layout: ParameterLayout,
    flat: Flat,
    data: PackData,
    batch: Int[Tensor, "trial batch"],
    *,
    scale: Tensor,
    drop: Drop | None = None,
) -> Float[Tensor, " trial"]:
    """Loss of each member on its batch of examples."""
    weights = layout.views(flat)
    scenes, captions = data.examples(batch)
    if layout.autoregressive:
        return caption_loss(weights["decoder"], layout.vision, scenes, captions, scale=scale, drop=drop)
    image, _ = encode(weights["vision"], layout.vision, scenes, scale=scale, drop=drop)
    text, _ = encode(weights["text"], layout.text, captions, scale=scale, drop=drop)
    return contrastive_loss(image, text, weights["loss"]["log_scale"])


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
