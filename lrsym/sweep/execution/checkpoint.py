"""Checkpoints of packs in training: RESULTS/checkpoints/PACK_ID.safetensors, one a pack, gone once it has its rows.

Written complete or not at all, never as a pickle: tensors by name, one of them the rows so far as JSON, and in the
metadata the trials, the stop rule and the step, all of it under one digest. A pack that starts again goes on from
there, to the rows it would have given.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from lrsym.config.trial import TRAINER_VERSION
from lrsym.results.store.fault import Fault, fault_of
from lrsym.results.store.filesystem import FileSystem, open_filesystem
from lrsym.results.store.foreign_json import parse_json
from lrsym.sweep.execution.pace import Pace
from lrsym.sweep.execution.tensor_file import DIGEST, read_metadata, read_tensors, tensor_bytes
from lrsym.sweep.planning.pack import Pack
from lrsym.vocabulary import FINAL_STATUSES

if TYPE_CHECKING:
    from torch import Tensor

    from lrsym.results.store.store import Store
    from lrsym.testbed.training.training import State, Training

CHECKPOINT_INTERVAL_SECONDS = 30.0
"""Least time between two checkpoints: what a killed pack loses, and no pack that is shorter writes one."""

MAX_CHECKPOINT_OVERHEAD = 0.01
"""Share of the time that checkpoints may take: a pack whose checkpoint is slow to write writes it less often."""

_FOLDER = "checkpoints"

_FORMAT = 4
"""Checkpoints of another format are of no use: in those of 3 nothing tells whether the step is that of the tensors."""

_REST = "rest"
"""Name of the tensor that holds as JSON the rows so far, the members in training, the seconds spent."""


@dataclass(frozen=True)
class Checkpoint:
    """A pack in the middle of its training: the training's state, the rows so far, and the seconds spent on them."""

    state: "State"
    rows: dict[str, Any]
    seconds: float


