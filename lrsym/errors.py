"""The exception for mistakes that the user can correct, which the command line prints before it exits with 2, the
warning of files that are damaged, and numbers of things in messages."""

import errno
import os
from typing import Any


class UsageError(ValueError):
    """A user's mistake; the message gives the rule, the value, the remedy, and the key or line."""

    line = 0
    """The line of a file that it names, 0 for none."""


class ObjectStoreError(OSError):
    """What an object store did not do: number, reason and address as of any OSError, and the `remedy`."""

    def __init__(self, number: int, why: str, address: str, *, remedy: str) -> None:
        super().__init__(number, why, address)
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return _object_store_error, (self.errno, self.strerror, self.filename, self.remedy)

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}; {self.remedy}"


def _object_store_error(number: int, why: str, address: str, remedy: str) -> ObjectStoreError:
    return ObjectStoreError(number, why, address, remedy=remedy)


class DamagedPartWarning(UserWarning):
    """A file of the results that cannot be read; what was asked for comes without its rows."""


_REMEDIES = {
    errno.ENOTDIR: "a part of this path is a file and no folder; name another",
    errno.EPIPE: "whoever read the output has gone",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the limit of open files (ulimit -n)",
    errno.EAGAIN: "raise the limit of processes (ulimit -u), or take fewer --workers",
    errno.ENOMEM: "free memory, or take fewer --workers",
}
"""Where another remedy than that for files helps."""


def file_sentence(error: OSError) -> str:
    """Return what a user can do about a file, or another resource, that the system did not give."""
    if _has_no_folder():
        return "the folder that you are in was removed; change into another and run the same command again"
    if isinstance(error, ObjectStoreError):
        return str(error)
    why = error.strerror or first_line(error) or type(error).__name__
    place = "" if error.filename is None else f"{error.filename}: "
    return f"{place}{why}; {_REMEDIES.get(error.errno or 0, 'check path, permissions and free space')}"


def _has_no_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


MAX_LINE = 500
"""Characters of what a library says of a mistake."""


def first_line(error: BaseException) -> str:
    """Return what went wrong, without the query plan and the list of every column that polars prints behind it.

    What a library repeats of a very long value is cut.
    """
    line = str(error).partition("\n")[0].partition("; valid columns")[0]
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..."


def printable(text: str) -> str:
    """Return `text` with what no terminal should get (escape sequences, lone surrogates) in Python's notation."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


_OF_ONE = {"are": " is", "were": " was", "have": " has", "": ""}


def counted(n: int, noun: str, verb: str = "") -> str:
    """Return `n`, `noun` and `verb`, in the plural unless it is one: `1 trial is`, `2,000 trials are`."""
    return f"1 {noun}{_OF_ONE[verb]}" if n == 1 else f"{n:,} {noun}s {verb}".rstrip()
