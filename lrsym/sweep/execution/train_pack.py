"""From a pack to its rows: the one function that every engine calls."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import torch

from lrsym.config.trial import Trial
from lrsym.results.store.schema import TABLES
from lrsym.sweep.execution.checkpoint import Keeper
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Accuracies, Candidates, evaluate
from lrsym.testbed.mechanism.measures import measures
from lrsym.testbed.mechanism.mechanism import ablations, profiles
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.training.training import Snapshot, Training, fit

Rows = list[dict[str, object]]

_MECHANISM = ("ablations", "terms", "measures")


class PackTimeoutError(Exception):
    """The pack took longer than allowed."""


@dataclass
class PackRows:
    """Rows of a pack as they come in; `tables` closes them."""

    trials: Sequence[Trial]
    curves: Rows = field(default_factory=list)
    ablations: Rows = field(default_factory=list)
    terms: Rows = field(default_factory=list)
    measures: Rows = field(default_factory=list)
    final: list[dict[str, object]] = field(init=False)
    reached: list[dict[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.final = [{} for _ in self.trials]
        self.reached = [{} for _ in self.trials]

    def add_curve_point(self, snapshot: Snapshot, accuracies: Accuracies) -> None:
        """One point of every learning curve; members that have diverged have none."""
        diverged, losses = snapshot.diverged_at.tolist(), snapshot.loss.tolist()
        for row, (trial, metrics) in enumerate(zip(self.trials, accuracies.members(), strict=True)):
            if diverged[row]:
                continue
            self.final[row] = {f"{split}_{metric}": value for (split, metric), value in metrics.items()}
            for (split, metric), value in metrics.items():
                if value is not None and value >= trial.eval.threshold:
                    self.reached[row].setdefault(f"steps_to_{split}_{metric}", snapshot.step)
            points = {**metrics, ("train", "loss"): losses[row]}
            self.curves += [
                {"trial_id": trial.trial_id, "step": snapshot.step, "split": split, "metric": metric, "value": value}
                for (split, metric), value in points.items()
                if value is not None
            ]

    def add_mechanism(
        self, model: PackModel, data: PackData, candidates: Candidates, *, diverged_at: Sequence[int]
    ) -> None:
        """Ablations, term profiles and measures at the end of training."""
        for term, accuracies in ablations(model, data, candidates):
            for trial, metrics in zip(self.trials, accuracies.members(), strict=True):
                self.ablations += [
                    {"trial_id": trial.trial_id, "term": term, "split": split, "metric": metric, "value": value}
                    for (split, metric), value in metrics.items()
                    if value is not None
                ]
        for trial, member in zip(self.trials, profiles(model), strict=True):
            self.terms += [
                {
                    "trial_id": trial.trial_id, "encoder": p.encoder, "head": p.head, "term": p.term, "query": p.query,
                    "profile": p.values.tolist(), "slope": p.slope, "monotonicity": p.monotonicity,
                    "ramp": p.ramp,
                }
                for p in member
            ]  # fmt: skip
        for member, trial in enumerate(self.trials):
            if not diverged_at[member]:
                found = measures(model, data, member=member)
                self.measures += [{"trial_id": trial.trial_id, **vars(m)} for m in found]

    def so_far(self) -> dict[str, Any]:
        """What evaluations have given up to now, as plain values."""
        return {"curves": self.curves, "final": self.final, "reached": self.reached}

    def go_on(self, so_far: Mapping[str, Any]) -> None:
        """Take on what `so_far` gave."""
        self.curves, self.final, self.reached = so_far["curves"], so_far["final"], so_far["reached"]

    def tables(self, diverged_at: Sequence[int], *, seconds: float, run_id: str) -> dict[str, pa.Table]:
        """The tables. A diverged member keeps its curves up to then and has no final accuracies."""
        lost = {t.trial_id for t, step in zip(self.trials, diverged_at, strict=True) if step}
        shared = _provenance(self.trials, seconds=seconds, run_id=run_id)
        rows = []
        for row, (trial, step) in enumerate(zip(self.trials, diverged_at, strict=True)):
            outcome = (
                {"status": "diverged", "message": f"loss not finite at step {step}"}
                if step
                else {"status": "done", **self.final[row]}
            )
            trained = {"trained_steps": step - 1 if step else trial.n_steps}
            rows.append({**axis_values(trial), **shared, **outcome, **self.reached[row], **trained})
        kept = {name: [r for r in getattr(self, name) if r["trial_id"] not in lost] for name in _MECHANISM}
        named = {"trials": rows, "curves": self.curves, **kept}
        return {name: TABLES[name].build(rows) for name, rows in named.items()}


def run_pack(
    trials: Sequence[Trial],
    *,
    run_id: str,
    device: torch.device,
    timeout: float | None = None,
    report: Callable[[float], None] = lambda fraction: None,
    keep: Callable[[Snapshot], None] = lambda last: None,
    keeper: Keeper | None = None,
) -> dict[str, pa.Table]:
    """Train and evaluate `trials` as one pack; its rows by table.

    `report` hears the fraction of steps done at each evaluation, `keep` is given the last snapshot; with `keeper`
    training goes on from its checkpoint and offers it new ones. Raises PackTimeoutError at the first evaluation after
    `timeout` seconds.
    """
    started = time.monotonic()
    kept = keeper.load(device=str(device)) if keeper else None
    before = kept.seconds if kept else 0.0
    data = PackData.of(trials, device=device)
    candidates = Candidates.of(data)
    rows, snapshot = PackRows(trials), None
    if kept:
        rows.go_on(kept.rows)
        report(kept.state.step / trials[0].n_steps)

    def offer(training: Training) -> None:
        if keeper and training.step < trials[0].n_steps:
            keeper.offer(training, rows.so_far(), seconds=before + time.monotonic() - started)

    snapshots = fit(trials, data, device=device, start=kept.state if kept else None, after=offer)
    kept = None  # its tensors are copied and then not needed any more
    for snapshot in snapshots:
        with torch.no_grad():
            rows.add_curve_point(snapshot, evaluate(snapshot.model, data, candidates))
        report(snapshot.step / trials[0].n_steps)
        over = snapshot.step == trials[0].n_steps
        if timeout is not None and not over and time.monotonic() - started > timeout:
            raise PackTimeoutError(f"pack took more than {timeout:g} s, at step {snapshot.step} of {trials[0].n_steps}")
    assert snapshot is not None  # the last step is always evaluated
    with torch.no_grad():
        diverged_at = snapshot.diverged_at.tolist()
        rows.add_mechanism(snapshot.model, data, candidates, diverged_at=diverged_at)
    keep(snapshot)
    return rows.tables(diverged_at, seconds=before + time.monotonic() - started, run_id=run_id)


def axis_values(trial: Trial) -> dict[str, object]:
    """The trial's identity and axes as columns of the table `trials`."""
    return {"trial_id": trial.trial_id, **{key.rpartition(".")[2]: value for key, value in trial.values().items()}}


def failed_rows(trials: Sequence[Trial], *, status: str, message: str, run_id: str) -> dict[str, pa.Table]:
    """The rows of a pack that gave no result."""
    shared = {**_provenance(trials, seconds=None, run_id=run_id), "status": status, "message": message}
    return {"trials": TABLES["trials"].build({**axis_values(t), **shared} for t in trials)}


def _provenance(trials: Sequence[Trial], *, seconds: float | None, run_id: str) -> dict[str, object]:
    share = None if seconds is None else seconds / len(trials)
    return {"seconds": share, "pack_size": len(trials), "run_id": run_id, "finished_at": datetime.now(UTC)}
