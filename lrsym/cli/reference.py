"""The verbs `lrsym axes` and `lrsym columns`: what can be set in a sweep file, and what can be read in a table."""

from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.cli.options import Json
from lrsym.cli.output import Output
from lrsym.cli.table_text import as_wrapped_table
from lrsym.errors import UsageError

if TYPE_CHECKING:
    from lrsym.config.axes import Axis

Word = Annotated[
    str | None,
    typer.Argument(metavar="[TEXT]", help="Keep those with this text in their name, meaning, unit or source."),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation, in Markdown.")]


def axes(text: Word = None, markdown: Markdown = False, json: Json = False) -> None:
    """List the keys of a sweep file: type, bounds, default, unit, source."""
    from lrsym.config import axes

    _refuse_part_of_page(text, markdown=markdown)
    kept = [a for a in axes.axes() if _has(text, a.key, a.sentence, a.unit, a.source)]
    rows = [{**vars(axis), "key": axis.key, "type": axis.type.__name__} for axis in kept]
    if markdown:
        lines = [axes.as_markdown().rstrip()]
    else:
        _require_any(rows, text, what="key", verb="axes")
        lines = [
            as_wrapped_table(
                ("key", "allowed", "default", "meaning"),
                [(a.key, _allowed(a), a.default_in_words, _meaning(a)) for a in kept],
            )
        ]
    Output(as_json=json).result({"axes": rows}, lines)


def columns(text: Word = None, markdown: Markdown = False, json: Json = False) -> None:
    """List the tables of the store: column, type, unit, meaning."""
    from lrsym.results.store.schema import TABLES, as_markdown

    _refuse_part_of_page(text, markdown=markdown)
    kept = {
        name: [c for c in table.columns if name == text or _has(text, c.name, c.sentence, c.unit)]
        for name, table in TABLES.items()
    }
    kept = {name: found for name, found in kept.items() if found}
    data = {
        name: [{"name": c.name, "type": str(c.type), "unit": c.unit, "sentence": c.sentence} for c in found]
        for name, found in kept.items()
    }
    if markdown:
        lines = [as_markdown().rstrip()]
    else:
        _require_any(data, text, what="table or column", verb="columns")
        lines = []
        for name, found in kept.items():
            rows = [(c.name, str(c.type), c.unit, c.sentence) for c in found]
            heading = f"{name}: {TABLES[name].sentence} Key: {', '.join(TABLES[name].key)}."
            lines += [heading, as_wrapped_table(("column", "type", "unit", "meaning"), rows), ""]
        lines.pop()
    Output(as_json=json).result({"tables": data}, lines)


def _has(text: str | None, *places: str) -> bool:
    return text is None or any(text.lower() in place.lower() for place in places)


def _refuse_part_of_page(text: str | None, *, markdown: bool) -> None:
    if markdown and text is not None:
        raise UsageError(f"--markdown prints the whole page, got {text} beside it; leave one of them out")


def _require_any(found: object, text: str | None, *, what: str, verb: str) -> None:
    if not found:
        raise UsageError(f"no {what} has {text} in its name or meaning; `lrsym {verb}` lists all of them")


def _allowed(axis: "Axis") -> str:
    kind = "" if axis.type is str else axis.type.__name__
    return ", ".join(filter(None, (kind, axis.bounds.replace(" | ", ", "), "absent" if axis.optional else "")))


def _meaning(axis: "Axis") -> str:
    unit = f" In {axis.unit}." if axis.unit else ""
    return f"{axis.sentence}{unit}" + (f" Source: {axis.source}." if axis.source else "")
