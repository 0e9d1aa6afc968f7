"""Named tensors and their metadata from a file of the results folder, in the safetensors format (never a pickle)."""

import json
from typing import TYPE_CHECKING

from lrsym.results.store.filesystem import FileSystem

if TYPE_CHECKING:
    from torch import Tensor

_LENGTH_BYTES = 8
"""A file begins with the length of its JSON header: https://github.com/huggingface/safetensors#format"""

_MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors library; more comes from a damaged file."""


WEIGHTS, SUFFIX = "weights", ".safetensors"
"""Folder of the trials' final parameters, and how its files end; their names are trial_ids."""


def weights_of(files: FileSystem) -> dict[str, str]:
    """Return the files of final parameters by trial_id."""
    names = files.list(WEIGHTS, suffix=SUFFIX)
    return {name.removeprefix(f"{WEIGHTS}/").removesuffix(SUFFIX): name for name in names}


def read_metadata(files: FileSystem, name: str) -> dict[str, str]:
    """Return the metadata of `name` without reading its tensors; OSError if unreadable, ValueError if damaged."""
    length = int.from_bytes(files.get(name, size=_LENGTH_BYTES), "little")
    if length > _MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes, safetensors has at most {_MAX_HEADER_BYTES}")
    try:
        return json.loads(files.get(name, size=_LENGTH_BYTES + length)[_LENGTH_BYTES:])["__metadata__"]
    except (ValueError, TypeError, KeyError):
        raise ValueError("its header is not that of a safetensors file with metadata") from None


def read_tensors(files: FileSystem, name: str, *, device: str) -> dict[str, "Tensor"]:
    """Return the tensors of `name` on `device`; OSError if the file cannot be read, ValueError if it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(files.get(name))
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    return {name: tensor.to(device) for name, tensor in tensors.items()}
