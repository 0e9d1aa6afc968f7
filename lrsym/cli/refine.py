"""The verb `lrsym refine`: train the trials of a sweep that tell where an accuracy crosses a level."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import (
    RESULTS,
    Device,
    Engine,
    File,
    Json,
    MaxCoreHours,
    MaxGpuHours,
    NoPilot,
    Pack,
    Results,
    SaveWeights,
    Set,
    Timeout,
    Workers,
    resolve,
)
from lrsym.cli.output import Output, command_line, fitting_pack, message
from lrsym.cli.sweep import exit_by, run_as_data, sharing_in_words
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD

if TYPE_CHECKING:
    from lrsym.results.analysis.surface_boundary import SurfaceBoundary
    from lrsym.results.store.store import Store
    from lrsym.sweep.driver import Outcome
    from lrsym.sweep.pilot.choice import Choice
    from lrsym.sweep.planning.settings import Settings
    from lrsym.sweep.search.refine import Refinement, RefinementSource

MAX_LINES = 12
"""Lines of the boundary that are printed; JSON has all."""

Budget = Annotated[
    int, typer.Option(help="Trials of the sweep with rows in the end, those that are there before included.")
]
Metric = Annotated[str, typer.Option(help="Accuracy whose boundary is looked for: <split>_<metric>.")]
Level = Annotated[float, typer.Option(help="Accuracy at which the boundary runs.")]
Interval = Annotated[
    float | None, typer.Option(help="End sooner, once at most this share of the cells is undecided: 0.05 is one in 20.")
]


def refine(
    file: File,
    budget: Budget,
    set_: Set = None,
    results: Results = RESULTS,
    metric: Metric = PHASE_METRIC,
    level: Level = PHASE_THRESHOLD,
    interval: Interval = None,
    workers: Workers = "auto",
    pack: Pack = "auto",
    device: Device = "auto",
    engine: Engine = "auto",
    timeout: Timeout = None,
    no_pilot: NoPilot = False,
    save_weights: SaveWeights = False,
    max_core_hours: MaxCoreHours = None,
    max_gpu_hours: MaxGpuHours = None,
    json: Json = False,
) -> None:
    """Train only those trials of a sweep that tell where an accuracy crosses a level; the same command goes on."""
    from lrsym.results.store.store import Store
    from lrsym.sweep.search.refine import Refinement, RefinementSource
    from lrsym.sweep.spec.sweep_file import load

    options = {
        "metric": metric, "level": level, "budget": budget, "interval": interval, "workers": workers,
        "pack": pack, "device": device, "engine": engine, "timeout": timeout, "no-pilot": no_pilot,
        "save-weights": save_weights, "max-core-hours": max_core_hours, "max-gpu-hours": max_gpu_hours, "set": set_,
    }  # fmt: skip
    settings = resolve(
        engine=engine, device=device, workers=workers, pack=pack, timeout=timeout, pilot=not no_pilot,
        save_weights=save_weights, max_core_hours=max_core_hours, max_gpu_hours=max_gpu_hours,
    )  # fmt: skip
    asked = Refinement(load(file, changes=set_ or ()), metric, level, budget, interval)
    store, output = Store(results), Output(as_json=json)
    _check_scenes(asked)
    source = RefinementSource(asked, store)
    data = {"sweep": asked.sweep.name, "metric": metric, "level": level, "reused": source.n_trials}
    lines, outcome = [f"{asked.sweep.name}: {source.n_trials} trials are there, no other is needed"], None
    if not source.exhausted:
        outcome, choice = _train(source, asked, store, settings, output)
        data |= run_as_data(outcome, choice, device=settings.device)
        again = command_line("refine", file, results, options | fitting_pack(outcome))
        look = command_line("status", file, results, {"set": set_})
        lines = _training_in_words(outcome, data["reused"], again, look, results, ended=source.exhausted)
    output.result(data | _as_data(source.boundary, asked), lines + _in_words(source.boundary, asked, file, results))
    if outcome:
        exit_by(outcome)


def _train(
    source: "RefinementSource", asked: "Refinement", store: "Store", settings: "Settings", output: Output
) -> "tuple[Outcome, Choice]":
    """Train what `source` chooses, in packs and on workers that suit a sample of the trials that are left."""
    from lrsym.sweep.driver import plan_and_choose, run
    from lrsym.sweep.pilot.summary import in_words

    choice = plan_and_choose(asked.sweep, store, settings, n_trials=source.left, on_message=message)
    source.pack_size = choice.pack_size if settings.pack_size else min(choice.pack_size, source.largest_batch)
    output.text(in_words(choice, device=settings.device))
    return run(choice.plan, store, settings, source=source), choice


def _training_in_words(
    outcome: "Outcome", reused: object, again: str, look: str, results: str, *, ended: bool
) -> list[str]:
    """Return what was trained, and where it has not `ended` or trials failed the command `again`, which goes on.

    `look` is the command that says why trials failed.
    """
    from lrsym.sweep.execution.progress import duration, failures, retried

    lines = [
        f"{outcome.statuses['done']} trials trained in {duration(outcome.seconds)}{failures(outcome.statuses)}, "
        f"{reused} were there; rows in {results}",
        *sharing_in_words(outcome),
    ]
    if outcome.interrupted or not ended:
        lines.append(f"stopped before the end; finished packs are kept. Go on: {again}")
    elif retried(outcome.statuses):
        lines.append(f"see why: {look}; try the failed ones again: {again}")
    return lines


def _check_scenes(asked: "Refinement") -> None:
    """Raise UsageError before anything is trained if the metric's split is empty in every cell."""
    from lrsym.results.analysis.phases import split_and_metric
    from lrsym.results.analysis.surface_boundary import no_value
    from lrsym.testbed.data.datasets import splits

    split, seed = split_and_metric(asked.metric)[0], asked.sweep.seeds[0]
    if not any(splits(cell.scenes, seed=seed)[split].size for cell in asked.sweep.cells):
        raise no_value(asked.metric)


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
        f"{asked.metric} at {asked.level:g}: {len(boundary.grid)} cells: {counts}",
        f"boundary along {asked.along}, with its 95 % interval:",
        *(f"  {_line(row, asked)}" for row in rows[:MAX_LINES]),
        *more,
        f"picture: {command_line('plot phase', file, results, options)}",
    ]


def _count(boundary: "SurfaceBoundary") -> dict[str, int]:
    from lrsym.results.analysis.surface_boundary import SIDES

    sides = boundary.sides()
    return {side: sides.count(side) for side in SIDES}


def _line(row: dict[str, Any], asked: "Refinement") -> str:
    """Return one crossing in words."""
    where = ", ".join(f"{axis} {row[axis]:g}" for axis in asked.grid.axes if axis != asked.along)
    head = f"{where}: " if where else ""
    if row["at"] is None:
        side = "above" if row["rises"] else "below"
        return f"{head}{side} everywhere" + (f", undecided cells: {row['undecided']}" if row["undecided"] else "")
    first, *_, last = asked.grid.values[asked.grid.axes.index(asked.along)]
    low = f"<{first:g}" if row["low"] is None else f"{row['low']:.3g}"
    high = f">{last:g}" if row["high"] is None else f"{row['high']:.3g}"
    return f"{head}{'rises' if row['rises'] else 'falls'} at {row['at']:.3g} ({low} to {high})"
