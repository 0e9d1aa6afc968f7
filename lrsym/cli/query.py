"""The verb `lrsym query`: SQL over the tables."""

from pathlib import Path
from typing import Annotated

import typer

from lrsym.cli.options import RESULTS, Json, Results, Set, load_sweep
from lrsym.cli.output import Output
from lrsym.errors import UsageError

Sql = Annotated[str, typer.Argument(help="A SELECT in Polars SQL over the tables, which `lrsym columns` lists.")]
OfSweep = Annotated[Path | None, typer.Option("--sweep", help="Keep only the trials of this sweep file.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of a drawn table.")]


def query(
    sql: Sql, results: Results = RESULTS, sweep: OfSweep = None, set_: Set = None, json: Json = False, csv: Csv = False
) -> None:
    """Ask the tables in SQL."""
    from lrsym.results.store import query as store_query

    if json and csv:
        raise UsageError("--json and --csv exclude each other; choose one")
    if set_ and sweep is None:
        raise UsageError(f"--set changes a sweep file, got {set_[0]} without one; name it with --sweep")
    trial_ids = None if sweep is None else load_sweep(sweep, results, set_).trial_ids()
    Output(as_json=json).table(store_query.query(results, sql, trial_ids=trial_ids), csv=csv)
