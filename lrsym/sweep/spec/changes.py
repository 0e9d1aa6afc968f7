"""Values of `[base]` from the command line, in place of those of the file: `--set optim.steps=100`."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lrsym.config.messages import AXES, SECTIONS
from lrsym.errors import UsageError
from lrsym.sweep.spec.messages import TOP_KEYS, table_name, unknown_axis
from lrsym.toml_source import TomlSource, show


class ChangedSource(TomlSource):
    """A sweep file and `changes` to its `[base]`, each as KEY=VALUE; messages about these name them, not the file.

    What is no change is noted.
    """

    def __init__(self, text: str, *, name: str, changes: Sequence[str]):
        super().__init__(text, name=name)
        self.changes = tuple(changes)
        self._values: dict[str, tuple[str, Any]] = {}
        for change in self.changes:
            with self.noted():
                key, value = _read(change)
                if key in self._values:
                    raise _error(change, f"{key} is set twice, and by --set {self._values[key][0]}; keep one of them")
                self._values[key] = change, value

    def apply(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document with the changes, but for those of axes that vary, which are noted as mistakes."""
        varying = set[str]()
        for table, content in _varying(document):
            for key in _keys(content):
                if key in self._values and key not in varying:
                    varying.add(key)
                    message = (
                        f"{key} varies in {table_name(table)} ({self.name}:{self.line(f'{table}.{key}')}), and --set "
                        "changes what all trials share; leave it out, or change the file"
                    )
                    with self.noted():
                        raise _error(self._values[key][0], message)
        base = document.get("base", {})
        if not isinstance(base, Mapping):  # told with the other mistakes of the file
            return document
        values = {key: value for key, (_, value) in self._values.items() if key not in varying}
        left = {name: _without(name, content, values) for name, content in base.items()}
        kept = {name: content for name, content in left.items() if name not in values and content != {}}
        return {**document, "base": {**kept, **values}}

    def place(self, path: str) -> str:
        """Return where `path` stands."""
        change = self._change(path)
        return super().place(path) if change is None else f"--set {change}"

    def error(self, path: str, message: str, *, last: bool = False) -> UsageError:
        """Return (do not raise) a UsageError that names the change, or the line, of `path`."""
        change = self._change(path)
        return super().error(path, message, last=last) if change is None else _error(change, message)

    def _change(self, path: str) -> str | None:
        table, _, key = path.partition(".")
        return self._values[key][0] if table == "base" and key in self._values else None


def _read(change: str) -> tuple[str, Any]:
    """Return the axis and the value of a change. Raise UsageError where it has none."""
    key, equals, text = (part.strip() for part in change.partition("="))
    key = ".".join(word.strip().strip("\"'") for word in key.split("."))
    if not (key and equals and text):
        raise UsageError(f"--set takes KEY=VALUE, got {show(change)}; write for example --set optim.steps=100")
    if key in TOP_KEYS or key.partition(".")[0] in ("seed", "search"):
        raise _error(change, f"--set changes axes of [base], and {key} is none; change it in the file")
    if key not in AXES:
        raise _error(change, unknown_axis(key, table="[base]"))
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        document = {"value": text}
        if not re.fullmatch(r"[A-Za-z_][\w.+-]*", text):
            message = f"the value must be as in a sweep file, got {show(text)}; write a number, true, false or a word"
            raise _error(change, message) from None
    if document.keys() != {"value"}:
        raise _error(change, "a change is one KEY=VALUE; write --set once for each")
    return key, document["value"]


def _varying(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the tables whose axes vary, by their path; what is no table there is left to the checks of the file."""
    yield "grid", document.get("grid")
    zips = document.get("zip")
    yield from ((f"zip.{number}", table) for number, table in enumerate(zips if isinstance(zips, list) else ()))
    search = document.get("search")
    yield "search.space", search.get("space") if isinstance(search, Mapping) else None


def _keys(table: Any) -> Iterator[str]:
    """Yield the dotted keys of a table, quoted or nested."""
    for name, content in table.items() if isinstance(table, Mapping) else ():
        if name in SECTIONS and isinstance(content, Mapping):
            yield from (f"{name}.{axis}" for axis in content)
        else:
            yield name


def _without(name: str, content: Any, changed: Mapping[str, object]) -> Any:
    """Return the content of `[base]` under `name` without what is changed, where it is nested."""
    if name not in SECTIONS or not isinstance(content, Mapping):
        return content
    return {axis: value for axis, value in content.items() if f"{name}.{axis}" not in changed}


def _error(change: str, message: str) -> UsageError:
    return UsageError(f"--set {change if change.isprintable() and len(change) <= 60 else show(change)}: {message}")
