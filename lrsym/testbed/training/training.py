"""Training of a pack: trials of one static shape, stacked along a leading trial axis.

Pack invariance: a member gives the same numbers, to float tolerance, alone, in any pack and in any order.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.config.agreement import agreed
from lrsym.config.trial import Trial
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData, select_rows
from lrsym.testbed.model.autoregressive import caption_loss
from lrsym.testbed.model.drop import Drop
from lrsym.testbed.model.encoder import encode
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.model.parameters import POSITION, trained_positions
from lrsym.testbed.training.contrastive import MAX_LOG_SCALE, contrastive_loss, multi_positive_loss
from lrsym.testbed.training.cuda_graph import CudaGraph
from lrsym.testbed.training.dropout import Dropout
from lrsym.testbed.training.optim import AdamW


@dataclass(frozen=True)
class Snapshot:
    """A pack after `step` steps: its model, in memory of its own, and the loss of each member on its last batch.

    `diverged_at` is the first step at which a member's loss was not finite, 0 for members that are still finite.
    Row i is that of member `members[i]` of the pack.
    """

    step: int
    model: PackModel
    loss: Float[Tensor, " trial"]
    diverged_at: Int[Tensor, " trial"]
    members: tuple[int, ...]

    def select(self, members: Collection[int]) -> "Snapshot":
        """Return the snapshot of some members alone, in their order."""
        rows = [row for row, member in enumerate(self.members) if member in members]
        chosen = tuple(self.members[row] for row in rows)
        loss, diverged_at = select_rows(self.loss, rows), select_rows(self.diverged_at, rows)
        return Snapshot(self.step, self.model.select(rows), loss, diverged_at, chosen)


@dataclass(frozen=True)
class State:
    """Where a training stands after `step` steps: enough to go on as if it had never stopped.

    Row i of each tensor is that of member `members[i]` of the pack. Batches are drawn again from the start, and dropout
    is counted.
    """

    step: int
    tensors: dict[str, Tensor]
    members: tuple[int, ...]

    def select(self, members: Collection[int]) -> "State":
        """Return the state of some members alone, in their order."""
        rows = [row for row, member in enumerate(self.members) if member in members]
        tensors = {name: select_rows(tensor, rows) for name, tensor in self.tensors.items()}
        return State(self.step, tensors, tuple(self.members[row] for row in rows))


class Training:
    """A pack in training: `advance` takes a step, `snapshot` is what it has come to, `state` is enough to go on from.

    `evaluation_steps` and `mechanism_at` say when it is evaluated, and when its mechanism is.
    `members` are those in training, by their numbers in `trials`: all, but for a `start` that has fewer. Raises
    ValueError when the trials do not share a static shape.
    """

    def __init__(
        self, trials: Sequence[Trial], data: PackData, *, device: torch.device, start: State | None = None
    ) -> None:
        agreed("static shape", trials, lambda trial: trial.static_shape)
        self._pack = trials, data
        self.members = start.members if start else tuple(range(len(trials)))
        trials, data = [trials[member] for member in self.members], data.select(self.members)
        self.step, self._data, self._device = 0, data, device
        self.n_steps = agreed("number of steps", trials, lambda trial: trial.n_steps)
        self.evaluation_steps = agreed("evaluation steps", trials, lambda trial: trial.evaluation_steps)
        self.mechanism_at = agreed("mechanism", trials, lambda trial: trial.eval.mechanism)
        batch_size = agreed("batch size", trials, lambda trial: trial.optim.batch_size)
        self._model = PackModel.initial(trials, device=device)
        self._parameters = [weight.requires_grad_() for weight in self._model.parameters()]
        self._optimiser = AdamW([t.optim for t in trials], self._parameters, biases=self._model.shape.biases())
        self._trained_positions = trained_positions(self._model.shape, trials, device=device)
        self._drop = Dropout.of(trials, device=device)
        self._number = torch.zeros((), dtype=torch.int64, device=device)
        self._diverged_at = torch.zeros(len(trials), dtype=torch.int64, device=device)
        self._loss = torch.zeros(len(trials), device=device)
        if start is not None:
            self._restore(start)
        self._batches = batches(trials, data.training_sets, device=device, skip=self.step)
        self._batch = torch.zeros(len(trials), batch_size, dtype=torch.int64, device=device)
        self._graph = CudaGraph(device) if device.type == "cuda" else None

    def advance(self) -> None:
        """Take one step."""
        self._batch.copy_(next(self._batches), non_blocking=True)
        self.step += 1
        if self._graph:
            self._graph(self._run)
        else:
            self._run()

    def _run(self) -> None:
        """Take a step on the batch that lies ready, from tensors to tensors."""
        self._number += 1
        if self._drop:
            self._drop.begin(self._number)
        loss = batch_loss(self._model, self._data, self._batch, drop=self._drop)
        gradients = [*torch.autograd.grad(loss.sum(), self._parameters, allow_unused=True)]
        if self._trained_positions is not None:
            gradients[POSITION] = gradients[POSITION] * self._trained_positions
        self._loss.copy_(loss.detach())
        self._mark_diverged(self._loss)
        self._optimiser.step(gradients, number=self._number)
        with torch.no_grad():
            self._model.weights["loss"]["log_scale"].clamp_(max=MAX_LOG_SCALE)

    def _mark_diverged(self, loss: Float[Tensor, " trial"]) -> None:
        """Mark the members whose loss is not finite. They train on, into nothing; their neighbours do not notice."""
        self._diverged_at.copy_(
            torch.where(~loss.isfinite() & (self._diverged_at == 0), self._number, self._diverged_at)
        )

    @torch.no_grad()
    def snapshot(self) -> Snapshot:
        """Return the pack as it is now. The last update may have made it diverge: the loss is computed after it too."""
        self._mark_diverged(batch_loss(self._model, self._data, self._batch))
        model = self._model.map(lambda tensor: tensor.detach().clone())
        return Snapshot(self.step, model, self._loss.clone(), self._diverged_at.clone(), self.members)

    def state(self) -> State:
        """Return what a later Training starts from. The tensors are the live ones: write them before the next step."""
        tensors = {f"weight.{i}": weight.detach() for i, weight in enumerate(self._parameters)}
        tensors |= {f"optimiser.{name}": value for name, value in self._optimiser.state().items()}
        tensors["diverged_at"] = self._diverged_at
        return State(self.step, tensors, self.members)

    def select(self, members: Collection[int]) -> "Training":
        """Return the training of some members alone, which goes on as it would have gone on with the others."""
        trials, data = self._pack
        return Training(trials, data, device=self._device, start=self.state().select(members))

    @torch.no_grad()
    def _restore(self, start: State) -> None:
        self.step = start.step
        self._number.fill_(start.step)
        self._diverged_at.copy_(start.tensors["diverged_at"])
        for i, weight in enumerate(self._parameters):
            weight.copy_(start.tensors[f"weight.{i}"])
        split_names = {name.partition(".")[::2]: tensor for name, tensor in start.tensors.items()}
        moments = {name: tensor for (kind, name), tensor in split_names.items() if kind == "optimiser"}
        self._optimiser.restore(moments)


def fit(trials: Sequence[Trial], data: PackData, *, device: torch.device) -> Iterator[Snapshot]:
    """Train the pack to its end and yield a snapshot at each evaluation step, the last step included.

    Raises ValueError when the trials do not share a static shape, or what should follow from it.
    """
    training = Training(trials, data, device=device)
    evaluation_steps = {*training.evaluation_steps}
    while training.step < training.n_steps:
        training.advance()
        if training.step in evaluation_steps:
            yield training.snapshot()


def batch_loss(
    model: PackModel, data: PackData, batch: Int[Tensor, "trial batch"], *, drop: Drop | None = None
) -> Float[Tensor, " trial"]:
    """Return the loss of each member on its batch of examples, in nats."""
    weights, shape, scale = model.weights, model.shape, model.embedding_scale
    scenes, captions = data.examples(batch)
    if shape.autoregressive:
        words = data.captions[captions]
        return caption_loss(weights["decoder"], shape.vision, scenes, words, scale=scale, drop=drop)
    image, _ = encode(weights["vision"], shape.vision, scenes, scale=scale, drop=drop)
    columns = None
    if drop is None and data.trained.shape[1] <= batch.shape[1]:
        # Fewer captions in all than in a batch: each is encoded once. (Under dropout every example has its own.)
        columns, captions = data.column.gather(1, captions), data.trained
    text, _ = encode(weights["text"], shape.text, data.captions[captions], scale=scale, drop=drop)
    log_scale = weights["loss"]["log_scale"]
    if data.multi_positive:
        return multi_positive_loss(image, text, log_scale, columns, is_true=data.is_true(batch, captions))
    return contrastive_loss(image, text, log_scale, columns)
