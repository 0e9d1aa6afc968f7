"""Checkpoints of packs in training: RESULTS/checkpoints/PACK_ID.safetensors, one a pack, gone once it has its rows.

Written complete or not at all, never as a pickle: tensors by name, one of them the rows so far as JSON, and in the
metadata the trials and the step. A pack that starts again goes on from there, to the rows it would have given.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrsym.config.trial import TRAINER_VERSION, Trial
from lrsym.results.store.atomic import write_atomically
from lrsym.sweep.planning.plan import pack_id
from lrsym.vocabulary import FINAL_STATUSES

if TYPE_CHECKING:
    from lrsym.results.store.store import Store
    from lrsym.testbed.training.training import State, Training

SECONDS = 30.0
"""Least time between two checkpoints: what a killed pack loses, and no pack that is shorter writes one."""

SHARE = 0.01
"""Checkpoints may take this part of the time: a pack whose checkpoint is slow to write writes it less often."""

_FORMAT = 2
"""Checkpoints of another format are of no use."""

_REST = "rest"
"""Name of the tensor that holds the rows so far, the streams and the seconds spent, as JSON in bytes."""


@dataclass(frozen=True)
class Kept:
    """What a checkpoint holds: where training stands, the rows so far, and the seconds spent on them."""

    state: "State"
    rows: dict[str, Any]
    seconds: float


class Keeper:
    """Writes and reads the checkpoint of one pack."""

    def __init__(self, root: Path, pack: Sequence[Trial]) -> None:
        self._pack = pack
        self.path = _folder(root) / f"{pack_id(tuple(pack))}.safetensors"
        self._due = time.monotonic() + SECONDS

    def offer(self, training: "Training", rows: dict[str, Any], *, seconds: float) -> None:
        """Write a checkpoint if it is time for one."""
        started = time.monotonic()
        if started < self._due:
            return
        with contextlib.suppress(OSError):  # a disk that is full, or away: the last one stays, and the pack goes on
            self.write(training.state(), rows, seconds=seconds)
        ended = time.monotonic()
        self._due = ended + max(SECONDS, (ended - started) / SHARE)

    def write(self, state: "State", rows: dict[str, Any], *, seconds: float) -> None:
        """Write a checkpoint now."""
        import torch
        from safetensors.torch import save

        told = {
            "format": _FORMAT, "trainer_version": TRAINER_VERSION, "trials": [t.trial_id for t in self._pack],
            "step": state.step, "steps": self._pack[0].n_steps,
        }  # fmt: skip
        # A tensor and not metadata: safetensors limits those to 100 MB, and a plan reads them all.
        rest = json.dumps({"streams": state.streams, "rows": rows, "seconds": seconds}, allow_nan=False).encode()
        tensors = {name: t.cpu().contiguous() for name, t in state.tensors.items()}
        tensors[_REST] = torch.frombuffer(bytearray(rest), dtype=torch.uint8)
        content = save(tensors, metadata={"checkpoint": json.dumps(told)})
        write_atomically(self.path, lambda file: file.write(content))

    def load(self, *, device: str) -> Kept | None:
        """The checkpoint of these trials by this trainer; None where there is none or it cannot be used."""
        from safetensors import safe_open

        from lrsym.testbed.training.training import State

        with contextlib.suppress(OSError):
            told = _told(self.path)
            if told is None or told["trials"] != [t.trial_id for t in self._pack]:
                return None
            with safe_open(self.path, framework="pt", device=device) as file:
                # No dict: an open file has keys() but cannot be iterated itself.
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            rest = json.loads(tensors.pop(_REST).cpu().numpy().tobytes())
            return Kept(State(told["step"], tensors, rest["streams"]), rest["rows"], rest["seconds"])
        return None

    def remove(self) -> None:
        """The pack has its rows: the checkpoint has done its work."""
        self.path.unlink(missing_ok=True)


def started(root: Path) -> list[tuple[tuple[str, ...], float]]:
    """Trial ids of each pack with a checkpoint below `root` and how far it is, 0..1; the furthest first."""
    found = [(tuple(told["trials"]), told["step"] / told["steps"]) for _, told in _all(root) if told]
    return sorted(found, key=lambda pack: -pack[1])


def sweep_up(store: "Store") -> None:
    """Remove the checkpoints with a trial that is finished, and those of other trainers or damaged: of no use."""
    found = list(_all(store.root))
    finished = {name for name, status in store.statuses().items() if status in FINAL_STATUSES} if found else set()
    for path, told in found:
        if told is None or not {*told["trials"]}.isdisjoint(finished):
            path.unlink(missing_ok=True)


def _folder(root: Path) -> Path:
    return root / "checkpoints"


def _all(root: Path) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    for path in sorted(_folder(root).glob("*.safetensors")):
        with contextlib.suppress(OSError):  # another sweep has just replaced or removed it
            yield path, _told(path)


def _told(path: Path) -> dict[str, Any] | None:
    """The metadata of a checkpoint of this trainer, else None; OSError where it cannot be read. Tensors are not."""
    from safetensors import SafetensorError, safe_open

    with contextlib.suppress(SafetensorError, KeyError, ValueError):
        with safe_open(path, framework="numpy") as file:
            told = json.loads(file.metadata()["checkpoint"])
        return told if (told["format"], told["trainer_version"]) == (_FORMAT, TRAINER_VERSION) else None
    return None
