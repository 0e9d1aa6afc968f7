"""What a search seeks, as a number of a cell: SQL over the rows of its replicates."""

from collections.abc import Sequence
from textwrap import shorten

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.store.query import query_tables
from lrsym.results.store.schema import TABLES, axis_columns
from lrsym.sweep.spec.search import Objective, Search
from lrsym.toml_source import show, suggest
from lrsym.vocabulary import PHASE_METRIC

MAX_REASON = 160
"""Characters of what polars says of a query: it may print a whole syntax tree."""


def objective_values(objectives: Sequence[Objective], rows: pl.DataFrame) -> tuple[float, ...] | None:
    """Return the value of each objective for the cell of `rows`, which are rows of the table trials.

    A column stands for its mean over the replicates, and is null where it is null for any of them (a trial that
    diverged has no accuracies); in SQL the aggregates say what becomes of nulls. Returns None where a value is null or
    not finite.
    """
    values = [_answer(objective, rows).item() for objective in objectives]
    finite = [float(value) for value in values if value is not None and abs(float(value)) < float("inf")]
    return tuple(finite) if len(finite) == len(values) else None


def check_objectives(search: Search) -> None:
    """Raise UsageError, with its line, for an objective that names no column or does not give a number for a cell."""
    for objective in search.objectives:
        if message := _wrong_objective(objective):
            key = "maximise" if objective.maximise else "minimise"
            raise search.error(key, f"{key} must give one number for the rows of a cell, {message}")


def _wrong_objective(objective: Objective) -> str:
    if objective.sql in axis_columns():
        axis = show(objective.sql)
        return f"{axis} is an axis, which trials are given and do not give; write for example {PHASE_METRIC}"
    return wrong_column(objective.sql) if objective.is_column else _wrong_query(objective)


def wrong_column(name: str) -> str:
    """Return what is wrong with an objective that is a single word; empty where it is a column of numbers."""
    numbers = [column for column, kind in TABLES["trials"].empty.schema.items() if _is_number(kind)]
    remedy = suggest(name, numbers) or "`lrsym columns` lists them"
    return "" if name in numbers else f"{show(name)} is no column of numbers in the table trials; {remedy}"


def _wrong_query(objective: Objective) -> str:
    """Return what is wrong with an objective in SQL; empty where it gives one number."""
    table = TABLES["trials"].empty
    rows = pl.DataFrame({name: [None] * 2 for name in table.columns}, schema=table.schema)
    try:
        answer = _answer(objective, rows)
    except UsageError as error:
        given = f"none, {shorten(str(error), MAX_REASON, placeholder=' ...')}"
    else:
        if len(answer) == 1 and _is_number(answer.dtype):
            return ""
        given = str(answer.dtype) if len(answer) == 1 else f"{len(answer)} rows of two"
    return f"{show(objective.sql)} gives {given}; write for example avg(unseen_order)"


def _answer(objective: Objective, rows: pl.DataFrame) -> pl.Series:
    sql = objective.sql
    if objective.is_column:
        sql = f"case when count({sql}) = count(*) then avg({sql}) end"
    # In parentheses it can be nothing but one expression; on a line of its own it may end with a comment.
    return query_tables(f"select (\n{sql}\n) as value from trials", {"trials": rows})["value"]


def _is_number(kind: pl.DataType) -> bool:
    return kind.is_numeric() or kind == pl.Boolean
