"""The metadata at the end of a Parquet file, as far as they tell what the file is, without decoding all of them."""

from lrsym.results.store.filesystem import FileSystem

_TAIL_BYTES = 1 << 16
"""Read from the end of a file at first: the metadata of a part with one pack, and more."""

_MAGIC = b"PAR1"


def read_footer(files: FileSystem, file: str) -> bytes:
    """Return the metadata at the end of a Parquet file. Raises ValueError, saying why, where the file is damaged."""
    size, tail = files.tail(file, size=_TAIL_BYTES)
    if not size:
        raise ValueError("is empty")
    if len(tail) < 12 or tail[-4:] != _MAGIC:
        raise ValueError("is cut short or no Parquet file")
    length = int.from_bytes(tail[-8:-4], "little")
    if length + 12 > size:
        raise ValueError("is damaged")
    if length + 8 > len(tail):
        _, tail = files.tail(file, size=length + 8)
    return tail[-8 - length : -8]


def footer_value(footer: bytes, key: str) -> str | None:
    """Return what the metadata hold under `key`, None where there is no such key.

    Thrift's compact protocol writes a key and its value as two fields that follow each other. To decode the whole of
    the metadata, with every column, takes thirty times as long.
    """
    start = footer.rfind(marker := footer_string(key) + b"\x18")
    if start < 0:
        return None
    length, at = _varint(footer, start + len(marker))
    return footer[at : at + length].decode(errors="replace")


def footer_string(text: str) -> bytes:
    """Return a string as the field behind another, of less than 128 bytes."""
    encoded = text.encode()
    return bytes((0x18, len(encoded))) + encoded


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at `at`, and where it ends."""
    number = shift = 0
    while at < len(data):
        byte = data[at]
        at, number, shift = at + 1, number | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            break
    return number, at
