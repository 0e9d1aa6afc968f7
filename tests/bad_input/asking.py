"""Asking the command line in this process, and what must hold of every answer.

An answer is a user's: exit code 0 or 2 (1 where a verb says so), with 2 one sentence for each mistake that names the
file, the option or the place of the results; never a traceback, never a wait without end, and whoever is refused has
written nothing.
"""

import contextlib
import hashlib
import io
import os
import signal
import stat
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import mock

from typer.main import get_command

from lrsym.cli import app as command_line

MAX_SECONDS = 60
"""What takes longer counts as a wait without end: two million trials, the most that a file may ask for, take 20."""

MAX_SENTENCE = 2000
"""Characters of a line on standard error; five damaged parts with all that is said of each take some 1,200."""


class TooSlowError(BaseException):
    """Raised by the clock; no handler for mistakes of users may take it for one."""


@dataclass(frozen=True)
class Fault:
    """What must not be: its kind, and the words that show it."""

    kind: str
    detail: str


@dataclass(frozen=True)
class Answer:
    """What a command said; `crash` is the traceback of one that ended by an exception."""

    words: tuple[str, ...]
    code: int | None
    out: str
    err: str
    crash: str = ""

    def faults(self, *, codes: Sequence[int], names: Sequence[str]) -> Iterator[Fault]:
        """Yield what is wrong with it; a refusal must name one of `names`."""
        said = f"lrsym {' '.join(self.words)}: code {self.code}: {(self.crash or self.err or self.out)[-1500:]}"
        if self.crash:
            yield Fault("no end" if "TooSlowError" in self.crash else "traceback", said)
        elif "Traceback" in self.err + self.out:
            yield Fault("traceback", said)
        elif self.code not in codes:
            yield Fault("exit code", said)
        elif self.code == 2:
            yield from (Fault(kind, said) for kind in _wrong_with(self.err, names))
        if not all(c.isprintable() or c in "\n\t" for c in self.err):
            yield Fault("letters that no terminal should get", said)


def _wrong_with(err: str, names: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with what a refusal says."""
    lines = [line for line in err.splitlines() if not line.startswith(("warning: ", "note: "))]
    if not lines or not lines[0].startswith("error: ") or any(line.startswith("error: ") for line in lines[1:]):
        yield "no sentence"
    elif any(len(line) > MAX_SENTENCE for line in lines):
        yield "a very long sentence"
    elif not all(any(name in line for name in names) or line.startswith("... and ") for line in lines):
        yield "names no file, key or option"


def ask(*words: object) -> Answer:
    """Return what the command `lrsym` with these words says."""
    given, out, err = tuple(map(str, words)), io.StringIO(), io.StringIO()
    code: int | None = 0
    crash = ""
    argv, same = mock.patch.object(sys, "argv", ["lrsym", *given]), mock.patch.object(command_line, "app", _command())
    with argv, same, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with time_limit():
                command_line.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        except KeyboardInterrupt:
            raise
        except BaseException:
            code, crash = None, traceback.format_exc()
    return Answer(given, code, out.getvalue(), err.getvalue(), crash)


@cache
def _command() -> object:
    """Return the verbs put together, which typer does anew for every call: three quarters of the time of most."""
    return get_command(command_line.app)


@contextlib.contextmanager
def time_limit(seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Raise TooSlowError in what takes longer."""

    def ring(number: int, frame: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return everything below a folder, with what tells whether it was written; empty where there is no folder."""
    found = dict[str, tuple[object, ...]]()
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        told = path.lstat()
        regular = stat.S_ISREG(told.st_mode)
        content = None
        with contextlib.suppress(PermissionError):
            content = hashlib.sha256(path.read_bytes()).hexdigest() if regular else None
        target = os.readlink(path) if path.is_symlink() else None
        # A folder is written whenever something in it is: a file that is made to vanish at once is none.
        found[str(path.relative_to(folder))] = (
            stat.S_IFMT(told.st_mode), told.st_mtime_ns if regular else 0, content, target,
        )  # fmt: skip
    return found


def differences(before: dict[str, tuple[object, ...]], after: dict[str, tuple[object, ...]]) -> list[str]:
    """Return the names of what was written, changed or removed."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
