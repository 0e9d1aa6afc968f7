"""The verb `lrsym new`: a sweep file to start from."""

from pathlib import Path
from typing import Annotated

import typer

from lrsym.cli.options import Json
from lrsym.cli.output import Output
from lrsym.errors import UsageError

NewFile = Annotated[Path | None, typer.Argument(help="Sweep file to write, such as my-sweep.toml.", show_default=False)]
From = Annotated[str, typer.Option("--from", help="The shipped sweep to copy; lrsym new --list names them.")]
List = Annotated[bool, typer.Option("--list", help="List the shipped sweeps with their questions; write nothing.")]


def new(file: NewFile = None, from_: From = "demo", list_: List = False, json: Json = False) -> None:
    """Write a sweep file to start from: a copy of one that comes with lrsym, under a name of its own."""
    from lrsym.sweep.spec.shipped import as_new_file, shipped_sweeps
    from lrsym.sweep.spec.sweep_file import load_any

    if list_ and file:
        raise UsageError(f"--list writes nothing, got the file {file} beside it; leave one of them out")
    if list_:
        questions = {name: load_any(path).head.question for name, path in shipped_sweeps().items()}
        width = max(map(len, questions))
        Output(as_json=json).result(
            {"sweeps": questions}, [f"{name.ljust(width)}  {text}" for name, text in questions.items()]
        )
        return
    if file is None:
        raise UsageError("a file to write is missing; write for example lrsym new my-sweep.toml --from recipe")
    write_new(file, as_new_file(from_, file))
    lines = [f"{file} written, a copy of the shipped sweep {from_}; what it would take: lrsym plan {file}"]
    Output(as_json=json).result({"file": str(file), "from": from_}, lines)


def write_new(file: Path, text: str) -> None:
    """Write a new file. Raises UsageError where there is one already, or it cannot be written."""
    from lrsym.results.plots.save import write_file

    if file.exists():
        raise UsageError(f"{file} is there already and is not written over; choose another name")
    if not file.parent.is_dir():
        raise UsageError(f"{file} cannot be written: there is no folder {file.parent}; make it first")
    write_file(file, text.encode())
