"""Files that appear under their name complete, or not at all."""

import errno
import os
import uuid
from pathlib import Path


def write_atomically(path: Path, content: bytes | memoryview, *, below: Path | None = None) -> None:
    """Write `content` to `path`; until it is on disk, `path` stays as it was.

    Folders that are not there are made, with `below` only those that lie in it: one that was removed is not made again.
    The temporary file lies beside it and begins with a dot. Safe to repeat, and to be killed at any moment. An OSError
    names `path`, also where the system names no file, as for a full disk.
    """
    try:
        _write(path, content, below)
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(path: Path, content: bytes | memoryview, below: Path | None) -> None:
    if below is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        for folder in [*path.relative_to(below).parents][-2::-1]:
            (below / folder).mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last, where the file system can: some have no such thing for folders."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


_NO_FOLDER_SYNC = {
    errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EISDIR, errno.EACCES, errno.EPERM,
}  # fmt: skip
"""What file systems answer that cannot sync a folder, and folders that may be written and not read."""
