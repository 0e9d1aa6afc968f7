"""Parts as bytes that tell whether they are as they were written: with the SHA-256 of the whole file in its metadata.

The digest is taken with zeros in its place, and then put there: the file keeps its length, and any reader of Parquet
reads it. Parts of before have none.
"""

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq

from lrsym.errors import first_line

_KEY = b"lrsym_sha256"
_PLACE = b"0" * 64


def part_bytes(table: pa.Table) -> bytes:
    """Return the Parquet file of `table`."""
    metadata = {**(table.schema.metadata or {}), _KEY: _PLACE}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    start = _start(content)
    assert start is not None
    return _replaced(content, start, hashlib.sha256(content).hexdigest().encode())


def is_as_written(content: bytes) -> bool | None:
    """Return whether a Parquet file has every byte that was written; None where it tells no digest."""
    start = _start(content)
    if start is None:
        return None
    told = content[start : start + len(_PLACE)]
    return hashlib.sha256(_replaced(content, start, _PLACE)).hexdigest().encode() == told


def decode_part(content: bytes) -> pa.Table:
    """Return the rows of a Parquet file. Raises ValueError, saying why, where it is not as it was written."""
    if is_as_written(content) is False:
        raise ValueError("is not as it was written: its SHA-256 is another")
    try:
        return pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"cannot be read: {first_line(error)}") from None


def _start(content: bytes) -> int | None:
    """Return where the digest stands: behind its key and two bytes that tell a text of its length."""
    found = content.rfind(_KEY + b"\x18" + bytes((len(_PLACE),)))
    return None if found < 0 else found + len(_KEY) + 2


def _replaced(content: bytes, start: int, by: bytes) -> bytes:
    return content[:start] + by + content[start + len(by) :]
