"""Drawing a sweep for the verbs of `lrsym plot`, and saving the picture under a name that says what it shows."""

import importlib.metadata
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrsym.cli.options import load_sweep
from lrsym.cli.output import Output, output_path
from lrsym.errors import printable
from lrsym.vocabulary import PHASE_THRESHOLD

if TYPE_CHECKING:
    from lrsym.results.plots.theme import Chart


def draw_sweep(
    kind: str,
    file: Path,
    changes: list[str] | None,
    results: str,
    where: str | None,
    options: dict[str, Any],
    *,
    name: str,
    out: Path | None,
    as_json: bool,
    live: bool = False,
) -> None:
    """Draw the sweep in `file`, save the picture and print its paths; `name` tells it from others of the sweep."""
    from lrsym.results.plots.draw import draw

    sweep = load_sweep(file, results, changes)
    chart = draw(kind, sweep, results, where=where, live=live, **options)
    save_picture(chart, sweep.name, results, where, options, changes=sweep.changes, name=name, out=out, as_json=as_json)


def draw_refined(
    file: Path,
    changes: list[str] | None,
    results: str,
    where: str | None,
    options: dict[str, Any],
    *,
    out: Path | None,
    as_json: bool,
) -> None:
    """Draw the boundary in the sweep in `file`, as `draw_sweep`."""
    from lrsym.results.analysis.surface_boundary import check_level
    from lrsym.results.plots import draw
    from lrsym.sweep.search.refine import cell_table

    check_level(options["level"])
    sweep, name = load_sweep(file, results, changes), f"phase-{options['metric']}-refined"
    chart = draw.draw_refined(sweep, results, cells=cell_table(sweep), where=where, **options)
    save_picture(chart, sweep.name, results, where, options, changes=sweep.changes, name=name, out=out, as_json=as_json)


def save_picture(
    chart: "Chart",
    sweep: str,
    results: str,
    where: str | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    changes: Sequence[str],
    name: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Save the picture of a sweep, signed with its command, and print its paths.

    `name`, the `options`, `where` and `changes` that make it another picture make its name, unless `out` gives one.
    """
    from lrsym.results.plots.save import picture_name, save
    from lrsym.results.plots.theme import sign

    if out is not None:
        out = out.with_name(re.sub(r"\.(html|png|vl\.json)$", "", out.name))
    # What `name` has already, and what is as without the option, is not in the name once more.
    given = {k: v for k, v in (options or {}).items() if k not in ("metric", "split") and v != PHASE_THRESHOLD}
    full = picture_name(sweep, name, options=given, where=where, changes=changes)
    stem = output_path(out, full, folder="plots", results=results, suffix="")
    paths = [str(path) for path in save(sign(chart, _origin()), stem)]
    Output(as_json=as_json).result({"sweep": sweep, "pictures": paths}, paths)


def _origin() -> list[str]:
    """Return the command that draws the picture, and by which lrsym and when it was drawn."""
    from lrsym.sweep.execution.provenance import PACKAGE, git_state

    commit, dirty = git_state(PACKAGE)
    source = "" if commit is None else f", commit {commit[:10]}{' with changes' if dirty else ''}"
    drawn = f"drawn {datetime.now(UTC):%Y-%m-%d} by lrsym {importlib.metadata.version('lrsym')}{source}"
    return [printable(shlex.join(["lrsym", *sys.argv[1:]])), drawn]
