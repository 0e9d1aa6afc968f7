"""SQL over the tables of the store."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lrsym.errors import UsageError, first_line
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import load


def query(root: str, sql: str, *, trial_ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the answer to `sql`, a SELECT in Polars SQL, over the tables of the store at `root`.

    Tables with a trial_id keep to `trial_ids` where given. Raises UsageError where there is no store at `root` and
    where polars cannot answer.
    """
    if not Path(root).is_dir():
        raise UsageError(f"there are no results in {root}; train a sweep first, or name their folder with --results")
    try:
        tables = {
            name: load(root, name, trial_ids=trial_ids if "trial_id" in table.key else None)
            for name, table in TABLES.items()
        }
        frame = pl.SQLContext(tables, eager=True).execute(sql)
    except pl.exceptions.PolarsError as error:
        names = ", ".join(TABLES)
        raise UsageError(
            f"query failed: {first_line(error)}; tables are {names}, their columns: lrsym columns"
        ) from None
    if not frame.width:  # polars answers every statement but SELECT, though there is nothing to change
        raise UsageError("query gave no table; ask with SELECT: results are read here, never changed")
    return frame
