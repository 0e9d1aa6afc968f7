"""Tables, checkpoints, weights and markers of a results folder, by name ("trials/x.parquet"). Nothing else in lrsym
knows where and how they are kept; pictures and pages are files of the reader's machine.

Back ends are a mounted folder, here, and an object store (object_store.py). Another is a class that passes
tests/results/store/test_filesystem.py and a line in `open_filesystem`.
"""

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

from lrsym.errors import UsageError
from lrsym.results.store.atomic import write_atomically
from lrsym.results.store.inside import require_inside
from lrsym.results.store.object_store import ObjectStore, open_object_store

_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""The beginning of an URL; one slash, because a pathlib.Path swallows the second."""

Item = TypeVar("Item")
Result = TypeVar("Result")

Stamp = tuple[int, int, int]
"""Time in nanoseconds, bytes, number of the file."""


class LocalFolder:
    """A folder that every process of a sweep sees; created by the first `put`.

    `root` is the folder as messages name it, and as it may be opened again. Names are relative to it, with "/" between
    their parts; one that leads out of it is a UsageError. Once it is there, or with `must_exist`, it is not made again:
    somebody has removed or moved it.
    """

    storage_options = None
    """What polars needs to read the files, besides their addresses."""

    def __init__(self, root: str, *, must_exist: bool = False) -> None:
        self._root = Path(root)
        self.root = _unmistakable(str(self._root))
        self._must_exist = must_exist or self._root.is_dir()

    def _path(self, name: str) -> Path:
        return self._root / require_inside(self.root, name)

    def put(self, name: str, content: bytes | memoryview) -> None:
        """Write a file complete or not at all: until `content` is on disk, `name` stays as it was."""
        self._require_root()
        if not self._must_exist:
            self._root.mkdir(parents=True, exist_ok=True)
            self._must_exist = True
        try:
            write_atomically(self._path(name), content, below=self._root)
        except FileNotFoundError:
            self._require_root()  # it has just gone
            raise

    def _require_root(self) -> None:
        if self._must_exist and not self._root.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the results folder was removed or moved meanwhile", self.root)

    def get(self, name: str, *, size: int = -1) -> bytes:
        """Return the content of a file, or its first `size` bytes. Raises FileNotFoundError where there is none."""
        with self._path(name).open("rb") as file:
            return file.read(size)

    def exists(self, name: str = "") -> bool:
        """Return whether there is such a file; without a name, whether there is such a results folder."""
        return self._path(name).is_file() if name else self._root.is_dir()

    def names(self) -> list[str]:
        """Return the sorted names of what lies in the results folder, but for hidden things."""
        return sorted(name for name in os.listdir(self._root) if not name.startswith("."))

    def has_folder(self, folder: str) -> bool:
        """Return whether there is a folder of that name."""
        return self._path(folder).is_dir()

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is deleted already."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._path(name).unlink()

    def delete_folder(self, folder: str) -> None:
        """Delete all files below `folder` that can be deleted; folders above it go if that leaves them empty."""
        path = self._path(folder)
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):  # others have files there
            for parent in takewhile(lambda parent: parent != self._root, path.parents):
                parent.rmdir()

    def uri(self, name: str = "") -> str:
        """Return the address of a file, of a folder or of the root that polars and other processes can open."""
        return str(self._path(name).absolute())

    def prove_writable(self) -> None:
        """Make the root and write a file that vanishes at once. Raises OSError where that cannot be."""
        self._require_root()
        self._root.mkdir(parents=True, exist_ok=True)
        self._must_exist = True
        try:
            with tempfile.TemporaryFile(dir=self._root):
                pass
        except OSError as error:  # of the folder, and not of a file whose name nobody knows
            raise OSError(error.errno, error.strerror, str(self._root)) from None

    def remove_stale_temp_files(self, *, older_than: float) -> None:
        """Remove what writers left behind that were killed more than `older_than` seconds ago."""
        for path in self._root.glob("*/.*.tmp"):
            with contextlib.suppress(OSError):  # its writer has just finished, or is somebody else
                if path.stat().st_mtime < time.time() - older_than:
                    path.unlink()

    def stamps(self, folder: str, *, suffix: str = "") -> dict[str, Stamp]:
        """Return the files that `list` gives, in its order, each with a stamp that differs once it is written again."""
        found = dict[str, Stamp]()
        for entry in self._entries(folder, suffix):
            with contextlib.suppress(FileNotFoundError):  # it has just gone
                found[f"{folder}/{entry.name}"] = _stamp(entry.stat())
        return {name: found[name] for name in sorted(found)}

    def stamp(self, name: str) -> Stamp | None:
        """Return the stamp of a file: when it was written, its size, its number; None where there is none."""
        try:
            found = os.stat(self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _stamp(found)

    def folder_stamp(self, folder: str) -> Stamp | None:
        """Return a stamp of a folder that differs once a file in it is made, removed or written; None without a folder.

        It takes a third of the time of `stamps`: when a file was last made or removed, all bytes, all times of writing.
        """
        size = written = 0
        try:
            changed = os.stat(self._path(folder)).st_mtime_ns
            with os.scandir(self._path(folder)) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):  # it has just gone
                        found = entry.stat()
                        size, written = size + found.st_size, written + found.st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return None
        return changed, size, written

    def tail(self, name: str, *, size: int) -> tuple[int, bytes]:
        """Return the size of a file and its last `size` bytes. Raises FileNotFoundError where there is none."""
        with open(self._path(name), "rb", buffering=0) as file:
            total = os.fstat(file.fileno()).st_size
            return total, os.pread(file.fileno(), size, max(0, total - size))

    def list(self, folder: str, *, suffix: str = "") -> list[str]:
        """Return the sorted names of the files in `folder` that end in `suffix`, without folders, hidden files and
        names that are no text."""
        return sorted(f"{folder}/{entry.name}" for entry in self._entries(folder, suffix))

    def _entries(self, folder: str, suffix: str) -> "list[os.DirEntry[str]]":
        """Return the files that `list` gives, in any order."""
        try:
            with os.scandir(self._path(folder)) as entries:
                files = [entry for entry in entries if entry.name.endswith(suffix) and entry.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [entry for entry in files if not entry.name.startswith(".") and _is_text(entry.name)]

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> "list[Result]":
        """Return what `function`, which reads a file, gives for each of `items`."""
        return [function(item) for item in items]


def _unmistakable(folder: str) -> str:
    """Return the name of a folder such that it is neither taken for a home nor for an URL."""
    return f"./{folder}" if folder.startswith("~") or is_url(folder) else folder


def is_url(root: str) -> bool:
    """Return whether the name of results is an URL, and no folder."""
    return _URL.match(root) is not None


def _stamp(told: os.stat_result) -> Stamp:
    return told.st_mtime_ns, told.st_size, told.st_ino


def _is_text(name: str) -> bool:
    """Return whether a file's name is valid UTF-8: no file of ours has another, and polars cannot open it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


