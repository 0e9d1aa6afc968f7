"""Rows of a pack: what evaluations and the mechanism give, as rows of the store's tables. Needs no torch itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lrsym.config.trial import Trial
from lrsym.results.store.schema import TABLES
from lrsym.results.store.trial_row import axis_values

if TYPE_CHECKING:
    from lrsym.testbed.evaluation import Accuracies
    from lrsym.testbed.mechanism.measures import Measure
    from lrsym.testbed.mechanism.mechanism import Profile
    from lrsym.testbed.training.training import Snapshot

Rows = list[dict[str, object]]

_MECHANISM = ("ablations", "terms", "measures")


@dataclass
class PackRows:
    """The rows of a pack as they come in; `tables` turns them into Arrow tables."""

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

    def add_curve_point(self, snapshot: "Snapshot", accuracies: "Accuracies") -> None:
        """Add a point to every learning curve; members that have diverged get none."""
        diverged, losses = snapshot.diverged_at.tolist(), snapshot.loss.tolist()
        by_member = accuracies.members()
        for row, (trial, metrics) in enumerate(zip(self.trials, by_member, strict=True)):
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
        self,
        ablations: "Iterable[tuple[str, Accuracies]]",
        profiles: "Iterable[Iterable[Profile]]",
        measures: "Iterable[Iterable[Measure]]",
    ) -> None:
        """Add ablations, and for each member its term profiles and measures, at the end of training."""
        for term, accuracies in ablations:
            for trial, metrics in zip(self.trials, accuracies.members(), strict=True):
                self.ablations += [
                    {"trial_id": trial.trial_id, "term": term, "split": split, "metric": metric, "value": value}
                    for (split, metric), value in metrics.items()
                    if value is not None
                ]
        for trial, of_member in zip(self.trials, profiles, strict=True):
            self.terms += [
                {
                    "trial_id": trial.trial_id, "encoder": p.encoder, "head": p.head, "term": p.term, "query": p.query,
                    "profile": p.values.tolist(), "slope": p.slope, "monotonicity": p.monotonicity,
                    "ramp": p.ramp,
                }
                for p in of_member
            ]  # fmt: skip
        for trial, of_member in zip(self.trials, measures, strict=True):
            self.measures += [{"trial_id": trial.trial_id, **vars(m)} for m in of_member]

    def state(self) -> dict[str, Any]:
        """Return what evaluations have given up to now, as plain values."""
        return {"curves": self.curves, "final": self.final, "reached": self.reached}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take on what `state` gave."""
        self.curves, self.final, self.reached = state["curves"], state["final"], state["reached"]

    def tables(self, diverged_at: Sequence[int], *, seconds: float, run_id: str) -> dict[str, pa.Table]:
        """Return the tables. A diverged member keeps its curves up to then and has no final accuracies."""
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


def status_rows(trials: Sequence[Trial], *, status: str, message: str | None, run_id: str) -> dict[str, pa.Table]:
    """Return the rows of a pack of which nothing but a status is known."""
    shared = {**_provenance(trials, seconds=None, run_id=run_id), "status": status, "message": message}
    return {"trials": TABLES["trials"].build({**axis_values(t), **shared} for t in trials)}


def _provenance(trials: Sequence[Trial], *, seconds: float | None, run_id: str) -> dict[str, object]:
    share = None if seconds is None else seconds / len(trials)
    return {"seconds": share, "pack_size": len(trials), "run_id": run_id, "finished_at": datetime.now(UTC)}
