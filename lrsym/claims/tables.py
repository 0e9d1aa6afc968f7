"""The tables that a claim is asked of, and the SQL that asks them."""

from collections.abc import Iterable, Mapping

import polars as pl

from lrsym.claims.claim import Claim
from lrsym.claims.file import ClaimsFile
from lrsym.errors import UsageError
from lrsym.results.store.query import query_tables
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import load

Tables = Mapping[str, pl.DataFrame]


def read_tables(root: str, trials: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return every table of the store at `root`, its rows those of `trials`, which are rows of the table trials."""
    tables = {name: load(root, name, trial_ids=trials["trial_id"]) for name in TABLES}
    tables["runs"] = tables["runs"].join(trials.lazy().select("run_id").unique(), on="run_id", how="semi")
    return {name: table.collect() for name, table in tables.items()}


LARGEST = 1e150
"""Beyond it the square of a number is none."""

MAX_NAMED = 8
"""Columns of an answer that a message names: `select *` has more than a hundred."""


def query_values(sql: str, tables: Tables) -> tuple[list[float], int]:
    """Return the finite numbers in column value of the answer, and how many values are not: null, infinite, NaN.

    Raises UsageError where the query fails, or its answer has no such column or none of numbers or truth values.
    """
    answer = query_tables(sql, tables)
    if "value" not in answer.columns:
        columns = ", ".join(answer.columns[:MAX_NAMED]) + ", ..." * (len(answer.columns) > MAX_NAMED)
        raise UsageError(f"the answer must have a column value, it has {columns}; write select ... as value")
    value = answer["value"]
    if not (value.dtype.is_numeric() or value.dtype == pl.Boolean):
        raise UsageError(f"the column value must hold numbers, it holds {value.dtype}; select a number as value")
    numbers = value.cast(pl.Float64)
    finite = numbers.filter(numbers.is_finite())  # null is not true, so it goes too
    if beyond := finite.filter(finite.abs() > LARGEST).to_list():
        raise UsageError(f"the column value must hold numbers up to {LARGEST:g}, got {beyond[0]:g}; divide it")
    return finite.to_list(), len(numbers) - len(finite)


def holds(sql: str, tables: Tables) -> bool:
    """Return whether every value of the answer to a precondition is true, and there is one; raise as `query_values`."""
    values, dropped = query_values(sql, tables)
    return bool(values) and not dropped and all(values)


def check_estimates(file: ClaimsFile, claims: Iterable[Claim]) -> None:
    """Raise UsageError, with its line, for the first query that cannot be asked; empty tables show it."""
    empty = {name: table.empty for name, table in TABLES.items()}
    for claim in claims:
        for number, part in enumerate(claim.part):
            for key, sql in (("estimate", part.estimate), ("requires", part.requires)):
                if sql is None:
                    continue
                try:
                    query_values(sql, empty)
                except UsageError as error:
                    raise query_error(file, claim, number, error, key=key) from None


def query_error(file: ClaimsFile, claim: Claim, number: int, why: UsageError, *, key: str = "estimate") -> UsageError:
    """Return (do not raise) a UsageError that names the line of the query `key` of the part with that number."""
    return file.error(claim, f"part.{number}.{key}", f"{key} of part {claim.part[number].name!r} fails: {why}")
