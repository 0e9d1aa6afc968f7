"""Tables as tables of a DuckDB file, with types, lists and a comment on every column.

All of them are replaced in one transaction: another reader sees those of before or those of now. What else the file
holds stays: `lrsym_export` lists the tables that an export wrote, and another's table of such a name is refused.
"""

from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

from lrsym.errors import UsageError, first_line
from lrsym.exchange.outcome import Exported, taken, tool
from lrsym.exchange.selection import Selection
from lrsym.results.store.schema import TABLES

OURS = "lrsym_export"


def export_duckdb(chosen: Selection, out: Path) -> Exported:
    """Write the tables into the file `out`, which may hold others; those of an earlier export that are empty now go.

    Raises UsageError without duckdb, and where `out` is no such file, is in use, or has another's table of a name.
    """
    duckdb = tool("duckdb", to="duckdb")
    if out.is_dir():
        raise taken(out, "is a folder and no DuckDB file")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with duckdb.connect(str(out)) as database:
            replaced = _replace(database, chosen, out)
    except duckdb.Error as error:
        raise UsageError(
            f"{out} cannot be written as a DuckDB file: {first_line(error)}; close what has it open, or name another "
            "with --out"
        ) from None
    rows = {name: table.height for name, table in chosen.tables.items()}
    return Exported(str(out), f"look at it: duckdb {quote(str(out))}", rows, len(rows), replaced=replaced)


def _replace(database: Any, chosen: Selection, out: Path) -> int:
    """Put the tables in place of those of an earlier export, all at once; return how many of those there were."""
    there = {name for (name,) in database.execute("select table_name from information_schema.tables").fetchall()}
    ours = {name for (name,) in database.execute(f"select name from {OURS}").fetchall()} if OURS in there else set()
    if others := sorted(there & {*chosen.tables} - ours):
        raise taken(out, f"has a table {others[0]} that no export wrote")
    database.begin()
    for name in ours - {*chosen.tables}:
        database.execute(f"drop table if exists {name}")
    for name, rows in chosen.tables.items():
        database.register("lrsym_rows", rows.to_arrow())
        database.execute(f"create or replace table {name} as select * from lrsym_rows")
        database.unregister("lrsym_rows")
        if not chosen.is_imported:
            _comment(database, name, {*rows.columns})
    database.execute(f"create or replace table {OURS} (name text, rows bigint, source text, exported_at timestamptz)")
    now = datetime.now(UTC)
    told = [(name, rows.height, chosen.root, now) for name, rows in chosen.tables.items()]
    database.executemany(f"insert into {OURS} values (?, ?, ?, ?)", told)
    database.commit()
    return len(ours & there)


def _comment(database: Any, name: str, columns: set[str]) -> None:
    """Write the sentence of a table and of each of its columns into the file."""
    if (table := TABLES.get(name)) is None:
        return
    database.execute(f"comment on table {name} is {_quoted(table.sentence)}")
    for column in table.columns:
        if column.name in columns:
            words = f"{column.sentence} [{column.unit}]" if column.unit else column.sentence
            database.execute(f'comment on column {name}."{column.name}" is {_quoted(words)}')


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
