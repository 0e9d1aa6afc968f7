"""Rows of a pack: what evaluations and the mechanism give, as rows of the store's tables. Needs no torch itself."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lrsym.config.trial import Trial
from lrsym.results.store.schema import TABLES
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.mechanism_rows import MechanismAlong, Row
from lrsym.vocabulary import TRAINING

if TYPE_CHECKING:
    from lrsym.testbed.evaluation import Accuracies
    from lrsym.testbed.training.training import Snapshot

_MECHANISM = ("ablations", "text_ablations", "terms", "measures", "confusions")

_STATE = ("losses", "diverged_at", "stopped_at", "mechanism")
"""Fields that are plain values; points are not, and what is not here is given."""


@dataclass
class PackRows:
    """The rows of a pack as they come in; `tables` turns them into Arrow tables.

    Members are numbers of `trials`. `points[i]` and `losses[i]` hold the accuracies and the loss of member i at each
    evaluation before it diverged or was stopped, the first ones of its evaluation steps; `diverged_at` and `stopped_at`
    the step at which it did, 0 for never. `stop_rule` names what stops members. `mechanism` holds rows of the end of
    training by table, `along` those of every evaluation.
    """

    trials: Sequence[Trial]
    stop_rule: str | None = None
    points: list[list[dict[tuple[str, str], float]]] = field(init=False)
    losses: list[list[float]] = field(init=False)
    diverged_at: list[int] = field(init=False)
    stopped_at: list[int] = field(init=False)
    mechanism: dict[str, list[Row]] = field(init=False)
    along: MechanismAlong = field(init=False, default_factory=MechanismAlong)

    def __post_init__(self) -> None:
        self.points, self.losses = [[] for _ in self.trials], [[] for _ in self.trials]
        self.diverged_at, self.stopped_at = [0] * len(self.trials), [0] * len(self.trials)
        self.mechanism = {name: [] for name in _MECHANISM}

    @property
    def training(self) -> list[int]:
        """Members that have neither diverged nor been stopped."""
        ends = zip(self.diverged_at, self.stopped_at, strict=True)
        return [member for member, end in enumerate(ends) if not any(end)]

    def add_points(self, snapshot: "Snapshot", accuracies: "Accuracies") -> None:
        """Add a point to the learning curve of every member in training, but for those that have diverged since."""
        training, losses = self.training, snapshot.loss.tolist()
        found = zip(snapshot.members, snapshot.diverged_at.tolist(), losses, accuracies.members(), strict=True)
        for member, diverged_at, loss, metrics in found:
            if member not in training:
                continue
            if diverged_at:
                self.diverged_at[member] = diverged_at
                continue
            self.points[member].append({key: value for key, value in metrics.items() if value is not None})
            self.losses[member].append(loss)

    def stop(self, members: Iterable[int], *, step: int) -> None:
        """Note that `members` end after `step` steps."""
        for member in members:
            self.stopped_at[member] = step

    def add_mechanism(self, rows: Mapping[str, Iterable[Row]]) -> None:
        """Add the rows of the mechanism, by table, of members whose training ends."""
        for table, found in rows.items():
            self.mechanism[table] += found

    def state(self) -> dict[str, Any]:
        """Return what has come in up to now, as plain values."""
        points = [[[[*key, value] for key, value in point.items()] for point in curve] for curve in self.points]
        return {name: getattr(self, name) for name in _STATE} | {"points": points, "along": self.along.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take on what `state` gave."""
        for name in _STATE:
            setattr(self, name, state[name])
        self.mechanism = {name: self.mechanism.get(name, []) for name in _MECHANISM}
        self.along.restore(state.get("along", {}))
        self.points = [
            [{(split, metric): value for split, metric, value in point} for point in curve] for curve in state["points"]
        ]

    def tables(self, *, seconds: float, run_id: str) -> dict[str, pa.Table]:
        """Return the tables. A diverged member keeps its curves up to then and has no final accuracies."""
        shared = _provenance(self.trials, seconds=seconds, run_id=run_id)
        rows = [
            {**axis_values(trial), **shared, **self._reached(member), **self._outcome(member)}
            for member, trial in enumerate(self.trials)
        ]
        named = {"trials": rows, "curves": [*self._curves()], **self.mechanism}
        return {name: TABLES[name].build(rows) for name, rows in named.items()} | self.along.tables()

    def so_far(self, step: int) -> tuple[list[Row], list[Row]]:
        """Return rows of trials and of curves after `step` steps of all; members that train on have that status."""
        trials = [
            {**axis_values(trial), **self._reached(member), **self._outcome(member, step=step)}
            for member, trial in enumerate(self.trials)
        ]
        return trials, [*self._curves()]

    def _outcome(self, member: int, *, step: int | None = None) -> dict[str, object]:
        """Return how a member ended: its status, its last accuracies and how long it was trained.

        At a `step` before the last one, how it stands.
        """
        n_steps = self.trials[member].n_steps
        reached = n_steps if step is None else step
        if end := self.diverged_at[member]:
            message = f"loss not finite at step {end}"
            return {"status": "diverged", "message": message, "trained_steps": end - 1}
        last = {f"{split}_{metric}": value for (split, metric), value in self.points[member][-1].items()}
        if end := self.stopped_at[member]:
            message = f"stopped by {self.stop_rule} at step {end} of {n_steps}"
            stopped = {"status": "stopped", "message": message, "stop_rule": self.stop_rule, "trained_steps": end}
            return {**last, **stopped}
        return {**last, "status": "done" if reached == n_steps else TRAINING, "trained_steps": reached}

    def _reached(self, member: int) -> dict[str, int]:
        """Return the first evaluated step at which each accuracy was at the member's threshold, by column."""
        trial, reached = self.trials[member], dict[str, int]()
        for step, point in zip(trial.evaluation_steps, self.points[member], strict=False):
            for (split, metric), value in point.items():
                if value >= trial.eval.threshold:
                    reached.setdefault(f"steps_to_{split}_{metric}", step)
        return reached

    def _curves(self) -> Iterator[dict[str, object]]:
        for trial, points, losses in zip(self.trials, self.points, self.losses, strict=True):
            for step, point, loss in zip(trial.evaluation_steps, points, losses, strict=False):
                for (split, metric), value in {**point, ("train", "loss"): loss}.items():
                    yield {
                        "trial_id": trial.trial_id, "step": step, "split": split, "metric": metric, "value": value,
                    }  # fmt: skip


def status_rows(
    trials: Sequence[Trial], *, status: str, message: str | None, run_id: str, attempts: Iterable[int] | None = None
) -> dict[str, pa.Table]:
    """Return the rows of a pack of which nothing but a status is known, and of each trial its `attempts`."""
    shared = {**_provenance(trials, seconds=None, run_id=run_id), "status": status, "message": message}
    counts = [None] * len(trials) if attempts is None else attempts
    rows = ({**axis_values(t), **shared, "attempts": n} for t, n in zip(trials, counts, strict=True))
    return {"trials": TABLES["trials"].build(rows)}


def _provenance(trials: Sequence[Trial], *, seconds: float | None, run_id: str) -> dict[str, object]:
    share = None if seconds is None else seconds / len(trials)
    return {"seconds": share, "pack_size": len(trials), "run_id": run_id, "finished_at": datetime.now(UTC)}
