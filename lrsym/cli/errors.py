"""From an exception to what a user reads and the exit code: the one place that decides what is a user's mistake."""

import errno
import os
from collections.abc import Callable
from typing import Any

from lrsym.errors import first_line

FAILED = 1
"""Exit code where a verb did its work and some trials failed."""

USAGE = 2
"""Exit code for what a user can put right."""


def stopped_code(number: int) -> int:
    """Return the exit code after the signal `number`, as shells expect it: 130 after Ctrl-C."""
    return 128 + number


def _file_sentence(error: OSError) -> str:
    if _has_no_folder():
        return "the folder that you are in was removed; change into another and run the same command again"
    why = error.strerror or first_line(error) or type(error).__name__
    place = "" if error.filename is None else f"{error.filename}: "
    return f"{place}{why}; {_REMEDIES.get(error.errno or 0, 'check path, permissions and free space')}"


def _has_no_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


_REMEDIES = {
    errno.EPIPE: "whoever read the output has gone",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the limit of open files (ulimit -n)",
    errno.EAGAIN: "raise the limit of processes (ulimit -u), or take fewer --workers",
    errno.ENOMEM: "free memory, or take fewer --workers",
}
"""Where another remedy than that for files helps."""


def _table_sentence(error: Exception) -> str:
    from lrsym.results.store.part_file import unreadable

    why = first_line(error)
    if damaged := unreadable():
        return f"{', '.join(damaged)} cannot be read: {why}; restore from a copy, or remove what is damaged"
    return f"a table in the results cannot be read: {why}; move damaged files out of the folder"


SENTENCES: dict[str, tuple[Callable[[Any], str], int]] = {
    "lrsym.errors.UsageError": (str, USAGE),
    "builtins.OSError": (_file_sentence, USAGE),
    "polars.exceptions.ComputeError": (_table_sentence, USAGE),
    "polars.exceptions.SchemaError": (_table_sentence, USAGE),
}
"""Sentence and exit code by type of exception, which is named in full so that no library is imported for it."""


def as_sentence(error: BaseException) -> tuple[str, int] | None:
    """Return the sentence for a user and the exit code; None where `error` is a mistake of lrsym itself."""
    for kind in type(error).__mro__:
        if entry := SENTENCES.get(f"{kind.__module__}.{kind.__qualname__}"):
            sentence, code = entry
            return sentence(error), code
    return None
