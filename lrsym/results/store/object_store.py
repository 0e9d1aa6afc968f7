"""A results folder in an object store: the objects below s3://bucket/prefix.

An object is there once it is put, whole, and whoever lists or reads it then sees it: so nothing is renamed, there are
no temporary files, and a part that is put again replaces itself. A put that is killed leaves no object.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from lrsym.results.store.inside import require_inside
from lrsym.results.store.object_access import Access, object_store_error, parse_url

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

    from lrsym.results.store.filesystem import Stamp

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_REQUESTS = 32
"""Requests that are made at the same time where many objects are read: each of them mostly waits."""

SECOND = 10**9
"""Nanoseconds: an object that is asked for alone tells to the second when it was written, one in a list finer."""


class ObjectStore:
    """The objects below an URL; `root` is that URL, without a slash at its end.

    As `LocalFolder`, but that nothing is made before a write: names with "/" are all there is of folders. What goes
    wrong is an OSError that names the object and, as an ObjectStoreError, the remedy.
    """

    def __init__(self, url: str, access: Access) -> None:
        scheme, bucket, prefix = parse_url(url)
        self._arrow: Any = access.arrow(scheme)
        self._place = f"{bucket}/{prefix}".rstrip("/")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lrsym-put")
        self.root = f"{scheme}://{self._place}"
        self.storage_options = access.polars(scheme)

    def require_access(self) -> None:
        """Raise ObjectStoreError where the bucket is not there, does not answer, or must not be listed."""
        from pyarrow.fs import FileSelector

        with contextlib.suppress(FileNotFoundError), self._errors(""):  # nothing is below the root yet
            self._arrow.get_file_info(FileSelector(self._place))

    def put(self, name: str, content: bytes | memoryview) -> None:
        """Write an object complete or not at all: until all of `content` is there, `name` stays as it was."""

        def write() -> None:
            stream = self._arrow.open_output_stream(self._key(name))
            stream.write(content)
            stream.close()

        # pyarrow completes the object of a stream that is left by an exception, whatever it holds by then. A signal
        # raises in the main thread, so the stream is another's.
        with self._errors(name):
            self._writer.submit(write).result()

    def get(self, name: str, *, size: int = -1) -> bytes:
        """Return the content of an object, or its first `size` bytes. Raises FileNotFoundError where there is none."""
        with self._errors(name), self._arrow.open_input_file(self._key(name)) as file:
            return file.read(None if size < 0 else size)

    def tail(self, name: str, *, size: int) -> tuple[int, bytes]:
        """Return the size of an object and its last `size` bytes. Raises FileNotFoundError where there is none."""
        with self._errors(name), self._arrow.open_input_file(self._key(name)) as file:
            total = file.size()
            file.seek(max(0, total - size))
            return total, file.read(size)

    def exists(self, name: str = "") -> bool:
        """Return whether there is such an object; without a name, whether there is any below the root."""
        found = self._info(name)
        return found is not None and (found.is_file or not name)

    def names(self) -> list[str]:
        """Return the sorted names of what lies right below the root, but for hidden things."""
        return sorted(found.base_name for found in self._list("") if not found.base_name.startswith("."))

    def has_folder(self, folder: str) -> bool:
        """Return whether there are objects below `folder`."""
        found = self._info(folder)
        return found is not None and not found.is_file

    def delete(self, name: str) -> None:
        """Delete an object; one that is not there is deleted already."""
        with contextlib.suppress(FileNotFoundError), self._errors(name):
            self._arrow.delete_file(self._key(name))

    def delete_folder(self, folder: str) -> None:
        """Delete all objects below `folder` that can be deleted."""
        with contextlib.suppress(OSError):
            self._arrow.delete_dir(self._key(folder))

    def uri(self, name: str = "") -> str:
        """Return the address of an object, of a folder or of the root that polars and other processes can open."""
        return f"{self.root}/{name}" if name else self.root

    def prove_writable(self) -> None:
        """Write an object and delete it. Raises OSError where that cannot be."""
        self.put(name := f".lrsym-{os.urandom(8).hex()}", b"")
        self.delete(name)

    def remove_stale_temp_files(self, *, older_than: float) -> None:
        """Do nothing: there are none. What a killed put had sent is no object; the bucket's life cycle removes it."""

    def stamps(self, folder: str, *, suffix: str = "") -> "dict[str, Stamp]":
        """Return the objects that `list` gives, in its order, each with a stamp that differs once it is written again.

        It does not where the same number of bytes is written again within a second.
        """
        found = {f"{folder}/{info.base_name}": _stamp(info) for info in self._list(folder) if info.is_file}
        return {
            name: found[name] for name in sorted(found) if name.endswith(suffix) and not name.startswith(f"{folder}/.")
        }

    def stamp(self, name: str) -> "Stamp | None":
        """Return the stamp of an object; None where there is none."""
        found = self._info(name)
        return _stamp(found) if found is not None and found.is_file else None

    def folder_stamp(self, folder: str) -> None:
        """Return None: only a listing tells whether an object was written."""

    def list(self, folder: str, *, suffix: str = "") -> list[str]:
        """Return the sorted names of the objects in `folder` that end in `suffix`, without folders and hidden ones."""
        return [*self.stamps(folder, suffix=suffix)]

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> "list[Result]":
        """Return what `function`, which reads an object, gives for each of `items`; many are asked at a time."""
        with ThreadPoolExecutor(MAX_REQUESTS, thread_name_prefix="lrsym-get") as pool:
            return [*pool.map(function, items)]

    def _key(self, name: str) -> str:
        return f"{self._place}/{require_inside(self.root, name)}" if name else self._place

    def _info(self, name: str) -> "FileInfo | None":
        """Return what is at a name, an object or a folder; None where there is nothing."""
        from pyarrow.fs import FileType

        with self._errors(name):
            found = self._arrow.get_file_info(self._key(name))
        return None if found.type == FileType.NotFound else found

    def _list(self, folder: str) -> "list[FileInfo]":
        """Return what lies right in `folder`."""
        from pyarrow.fs import FileSelector

        with self._errors(folder):
            return self._arrow.get_file_info(FileSelector(self._key(folder), allow_not_found=True))

    @contextlib.contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        """Turn what pyarrow raises into an error of one line that names the object."""
        try:
            yield
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "there is no such object", self.uri(name)) from None
        except OSError as error:
            raise object_store_error(error, self.uri(name)) from None


def _stamp(info: "FileInfo") -> "Stamp":
    return (info.mtime_ns or 0) // SECOND * SECOND, info.size or 0, 0


def open_object_store(url: str) -> ObjectStore:
    """Return the objects below an URL, once they could be listed. Raises UsageError and ObjectStoreError."""
    return _open(url, tuple(sorted(item for item in os.environ.items() if item[0].startswith(("AWS_", "GOOGLE_")))))


@lru_cache(maxsize=8)
def _open(url: str, environment: tuple[tuple[str, str], ...]) -> ObjectStore:
    store = ObjectStore(url, Access.from_environment(dict(environment)))
    store.require_access()
    return store