FileSystem = LocalFolder | ObjectStore
"""Any back end."""


def open_filesystem(root: str | os.PathLike[str] | FileSystem, *, must_exist: bool = False) -> FileSystem:
    """Return the files below `root`, a folder, its ~ expanded, or the URL of an object store; nothing is created.

    With `must_exist` a folder has been there, and nothing is written where it is gone. Raises UsageError for what can
    be no folder, OSError where the system, or the object store, does not let it be looked at.
    """
    if isinstance(root, FileSystem):
        return root
    given = os.fspath(root)
    if is_url(given):
        return open_object_store(given)
    if not given.strip() or "\0" in given:
        raise UsageError(f"results must be a folder, got the name {given!r}; name one with --results")
    folder = os.path.expanduser(given)
    if not _is_text(path := os.path.abspath(folder)):
        raise UsageError(
            f"results must be a folder whose path is UTF-8, got {path!a}; rename it, or name another with --results"
        )
    if given.startswith("~") and folder == given and not os.path.exists(given):
        raise UsageError(
            f"results must be a folder, {given} names the home of nobody; a folder of that name is ./{given}"
        )
    try:
        is_folder = stat.S_ISDIR(os.stat(folder).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_folder = True  # it is made when something is written
    if not is_folder:
        raise UsageError(f"results must be a folder, {given} is a file; name another with --results")
    return LocalFolder(folder, must_exist=must_exist)
