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

    from lrsym.sweep.pilot.choice import Choice
    from lrsym.sweep.planning.settings import Settings
    from lrsym.sweep.spec.sweep_file import Sweep

File = Annotated[Path, typer.Argument(help="Sweep file (TOML).", show_default=False)]
Results = Annotated[Path, typer.Option("--results", help="Folder of the Parquet tables.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Workers = Annotated[str, typer.Option(help="Packs trained at a time, or auto: the pilot chooses.")]
Pack = Annotated[str, typer.Option("--pack", help="Trials in a pack, or auto: the pilot chooses.")]
NoPilot = Annotated[
    bool, typer.Option("--no-pilot", help="Measure nothing: choose packs and workers by rule, tell no cost.")
]
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
    from lrsym.sweep.spec.sweep_file import load

    return load(file)


def resolve(
    *, engine: str, device: str, workers: str, pack: str, timeout: float | None = None, pilot: bool = True
) -> "Settings":
    """How to execute, from the options of the command line."""
    from lrsym.sweep.planning.settings import Settings

    at_a_time = _auto_or_number("workers", workers, "packs trained at a time")
    size = _auto_or_number("pack", pack, "trials")
    return Settings.resolve(
        engine=engine, device=device, workers=at_a_time, pack_size=size, timeout=timeout, pilot=pilot
    )


def _auto_or_number(option: str, value: str, of: str) -> int | None:
    if value != "auto" and not (value.isascii() and value.isdigit() and int(value) > 0):
        raise UsageError(f"--{option} must be auto or a number of {of} from 1 on, got {value}")
    return None if value == "auto" else int(value)


def chosen_for(sweep: "Sweep", results: Path, settings: "Settings", *, told: bool = False) -> "Choice":
    """What is left to train of `sweep`, its packs and workers chosen; standard error hears of a pilot and its failure.

    With `told` the cost is asked for, and nothing is going to be written. Else raises OSError where rows could not be.
    """
    from lrsym.results.store.store import Store
    from lrsym.sweep.driver import plan_sweep
    from lrsym.sweep.pilot.choice import choose_packing

    store = Store(str(results))
    plan = plan_sweep(sweep, store, settings)
    if plan.pending and not told:
        store.prove_writable()
    choice = choose_packing(plan, settings, want_cost=told, on_message=lambda text: typer.echo(text, err=True))
    if choice.warning:
        typer.echo(f"warning: {choice.warning}", err=True)
    return choice


def axis_names(spec: "Sweep") -> list[str]:
    """The columns of the axes that the sweep varies, in its order."""
    return [key.rpartition(".")[2] for key in spec.varied]


def of_sweep(spec: "Sweep", results: Path, table: str) -> "pl.LazyFrame":
    """Rows of `table` that belong to trials of the sweep."""
    from lrsym.results.store.store import load

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


def sweep_command(file: Path, results: Path, choice: "Choice", options: Mapping[str, object]) -> str:
    """The command that trains what `choice` chose: with what a pilot found, so that it needs none of its own."""
    chosen = {"workers": choice.plan.workers, **({} if choice.pilot_seconds is None else {"pack": choice.pack_size})}
    return command_line("sweep", file, results, {**options, **chosen})


def show(report: Mapping[str, Any], text: list[str], *, as_json: bool) -> None:
    """Print `report` as JSON, or `text` line by line."""
    typer.echo(json.dumps(report, default=str) if as_json else "\n".join(text))
