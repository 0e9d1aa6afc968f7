"""Tables as a folder of CSV files: one for each table, and columns.csv with types, units and meanings.

`lrsym-export.json` beside them has the SHA-256 of every file that an export wrote. So a file that it did not write, or
that was changed since, is never overwritten; and an export that was killed is told by `"complete": false`, until the
same command has ended.

Lists are written as JSON, with null for what is no finite number, durations as seconds, times in UTC as ISO 8601,
bytes as base64; what is null is empty.
"""

import base64
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import polars as pl

from lrsym.exchange.outcome import Exported, taken
from lrsym.exchange.selection import Selection
from lrsym.results.store.atomic import write_atomically
from lrsym.results.store.schema import TABLES

MANIFEST = "lrsym-export.json"


def export_csv(chosen: Selection, out: Path) -> Exported:
    """Write the tables into the folder `out`; of an earlier export there, tables that are empty now are removed.

    Raises UsageError for a folder of other things and for files that were changed since.
    """
    known = _known(out)
    contents = {f"{name}.csv": rows for name, rows in {**chosen.tables, "columns": _columns(chosen)}.items()}
    for name in {*known, *contents}:
        _require_ours(out / name, known.get(name, []))
    told = {"written_by": "lrsym export --to csv", "source": chosen.root, "name": chosen.name}
    kept = 0
    for name, rows in contents.items():
        content = as_csv(rows)
        digest = hashlib.sha256(content).hexdigest()
        if digest in known.get(name, []) and _digest(out / name) == digest:
            known[name] = [digest]
            kept += 1
            continue
        known[name] = [*known.get(name, []), digest]  # whichever of them a killed export leaves is ours
        _write_manifest(out, {**told, "complete": False, "files": known})
        write_atomically(out / name, content)
        known[name] = [digest]
    for name in {*known} - {*contents}:
        (out / name).unlink(missing_ok=True)
        del known[name]
    _write_manifest(out, {**told, "complete": True, "files": known})
    rows = {name: table.height for name, table in chosen.tables.items()}
    return Exported(str(out), f"what each column means: {out}/columns.csv", rows, len(contents) - kept, kept)


def as_csv(rows: pl.DataFrame) -> bytes:
    """Return a table as CSV, with a line of headings."""
    return rows.with_columns(_plain(rows[name]) for name in rows.columns).write_csv().encode()


def _plain(values: pl.Series) -> pl.Series:
    """Return a column as one of texts, numbers or truths, the only things that CSV has."""
    kind = values.dtype
    if isinstance(kind, pl.Duration):
        return values.dt.total_microseconds() / 1e6
    if isinstance(kind, pl.Datetime):
        return values.dt.to_string(
            "%Y-%m-%dT%H:%M:%S%.6f" + ("Z" if kind.time_zone == "UTC" else "%:z" * bool(kind.time_zone))
        )
    if kind == pl.Binary:
        return _texts(values, lambda value: base64.b64encode(value).decode())
    if kind.is_nested():
        return _texts(values, lambda value: json.dumps(_finite(value), default=str))
    return values


def _finite(value: Any) -> Any:
    """Return what a list holds, with None for numbers that JSON does not have."""
    if isinstance(value, list):
        return [_finite(one) for one in value]
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _texts(values: pl.Series, text: Any) -> pl.Series:
    found = [None if value is None else text(value) for value in values.to_list()]
    return pl.Series(values.name, found, dtype=pl.String)


def _columns(chosen: Selection) -> pl.DataFrame:
    """Return what each column that is written means, as far as it is ours."""
    tables = () if chosen.is_imported else TABLES.values()
    ours = {(table.name, column.name): column for table in tables for column in table.columns}
    rows = []
    for table, frame in chosen.tables.items():
        for name, kind in frame.schema.items():
            column = ours.get((table, name))
            words = ("", "") if column is None else (column.unit, column.sentence)
            rows.append((table, name, str(kind), *words))
    return pl.DataFrame(rows, schema=["table", "column", "type", "unit", "meaning"], orient="row")


def _known(out: Path) -> dict[str, list[str]]:
    """Return the digests that files of an earlier export may have, by name. Raises UsageError for another folder."""
    if not out.exists():
        return {}
    if not out.is_dir():
        raise taken(out, "is a file and no folder")
    try:
        known = dict(json.loads((out / MANIFEST).read_text())["files"])
        if any(Path(name).name != name for name in known):
            raise ValueError("a name that leaves the folder")
        return known
    except FileNotFoundError:
        if any(out.iterdir()):
            raise taken(out, "is a folder of other things") from None
        return {}
    except (ValueError, KeyError, TypeError):
        raise taken(out / MANIFEST, "is damaged") from None


def _require_ours(path: Path, digests: list[str]) -> None:
    if path.is_dir() or (path.exists() and _digest(path) not in digests):
        raise taken(path, "was changed since it was exported" if digests else "was not written by an export")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _write_manifest(out: Path, told: dict[str, Any]) -> None:
    write_atomically(out / MANIFEST, json.dumps(told, indent=1).encode())