class CheckpointFile:
    """The checkpoint of one pack in the results folder `root`.

    Written every `interval` seconds or, if writing takes more than `max_overhead` of the time, less often.
    """

    def __init__(
        self,
        root: str | FileSystem,
        pack: Pack,
        *,
        interval: float = CHECKPOINT_INTERVAL_SECONDS,
        max_overhead: float = MAX_CHECKPOINT_OVERHEAD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files, self._pack = open_filesystem(root), pack
        self.name = f"{_FOLDER}/{pack.id}.safetensors"
        self._pace = Pace(interval=interval, max_overhead=max_overhead, clock=clock)

    def save_if_due(self, training: "Training", rows: Callable[[], dict[str, Any]], *, seconds: float) -> None:
        """Write a checkpoint if the last one is old enough. Asked after every step: only then is `rows` called."""

        def save() -> None:
            with contextlib.suppress(OSError):  # a disk that is full, or away: the last one stays, the pack goes on
                self.save(training.state(), rows(), seconds=seconds)

        self._pace.do_if_due(save)

    def save(self, state: "State", rows: dict[str, Any], *, seconds: float) -> None:
        """Write a checkpoint now."""
        import torch

        metadata = {
            "format": _FORMAT, "trainer_version": TRAINER_VERSION, "trials": [*self._pack.trial_ids],
            "stop_rule": _rule_name(self._pack), "step": state.step, "steps": self._pack.n_steps,
        }  # fmt: skip
        # A tensor and not metadata: safetensors limits those to 100 MB, and a plan reads them all.
        rest = json.dumps({"members": state.members, "rows": rows, "seconds": seconds}).encode()
        tensors = {name: t.cpu().contiguous() for name, t in state.tensors.items()}
        tensors[_REST] = torch.frombuffer(bytearray(rest), dtype=torch.uint8)
        self._files.put(self.name, tensor_bytes(tensors, {"checkpoint": json.dumps(metadata)}))

    def load(self, *, device: str) -> Checkpoint | None:
        """Return the checkpoint of these trials by this trainer; None where there is none or it cannot be used.

        Of another stop rule it cannot: it may have ended members that this one trains.
        """
        from lrsym.testbed.training.training import State

        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            metadata, tensors = _read(self._files, self.name, device=device)
            if metadata is None or metadata["trials"] != [*self._pack.trial_ids]:
                return None
            if metadata["stop_rule"] != _rule_name(self._pack):
                return None
            rest = parse_json(tensors.pop(_REST).cpu().numpy().tobytes())
            state = State(metadata["step"], tensors, tuple(rest["members"]))
            return Checkpoint(state, rest["rows"], rest["seconds"])
        return None

    def remove(self) -> None:
        """Remove the checkpoint, if there is one: the pack has its rows, or must start afresh."""
        self._files.delete(self.name)


def _rule_name(pack: Pack) -> str | None:
    return pack.stop.name if pack.stop else None


def list_damaged_checkpoints(files: FileSystem) -> dict[str, Fault]:
    """Return what is wrong with each checkpoint that cannot be gone on from for being damaged."""
    found: dict[str, Fault] = {}
    for name in files.list(_FOLDER, suffix=".safetensors"):
        try:
            _read(files, name, device="cpu")
        except FileNotFoundError:  # its pack has just ended
            continue
        except (OSError, ValueError) as error:
            found[name] = fault_of(name, error)
    return found


def list_checkpoints(root: str, *, stop_rule: str | None = None) -> list[tuple[tuple[str, ...], float]]:
    """Return the trial ids of each pack with a checkpoint and how far it is, 0..1; the furthest first.

    Only packs that were trained with the stop rule of that name, None for none.
    """
    found = [metadata for _, metadata in _read_all_metadata(open_filesystem(root)) if metadata]
    usable = [metadata for metadata in found if metadata["stop_rule"] == stop_rule]
    packs = [(tuple(metadata["trials"]), metadata["step"] / metadata["steps"]) for metadata in usable]
    return sorted(packs, key=lambda pack: -pack[1])


def checkpointed_trials(files: FileSystem) -> list[tuple[str, tuple[str, ...]]]:
    """Return the files of checkpoints, each with the trials of its pack; those of no use have none."""
    return [(name, tuple(metadata["trials"]) if metadata else ()) for name, metadata in _read_all_metadata(files)]


def remove_stale_checkpoints(store: "Store") -> None:
    """Remove the checkpoints with a trial that is finished, and those of other trainers or damaged: of no use.

    Those that cannot be removed stay: nobody goes on from them.
    """

    @cache
    def finished(stop_rule: str | None) -> set[str]:
        statuses = store.statuses(stop_rule=stop_rule)
        return {trial_id for trial_id, status in statuses.items() if status in FINAL_STATUSES}

    for name, metadata in list(_read_all_metadata(store.files)):
        if metadata is None or not finished(metadata["stop_rule"]).isdisjoint(metadata["trials"]):
            with contextlib.suppress(OSError):  # that of somebody else
                store.files.delete(name)


def _read_all_metadata(files: FileSystem) -> Iterator[tuple[str, dict[str, Any] | None]]:

    def read(name: str) -> list[tuple[str, dict[str, Any] | None]]:
        with contextlib.suppress(OSError):  # another sweep has just replaced or removed it
            return [(name, _read_metadata(files, name))]
        return []

    yield from chain.from_iterable(files.map(read, files.list(_FOLDER, suffix=".safetensors")))


def _read(files: FileSystem, name: str, *, device: str) -> tuple[dict[str, Any] | None, dict[str, "Tensor"]]:
    """Return the metadata of a checkpoint, None if it is not of this trainer, and its tensors.

    Raises OSError where it cannot be read, ValueError where it is damaged.
    """
    tensors, told = read_tensors(files, name, device=device)
    metadata = _ours(told)
    if metadata is not None and DIGEST not in told:
        raise ValueError("it tells no SHA-256 of itself")
    return metadata, tensors


def _read_metadata(files: FileSystem, name: str) -> dict[str, Any] | None:
    """Return the metadata of a checkpoint of this trainer, else None; OSError where it cannot be read."""
    with contextlib.suppress(ValueError):
        return _ours(read_metadata(files, name))
    return None


def _ours(told: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what the metadata of a file say of a pack; None where they are not those of this trainer."""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        metadata = parse_json(told["checkpoint"])
        if (metadata["format"], metadata["trainer_version"]) == (_FORMAT, TRAINER_VERSION) and _is_sound(metadata):
            return metadata
    return None


def _is_sound(metadata: dict[str, Any]) -> bool:
    """Return whether the metadata are some that a checkpoint has: a plan reads them without looking at the digest."""
    trials, rule, (step, steps) = metadata["trials"], metadata["stop_rule"], (metadata["step"], metadata["steps"])
    named = isinstance(trials, list) and all(isinstance(trial_id, str) for trial_id in trials)
    distinct = named and len({*trials}) == len(trials) > 0
    return distinct and isinstance(rule, str | None) and type(step) is type(steps) is int and 0 <= step <= steps != 0
