"""Sweep files: TOML in, every trial validated, or one message that says which line to change.

`[base]` fixes values, `[grid]` multiplies lists, each `[[zip]]` moves several axes together, each `[[exclude]]`
leaves out the cells that match all its keys. `[search]` stands in place of `[grid]` and `[[zip]]`. What is given
nowhere takes the default of `lrsym.config.trial`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lrsym.config.messages import AXES, SECTIONS, hint_by_meaning
from lrsym.errors import UsageError
from lrsym.sweep.spec.cells import Cells
from lrsym.sweep.spec.changes import ChangedSource
from lrsym.sweep.spec.messages import TOP_KEYS, table_name
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_table import SearchTable, check_objectives, check_search, read_space
from lrsym.sweep.spec.sweep import MAX_TRIALS, NO_HEAD, Head, Sweep
from lrsym.sweep.spec.tables import read_design
from lrsym.toml_source import Rule, TomlSource, read_source, read_toml, rule_of, show, suggest
from lrsym.vocabulary import GRID_STOP_RULES, SEARCH_STOP_RULES

_HEAD_KEYS = ("Question", "Cost", "Command")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Seed(_Table):
    first: Annotated[
        int, Field(ge=0, lt=2**63), Rule("a whole number >= 0 and < 2**63", "write first = 0 under [seed]")
    ] = 0


class SweepFile(_Table):
    """The top level of a sweep file."""

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"),
        Rule(
            "text that is safe as a file name: letters, digits, _ and -, the first a letter or digit, at most 64",
            'write for example name = "labels_by_layouts"',
        ),
    ]
    replicates: Annotated[
        int,
        Field(ge=1, le=MAX_TRIALS),
        Rule(f"a whole number >= 1 and <= {MAX_TRIALS:,}: the seeds of each cell", "write for example replicates = 5"),
    ] = 1
    seed: Annotated[_Seed, Rule("a table", "write first = 0 under [seed]")] = _Seed()
    stop: Annotated[
        str,
        Field(pattern=f"^(none|{'|'.join(GRID_STOP_RULES)})$"),
        Rule(f"one of none, {', '.join(GRID_STOP_RULES)}", f"{', '.join(SEARCH_STOP_RULES)} belong under [search]"),
    ] = "none"
    base: Annotated[dict[str, Any], Rule("a table", "write [base] above its keys")] = {}
    grid: Annotated[dict[str, Any], Rule("a table", "write [grid] above its keys")] = {}
    zip: Annotated[
        list[dict[str, Any]], Rule("a list of tables", "write [[zip]], in double brackets, above its keys")
    ] = []
    exclude: Annotated[list[dict[str, Any]], Rule("a list of tables", "write [[exclude]], in double brackets")] = []
    search: Annotated[SearchTable | None, Rule("a table", "write [search] above its keys")] = None


_TABLES: dict[str, type[BaseModel]] = {"seed": _Seed, "search": SearchTable}
"""Tables with keys of their own."""

_NEEDED = {"search": {"budget": 1}}
"""What stands in place of a key that a table must have, while its other keys are looked at."""


def load(path: str | Path, *, changes: Sequence[str] = ()) -> Sweep:
    """Return the sweep in the file at `path`, with `changes` to its `[base]`, each as KEY=VALUE.

    Raise UsageError where the file cannot be read as text, and as `parse` does.
    """
    source = read_source(Path(path), what="sweep")
    return parse(source.text, source=source.name, changes=changes)


def parse(text: str, *, source: str, changes: Sequence[str] = ()) -> Sweep:
    """Return the sweep that `text` describes; `source` names it in messages, `changes` as `load`.

    Raise UsageError, one message with line, rule, value and remedy, for anything that is not a valid sweep; a search
    is none before it has run.
    """
    found = parse_any(text, source=source, changes=changes)
    if isinstance(found, Search):
        message = "this file is a search: which trials it has is found out as it runs; name a file with [grid]"
        raise found.source.error("search", message)
    return found


def load_any(path: str | Path, *, changes: Sequence[str] = ()) -> Sweep | Search:
    """Return the sweep or the search in the file at `path`; `changes` and UsageError as `load`."""
    source = read_source(Path(path), what="sweep")
    return parse_any(source.text, source=source.name, changes=changes)


def parse_any(text: str, *, source: str, changes: Sequence[str] = ()) -> Sweep | Search:
    """Return the sweep or the search that `text` describes; UsageError as `parse`."""
    where = ChangedSource(text, name=source, changes=changes)
    document, head = where.apply(read_toml(where)), _read_head(text)
    missing = [key for key in _HEAD_KEYS if not getattr(head, key.lower())]
    warnings = tuple(f"{source}:1: the comment on top lacks a line `# {key}: ...`; add it" for key in missing)
    return read_document(where, document, head=head, warnings=warnings)


def read_document(
    where: TomlSource, document: dict[str, Any], *, head: Head = NO_HEAD, warnings: tuple[str, ...] = ()
) -> Sweep | Search:
    """Return the sweep or the search of the tables in `document`, which come from `where`; UsageError as `parse`."""
    with where.all_told():
        return _read(where, document, head=head, warnings=warnings)


def _read(where: TomlSource, document: dict[str, Any], *, head: Head, warnings: tuple[str, ...]) -> Sweep | Search:
    before = where.n_noted
    file = validate(where, document)
    if file is None:
        where.raise_noted()
    assert file is not None
    known = not before and _has_all(file, document)
    seeds = range(file.seed.first, file.seed.first + file.replicates)
    if seeds.stop > 2**63:
        message = f"seeds must stay below 2**63, got {file.replicates} from {file.seed.first}; lower first under [seed]"
        with where.noted():
            raise where.error("seed.first", message)
    if file.search is not None:
        return _search(where, file, file.search, seeds, head, warnings, known=known)
    design = read_design(where, base=file.base, grid=file.grid, zips=file.zip, excludes=file.exclude)
    if not known:
        where.raise_noted()
    if (count := design.size * file.replicates) > MAX_TRIALS:
        longest = max(design.factors, key=lambda factor: len(factor.rows))
        message = f"a sweep has at most {MAX_TRIALS:,} trials, this one {count:,} (excluded ones counted); split it"
        raise where.error(design.paths[longest.keys[0]], message)
    cells = Cells(design)
    stop = None if file.stop == "none" else file.stop
    sweep = Sweep(file.name, where.name, cells, seeds, design.varied, head, warnings, stop, where.changes)
    cells.check_distinct(sweep.trial_ids()[:: len(seeds)])  # asks for every cell, so that all are validated
    return sweep


def _has_all(file: SweepFile, document: dict[str, Any]) -> bool:
    """Return whether nothing of `document` is wrong that the cells, or what is sought, depend on."""
    pairs: list[tuple[BaseModel, dict[str, Any], tuple[str, ...]]] = [
        (file, document, ("base", "grid", "zip", "exclude"))
    ]
    if file.search is not None:
        pairs.append((file.search, document["search"], ("maximise", "minimise", "space")))
    return all(
        {*given} <= {*type(table).model_fields}
        and all(getattr(table, key) == given[key] for key in keys if key in given)
        for table, given, keys in pairs
    )


def _search(
    where: TomlSource,
    file: SweepFile,
    table: SearchTable,
    seeds: range,
    head: Head,
    warnings: tuple[str, ...],
    *,
    known: bool,
) -> Search:
    for key, given in (("grid", file.grid), ("zip", file.zip)):
        if given:
            message = (
                f"{table_name(f'{key}.0') if key == 'zip' else '[grid]'} and [search] cannot stand in one file; make "
                "two files, which share rows, or move its axes under [search.space]"
            )
            with where.noted():
                raise where.error(key, message)
    if file.stop != "none":
        message = (
            f'stop on top is for grids, got {show(file.stop)} beside [search]; write stop = "asha" under it, or drop it'
        )
        with where.noted():
            raise where.error("stop", message)
    if known:
        with where.noted():
            check_objectives(where, table)
    space = read_space(where, base=file.base, space=table.space, excludes=file.exclude, known=known)
    check_search(where, table, space, replicates=file.replicates)
    search = Search(
        file.name, where, space, table.objectives, table.sampler, table.budget, table.seed, table.stop, table.reuse,
        seeds, head, warnings,
    )  # fmt: skip
    search.check_size(search.budget)
    return search


def validate(where: TomlSource, document: dict[str, Any]) -> SweepFile | None:
    """Return the top level of `document`, of which `where` notes the keys and values that cannot stand there.

    With mistakes it is what can be looked at besides; None where that is nothing.
    """
    try:
        return SweepFile.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False)
    wrong = {tuple(part for part in details["loc"] if isinstance(part, str))[:2]: details for details in found[::-1]}
    for loc, details in wrong.items():
        if details["type"] == "missing" and len(loc) > 1 and _stands_in_space(document, loc[1]):
            continue
        with where.noted():
            raise _wrong_key(where, details)
    return _without(document, [*wrong])


def _stands_in_space(document: dict[str, Any], key: str) -> bool:
    """Return whether a key of `[search]` is among its axes, of which the reader of the space tells."""
    space = document["search"].get("space")
    return isinstance(space, dict) and key in space


def _without(document: dict[str, Any], wrong: Sequence[tuple[str, ...]]) -> SweepFile | None:
    """Return the top level of `document` without the keys that are wrong, others in place of what must be there."""
    tables = {name: {**_NEEDED.get(name, {}), **document[name]} for name in {loc[0] for loc in wrong if len(loc) > 1}}
    for table, key, *_ in (loc for loc in wrong if len(loc) > 1):
        tables[table][key] = _NEEDED.get(table, {}).get(key)
    left = {key: value for key, value in document.items() if (key,) not in wrong}
    tables = {name: {key: v for key, v in table.items() if v is not None} for name, table in tables.items()}
    try:
        return SweepFile.model_validate({"name": "s", **left, **tables})
    except ValidationError:
        return None


def _wrong_key(where: TomlSource, details: Any) -> UsageError:
    kind, loc = details["type"], [part for part in details["loc"] if isinstance(part, str)]
    path, key = ".".join(loc), loc[min(1, len(loc) - 1)]
    if kind == "extra_forbidden":
        return where.error(path, _unknown_key(loc))
    owner = _TABLES[loc[0]] if len(loc) > 1 else SweepFile
    rule = rule_of(owner.model_fields[key].metadata)
    if kind == "missing":
        where_to = f"under [{loc[0]}]" if len(loc) > 1 else "on top"
        return where.error(path, f"{key} is missing; {rule.remedy} {where_to}")
    return where.error(path, rule.message(key, details["input"]))


def _unknown_key(loc: list[str]) -> str:
    if len(loc) > 1:
        if loc[0] == "search" and (loc[1] in SECTIONS or loc[1] in AXES):
            return f"{loc[1]} is no key of [search]; move it under [search.space] to vary it, or under [base] to fix it"
        if loc[1] in TOP_KEYS:
            return f"{loc[1]} is no key of [{loc[0]}]; move it above the first table"
        known = [*_TABLES[loc[0]].model_fields]
        hint = (
            hint_by_meaning(loc[1], known)
            or suggest(loc[1], known)
            or f"it has {'one key, ' if len(known) == 1 else ''}{', '.join(known)}"
        )
        return f"unknown key {show(loc[1])} in [{loc[0]}]; {hint}"
    if loc[0] in SECTIONS or loc[0] in AXES:
        return f"{loc[0]} stands outside a table; move it under [base] to fix it, or under [grid] to vary it"
    if loc[0] in SearchTable.model_fields:
        return f"{loc[0]} stands outside a table; move it under [search]"
    if loc[0] == "claim":
        return "claim is no key of a sweep file, but of claims; judge them with lrsym claims"
    known = [*TOP_KEYS, *AXES]
    hint = hint_by_meaning(loc[0], known) or suggest(loc[0], TOP_KEYS) or f"known are {', '.join(TOP_KEYS)}"
    return f"unknown key {show(loc[0])}; {hint}"


def _read_head(text: str) -> Head:
    """Return what follows each word of the leading comment, up to the next word or an empty comment line."""
    comment: list[str] = []
    for line in text.split("\n"):
        if line.strip() and not line.lstrip().startswith("#"):
            break
        comment.append(line.strip().lstrip("#").strip())
    words = "|".join(_HEAD_KEYS)
    head: dict[str, str] = {}
    for paragraph in "\n".join(comment).split("\n\n"):
        pieces = re.split(rf"\b({words}):", paragraph, flags=re.IGNORECASE)
        for word, text_behind in zip(pieces[1::2], pieces[2::2], strict=True):
            head.setdefault(word.lower(), " ".join(text_behind.split()))
    return Head(**{key.lower(): head.get(key.lower(), "") for key in _HEAD_KEYS})
