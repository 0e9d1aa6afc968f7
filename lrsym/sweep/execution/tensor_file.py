"""Named tensors and their metadata in files of the results folder, in the safetensors format (never a pickle).

The metadata hold the SHA-256 of the tensors' bytes: a file that was damaged on its way is no weights and no
checkpoint. Files of before have none and are read as they are.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lrsym.results.store.filesystem import FileSystem
from lrsym.results.store.foreign_json import parse_json

if TYPE_CHECKING:
    from torch import Tensor

_LENGTH_BYTES = 8
"""A file begins with the length of its JSON header: https://github.com/huggingface/safetensors#format"""

_MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors library; more comes from a damaged file."""

_DIGEST = "sha256"
"""Key of the digest in the metadata."""

_ALIGNMENT = 8
"""Headers are filled up with spaces to a multiple of it."""

WEIGHTS, SUFFIX = "weights", ".safetensors"
"""Folder of the trials' final parameters, and how its files end; their names are trial_ids."""


def weights_of(files: FileSystem) -> dict[str, str]:
    """Return the files of final parameters by trial_id."""
    names = files.list(WEIGHTS, suffix=SUFFIX)
    return {name.removeprefix(f"{WEIGHTS}/").removesuffix(SUFFIX): name for name in names}


def tensor_bytes(tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str]) -> bytes:
    """Return the content of a file of `tensors`, all on the CPU, with their digest beside `metadata`."""
    from safetensors.torch import save

    header, payload = _split(save({**tensors}))
    header["__metadata__"] = {**metadata, _DIGEST: hashlib.sha256(payload).hexdigest()}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + payload


def _split(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """Return the header of a file, and the bytes of its tensors."""
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    return json.loads(content[_LENGTH_BYTES:start]), memoryview(content)[start:]


def read_metadata(files: FileSystem, name: str) -> dict[str, str]:
    """Return the metadata of `name` without reading its tensors; OSError if unreadable, ValueError if damaged."""
    length = int.from_bytes(files.get(name, size=_LENGTH_BYTES), "little")
    if length > _MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes, safetensors has at most {_MAX_HEADER_BYTES}")
    try:
        metadata = parse_json(files.get(name, size=_LENGTH_BYTES + length)[_LENGTH_BYTES:])["__metadata__"]
        return {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError("its header is not that of a safetensors file with metadata") from None


def read_tensors(files: FileSystem, name: str, *, device: str) -> dict[str, "Tensor"]:
    """Return the tensors of `name` on `device`; OSError if the file cannot be read, ValueError if it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = files.get(name)
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    header, payload = _split(content)  # safetensors has read it, so it is sound
    if (digest := header.get("__metadata__", {}).get(_DIGEST)) not in (None, hashlib.sha256(payload).hexdigest()):
        raise ValueError(f"its tensors are not those that were written: their SHA-256 is not {digest}")
    return {name: tensor.to(device) for name, tensor in tensors.items()}
