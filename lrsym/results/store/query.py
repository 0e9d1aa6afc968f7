"""SQL over all tables of the store."""

from collections.abc import Mapping, Sequence

import polars as pl

from lrsym.errors import UsageError, first_line
from lrsym.results.store.place import require_results
from lrsym.results.store.schema import TABLES, axis_columns
from lrsym.results.store.store import load, read_again


def query(root: str, sql: str, *, trial_ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Return what `sql`, a SELECT in polars' dialect, gives over the tables of the store at `root`.

    With `trial_ids` the tables hold these trials alone; the table runs stays whole. Raises UsageError where there are
    no results, where polars refuses the query, and for any statement that gives no table.
    """
    require_results(root)
    return read_again(lambda: query_tables(sql, {name: load(root, name, trial_ids=trial_ids) for name in TABLES}))


def query_tables(sql: str, tables: Mapping[str, pl.DataFrame | pl.LazyFrame]) -> pl.DataFrame:
    """Return what `sql` gives over `tables`; UsageError as `query`."""
    try:
        frame = pl.SQLContext(tables, eager=True).execute(sql)
    except pl.exceptions.PolarsError as error:
        raise UsageError(
            f"query failed: {first_line(error)}; tables are {', '.join(tables)}, their columns: lrsym columns"
        ) from None
    if not frame.width:  # polars answers every statement but SELECT, though there is nothing to change
        raise UsageError("query gave no table; ask with SELECT: results are read here, never changed")
    return frame


def filter_trials(trials: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return the rows of `trials` that meet the SQL condition `where`.

    Raises UsageError where it is none on this table.
    """
    try:
        return trials.filter(pl.sql_expr(where))
    except pl.exceptions.PolarsError as error:
        why, columns = first_line(error), ", ".join(axis_columns())
        raise UsageError(f"where {where!r} is no condition on the table trials: {why}; axes are {columns}") from None
