"""Options and arguments that several verbs share, and what they are parsed into."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.errors import UsageError

if TYPE_CHECKING:
    from lrsym.sweep.planning.settings import Settings
    from lrsym.sweep.spec.sweep_file import Sweep

MAX_NUMBER = 999_999
"""Of workers and of trials in a pack: far beyond any use; it keeps a typing error from becoming an overflow."""

RESULTS = "results"
"""The results folder where none is given."""

File = Annotated[Path, typer.Argument(help="Sweep file (TOML).", show_default=False)]
Results = Annotated[str, typer.Option("--results", help="Folder of the results, which are Parquet tables.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Workers = Annotated[
    str, typer.Option(help="Number of packs to train at the same time; auto lets a pilot run choose it.")
]
Pack = Annotated[
    str, typer.Option("--pack", help="Number of trials to train together as one pack; auto lets a pilot run choose it.")
]
NoPilot = Annotated[
    bool,
    typer.Option(
        "--no-pilot", help="Skip the pilot run: use default pack size and workers, and print no cost estimate."
    ),
]
Device = Annotated[str, typer.Option(help="Device to train on: cpu, cuda, or auto, which is cuda where there is one.")]
Engine = Annotated[
    str,
    typer.Option(
        help="What runs the workers: local (processes on this machine), ray (Ray Tune), or auto, which is ray where "
        "RAY_ADDRESS is set and local elsewhere."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(help="Seconds after which a pack is stopped and its trials count as failed; by default never."),
]
SaveWeights = Annotated[
    bool,
    typer.Option(
        "--save-weights",
        help="Save the final parameters of the trials that are trained now, in RESULTS/weights. Finished trials are "
        "not trained again for it: lrsym explain does that, one by one.",
    ),
]


def load_sweep(file: Path) -> "Sweep":
    """Return the sweep in `file`."""
    from lrsym.sweep.spec.sweep_file import load

    return load(file)


def resolve(
    *,
    engine: str,
    device: str,
    workers: str,
    pack: str,
    timeout: float | None = None,
    save_weights: bool = False,
    pilot: bool = True,
) -> "Settings":
    """Return how to execute, from the options of the command line; raises UsageError for a value not allowed."""
    from lrsym.sweep.planning.settings import Settings

    return Settings.resolve(
        engine=engine,
        device=device,
        workers=_auto_or_number("workers", workers, "packs trained at a time"),
        pack_size=_auto_or_number("pack", pack, "trials"),
        timeout=timeout,
        save_weights=save_weights,
        pilot=pilot,
    )


def _auto_or_number(option: str, value: str, of: str) -> int | None:
    if value != "auto" and not re.fullmatch(r"0*[1-9][0-9]*", value, flags=re.ASCII):
        raise UsageError(f"--{option} must be auto or a number of {of} from 1 on, got {value}")
    if len(value.lstrip("0")) > len(str(MAX_NUMBER)):
        raise UsageError(f"--{option} must be at most {MAX_NUMBER:,}, got a number of {len(value)} digits; lower it")
    return None if value == "auto" else int(value)
