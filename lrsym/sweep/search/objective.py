"""What a search seeks, as a number of a cell: SQL over the rows of its replicates."""

from collections.abc import Sequence

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.store.query import query_tables
from lrsym.results.store.schema import TABLES
from lrsym.sweep.spec.search import Objective, Search
from lrsym.toml_source import suggest


def objective_values(objectives: Sequence[Objective], rows: pl.DataFrame) -> tuple[float, ...] | None:
    """Return the value of each objective for the cell of `rows`, which are rows of the table trials.

    A column stands for its mean over the replicates, and is null where it is null for any of them (a trial that
    diverged has no accuracies); in SQL the aggregates say what becomes of nulls. Returns None where a value is null or
    not finite.
    """
    values = [_value(_sql(objective), rows) for objective in objectives]
    finite = [float(value) for value in values if value is not None and abs(float(value)) < float("inf")]
    return tuple(finite) if len(finite) == len(values) else None


def check_objectives(search: Search) -> None:
    """Raise UsageError, with its line, for an objective that names no column or does not give a number for a cell."""
    table = TABLES["trials"].empty
    rows = pl.DataFrame({name: [None] * 2 for name in table.columns}, schema=table.schema)
    for objective in search.objectives:
        key = "maximise" if objective.maximise else "minimise"
        try:
            answer = query_tables(f"select {_sql(objective)} as value from trials", {"trials": rows})
        except UsageError as error:
            raise search.error(key, f"{key} {_shown(objective)} fails: {_reason(objective, error)}") from None
        number = answer["value"].dtype
        if answer.shape != (1, 1) or not (number.is_numeric() or number in (pl.Boolean, pl.Null)):
            what = f"{answer.height} rows of two" if answer.height != 1 else f"{number}"
            message = f"{key} must give one number for the rows of a cell, {_shown(objective)} gives {what}"
            raise search.error(key, f"{message}; write for example avg(unseen_order)")


def _sql(objective: Objective) -> str:
    sql = objective.sql.strip()
    return f"case when count({sql}) = count(*) then avg({sql}) end" if objective.is_column else sql


def _value(sql: str, rows: pl.DataFrame) -> float | None:
    return query_tables(f"select {sql} as value from trials", {"trials": rows})["value"].item()


def _shown(objective: Objective) -> str:
    return f'"{objective.sql}"'


def _reason(objective: Objective, error: UsageError) -> str:
    if objective.is_column:
        columns = [column.name for column in TABLES["trials"].columns]
        near = suggest(objective.sql.strip(), columns) or "`lrsym columns` lists them"
        return f"the table trials has no such column of numbers; {near}"
    return str(error)
