"""The task that trains, run in this process as a worker and a driver together would."""

from lrsym.sweep.execution.events import Failure
from lrsym.sweep.execution.task import TrainTask
from tests.sweep_of import pack_of


def train(root, trials, *, report=lambda completed: None, **options):
    """How `trials` ended as one pack in the store at `root`; a failure is recorded, and a checkpoint discarded."""
    task, pack = TrainTask(str(root), "r", "cpu", 1, **options), pack_of(*trials)
    outcome = task(pack, report)
    if not isinstance(outcome, Failure):
        return outcome
    if outcome.status != "timeout":
        task.discard_checkpoint(pack)
    return task.record_failure(pack, outcome)
