"""The verbs `lrsym export` and `lrsym import`: rows for other tools, and trials of theirs in a folder of their own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.cli.options import RESULTS, Json, Results, Set, Where
from lrsym.cli.output import Output
from lrsym.errors import UsageError, counted
from lrsym.vocabulary import EXPORTS

if TYPE_CHECKING:
    from lrsym.exchange.outcome import Exported

OfSweep = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="Sweep file (TOML); without one, every trial there is.", show_default=False),
]
To = Annotated[
    str, typer.Option("--to", metavar="|".join(EXPORTS), help="What to write: " + "; ".join(EXPORTS.values()) + ".")
]
Out = Annotated[
    str | None,
    typer.Option(
        help="Where to write: a folder; of duckdb a file; of mlflow a SQLite file, or the address of a tracking store. "
        "By default in RESULTS/exports.",
        show_default=False,
    ),
]
FromWhere = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="An Optuna storage, such as sqlite:///study.db, or the folder of a Ray Tune experiment.",
        show_default=False,
    ),
]
Study = Annotated[
    str | None,
    typer.Option(help="Name of the Optuna study; may be left out where there is only one.", show_default=False),
]
OwnFolder = Annotated[
    str | None, typer.Option("--results", help="Folder for these trials alone; it has no default.", show_default=False)
]


def export(
    file: OfSweep = None,
    to: To = "csv",
    out: Out = None,
    where: Where = None,
    set_: Set = None,
    results: Results = RESULTS,
    json: Json = False,
) -> None:
    """Write the trials of a sweep, or all, for other tools; again, it writes what has changed and nothing twice."""
    from lrsym.api import exchange
    from lrsym.api.arguments import as_grid

    if set_ and file is None:
        raise UsageError(f"--set changes a sweep file, got {set_[0]} without one; name the file")
    sweep = None if file is None else as_grid(file, results, set_ or ())
    done = exchange.export(sweep, out, to=to, results=results, where=where)
    data = {
        "to": to, "place": done.place, "trials": done.trials, "rows": dict(done.rows), "written": done.written,
        "kept": done.kept, "replaced": done.replaced,
    }  # fmt: skip
    Output(as_json=json).result(data, [_in_words(done), done.place, done.look])


def _in_words(done: "Exported") -> str:
    if done.rows:
        return "; ".join(f"{name} {rows:,}" for name, rows in done.rows.items()) + " rows"
    counts = (done.written, "runs written"), (done.replaced, "replaced"), (done.kept, "there already")
    return ", ".join(f"{n:,} {what}" for n, what in counts if n)


def import_(source: FromWhere, study: Study = None, results: OwnFolder = None, json: Json = False) -> None:
    """Take the trials of an Optuna study or a Ray Tune experiment into a folder of their own, to query and export."""
    from lrsym.exchange.importing import import_trials

    if results is None:
        raise UsageError(
            "--results must name a folder for these trials alone, got none; write for example --results imported"
        )
    done = import_trials(source, results, study=study)
    lines = [
        f"{counted(done.trials, 'trial')} of {done.study} imported into {results}, "
        f"{counted(done.points, 'point')} of their curves",
        *([f"{done.left_out} that had not ended left out"] if done.left_out else []),
        f'look at them: lrsym query "select * from trials" --results {results}',
    ]
    data = {
        "tool": done.tool, "study": done.study, "trials": done.trials, "points": done.points, "left_out": done.left_out,
        "results": results,
    }  # fmt: skip
    Output(as_json=json).result(data, lines)
