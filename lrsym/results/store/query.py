"""SQL over all tables of the store."""

import re
from collections.abc import Iterable, Mapping, Sequence
from textwrap import shorten

import polars as pl

from lrsym.config.messages import nearest_axis_column
from lrsym.errors import UsageError, first_line
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.imported import FOLDERS, is_imported, load_imported
from lrsym.results.store.part_file import damage_sentence
from lrsym.results.store.place import require_results
from lrsym.results.store.schema import TABLES, axis_columns
from lrsym.results.store.sql_text import changes_tables, filters_nothing
from lrsym.results.store.store import load, read_again
from lrsym.toml_source import show, suggest

_READERS = re.compile(r"\bread_\w+", re.IGNORECASE)
"""Functions of polars' SQL that read any file or address: a claims file may be another's. Such a word is refused in a
text too: what is one, polars alone knows (E'\\'' is), and it takes these names in quotes as well."""


MAX_SHOWN = 200
"""Letters of a query that a message repeats."""

_MAX_VALUES, _MAX_COLUMNS = 16, 3
"""Values of a column, and columns, that a message lists."""

_OF_THE_QUERY = (
    pl.exceptions.SQLSyntaxError, pl.exceptions.SQLInterfaceError, pl.exceptions.ColumnNotFoundError,
)  # fmt: skip
"""Mistakes in a query; what else goes wrong may be a damaged part's fault."""


def query(root: str, sql: str, *, trial_ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Return what `sql`, a SELECT in polars' dialect, gives over the tables of the store at `root`.

    With `trial_ids` the tables hold these trials alone; the table runs stays whole. Of imported trials there are the
    tables trials and curves. Raises UsageError where there are no results, where polars refuses the query, and for any
    statement that gives no table.
    """
    if trial_ids is None and is_imported(open_filesystem(root)):
        tables = {name: load_imported(root, name) for name in FOLDERS}
        return query_tables(sql, tables, columns=", ".join(tables["trials"].collect_schema()))
    require_results(root)
    wanted = None if trial_ids is None else pl.Series(trial_ids, dtype=pl.String)  # once, not for each table
    return read_again(lambda: query_tables(sql, {name: load(root, name, trial_ids=wanted) for name in TABLES}))


def query_tables(
    sql: str, tables: Mapping[str, pl.DataFrame | pl.LazyFrame], *, columns: str = "lrsym columns"
) -> pl.DataFrame:
    """Return what `sql` gives over `tables`; UsageError as `query`, which says that the columns are `columns`."""
    if found := _READERS.search(sql):
        raise UsageError(
            f"query asks the tables of the results alone, got {found[0]}, which reads another file; "
            f"tables are {', '.join(tables)}"
        )
    if changes_tables(sql):
        raise _no_table()
    if filters_nothing(sql):
        raise UsageError(
            f"WHERE needs FROM, got {sql[:MAX_SHOWN]} where it has none; name a table, such as from trials: "
            f"tables are {', '.join(tables)}"
        )
    try:
        frame = pl.SQLContext(tables, eager=True).execute(sql)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if not isinstance(error, _OF_THE_QUERY) and (damage := damage_sentence(error)):
            raise UsageError(damage) from None
        raise UsageError(
            f"query failed: {first_line(error)}; {_column_hint(error)}tables are {', '.join(tables)}, their columns: "
            f"{columns}"
        ) from None
    if not frame.width:  # polars answers every statement but SELECT, though there is nothing to change
        raise _no_table()
    return frame


def _no_table() -> UsageError:
    return UsageError("query gave no table; ask with SELECT: results are read here, never changed")


def filter_trials(trials: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return the rows of `trials` that meet the SQL condition `where`.

    Raises UsageError where it is none on this table.
    """
    try:
        return trials.filter(pl.sql_expr(where))
    except pl.exceptions.PolarsError as error:
        name = _missing_column(error)
        if name in TABLES["trials"].empty.columns:
            raise UsageError(
                f"where {where!r} asks for {name}, which is known of trained trials alone; choose those to be trained "
                "by axes, which `lrsym axes` lists"
            ) from None
        near = nearest_column(name, TABLES["trials"].empty.columns) if name else "write for example n_pair_labels = 5;"
        raise UsageError(
            f"where {where!r} is no condition on the table trials: {first_line(error)}; "
            f"{f'{near} ' if near else ''}`lrsym axes` and `lrsym columns` list what there is"
        ) from None


def none_meets(trials: pl.DataFrame, where: str) -> str:
    """Return that none of `trials` meets the condition `where`, with the values that its columns have, and the remedy.

    It goes on from a sentence such as `no trial of demo`.
    """
    names = dict.fromkeys(pl.sql_expr(where).meta.root_names())
    known = [name for name in names if name in trials.columns and not trials[name].dtype.is_nested()]
    there = [f"{name} is {_values(trials[name])}" for name in known[:_MAX_COLUMNS]]
    listed = f"; there {'; '.join(there)}" if there and trials.height else ""
    return f"where {shorten(where, MAX_SHOWN, placeholder=' ...')}{listed}; change the condition, or leave --where out"


def _values(column: pl.Series) -> str:
    """Return the distinct values of `column` in words, of very many their range or their number."""
    filled = column.drop_nulls()
    filled = filled.drop_nans() if filled.dtype.is_float() else filled
    distinct = filled.unique().sort()
    if len(distinct) <= _MAX_VALUES:
        texts = [_value(one) for one in distinct]
    elif column.dtype.is_numeric() or column.dtype.is_temporal():
        texts = [f"{_value(distinct[0])} to {_value(distinct[-1])}"]
    else:
        texts = [f"one of {len(distinct):,} values"]
    return ", ".join([*texts, *(["absent"] if column.null_count() else [])]) or "absent"


def _value(one: object) -> str:
    return f"{one:g}" if isinstance(one, float) else one if isinstance(one, str) and one.isalnum() else show(one)


def nearest_column(name: str, known: Iterable[str]) -> str:
    """Return `did you mean ...?` for the one of the columns `known` that `name` may stand for, empty where none is."""
    return suggest(name, known) or (f"did you mean {near}?" if (near := nearest_axis_column(name)) else "")


def _missing_column(error: Exception) -> str:
    """Return the column that `error` says is not there, empty where it is about something else."""
    found = re.search(r"""column (?:named )?["']?([A-Za-z_]\w*)|"(\w+)" not found""", first_line(error))
    return (found[1] or found[2]) if found else ""


def _column_hint(error: Exception) -> str:
    """Return which column, or column of which table, is meant where `error` is about one that is not there, with a
    space behind; else nothing."""
    if not (name := _missing_column(error)):
        return ""
    tables = [table for table, of in TABLES.items() if name in of.empty.columns]
    if tables:
        return f"{name} is a column of {', '.join(tables)}: name {'it' if len(tables) == 1 else 'one'} after FROM; "
    known = dict.fromkeys(column.name for table in TABLES.values() for column in table.columns)
    return f"{hint} " if (hint := nearest_column(name, known)) else ""


def leading_gap(frame: pl.DataFrame, sql: str) -> str | None:
    """Return the column that the first row of `frame`, ordered by `sql`, has no value of; None where it has all.

    In a descending order rows without a value come first: trials that diverged or failed would lead the best. Columns
    that say how a trial ended, or axes that may be absent, are not asked for.
    """
    if not re.search(r"\border\s+by\b", sql, flags=re.IGNORECASE) or frame.is_empty():
        return None
    measured = [name for name, kind in frame.schema.items() if kind.is_float() and name not in axis_columns()]
    return next((name for name in measured if frame[name][0] is None), None)
