"""What the verbs of the command line share: options, reading a sweep, printing."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from lrsym.sweep.drive import Settings
    from lrsym.sweep.spec import Sweep

File = Annotated[Path, typer.Argument(help="Sweep file (TOML).", show_default=False)]
Results = Annotated[Path, typer.Option("--results", help="Folder of the Parquet tables.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Workers = Annotated[int | None, typer.Option(help="Packs trained at a time. [default: one a core or GPU]")]
Pack = Annotated[str, typer.Option("--pack", help="Trials in a pack, or auto.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Engine = Annotated[
    str, typer.Option(help="auto, local (processes) or ray (Ray Tune). auto: ray if RAY_ADDRESS is set.")
]
Timeout = Annotated[float | None, typer.Option(help="Seconds after which a pack is given up. [default: none]")]
SaveWeights = Annotated[
    bool,
    typer.Option(
        "--save-weights",
        help="Keep the final parameters of what is trained now, in RESULTS/weights. Trials that are finished already "
        "are not trained again for it: lrsym explain does that, one by one.",
    ),
]
RESULTS = Path("results")

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells expect."""


def load_sweep(file: Path) -> "Sweep":
    """The sweep in `file`."""
    from lrsym.sweep.spec import load

    return load(file)


def resolve(*, engine: str, device: str, workers: int | None, pack: str, timeout: float | None = None) -> "Settings":
    """How to execute, from the options of the command line."""
    from lrsym.sweep.drive import Settings

    if pack != "auto" and not (pack.isascii() and pack.isdigit()):
        raise UsageError(f"--pack must be auto or a number of trials, got {pack}")
    size = None if pack == "auto" else int(pack)
    return Settings.resolve(engine=engine, device=device, workers=workers, pack_size=size, timeout=timeout)


def axis_names(spec: "Sweep") -> list[str]:
    """The columns of the axes that the sweep varies, in its order."""
    return [key.rpartition(".")[2] for key in spec.varied]


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


def show(report: Mapping[str, Any], text: list[str], *, as_json: bool) -> None:
    """Print `report` as JSON, or `text` line by line."""
    typer.echo(json.dumps(report, default=str) if as_json else "\n".join(text))
