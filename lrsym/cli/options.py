"""Options and arguments that several verbs share, and what they are parsed into."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.errors import UsageError

if TYPE_CHECKING:
    from lrsym.sweep.planning.settings import Settings
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep_file import Sweep

MAX_NUMBER = 999_999
"""Of workers and of trials in a pack: far beyond any use; it keeps a typing error from becoming an overflow."""

RESULTS, RESULTS_VARIABLE = "results", "LRSYM_RESULTS"
"""The results folder where none is given, and the variable of the environment that gives another."""

File = Annotated[Path, typer.Argument(help="Sweep file (TOML).", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a value in the table base of the file: --set optim.steps=100; repeat for more.",
        show_default=False,
    ),
]
Results = Annotated[
    str,
    typer.Option(
        "--results",
        envvar=RESULTS_VARIABLE,
        help="Folder of the results, which are Parquet tables, or s3://bucket/prefix in an object store.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print no plan and no progress: the result, warnings and errors alone.")
]
Where = Annotated[str | None, typer.Option(help="Keep trials for which this SQL condition holds: 'd_model = 64'.")]
PartWhere = Annotated[
    str | None,
    typer.Option("--where", help="Train only trials for which this SQL condition on axes holds: 'n_pair_labels = 5'."),
]
Limit = Annotated[
    int | None, typer.Option(help="Train at most so many trials, the first of those that are left.", show_default=False)
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Take only shard I of N, from 1 on: the packs of the whole file dealt out to N commands, which overlap in "
        "nothing and leave nothing out, whatever is trained already.",
        show_default=False,
    ),
]
Retry = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STATUS",
        help="Train only trials that ended as out_of_memory, timeout or crashed, those that are given up among them; "
        "repeat for more.",
        show_default=False,
    ),
]
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
Tolerance = Annotated[
    float | None,
    typer.Option(help="How far last accuracies of a trial may differ, 0..1; by default 0.05.", show_default=False),
]
Budget = Annotated[
    str | None,
    typer.Option(help="Cells that a search trains in all, in place of the file's budget; a larger one goes on."),
]
MaxCoreHours = Annotated[
    float | None,
    typer.Option(
        help="Core-hours that the packs of this command may take together: the plan is cut to fit, highest seeds "
        "first, and no pack is begun once they are spent. By default there is no limit.",
        show_default=False,
    ),
]
MaxGpuHours = Annotated[
    float | None, typer.Option(help="The same in GPU-hours, where the device is cuda.", show_default=False)
]
SaveWeights = Annotated[
    bool,
    typer.Option(
        "--save-weights",
        help="Save the final parameters of the trials that are trained now, in RESULTS/weights. Finished trials are "
        "not trained again for it: lrsym explain does that, one by one.",
    ),
]


def check_tolerance(tolerance: float | None) -> float:
    """Return how far last accuracies may differ, by default DEFAULT_TOLERANCE; raises UsageError for no such number."""
    from lrsym.results.analysis.drift import DEFAULT_TOLERANCE

    limit = DEFAULT_TOLERANCE if tolerance is None else tolerance
    if not 0 <= limit <= 1:
        raise UsageError(f"--tolerance must be a difference of accuracies, 0 to 1, got {limit}; try --tolerance 0.05")
    return limit


def parse_out(text: str) -> Path:
    """Return the path after --out. Raises BadParameter where it is empty, or a folder that is not there."""
    if not text.strip():
        raise typer.BadParameter("must name a file or a folder; leave it out for the usual place")
    if text.endswith("/") and not Path(text).is_dir():
        raise typer.BadParameter("must name a file or a folder, and there is no such folder; make it first")
    return Path(text)


def load_sweep(file: Path, results: str, changes: Sequence[str] | None = None) -> "Sweep":
    """Return the sweep in `file` with `changes`; of a search, the cells that it has chosen in the folder `results`."""
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep_file import load_any

    found = load_any(file, changes=changes or ())
    if isinstance(found, Search):
        from lrsym.results.store.store import Store
        from lrsym.sweep.search.run import searched_sweep

        return searched_sweep(found, Store(results))
    return found


def load_search(file: Path, changes: Sequence[str] | None) -> "Search":
    """Return the search in `file` with `changes`. Raises UsageError where it is a grid."""
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep_file import load_any

    found = load_any(file, changes=changes or ())
    if not isinstance(found, Search):
        raise UsageError(f"this picture is of searches, {file} has no [search]; draw phase, or name another file")
    return found


def check_budget(budget: str | None, found: "Sweep | Search") -> int | None:
    """Return the budget of a search from the command line; raises UsageError where it is none or `found` a grid."""
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.search_table import MAX_BUDGET
    from lrsym.toml_source import show

    if budget is None:
        return None
    if not isinstance(found, Search):
        raise UsageError(f"--budget is for searches, {found.source} has no [search]; leave it out")
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", budget, flags=re.ASCII) or int(budget) > MAX_BUDGET:
        remedy = "write for example --budget 60, or leave it out for that of the file"
        raise UsageError(f"--budget must be a number of cells from 1 to {MAX_BUDGET:,}, got {show(budget)}; {remedy}")
    found.check_size(int(budget))
    return int(budget)


def parse_count(option: str, value: str, *, of: str) -> int:
    """Return the number after `option`; raises UsageError unless it is a whole one from 1 on."""
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", value, flags=re.ASCII):
        raise UsageError(f"{option} must be a number of {of} from 1 on, got {value}; write for example {option} 5")
    return int(value)


def resolve(
    *,
    engine: str,
    device: str,
    workers: str,
    pack: str,
    timeout: float | None = None,
    save_weights: bool = False,
    pilot: bool = True,
    max_core_hours: float | None = None,
    max_gpu_hours: float | None = None,
) -> "Settings":
    """Return how to execute, from the options of the command line; raises UsageError for a value not allowed."""
    from lrsym.sweep.driver import with_cluster_gpus
    from lrsym.sweep.planning.settings import Settings

    settings = Settings.resolve(
        engine=engine,
        device=device,
        workers=_auto_or_number("workers", workers, "packs trained at a time"),
        pack_size=_auto_or_number("pack", pack, "trials"),
        timeout=timeout,
        save_weights=save_weights,
        pilot=pilot,
        max_core_hours=max_core_hours,
        max_gpu_hours=max_gpu_hours,
    )
    return with_cluster_gpus(settings)


def _auto_or_number(option: str, value: str, of: str) -> int | None:
    if value != "auto" and not re.fullmatch(r"0*[1-9][0-9]*", value, flags=re.ASCII):
        raise UsageError(f"--{option} must be auto or a number of {of} from 1 on, got {value}")
    if len(value.lstrip("0")) > len(str(MAX_NUMBER)):
        raise UsageError(f"--{option} must be at most {MAX_NUMBER:,}, got a number of {len(value)} digits; lower it")
    return None if value == "auto" else int(value)
