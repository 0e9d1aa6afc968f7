"""A TOML file that a person wrote: its text, the line of every key, and messages that name file and line.

A *path* names a place in the file by its tables and keys joined with dots, quoted or not: `base.optim.steps`,
`zip.0.model.d_model` (a column of the first `[[zip]]`).
"""

import contextlib
import difflib
import itertools
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrsym.errors import UsageError

_MAX_DEPTH = 6
"""Words of the longest path whose line is kept; `exclude.0.optim.steps`, the longest that can be right, has four."""

MAX_TOLD = 20
"""Mistakes of one file that are told; the others are counted."""

_WORD = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEY = rf"({_WORD}(?:[ \t]*\.[ \t]*{_WORD})*)"
_HEADER_LINE = re.compile(rf"[ \t]*(\[\[?)[ \t]*{_KEY}[ \t]*\]")
_VALUE_LINE = re.compile(rf"[ \t]*{_KEY}[ \t]*=")


class TomlSource:
    """The text of a TOML file and its name, with the line of every key, for messages."""

    changes: tuple[str, ...] = ()
    """What stands in place of values of the file, each as KEY=VALUE."""

    def __init__(self, text: str, *, name: str):
        self.text = text
        self.name = name
        self._lines = _lines_of_keys(text)
        self._noted: list[UsageError] = []
        self._told: UsageError | None = None

    def line(self, path: str, *, last: bool = False) -> int:
        """Return the first or last line of `path`, of the nearest table around it where it has none, else 1."""
        while path and path not in self._lines:
            path = path.rpartition(".")[0]
        return self._lines.get(path, [1])[-1 if last else 0]

    def place(self, path: str) -> str:
        """Return where `path` stands, for a message that names another place already."""
        return f"line {self.line(path)}"

    def error(self, path: str, message: str, *, last: bool = False) -> UsageError:
        """Return (do not raise) a UsageError that names the line of `path`; `last=True` for its last occurrence."""
        return self.error_at(self.line(path, last=last), message)

    def error_at(self, line: int, message: str) -> UsageError:
        """Return (do not raise) a UsageError that names `line`."""
        error = UsageError(f"{self.name}:{line}: {message}")
        error.line = line
        return error

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Keep a UsageError that ends the block: what comes behind is checked all the same, and all are told at once.

        Who takes notes says when they are told, by `raise_noted`.
        """
        try:
            yield
        except UsageError as error:
            if error is not self._told:
                self._noted.append(error)

    @contextlib.contextmanager
    def all_told(self) -> Iterator[None]:
        """Raise, behind the block, what is noted until then and what ended it, as `raise_noted`."""
        with self.noted():
            yield
        self.raise_noted()

    @property
    def n_noted(self) -> int:
        """The number of mistakes that are noted."""
        return len(self._noted)

    def raise_noted(self) -> None:
        """Raise what is noted, if anything is, as one UsageError with a line for each mistake, in the file's order."""
        if not self._noted:
            return
        messages = [*dict.fromkeys(map(str, sorted(self._noted, key=lambda error: error.line)))]
        more = [f"... and {len(messages) - MAX_TOLD} more mistakes"] if len(messages) > MAX_TOLD else []
        self._told = UsageError("\n".join(messages[:MAX_TOLD] + more))
        raise self._told


@dataclass(frozen=True)
class Rule:
    """What the value of a key must be and, where it is not, what to write; it stands in the annotation of the key."""

    must_be: str
    remedy: str

    def message(self, key: str, value: Any) -> str:
        """Return the message for a `value` of `key` that breaks the rule."""
        return f"{key} must be {self.must_be}, got {show(value)}; {self.remedy}"


def rule_of(metadata: Iterable[object]) -> Rule:
    """Return the rule among the `metadata` of a pydantic field."""
    return next(entry for entry in metadata if isinstance(entry, Rule))


def read_source(path: Path, *, what: str) -> TomlSource:
    """Return the text of the file at `path`, which is a `what`, such as "sweep".

    Raise UsageError where it cannot be read as text.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        remedy = f"did you mean {near}?" if (near := _nearest_file(path)) else "check the path"
        raise UsageError(f"{path}: there is no such file; {remedy}") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: a {what} file is TOML, this is a folder; name a file in it") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: the file cannot be read ({error}); check the path and its permissions") from None
    try:
        return TomlSource(data.decode("utf-8-sig"), name=str(path))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: a {what} file must be UTF-8 text; save it in that encoding") from None


def read_toml(where: TomlSource) -> dict[str, Any]:
    """Return the document. Raise UsageError with the line where the text is not TOML."""
    try:
        return tomllib.loads(where.text)
    except RecursionError:
        raise where.error_at(1, "lists or tables are nested too deeply; a key takes single values") from None
    except ValueError as error:
        text = str(error)
        at = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", text)
        line = int(at[1]) if at and at[1] else where.text.count("\n") + 1 if at else 1
        column = f" at column {at[2]}" if at and at[2] else ""
        rule = text[: at.start()] if at else "a number has too many digits"
        twice = any(word in rule for word in ("overwrite", "twice", "mutate"))
        remedy = (
            "a key or table stands twice, remove one"
            if twice
            else "text takes quotes, lists take [ ], each key its own line"
        )
        raise where.error_at(line, f"this is not valid TOML: {rule}{column}; {remedy}") from None


def show(value: Any) -> str:
    """Return `value` as a user would name it, on one line and short."""
    if isinstance(value, str):
        quoted = f'"{value}"' if value.isprintable() else json.dumps(value)
        return quoted if len(quoted) <= 60 else f'{quoted[:56]}..."'
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and not fits_64_bits(value):
        return "a whole number beyond 64 bits"
    return str(value)


def fits_64_bits(value: int) -> bool:
    """Return whether `value` is an integer that TOML, and the store, can hold."""
    return -(2**63) <= value < 2**63


def _nearest_file(path: Path) -> Path | None:
    """Return the file that `path` may stand for: one beside it, or one of its name where sweeps and claims lie."""
    there = [p.stem for p in path.parent.glob("*.toml") if p.name.isprintable()]
    if near := difflib.get_close_matches(path.name.removesuffix(".toml"), there, n=1):
        return path.with_name(f"{near[0]}.toml")
    usual = (Path(folder, f"{path.name.removesuffix('.toml')}.toml") for folder in ("sweeps", "claims"))
    return next((place for place in usual if place.is_file()), None)


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the nearest of `known` as `did you mean ...?`, empty where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def _lines_of_keys(text: str) -> dict[str, list[int]]:
    """Return the lines on which each path stands."""
    lines: defaultdict[str, list[int]] = defaultdict(list)
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER_LINE.match(line):
            table = _numbered(_unquoted(header[2]), counts)
            lines[table].append(number)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}.{counts[table]}"
                lines[table].append(number)
        elif value := _VALUE_LINE.match(line):
            key = f"{table}.{_unquoted(value[1])}".removeprefix(".")
            for prefix in itertools.islice(itertools.accumulate(key.split("."), "{}.{}".format), _MAX_DEPTH):
                lines[prefix].append(number)
    return dict(lines)


def _numbered(table: str, counts: Mapping[str, int]) -> str:
    """Return `table` with the number of its array element: `zip.model` is `zip.1.model` after two [[zip]]."""
    first, dot, rest = table.partition(".")
    return f"{first}.{counts[first]}.{rest}" if dot and first in counts else table


def _unquoted(key: str) -> str:
    """Return `key` without quotes and spaces."""
    return ".".join(word.strip("\"'") for word in re.findall(_WORD, key))
