"""The verb `lrsym refine`: train the trials of a sweep that tell where an accuracy crosses a level."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.errors import FAILED
from lrsym.cli.options import EXECUTION, RESULTS, File, Json, Results, Set, number, with_options
from lrsym.cli.output import Output, command_line, lessons, message
from lrsym.cli.sweep import exit_by, failed_in_words, given_up_in_words, run_as_data, sharing_in_words
from lrsym.errors import counted
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD

if TYPE_CHECKING:
    from lrsym.results.analysis.surface_boundary import Grid, SurfaceBoundary
    from lrsym.sweep.driver import Outcome
    from lrsym.sweep.search.refine import Refinement

MAX_LINES = 12
"""Lines of the boundary that are printed; JSON has all."""

MAX_LISTED = 8
"""Values of an axis that a line names."""

Budget = Annotated[
    int, number("budget", help="Trials of the sweep with rows in the end, those that are there before included.")
]
Metric = Annotated[str, typer.Option(help="Accuracy whose boundary is looked for: <split>_<metric>.")]
Level = Annotated[float, number("level", help="Accuracy at which the boundary runs.")]
Interval = Annotated[
    float | None,
    number("interval", help="End sooner, once at most this share of the cells is undecided: 0.05 is one in 20."),
]


@with_options(EXECUTION)
def refine(
    file: File,
    budget: Budget,
    set_: Set = None,
    results: Results = RESULTS,
    metric: Metric = PHASE_METRIC,
    level: Level = PHASE_THRESHOLD,
    interval: Interval = None,
    json: Json = False,
    **execution: Any,
) -> None:
    """Train only those trials of a sweep that tell where an accuracy crosses a level; the same command goes on."""
    from lrsym.api.refinement import RefinementRequest
    from lrsym.sweep.pilot.summary import in_words

    options = {"metric": metric, "level": level, "budget": budget, "interval": interval, **execution}
    given, output = RefinementRequest.of(file, results, changes=set_ or (), **options), Output(as_json=json)
    asked, source, device = given.asked, given.source, given.settings.device
    data = {
        "sweep": asked.sweep.name, "metric": metric, "level": level, "reused": source.n_there,
        "given_up": dict(source.given_up),
    }  # fmt: skip
    lines, outcome = [f"{asked.sweep.name}: {counted(source.n_there, 'trial', 'are')} there, no other is needed"], None
    if not source.exhausted:
        outcome, choice = given.train(
            on_message=message, on_choice=lambda choice: output.text(in_words(choice, device=device))
        )
        data |= run_as_data(outcome, choice, device=device)
        options["set"] = set_
        again = command_line("refine", file, results, options | lessons(outcome, options))
        look = command_line("status", file, results, {"set": set_})
        lines = _training_in_words(outcome, data["reused"], again, look, results, ended=source.exhausted)
    given_up = given_up_in_words(source, file, results, {"set": set_, **execution})
    lines += given_up
    output.result(data | _as_data(source.boundary, asked), lines + _in_words(source.boundary, asked, file, results))
    if outcome:
        exit_by(outcome)
    if given_up:
        raise typer.Exit(FAILED)


def _training_in_words(
    outcome: "Outcome", reused: object, again: str, look: str, results: str, *, ended: bool
) -> list[str]:
    """Return what was trained, and where it has not `ended` or trials failed the command `again`, which goes on.

    `look` is the command that says why trials failed.
    """
    from lrsym.sweep.execution.progress import duration, failures

    lines = [
        f"{counted(outcome.statuses['done'], 'trial')} trained in {duration(outcome.seconds)}"
        f"{failures(outcome.statuses)}, {reused} were there; rows in {results}",
        *sharing_in_words(outcome),
    ]
    if outcome.interrupted or not ended:
        return [*lines, f"stopped before the end; finished packs are kept. Go on: {again}"]
    return lines + failed_in_words(outcome, look, again)


def _as_data(boundary: "SurfaceBoundary | None", asked: "Refinement") -> dict[str, object]:
    if boundary is None:
        return {"cells": None, "boundary": None}
    return {
        "cells": _count(boundary), "along": asked.along, "boundary": boundary.crossings(along=asked.along).to_dicts(),
    }  # fmt: skip


def _in_words(boundary: "SurfaceBoundary | None", asked: "Refinement", file: Path, results: str) -> list[str]:
    """Return how many cells are decided, the boundary with its interval, and the command for the picture."""
    if boundary is None:
        return ["no trial has a value yet"]
    counts = ", ".join(f"{n} {side}" for side, n in _count(boundary).items())
    options = {"set": asked.sweep.changes, "refined": True, "metric": asked.metric, "level": asked.level}
    rows = boundary.crossings(along=asked.along).to_dicts()
    more = [f"  and {len(rows) - MAX_LINES} more: --json has all"] if len(rows) > MAX_LINES else []
    return [
        f"{asked.metric} at {asked.level:g}: {counted(len(boundary.grid), 'cell')}: {counts}",
        f"boundary along {asked.along}, with its 95 % interval:",
        *(f"  {crossing_in_words(row, asked.grid, along=asked.along)}" for row in rows[:MAX_LINES]),
        *more,
        f"picture: {command_line('plot phase', file, results, options)}",
    ]


def _count(boundary: "SurfaceBoundary") -> dict[str, int]:
    from lrsym.results.analysis.surface_boundary import SIDES

    sides = boundary.sides()
    return {side: sides.count(side) for side in SIDES}


def crossing_in_words(row: dict[str, Any], grid: "Grid", *, along: str) -> str:
    """Return one row of `SurfaceBoundary.crossings` in words: what is not decided is said to be open."""
    where = ", ".join(f"{axis} {row[axis]:g}" for axis in grid.axes if axis != along)
    head = f"{where}: " if where else ""
    if row["at"] is None:
        return head + _uncrossed(row, along)
    first, *_, last = grid.values[grid.axes.index(along)]
    low = f"<{first:g}" if row["low"] is None else f"{row['low']:.3g}"
    high = f">{last:g}" if row["high"] is None else f"{row['high']:.3g}"
    unknown = f"; none of its {counted(row['cells'], 'cell')} is decided" if row["undecided"] == row["cells"] else ""
    return f"{head}{'rises' if row['rises'] else 'falls'} at {row['at']:.3g} ({low} to {high}){unknown}"


def _uncrossed(row: dict[str, Any], along: str) -> str:
    """Return on which side of the level a line lies that is not crossed, or at which of its values that is open."""
    side, n, values = "above" if row["rises"] else "below", row["cells"], row["undecided_at"]
    if not values:
        return f"{side} everywhere"
    if len(values) == n:
        return f"undecided: no cell of {n} lies above or below" if n > 1 else "undecided"
    listed = ", ".join(f"{value:g}" for value in values[:MAX_LISTED]) + (", ..." if len(values) > MAX_LISTED else "")
    return f"{side} in {n - len(values)} of {n} cells, undecided at {along} {listed}"
