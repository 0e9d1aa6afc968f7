"""The trained model of a finished trial: its weights from their file, or by training it once more."""

from collections.abc import Callable

import torch

from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.object_access import sentence
from lrsym.sweep.execution.weights import has_weights, load_weights, save_weights
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.training.training import fit


def trained_model(
    root: str, trial: Trial, *, device: str, report: Callable[[float], None], on_message: Callable[[str], None]
) -> PackModel:
    """Return the model of `trial`; where its weights are not in the store at `root`, they are there afterwards.

    Where they cannot be written `on_message` gets why. `report` gets the fraction of steps done, if it is trained.
    Raises UsageError if training diverges.
    """
    files = open_filesystem(root, must_exist=True)
    if not has_weights(files, trial.trial_id):
        model = retrain(trial, device=device, report=report)
        try:
            save_weights(files, model)
        except OSError as error:  # such as a folder of others, which may only be read
            on_message(f"the weights are not kept, so it is trained again each time: {sentence(error)}")
            return model
    return load_weights(files, trial.trial_id, device=device)


def retrain(trial: Trial, *, device: str, report: Callable[[float], None]) -> PackModel:
    """Return the model of `trial` after its last step. Raises UsageError if training diverges."""
    chosen, last = torch.device(device), None
    for last in fit([trial], PackData.of([trial], device=chosen), device=chosen):
        report(last.step / trial.n_steps)
    assert last is not None  # the last step is always evaluated
    if step := int(last.diverged_at[0]):
        raise UsageError(
            f"trial {trial.trial_id} diverged at step {step} when it was trained again, though its row says done; "
            "train it on hardware like that of its run (table runs), or with another --device"
        )
    return last.model
