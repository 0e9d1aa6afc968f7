"""Where a pack crashed, in full: RESULTS/logs holds each traceback once, under a name that the message gives."""

import contextlib
import hashlib
import traceback
from dataclasses import replace

from lrsym.results.store.filesystem import open_filesystem
from lrsym.sweep.execution.events import Failure, failure_of

FOLDER = "logs"
"""Of the results; names of files in it come from what is in them, so that a thousand equal crashes are one file."""

_MARK = "(traceback: "


def logged_failure(error: Exception, root: str) -> Failure:
    """Return the failure of a pack whose task raised `error`; a crash's traceback is written below `root` if it can."""
    failure = failure_of(error)
    if failure.status != "crashed":
        return failure
    with contextlib.suppress(Exception):  # what went wrong first is what counts
        text = "".join(traceback.format_exception(error)).encode(errors="backslashreplace")
        name = f"{FOLDER}/{hashlib.sha256(text).hexdigest()[:12]}.txt"
        open_filesystem(root, must_exist=True).put(name, text)
        return replace(failure, message=f"{failure.message} {_MARK}{name})")
    return failure


def with_place(message: str, root: str) -> str:
    """Return a trial's message with the path of its traceback in the results at `root`."""
    return message.replace(f"{_MARK}{FOLDER}/", f"{_MARK}{root.rstrip('/')}/{FOLDER}/")
