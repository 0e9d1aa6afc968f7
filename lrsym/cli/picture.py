"""Drawing sweeps for the verbs of `lrsym plot`, and saving the picture under a name that says what it shows."""

import importlib.metadata
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import RESULTS, Json, Options, Results, Set, Theme, Where, parse_out
from lrsym.cli.output import Output, output_path
from lrsym.errors import printable
from lrsym.vocabulary import PHASE_THRESHOLD

if TYPE_CHECKING:
    from lrsym.results.plots.theme import Chart

Out = Annotated[
    Path | None,
    typer.Option(
        parser=parse_out,
        metavar="PATH",
        help="Path of the picture without its ending; by default RESULTS/plots/SWEEP-...",
    ),
]

SAVED: Options = {
    "set_": (Set, None),
    "results": (Results, RESULTS),
    "theme": (Theme, "light"),
    "out": (Out, None),
    "json": (Json, False),
}
"""Of every picture: where its rows are, in which colours, and where it is written to."""

DRAWN: Options = {"where": (Where, None), **SAVED}
"""The same of pictures of the trials of sweeps."""


@dataclass(frozen=True)
class Place:
    """What the options DRAWN, or SAVED, say."""

    set_: list[str] | None
    results: str
    theme: str
    out: Path | None
    json: bool
    where: str | None = None


def draw_and_save(
    plot: "Callable[..., Chart]",
    files: Sequence[Path],
    place: Place,
    options: dict[str, Any],
    *,
    name: str,
    named: dict[str, Any] | None = None,
) -> None:
    """Draw the sweeps in `files` by `plot`, a function of the Python interface, and save the picture as `save_picture`.

    `named` stand in the name of the picture in place of `options`, where it says them in other words.
    """
    from lrsym.api.arguments import as_grids

    grids = as_grids([*files], place.results, place.set_ or ())
    chart = plot(grids[0] if len(grids) == 1 else grids, results=place.results, where=place.where, **options)
    sweep, told = "-".join(grid.name for grid in grids), options if named is None else named
    save_picture(chart, sweep, place, told, changes=grids[0].changes, name=name)


def save_picture(
    chart: "Chart", sweep: str, place: Place, options: dict[str, Any], *, changes: Sequence[str], name: str
) -> None:
    """Save the picture of a sweep, signed with its command, and print its paths.

    `name`, the `options`, the condition and `changes` that make it another picture make its name, unless `place` gives
    one.
    """
    from lrsym.results.plots.save import picture_name, save
    from lrsym.results.plots.theme import in_theme, sign

    out = place.out
    if out is not None:
        out = out.with_name(re.sub(r"\.(html|png|svg|vl\.json|parquet)$", "", out.name, flags=re.IGNORECASE))
    # What `name` has already, and what is as without the option, is not in the name once more.
    shown = {k: v for k, v in options.items() if k not in ("metric", "split", "live", "minus") and v != PHASE_THRESHOLD}
    shown |= {} if place.theme == "light" else {"theme": place.theme}
    full = picture_name(sweep, name, options=shown, where=place.where, changes=changes)
    stem = output_path(out, full, folder="plots", results=place.results, suffix="")
    paths = [str(path) for path in save(in_theme(sign(chart, _origin()), place.theme), stem)]
    Output(as_json=place.json).result({"sweep": sweep, "pictures": paths}, paths)


def _origin() -> list[str]:
    """Return the command that draws the picture, and by which lrsym and when it was drawn."""
    from lrsym.sweep.execution.provenance import PACKAGE, git_state

    commit, dirty = git_state(PACKAGE)
    source = "" if commit is None else f", commit {commit[:10]}{' with changes' if dirty else ''}"
    drawn = f"drawn {datetime.now(UTC):%Y-%m-%d} by lrsym {importlib.metadata.version('lrsym')}{source}"
    return [printable(shlex.join(["lrsym", *sys.argv[1:]])), drawn]
