"""The verb `lrsym refine`: train the trials of a sweep that tell where an accuracy crosses a level."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.errors import FAILED, stopped_code
from lrsym.cli.options import (
    RESULTS,
    Device,
    Engine,
    File,
    Json,
    NoPilot,
    Pack,
    Results,
    SaveWeights,
    Timeout,
    Workers,
    load_sweep,
    resolve,
)
from lrsym.cli.output import Output, command_line, message
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD

if TYPE_CHECKING:
    from lrsym.results.analysis.boundary import Boundary
    from lrsym.sweep.search.refine import Refinement

MAX_LINES = 12
"""Lines of the boundary that are printed; JSON has all."""

Budget = Annotated[
    int, typer.Option(help="Trials of the sweep with rows in the end, those that are there before included.")
]
Metric = Annotated[str, typer.Option(help="Accuracy whose boundary is looked for: <split>_<metric>.")]
Level = Annotated[float, typer.Option(help="Accuracy at which the boundary runs.")]
Interval = Annotated[
    float, typer.Option(help="End sooner, once at most this share of the cells is undecided: 0.05 is one in 20.")
]


def refine(
    file: File,
    budget: Budget,
    results: Results = RESULTS,
    metric: Metric = PHASE_METRIC,
    level: Level = PHASE_THRESHOLD,
    interval: Interval = 0.0,
    workers: Workers = "auto",
    pack: Pack = "auto",
    device: Device = "auto",
    engine: Engine = "auto",
    timeout: Timeout = None,
    no_pilot: NoPilot = False,
    save_weights: SaveWeights = False,
    json: Json = False,
) -> None:
    """Train only those trials of a sweep that tell where an accuracy crosses a level; the same command goes on."""
    from lrsym.results.store.store import Store
    from lrsym.sweep.driver import plan_and_choose, run
    from lrsym.sweep.execution.progress import duration, failures, retried
    from lrsym.sweep.pilot.summary import in_words
    from lrsym.sweep.search.refine import Refinement, RefinementSource

    options = {
        "metric": metric, "level": level, "budget": budget, "interval": interval or None, "workers": workers,
        "pack": pack, "device": device, "engine": engine, "timeout": timeout, "no-pilot": no_pilot,
        "save-weights": save_weights,
    }  # fmt: skip
    settings = resolve(
        engine=engine, device=device, workers=workers, pack=pack, timeout=timeout, pilot=not no_pilot,
        save_weights=save_weights,
    )  # fmt: skip
    sweep, store, output = load_sweep(file), Store(results), Output(as_json=json)
    asked = Refinement(sweep, metric, level, budget=budget, undecided=interval)
    _check_scenes(asked)
    source = RefinementSource(asked, store)
    data: dict[str, Any] = {"sweep": sweep.name, "metric": metric, "level": level, "reused": source.n_trials}
    lines, code = [f"{sweep.name}: {source.n_trials} trials are there, no other is needed"], 0
    if not source.exhausted:
        choice = plan_and_choose(sweep, store, settings, n_trials=source.left, on_message=message)
        source.pack_size = choice.pack_size if settings.pack_size else min(choice.pack_size, source.largest_batch)
        output.text(in_words(choice, device=settings.device))
        outcome = run(choice.plan, store, settings, source=source)
        data |= {
            "engine": settings.engine, "run_id": outcome.run_id, "statuses": dict(outcome.statuses),
            "interrupted": outcome.interrupted, "seconds": round(outcome.seconds, 1),
            "pack": choice.pack_size, "workers": choice.plan.workers,
        }  # fmt: skip
        lines = [
            f"{sweep.name}: {outcome.statuses['done']} trials trained in {duration(outcome.seconds)}"
            f"{failures(outcome.statuses)}, {data['reused']} were there; rows in {results}"
        ]
        again = command_line("refine", file, results, options)
        if outcome.stopped_by:
            lines.append(f"stopped before the end; finished packs are kept. Go on: {again}")
            code = stopped_code(outcome.stopped_by)
        elif retried(outcome.statuses):
            lines.append(f"see why: {command_line('status', file, results)}; try the failed ones again: {again}")
            code = FAILED
    output.result(data | _as_data(source.boundary, asked), lines + _in_words(source.boundary, asked, file, results))
    if code:
        raise typer.Exit(code)


def _check_scenes(asked: "Refinement") -> None:
    """Raise UsageError before anything is trained if the metric's split is empty in every cell."""
    from lrsym.results.analysis.boundary import no_value
    from lrsym.results.analysis.phases import split_and_metric
    from lrsym.testbed.data.datasets import splits

    split, seed = split_and_metric(asked.metric)[0], asked.sweep.seeds[0]
    if not any(splits(cell.scenes, seed=seed)[split].size for cell in asked.sweep.cells):
        raise no_value(asked.metric)


def _as_data(boundary: "Boundary | None", asked: "Refinement") -> dict[str, object]:
    if boundary is None:
        return {"cells": None, "boundary": None}
    return {
        "cells": _count(boundary), "along": asked.along, "boundary": boundary.crossings(along=asked.along).to_dicts(),
    }  # fmt: skip


def _in_words(boundary: "Boundary | None", asked: "Refinement", file: Path, results: str) -> list[str]:
    """Return how many cells are decided, the boundary with its interval, and the command for the picture."""
    if boundary is None:
        return ["no trial has a value yet"]
    counts = ", ".join(f"{n} {side}" for side, n in _count(boundary).items())
    options = {"refined": True, "metric": asked.metric, "level": asked.level}
    rows = boundary.crossings(along=asked.along).to_dicts()
    more = [f"  and {len(rows) - MAX_LINES} more: --json has all"] if len(rows) > MAX_LINES else []
    return [
        f"{asked.metric} at {asked.level:g}: {len(boundary.grid)} cells: {counts}",
        f"boundary along {asked.along}, with its 95 % interval:",
        *(f"  {_line(row, asked)}" for row in rows[:MAX_LINES]),
        *more,
        f"picture: {command_line('plot phase', file, results, options)}",
    ]


def _count(boundary: "Boundary") -> dict[str, int]:
    from lrsym.results.analysis.boundary import SIDES

    sides = boundary.sides()
    return {side: sides.count(side) for side in SIDES}


def _line(row: dict[str, Any], asked: "Refinement") -> str:
    """Return one crossing in words."""
    where = ", ".join(f"{axis} {row[axis]:g}" for axis in asked.grid.axes if axis != asked.along)
    head = f"{where}: " if where else ""
    if row["at"] is None:
        side = "above" if row["rises"] else "below"
        return f"{head}{side} everywhere" + (f", {row['undecided']} cells undecided" if row["undecided"] else "")
    low, high = ("the end" if row[end] is None else f"{row[end]:.3g}" for end in ("low", "high"))
    return f"{head}{'rises' if row['rises'] else 'falls'} at {row['at']:.3g} ({low} to {high})"
