"""Options and arguments that several verbs share."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from lrsym.api.numbers import NUMBERS

RESULTS, RESULTS_VARIABLE = "results", "LRSYM_RESULTS"
"""The results folder where none is given, and the variable of the environment that gives another."""


def number(name: str, *words: str, help: str, show_default: bool = True) -> Any:
    """Return the option of a number, checked by NUMBERS under `name`; `words` are what it is called in a command."""
    return typer.Option(*words, parser=NUMBERS[name], metavar="NUMBER", help=help, show_default=show_default)


def parse_theme(text: str) -> str:
    """Return the name of a theme. Raises BadParameter for another."""
    from lrsym.results.plots.palette import THEMES

    if text not in THEMES:
        raise typer.BadParameter(f"must be one of {', '.join(THEMES)}")
    return text


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
    typer.Option("--where", help="Take only trials for which this SQL condition on axes holds: 'n_pair_labels = 5'."),
]
Limit = Annotated[
    int | None,
    number("limit", help="Train at most so many trials, the first of those that are left.", show_default=False),
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
    str, number("workers", help="Number of packs to train at the same time; auto lets a pilot run choose it.")
]
Pack = Annotated[
    str, number("pack", help="Number of trials to train together as one pack; auto lets a pilot run choose it.")
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
    number("timeout", help="Seconds after which a pack is stopped and its trials count as failed; by default never."),
]
Tolerance = Annotated[float, number("tolerance", help="How far last accuracies of a trial may differ, 0..1.")]
Theme = Annotated[str, typer.Option(parser=parse_theme, metavar="light|dark", help="Colours: light or dark.")]
Threshold = Annotated[float, number("threshold", help="Accuracy from which a phase counts as reached.")]
Budget = Annotated[
    int | None,
    number("budget", help="Cells that a search trains in all, in place of the file's budget; a larger one goes on."),
]
MaxCoreHours = Annotated[
    float | None,
    number(
        "max_core_hours",
        help="Core-hours that the packs of this command may take together: the plan is cut to fit, highest seeds "
        "first, and no pack is begun once they are spent. By default there is no limit.",
        show_default=False,
    ),
]
MaxGpuHours = Annotated[
    float | None, number("max_gpu_hours", help="The same in GPU-hours, where the device is cuda.", show_default=False)
]
SaveWeights = Annotated[
    bool,
    typer.Option(
        "--save-weights",
        help="Save the final parameters of the trials that are trained now, in RESULTS/weights. Finished trials are "
        "not trained again for it: lrsym explain does that, one by one.",
    ),
]

Options = Mapping[str, tuple[Any, Any]]
"""Options by the argument that takes them: what the command line knows of it, and what it is where it is not given."""

CHOOSING: Options = {
    "workers": (Workers, "auto"),
    "pack": (Pack, "auto"),
    "device": (Device, "auto"),
    "engine": (Engine, "auto"),
    "max_core_hours": (MaxCoreHours, None),
    "max_gpu_hours": (MaxGpuHours, None),
}
"""What decides on which workers packs are trained, and how much of them: for every verb that may train a sweep."""

PLANNING: Options = {**CHOOSING, "no_pilot": (NoPilot, False)}
"""The same for `lrsym plan`."""

EXECUTION: Options = {**PLANNING, "timeout": (Timeout, None), "save_weights": (SaveWeights, False)}
"""The same for the verbs that always train."""

PART: Options = {
    "where": (PartWhere, None),
    "limit": (Limit, None),
    "shard": (Shard, None),
    "retry": (Retry, None),
    "budget": (Budget, None),
}
"""Which part of a sweep is meant, and how far a search goes."""

_LAST = ("quiet", "json")
"""Options that stand at the end of every help."""

Verb = TypeVar("Verb", bound=Callable[..., None])


def with_options(options: Options) -> Callable[[Verb], Verb]:
    """Return what gives a verb these options, which it takes as `**options` behind those of its own."""

    def decorate(verb: Verb) -> Verb:
        *own, _ = inspect.signature(verb).parameters.values()
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for name, (kind, default) in options.items()
        ]
        listed = sorted([*own, *shared], key=lambda parameter: parameter.name in _LAST)
        keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in listed]
        verb.__signature__ = inspect.Signature(keywords)  # pyright: ignore[reportFunctionMemberAccess]  typer reads it
        return verb

    return decorate


def parse_out(text: str) -> Path:
    """Return the path after --out. Raises BadParameter where it is empty, or a folder that is not there."""
    if not text.strip():
        raise typer.BadParameter("must name a file or a folder; leave it out for the usual place")
    if text.endswith("/") and not Path(text).is_dir():
        raise typer.BadParameter("must name a file or a folder, and there is no such folder; make it first")
    return Path(text)
