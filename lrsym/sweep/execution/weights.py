"""Final parameters of trials, a file each: RESULTS/weights/TRIAL_ID.safetensors.

Named tensors without a trial axis ("vision.token"); the metadata hold the trial's identity and every axis as JSON,
so a file explains itself without the tables. Written complete or not at all, never as a pickle.
"""

import json
from pathlib import Path

from lrsym.config.axes import axes
from lrsym.config.trial import MIN_PREFIX_LENGTH, TRAINER_VERSION, Trial, begins_trial_id
from lrsym.errors import UsageError
from lrsym.results.store.fault import Fault, fault_of
from lrsym.results.store.filesystem import FileSystem, open_filesystem
from lrsym.results.store.foreign_json import parse_json
from lrsym.sweep.execution.tensor_file import SUFFIX, WEIGHTS, read_tensors, tensor_bytes, weights_of
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.training.training import Snapshot


def weights_path(root: str, trial_id: str) -> str:
    """Return where the parameters of a trial are, or would be."""
    return f"{open_filesystem(root).root}/{_name(trial_id)}"


def has_weights(root: str | FileSystem, trial_id: str) -> bool:
    """Return whether the parameters of a trial are in the results folder."""
    return open_filesystem(root).exists(_name(trial_id))


def save_weights(root: str | FileSystem, model: PackModel) -> None:
    """Write the parameters of `model`, a pack of one, into the file of its trial."""
    canonical = json.dumps(model.trial.values(), sort_keys=True, separators=(",", ":"), allow_nan=False)
    metadata = {"trial_id": model.trial.trial_id, "trainer_version": str(TRAINER_VERSION), "trial": canonical}
    tensors = {name: t.cpu().clone() for name, t in model.tensors().items()}
    open_filesystem(root).put(_name(model.trial.trial_id), tensor_bytes(tensors, metadata))


def save_pack(root: str | FileSystem, last: Snapshot) -> None:
    """Write the parameters of every member that has not diverged."""
    for model, diverged_at in zip(last.model.members(), last.diverged_at.tolist(), strict=True):
        if not diverged_at:
            save_weights(root, model)


def load_weights(root: str | Path | FileSystem, trial_id: str, *, device: str = "cpu") -> PackModel:
    """Return the trained model of a trial: a pack of one: `trial`, `tensors()` by name, `weights`.

    `trial_id` may be its beginning. Raises UsageError where there is no such file, where several match, or where it
    is damaged or was written by another version.
    """
    files = open_filesystem(root)
    name = _find_name(files, trial_id)
    try:
        tensors, metadata = read_tensors(files, name, device=device)
        if odd := {str(tensor.dtype) for tensor in tensors.values()} - {"torch.float32"}:
            raise ValueError(f"parameters must be torch.float32, some are {odd.pop()}")
        return PackModel.from_tensors(_trial(metadata), tensors)
    except (KeyError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())[:300]
        raise UsageError(
            f"{files.root}/{name} does not hold the weights of {trial_id}: {why}; remove the file"
        ) from None


def list_damaged_weights(files: FileSystem) -> dict[str, Fault]:
    """Return what is wrong with each file of weights that is damaged, or of another trial than it is named after."""
    found: dict[str, Fault] = {}
    for trial_id, name in weights_of(files).items():
        try:
            _, metadata = read_tensors(files, name, device="cpu")
            if (held := metadata.get("trial_id")) != trial_id:
                found[name] = Fault(name, f"holds the weights of {held}")
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            found[name] = fault_of(name, error)
    return found


def _name(trial_id: str) -> str:
    return f"{WEIGHTS}/{trial_id}{SUFFIX}"


def _find_name(files: FileSystem, trial_id: str) -> str:
    """Return the name of the one file whose trial_id begins with `trial_id`."""
    if not begins_trial_id(trial_id):
        raise UsageError(
            f"a trial is named by {MIN_PREFIX_LENGTH} to 32 hex digits of its trial_id, got {trial_id!r}; give them"
        )
    start = _name(trial_id.lower()).removesuffix(SUFFIX)
    names = [name for name in files.list(WEIGHTS, suffix=SUFFIX) if name.startswith(start)]
    if not names:
        raise UsageError(
            f"there are no weights of {trial_id} in {files.root}/{WEIGHTS}; lrsym explain {trial_id} trains it again "
            "and keeps them, lrsym sweep --save-weights keeps those of new trials"
        )
    if len(names) > 1:
        raise UsageError(f"{len(names)} files in {files.root}/{WEIGHTS} begin with {trial_id}; give more digits")
    return names[0]


def _trial(metadata: dict[str, str]) -> Trial:
    """Return the trial of a file, neutral values in axes that came after it; ValueError if its identity differs."""
    neutral = {axis.key: axis.neutral for axis in axes() if axis.neutral is not None}
    trial = Trial.from_axes({**neutral, **parse_json(metadata["trial"])})
    if trial.trial_id != metadata["trial_id"]:
        raise ValueError("written by another version of lrsym, to which the same axes are another trial")
    return trial
