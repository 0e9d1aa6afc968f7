"""What the verbs of the command line share: options, reading a sweep, printing."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import polars as pl

    from lrsym.sweep.spec import Sweep

File = Annotated[Path, typer.Argument(help="Sweep file (TOML).", show_default=False)]
Results = Annotated[Path, typer.Option("--results", help="Folder of the Parquet tables.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
RESULTS = Path("results")


def load_sweep(file: Path) -> "Sweep":
    """The sweep in `file`; its warnings go to standard error."""
    from lrsym.sweep.spec import load

    spec = load(file)
    for warning in spec.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return spec


def of_sweep(spec: "Sweep", results: Path, table: str) -> "pl.LazyFrame":
    """Rows of `table` that belong to trials of the sweep."""
    from lrsym.results.store import load

    return load(results, table, trial_ids=[t.trial_id for t in spec.trials])


def command_line(verb: str, file: Path, results: Path, options: Mapping[str, object] | None = None) -> str:
    """The command a user would type, quoted for a shell; options that are None, False or auto are left out."""
    given = {"results": None if results == RESULTS else results}
    chosen = {name: value for name, value in {**(options or {}), **given}.items() if value not in (None, False, "auto")}
    words = [
        word
        for name, value in chosen.items()
        for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])
    ]
    return shlex.join(["lrsym", verb, str(file), *words])


def first_line(error: Exception) -> str:
    """What went wrong, without the query plan that polars prints below it."""
    return str(error).partition("\n")[0]


def show(report: Mapping[str, Any], text: list[str], *, as_json: bool) -> None:
    """Print `report` as JSON, or `text` line by line."""
    typer.echo(json.dumps(report, default=str) if as_json else "\n".join(text))
