"""Named tensors and their metadata in files of the results folder, in the safetensors format (never a pickle).

The metadata begin with the SHA-256 of the whole file, taken with zeros in its place: a file that was damaged on its way
is no weights and no checkpoint. Files of before have one of their tensors alone, or none, and are read as they are.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lrsym.results.store.filesystem import FileSystem
from lrsym.results.store.foreign_json import parse_json

if TYPE_CHECKING:
    from torch import Tensor

_LENGTH_BYTES = 8
"""A file begins with the length of its JSON header: https://github.com/huggingface/safetensors#format"""

_MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors library; more comes from a damaged file."""

DIGEST = "file_sha256"
"""Key of the digest in the metadata."""

_PLACE = b"0" * 64

_TENSORS_DIGEST = "sha256"
"""Key of the digest of the tensors alone, in files of before."""

_ALIGNMENT = 8
"""Headers are filled up with spaces to a multiple of it."""

WEIGHTS, SUFFIX = "weights", ".safetensors"
"""Folder of the trials' final parameters, and how its files end; their names are trial_ids."""


def weights_of(files: FileSystem) -> dict[str, str]:
    """Return the files of final parameters by trial_id."""
    names = files.list(WEIGHTS, suffix=SUFFIX)
    return {name.removeprefix(f"{WEIGHTS}/").removesuffix(SUFFIX): name for name in names}


def tensor_bytes(tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str]) -> bytes:
    """Return the content of a file of `tensors`, all on the CPU, with its digest before `metadata`."""
    from safetensors.torch import save

    content = save({**tensors})
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    payload = memoryview(content)[start:]
    described = json.loads(content[_LENGTH_BYTES:start])
    header = {"__metadata__": {DIGEST: _PLACE.decode(), **metadata}, **described}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    head = len(text).to_bytes(_LENGTH_BYTES, "little") + text
    return b"".join((head.replace(_PLACE, _sha256(head, payload), 1), payload))


def _sha256(*parts: bytes | memoryview) -> bytes:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest().encode()


def read_metadata(files: FileSystem, name: str) -> dict[str, str]:
    """Return the metadata of `name` without reading its tensors, and so without looking at its digest.

    Raises OSError if the file cannot be read, ValueError if its header is damaged.
    """
    length = int.from_bytes(files.get(name, size=_LENGTH_BYTES), "little")
    if length > _MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes, safetensors has at most {_MAX_HEADER_BYTES}")
    return _metadata(files.get(name, size=_LENGTH_BYTES + length)[_LENGTH_BYTES:])


def _metadata(header: bytes) -> dict[str, str]:
    try:
        found = parse_json(header)["__metadata__"]
    except (ValueError, TypeError, KeyError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError("its header is not that of a safetensors file with metadata")
    return found


def read_tensors(files: FileSystem, name: str, *, device: str) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Return the tensors of `name` on `device` and its metadata.

    Raises OSError if the file cannot be read, ValueError if it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = files.get(name)
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    head, payload = content[:start], memoryview(content)[start:]
    metadata = _metadata(head[_LENGTH_BYTES:])
    _require_as_written(head, payload, metadata)
    try:
        tensors = load(content)
    except (SafetensorError, KeyError, TypeError, RuntimeError, OverflowError, AssertionError) as error:
        raise ValueError(f"its tensors cannot be read: {type(error).__name__}: {error}") from None
    return {name: tensor.to(device) for name, tensor in tensors.items()}, metadata


def _require_as_written(head: bytes, payload: memoryview, metadata: Mapping[str, str]) -> None:
    """Raise ValueError where the digest in the metadata is another than that of the file."""
    if (told := metadata.get(DIGEST)) is not None:
        if (written := told.encode(errors="replace")) != _sha256(head.replace(written, _PLACE, 1), payload):
            raise ValueError(f"it is not as it was written: its SHA-256 is not {told}")
    elif metadata.get(_TENSORS_DIGEST) not in (None, _sha256(payload).decode()):
        raise ValueError(
            f"its tensors are not those that were written: their SHA-256 is not {metadata[_TENSORS_DIGEST]}"
        )
