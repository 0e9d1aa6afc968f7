"""Standard streams that may be closed, lost or unable to show a letter: a sweep goes on whoever reads it."""

import contextlib
import errno
import os
import sys
from typing import TextIO


def prepare_streams() -> None:
    """Put something in the place of closed streams, and let the others replace the letters that they cannot show."""
    for number in range(3):  # else the next file that is opened takes the number, and what is printed with it
        with contextlib.suppress(OSError):
            while _is_closed(number) and os.open(os.devnull, os.O_RDWR) < number:
                pass
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (it is standard output from here on)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError as error:
        return error.errno == errno.EBADF
    return False


def drop_rest(stream: TextIO) -> None:
    """Let what is still to be written to `stream` go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def can_show(text: str) -> bool:
    """Return whether standard output has the letters of `text`."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
