"""Training of a pack: trials of one static shape, stacked along a leading trial axis.

Pack invariance: a member gives the same numbers, to float tolerance, alone, in any pack and in any order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.autoregressive import caption_loss
from lrsym.testbed.model.blocks import Drop
from lrsym.testbed.model.encoder import encode
from lrsym.testbed.model.parameters import Flat, ModelShape, Weights
from lrsym.testbed.training.contrastive import MAX_LOG_SCALE, contrastive_loss
from lrsym.testbed.training.cuda_graph import CudaGraph
from lrsym.testbed.training.dropout import Dropout
from lrsym.testbed.training.optim import AdamW


@dataclass(frozen=True)
class Snapshot:
    """A pack after `step` steps. `diverged_at` is 0 for members that are still finite."""

    step: int
    parameters: Flat
    loss: Float[Tensor, " trial"]
    diverged_at: Int[Tensor, " trial"]


@dataclass(frozen=True)
class State:
    """Where a training stands after `step` steps: enough to go on as if it had never stopped.

    `streams` are the states of the dropout's generators, member by member; batches are drawn again from the start.
    """

    step: int
    tensors: dict[str, Tensor]
    streams: list[dict[str, Any]]


class Training:
    """A pack in training: `advance` takes a step, `snapshot` is what it has come to, `state` is enough to go on from.

    Raises ValueError when the trials do not share a static shape.
    """

    def __init__(
        self, trials: Sequence[Trial], data: PackData, *, device: torch.device, start: State | None = None
    ) -> None:
        if len({t.static_shape for t in trials}) != 1:
            raise ValueError("trials of a pack must share their static shape; group them by Trial.static_shape")
        self.step, self._data, self._layout = 0, data, ModelShape.of(trials[0])
        self._leaves = [w.requires_grad_() for w in self._layout.separate(self._layout.initial(trials).to(device))]
        self._weights = self._layout.by_name(self._leaves)
        self._optimiser = AdamW([t.optim for t in trials], self._leaves)
        self._scale = torch.tensor([t.model.embedding_scale for t in trials], device=device)
        self._drop = Dropout.of(trials, device=device)
        self._number = torch.zeros((), dtype=torch.int64, device=device)
        self._diverged_at = torch.zeros(len(trials), dtype=torch.int64, device=device)
        self._loss = torch.zeros(len(trials), device=device)
        if start is not None:
            self._restore(start)
        self._batches = batches(trials, data.training_sets, device=device, skip=self.step)
        self._batch = torch.zeros(len(trials), trials[0].optim.batch_size, dtype=torch.int64, device=device)
        # What the host draws in every step cannot be played again.
        self._recorded = CudaGraph(device) if device.type == "cuda" and self._drop is None else None

    def advance(self) -> None:
        """Take one step."""
        self._batch.copy_(next(self._batches), non_blocking=True)
        self.step += 1
        if self._recorded:
            self._recorded(self._run)
        else:
            self._run()

    def _run(self) -> None:
        """A step on the batch that lies ready, from tensors to tensors."""
        self._number += 1
        loss = batch_loss(self._layout, self._weights, self._data, self._batch, scale=self._scale, drop=self._drop)
        gradients = torch.autograd.grad(loss.sum(), self._leaves, allow_unused=True)
        self._loss.copy_(loss.detach())
        self._diverge(self._loss)
        self._optimiser.step(gradients, number=self._number)
        with torch.no_grad():
            self._leaves[-1].clamp_(max=MAX_LOG_SCALE)

    def _diverge(self, loss: Float[Tensor, " trial"]) -> None:
        """Mark the members whose loss is not finite. They train on, into nothing; their neighbours do not notice."""
        self._diverged_at.copy_(
            torch.where(~loss.isfinite() & (self._diverged_at == 0), self._number, self._diverged_at)
        )

    @torch.no_grad()
    def snapshot(self) -> Snapshot:
        """The pack as it is now. The last update may have been the end: the loss is asked for again after it."""
        self._diverge(batch_loss(self._layout, self._weights, self._data, self._batch, scale=self._scale))
        return Snapshot(self.step, self._layout.joined(self._leaves), self._loss.clone(), self._diverged_at.clone())

    def state(self) -> State:
        """What a later Training starts from. The tensors are the live ones: write them before the next step."""
        kept = {f"weight.{i}": leaf.detach() for i, leaf in enumerate(self._leaves)}
        kept |= {f"optimiser.{name}": value for name, value in self._optimiser.state().items()}
        kept["diverged_at"] = self._diverged_at
        return State(self.step, kept, self._drop.states() if self._drop else [])

    @torch.no_grad()
    def _restore(self, start: State) -> None:
        self.step = start.step
        self._number.fill_(start.step)
        self._diverged_at.copy_(start.tensors["diverged_at"])
        for i, leaf in enumerate(self._leaves):
            leaf.copy_(start.tensors[f"weight.{i}"])
        own = {name.partition(".")[::2]: tensor for name, tensor in start.tensors.items()}
        self._optimiser.restore({rest: tensor for (kind, rest), tensor in own.items() if kind == "optimiser"})
        if self._drop:
            self._drop.restore(start.streams)


def fit(
    trials: Sequence[Trial],
    data: PackData,
    *,
    device: torch.device,
    start: State | None = None,
    after: Callable[[Training], None] = lambda training: None,
) -> Iterator[Snapshot]:
    """Train the pack and yield a snapshot at each evaluation step, the last step included.

    With `start` it goes on from there; `after` is called after each step, and after its snapshot where it has one.
    Raises ValueError when the trials do not share a static shape.
    """
    training = Training(trials, data, device=device, start=start)
    del start  # a second copy of everything
    evaluation_steps = set(trials[0].evaluation_steps)
    while training.step < trials[0].n_steps:
        training.advance()
        if training.step in evaluation_steps:
            yield training.snapshot()
        after(training)


def batch_loss(
    layout: ModelShape,
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
