"""The verb `lrsym report`: sweeps on one page that works offline."""

from pathlib import Path
from typing import Annotated

import typer

from lrsym.cli.options import RESULTS, Json, PartWhere, Results, Set, Theme, Threshold, parse_out
from lrsym.cli.output import Output, command_line, output_path
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD

Files = Annotated[
    list[Path], typer.Argument(help="Sweep files (TOML); each has a part of the page.", metavar="FILE...")
]
Metric = Annotated[str, typer.Option(help="Outcome that the maps show first: <split>_<metric>.")]
Claims = Annotated[Path | None, typer.Option(help="Claims file (TOML) whose verdicts on these sweeps are shown.")]
Out = Annotated[
    Path | None,
    typer.Option(
        parser=parse_out,
        metavar="PATH",
        help="HTML file to write, or its folder; by default RESULTS/reports/SWEEP-report.html.",
    ),
]


def report(
    files: Files,
    set_: Set = None,
    results: Results = RESULTS,
    metric: Metric = PHASE_METRIC,
    threshold: Threshold = PHASE_THRESHOLD,
    claims: Claims = None,
    where: PartWhere = None,
    theme: Theme = "light",
    out: Out = None,
    json: Json = False,
) -> None:
    """Write sweeps on one page to send: state, a map of the cells to click through, failures, cost, origin, data."""
    from lrsym.api.arguments import as_grids
    from lrsym.reports.page import make_page
    from lrsym.results.plots.save import picture_name, write_file

    sweeps = as_grids(files, results, set_ or ())
    given = {
        "metric": None if metric == PHASE_METRIC else metric,
        "threshold": None if threshold == PHASE_THRESHOLD else threshold,
        "claims": claims,
        "theme": None if theme == "light" else theme,
    }
    command = command_line("report", files, results, {"set": set_, **given, "where": where})
    shown = {"metric": metric, "threshold": threshold, "claims": claims, "theme": theme}
    page = make_page(sweeps, results, where=where, command=command, **shown)
    options = {**given, "claims": claims and claims.stem}
    named, changes = "-".join(sweep.name for sweep in sweeps), sweeps[0].changes
    name = picture_name(named, "report", options=options, where=where, changes=changes)
    path = write_file(output_path(out, name, folder="reports", results=results, suffix=".html"), page.html.encode())
    data = {"sweeps": [sweep.name for sweep in sweeps], "page": str(path), "left_out": list(page.left_out)}
    Output(as_json=json).result(data, [*page.left_out, str(path)])
