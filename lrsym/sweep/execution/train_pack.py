"""From a pack to its rows: training, evaluation, mechanism."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import torch

from lrsym.config.trial import Trial
from lrsym.sweep.execution.checkpoint import CheckpointFile
from lrsym.sweep.execution.rows import PackRows
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates, evaluate
from lrsym.testbed.mechanism.measures import measures
from lrsym.testbed.mechanism.mechanism import ablations, profiles
from lrsym.testbed.training.training import Snapshot, Training, fit


class PackTimeoutError(Exception):
    """The pack took longer than allowed."""


@dataclass(frozen=True)
class TrainedPack:
    """What training a pack gives: its rows by table, and the pack after its last step."""

    tables: dict[str, pa.Table]
    last: Snapshot


def run_pack(
    trials: Sequence[Trial],
    *,
    run_id: str,
    device: torch.device,
    timeout: float | None = None,
    report: Callable[[float], None] = lambda completed: None,
    checkpoint: CheckpointFile | None = None,
) -> TrainedPack:
    """Train and evaluate `trials` as one pack.

    `report` gets the fraction of steps done at each evaluation; with `checkpoint` training goes on from there and
    saves it when it is due. Raises PackTimeoutError at the first evaluation after `timeout` seconds.
    """
    started, n_steps = time.monotonic(), trials[0].n_steps
    saved = checkpoint.load(device=str(device)) if checkpoint else None
    before = saved.seconds if saved else 0.0
    data = PackData.of(trials, device=device)
    candidates = Candidates.of(data)
    rows, snapshot = PackRows(trials), None
    if saved:
        rows.restore(saved.rows)
        report(saved.state.step / n_steps)

    def save_checkpoint(training: Training) -> None:
        if checkpoint and training.step < n_steps:
            checkpoint.save_if_due(training, rows.state(), seconds=before + time.monotonic() - started)

    snapshots = fit(trials, data, device=device, start=saved.state if saved else None, after=save_checkpoint)
    saved = None  # its tensors are copied and then not needed any more
    for snapshot in snapshots:
        with torch.no_grad():
            rows.add_curve_point(snapshot, evaluate(snapshot.model, data, candidates))
        report(snapshot.step / n_steps)
        if timeout is not None and snapshot.step < n_steps and time.monotonic() - started > timeout:
            raise PackTimeoutError(f"pack took more than {timeout:g} s, at step {snapshot.step} of {n_steps}")
    assert snapshot is not None  # the last step is always evaluated
    diverged_at = snapshot.diverged_at.tolist()
    with torch.no_grad():
        rows.add_mechanism(
            ablations(snapshot.model, data, candidates),
            profiles(snapshot.model),
            (() if step else measures(snapshot.model, data, member=i) for i, step in enumerate(diverged_at)),
        )
    tables = rows.tables(diverged_at, seconds=before + time.monotonic() - started, run_id=run_id)
    return TrainedPack(tables, snapshot)
