"""Final parameters of trials, a file each: RESULTS/weights/TRIAL_ID.safetensors.

Named tensors without a trial axis ("vision.token"); the metadata hold the trial's identity and every axis as JSON,
so a file explains itself without the tables. Written complete or not at all, never as a pickle.
"""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lrsym.config.axes import axes
from lrsym.config.trial import TRAINER_VERSION, Trial
from lrsym.errors import UsageError
from lrsym.results.store.atomic import write_atomically
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.training.training import Snapshot


def weights_path(root: str | Path, trial_id: str) -> Path:
    """Where the parameters of a trial are, or would be."""
    return Path(root) / "weights" / f"{trial_id}.safetensors"


def save_weights(root: str | Path, model: PackModel) -> Path:
    """Write the parameters of `model`, a pack of one, and return the file."""
    canonical = json.dumps(model.trial.values(), sort_keys=True, separators=(",", ":"), allow_nan=False)
    metadata = {"trial_id": model.trial.trial_id, "trainer_version": str(TRAINER_VERSION), "trial": canonical}
    content = save({name: t.cpu().clone() for name, t in model.tensors().items()}, metadata=metadata)
    path = weights_path(root, model.trial.trial_id)
    write_atomically(path, lambda file: file.write(content))
    return path


def save_pack(root: str | Path, last: Snapshot) -> None:
    """Write the parameters of every member that has not diverged."""
    for model, diverged_at in zip(last.model.members(), last.diverged_at.tolist(), strict=True):
        if not diverged_at:
            save_weights(root, model)


def load_weights(root: str | Path, trial_id: str, *, device: str = "cpu") -> PackModel:
    """Return the trained model of a trial, a pack of one: `trial`, `tensors()` by name, `weights` for the testbed.

    `trial_id` may be its beginning. Raise UsageError where there is no such file, where several match, or where it
    is damaged or belongs to another trainer version.
    """
    path = _named(root, trial_id)
    if not path.exists():
        raise UsageError(
            f"there are no weights of {trial_id} in {path.parent}; lrsym explain {trial_id} trains it again and keeps "
            "them, lrsym sweep --save-weights keeps those of new trials"
        )
    try:
        with safe_open(path, framework="pt", device=device) as file:
            # No dict: an open file has keys() but cannot be iterated itself.
            metadata, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return PackModel.from_tensors(_trial(metadata), tensors)
    except (SafetensorError, KeyError, ValueError) as error:
        why = " ".join(str(error).split())[:300]
        raise UsageError(f"{path} does not hold the weights of {trial_id}: {why}; remove the file") from None


def _named(root: str | Path, trial_id: str) -> Path:
    """The one file whose trial_id begins with `trial_id`, else the file that would have that name."""
    path = weights_path(root, trial_id)
    found = sorted(other for other in path.parent.glob("*.safetensors") if other.stem.startswith(trial_id.lower()))
    if len(found) > 1:
        raise UsageError(f"{len(found)} files in {path.parent} begin with {trial_id}; give more digits")
    return found[0] if found else path


def _trial(metadata: dict[str, str]) -> Trial:
    """The trial of a file; axes that came after it have their neutral value. ValueError if its identity differs."""
    neutral = {axis.key: axis.neutral for axis in axes() if axis.neutral is not None}
    trial = Trial.from_axes({**neutral, **json.loads(metadata["trial"])})
    if trial.trial_id != metadata["trial_id"]:
        raise ValueError(f"written by trainer version {metadata['trainer_version']}, this is {TRAINER_VERSION}")
    return trial
