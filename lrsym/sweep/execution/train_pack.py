"""From a pack to its rows: training, evaluation, mechanism, and who leaves the pack on the way."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import torch
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.sweep.execution.checkpoint import CheckpointFile
from lrsym.sweep.execution.live_rows import LiveFile
from lrsym.sweep.execution.mechanism_rows import (
    Row,
    ablation_rows,
    confusion_rows,
    measure_rows,
    term_rows,
    text_ablation_rows,
)
from lrsym.sweep.execution.rows import PackRows
from lrsym.sweep.planning.stop_rule import StopRule
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Accuracies, Candidates, evaluate
from lrsym.testbed.mechanism.confusions import confusions
from lrsym.testbed.mechanism.measures import measures
from lrsym.testbed.mechanism.mechanism import ablations, profiles, text_ablations
from lrsym.testbed.training.training import Snapshot, Training
from lrsym.vocabulary import GRID_STOP_RULES

MIN_STEPS_TO_SHRINK = 100
"""With fewer steps left a member that has ended trains on, unseen. To go on without it costs what 11 steps gain where
they are cheapest, at batch 50 (docs/benchmarks.md, stopping), and the others' batches are drawn again."""


class PackTimeoutError(Exception):
    """The pack took longer than allowed."""


@dataclass(frozen=True)
class TrainedPack:
    """What training a pack gives: its rows by table, and those of its members that are done, after the last step."""

    tables: dict[str, pa.Table]
    last: Snapshot


def run_pack(
    trials: Sequence[Trial],
    *,
    run_id: str,
    device: torch.device,
    stop: StopRule | None = None,
    deadline: float | None = None,
    report: Callable[[float], None] = lambda completed: None,
    checkpoint: CheckpointFile | None = None,
    live: LiveFile | None = None,
) -> TrainedPack:
    """Train and evaluate `trials` as one pack; with `stop` it goes on without those that have ended, if that pays.

    `report` gets the fraction of steps done at each evaluation; with `checkpoint` training goes on from there and
    saves it when it is due; `live` shows evaluations to who looks on. Raises PackTimeoutError after the first step, but
    for the last, that ends later than `deadline` on the monotonic clock; a checkpoint that is due is saved before.
    """
    started, n_steps = time.monotonic(), trials[0].n_steps
    saved = checkpoint.load(device=str(device)) if checkpoint else None
    before = saved.seconds if saved else 0.0
    evaluator = _Evaluator.of(trials, device=device)
    rows, snapshot = PackRows(trials, stop.name if stop else None), None
    if saved:
        rows.restore(saved.rows)
        report(saved.state.step / n_steps)
    training = Training(trials, evaluator.data, device=device, start=saved.state if saved else None)
    saved = None  # its tensors are copied and then not needed any more
    evaluation_steps = {*training.evaluation_steps}
    while training.step < n_steps:
        training.advance()
        if training.step in evaluation_steps:
            report(training.step / n_steps)  # before the evaluation: a pack that is trained has met its time
            snapshot = _evaluate(training, rows, evaluator, live=live)
            if stop and training.step < n_steps:
                _stop_members(stop, rows, snapshot, evaluator)
                if not rows.training:
                    break
                training = _without_ended(training, rows.training)
        if checkpoint and training.step < n_steps:
            checkpoint.save_if_due(training, rows.state, seconds=before + time.monotonic() - started)
        if deadline is not None and training.step < n_steps and time.monotonic() > deadline:
            raise PackTimeoutError(f"at step {training.step} of {n_steps}")
    assert snapshot is not None  # the last step is always evaluated
    done = snapshot.select(rows.training)
    mechanism = _add_mechanism(rows, done, evaluator)
    if training.mechanism_at == "points":
        rows.along.add(done.step, mechanism)
    return TrainedPack(rows.tables(seconds=before + time.monotonic() - started, run_id=run_id), done)


@dataclass(frozen=True)
class _Evaluator:
    """The data of a whole pack, and what the captions of each member compete with."""

    data: PackData
    candidates: Candidates

    @classmethod
    def of(cls, trials: Sequence[Trial], *, device: torch.device) -> "_Evaluator":
        data = PackData.of(trials, device=device)
        return cls(data, Candidates.of(data))

    def select(self, members: Sequence[int]) -> "_Evaluator":
        return _Evaluator(self.data.select(members), self.candidates.select(members))

    @torch.no_grad()
    def accuracies(self, snapshot: Snapshot) -> Accuracies:
        here = self.select(snapshot.members)
        return evaluate(snapshot.model, here.data, here.candidates)

    @torch.no_grad()
    def mechanism(self, snapshot: Snapshot) -> dict[str, list[Row]]:
        """Return ablations, terms and measures as rows by table."""
        if not snapshot.members:
            return {"ablations": [], "terms": [], "measures": []}
        model, here = snapshot.model, self.select(snapshot.members)
        trials, on_host = here.data.trials, model.map(Tensor.cpu)
        return {
            "ablations": [*ablation_rows(trials, ablations(model, here.data, here.candidates))],
            "terms": [*term_rows(trials, profiles(model))],
            "measures": [*measure_rows(trials, measures(on_host, here.data))],
        }

    @torch.no_grad()
    def of_the_end(self, snapshot: Snapshot) -> dict[str, list[Row]]:
        """Return what is told of the end of training alone, as rows by table."""
        if not snapshot.members:
            return {}
        model, here = snapshot.model, self.select(snapshot.members)
        trials, arguments = here.data.trials, (model, here.data, here.candidates)
        return {
            "text_ablations": [*text_ablation_rows(trials, text_ablations(*arguments))],
            "confusions": [*confusion_rows(trials, confusions(*arguments))],
        }


def _evaluate(training: Training, rows: PackRows, evaluator: _Evaluator, *, live: LiveFile | None) -> Snapshot:
    """Add what this evaluation gives, and return the pack as it is; the last one's mechanism is left to the end."""
    snapshot = training.snapshot()
    rows.add_points(snapshot, evaluator.accuracies(snapshot))
    if training.step < training.n_steps:
        if live:
            live.write_if_due(partial(rows.so_far, training.step))
        if training.mechanism_at == "points":
            rows.along.add(snapshot.step, evaluator.mechanism(snapshot.select(rows.training)))
    return snapshot


def _stop_members(stop: StopRule, rows: PackRows, snapshot: Snapshot, evaluator: _Evaluator) -> None:
    """End the members that `stop` names; those whose accuracies are outcomes get the rows of the mechanism."""
    if not rows.training:
        return
    members = stop.members_to_stop(
        rows.points, trials=rows.trials, steps=rows.trials[0].evaluation_steps, training=rows.training
    )
    rows.stop(members, step=snapshot.step)
    if stop.name in GRID_STOP_RULES:
        _add_mechanism(rows, snapshot.select(members), evaluator)


def _add_mechanism(rows: PackRows, snapshot: Snapshot, evaluator: _Evaluator) -> dict[str, list[Row]]:
    """Add the mechanism of members whose training ends, and return its rows by table."""
    found = evaluator.mechanism(snapshot)
    rows.add_mechanism({**found, **evaluator.of_the_end(snapshot)})
    return found


def _without_ended(training: Training, members: Sequence[int]) -> Training:
    """Return the training of those of its members that train on; all of it where their leaving does not pay."""
    if len(members) == len(training.members) or training.n_steps - training.step < MIN_STEPS_TO_SHRINK:
        return training
    return training.select(members)
