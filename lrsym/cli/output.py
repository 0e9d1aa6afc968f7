"""What the verbs print: results on standard output, as text or JSON, and messages on standard error."""

import contextlib
import errno
import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lrsym.cli.options import RESULTS, RESULTS_VARIABLE
from lrsym.cli.streams import drop_rest
from lrsym.cli.table_text import as_text
from lrsym.errors import UsageError, printable

if TYPE_CHECKING:
    import polars as pl

    from lrsym.sweep.driver import Outcome
    from lrsym.sweep.execution.progress import Display
    from lrsym.sweep.pilot.choice import Choice
    from lrsym.sweep.planning.packing import PackList


class Coloured(str):
    """A line with colours of ours, whose text is fit for a terminal."""


@dataclass(frozen=True)
class Output:
    """What a verb prints: text for a reader or, `as_json`, data for a program; `quiet` about what is under way."""

    as_json: bool
    quiet: bool = False

    def text(self, lines: Iterable[str]) -> None:
        """Print `lines` on the way to a result; with JSON nothing, as the result alone is printed."""
        if not (self.as_json or self.quiet):
            with contextlib.suppress(OSError):  # training goes on without a reader; the end tells what is lost
                _print(as_lines(lines))

    def message(self, text: str) -> None:
        """Print `text` on standard error; of what is under way only warnings where that is to be quiet."""
        if not self.quiet or text.startswith("warning: "):
            message(text)

    def display(self, packs: "PackList") -> "Display":
        """Return what shows the progress of the packs."""
        from lrsym.sweep.execution.progress import Display

        return Display(packs, shown=not self.quiet)

    def result(self, data: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Print the result: `data` as one JSON object, or `lines`."""
        _print(json.dumps(data, default=str) if self.as_json else as_lines(lines))

    def table(self, frame: "pl.DataFrame", *, csv: bool = False) -> None:
        """Print every row of `frame`: as a JSON list of objects, as CSV, or drawn as wide as the terminal."""
        if self.as_json:
            _require_types(frame, ("Binary", "Object"), "JSON", "leave it out, or cast it to text")
            _print(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", frame.write_json()))
        elif csv:
            text = _as_csv(frame)
            _print(printable(text) if sys.stdout.isatty() else text, end="")
        else:
            _print(as_text(frame))


_CONTROL = re.compile("[\x7f-\x9f]")
"""Letters that JSON may hold as they are, and that a terminal may take for commands."""


def as_lines(lines: Iterable[str]) -> str:
    """Return `lines` as a terminal may get them: what is no letter in Python's notation, but for colours of ours."""
    return "\n".join(line if isinstance(line, Coloured) else printable(line) for line in lines)


def _print(text: str, *, end: str = "\n") -> None:
    """Print `text` on standard output; where its reader or its terminal has gone it is dropped. Raises OSError."""
    try:
        typer.echo(text + end, nl=False)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise
        drop_rest(sys.stdout)


def message(text: str) -> None:
    """Print `text` on standard error, where it does not mix with a result; where nobody can read it, it is dropped."""
    with contextlib.suppress(OSError):
        typer.echo(printable(text), err=True)


def command_line(
    verb: str, file: Path | Sequence[Path] | None, results: str, options: Mapping[str, object] | None = None
) -> str:
    """Return the command a user would type, quoted for a shell, for a file or several.

    `options` are by the names of their arguments; those that are None, False or auto are left out, a list is an option
    for each of its values.
    """
    files = [] if file is None else [file] if isinstance(file, Path) else file
    words, is_default = ["lrsym", *verb.split(), *map(str, files)], results == RESULTS
    is_default = is_default and not os.environ.get(RESULTS_VARIABLE)
    for name, value in {**(options or {}), "results": None if is_default else results}.items():
        option = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is None or one is False or one == "auto":
                continue
            words += [option] if one is True else [option, f"{one:.12g}" if isinstance(one, float) else str(one)]
    return shlex.join(words)


def sweep_command(
    file: Path, results: str, choice: "Choice", options: Mapping[str, object], *, outcome: "Outcome | None" = None
) -> str:
    """Return the command that trains the plan of `choice` with its workers and pack size, so without another pilot.

    After an `outcome` what it teaches stands in place of the options (`lessons`).
    """
    chosen = {"workers": choice.plan.workers, **({} if choice.pilot_seconds is None else {"pack": choice.pack_size})}
    return command_line("sweep", file, results, {**options, **chosen, **lessons(outcome, options)})


def lessons(outcome: "Outcome | None", options: Mapping[str, object]) -> dict[str, object]:
    """Return which of `options` a next run had better change: packs that fit into memory, and more time."""
    if outcome is None:
        return {}
    fitting = {"pack": outcome.fitting_size} if outcome.fitting_size else {}
    return {**fitting, **more_time(outcome.statuses, options)}


def more_time(statuses: Mapping[str, int], options: Mapping[str, object]) -> dict[str, object]:
    """Return the option that gives trials twice the time, where any of `statuses` is a timeout."""
    timeout = options.get("timeout")
    return {"timeout": 2 * timeout} if statuses.get("timeout") and isinstance(timeout, int | float) else {}


_FORMATS = {
    ".html", ".htm", ".png", ".svg", ".pdf", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".eps", ".ps", ".json",
    ".csv", ".parquet", ".md", ".txt", ".xlsx", ".docx",
}  # fmt: skip
"""Endings that ask for a format."""


def output_path(out: Path | None, name: str, *, folder: str, results: str, suffix: str) -> Path:
    """Return the file to write: `name` in `folder` of the results, or in `out` if that is a folder, else `out`.

    `out` may lack `suffix`. Of results in an object store it lies in the folder plots where the command runs. Raises
    UsageError for the ending of another format.
    """
    from lrsym.results.store.filesystem import LocalFolder, open_filesystem

    if out is None or out.is_dir():
        files = open_filesystem(results)
        place = Path(files.root, folder) if isinstance(files, LocalFolder) else Path("plots")
        return (out or place) / f"{name}{suffix}"
    ending = out.suffix.lower()
    if ending in _FORMATS and ending != suffix:
        what = f"a page is written as {suffix}" if suffix else "a picture is written in all formats, .html, .png, ..."
        raise UsageError(f"{out}: {what}, got {out.suffix}; leave the ending out")
    return out if not suffix or ending == suffix else out.with_name(out.name + suffix)


def _as_csv(frame: "pl.DataFrame") -> str:
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    if nested:
        raise UsageError(f"CSV holds no lists, and {', '.join(nested)} is one; leave it out or use --json")
    _require_types(frame, ("Duration", "Binary", "Object"), "CSV", "leave it out, cast it to text, or use --json")
    return frame.write_csv()


def _require_types(frame: "pl.DataFrame", refused: Sequence[str], form: str, remedy: str) -> None:
    """Raise UsageError where a column, or what its lists hold, is of a type that cannot be written in the form."""
    for name, kind in frame.schema.items():
        if found := next((word for word in refused if re.search(rf"\b{word}\b", str(kind))), None):
            raise UsageError(f"{form} holds no values of type {found}, and {name} is of it; {remedy}")
