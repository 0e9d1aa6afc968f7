"""The verb `lrsym query`: SQL over the tables."""

from pathlib import Path
from typing import Annotated

import typer

from lrsym.cli.options import RESULTS, Json, Results, Set
from lrsym.cli.output import Output, message

Sql = Annotated[str, typer.Argument(help="A SELECT in Polars SQL over the tables, which `lrsym columns` lists.")]
OfSweep = Annotated[Path | None, typer.Option("--sweep", help="Keep only the trials of this sweep file.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of a drawn table.")]


def query(
    sql: Sql, results: Results = RESULTS, sweep: OfSweep = None, set_: Set = None, json: Json = False, csv: Csv = False
) -> None:
    """Ask the tables in SQL."""
    from lrsym.api import reading
    from lrsym.api.arguments import as_grid
    from lrsym.results.store.query import leading_gap

    trial_ids = None if sweep is None else as_grid(sweep, results, set_ or ()).trial_ids()
    frame = reading.query(results, sql, trial_ids=trial_ids)
    if gap := leading_gap(frame, sql):
        message(
            f"note: the first row has no {gap}, as trials that diverged or failed have none; leave such rows out "
            f"with where {gap} is not null, or put them last with order by ... nulls last"
        )
    Output(as_json=json).table(frame, csv=csv)
