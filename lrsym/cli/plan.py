"""The verb `lrsym plan`: what a sweep would train, and what it will cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.cli.options import (
    RESULTS,
    Budget,
    Device,
    Engine,
    File,
    Json,
    Limit,
    MaxCoreHours,
    MaxGpuHours,
    NoPilot,
    Pack,
    PartWhere,
    Results,
    Retry,
    Set,
    Shard,
    Workers,
    check_budget,
    load_sweep,
    resolve,
)
from lrsym.cli.output import Output, as_text, message, sweep_command
from lrsym.cli.search import show_search_plan
from lrsym.cli.sweep import given_up_in_words
from lrsym.errors import UsageError
from lrsym.vocabulary import PHASE_METRIC

if TYPE_CHECKING:
    import polars as pl

    from lrsym.sweep.planning.plan import Plan

Until = Annotated[
    float | None,
    typer.Option(
        help="Instead of the plan: how many more seeds each cell takes until the 95 % interval of --metric has this "
        "half-width, going by the rows that there are.",
        show_default=False,
    ),
]
Metric = Annotated[
    str | None, typer.Option(help="With --until: a column of the table trials; by default unseen_order.")
]


def plan(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    workers: Workers = "auto",
    pack: Pack = "auto",
    device: Device = "auto",
    engine: Engine = "auto",
    no_pilot: NoPilot = False,
    where: PartWhere = None,
    limit: Limit = None,
    shard: Shard = None,
    retry: Retry = None,
    budget: Budget = None,
    max_core_hours: MaxCoreHours = None,
    max_gpu_hours: MaxGpuHours = None,
    until: Until = None,
    metric: Metric = None,
    json: Json = False,
) -> None:
    """Show what a sweep would train and cost: trials new, done and failed, packs, time, disk, the command to run."""
    if until is not None:
        _refuse_with_until(limit=limit, shard=shard, retry=" ".join(retry or ()) or None)
        _show_seeds(file, set_, results, metric or PHASE_METRIC, until, where=where, output=Output(as_json=json))
        return
    if metric is not None:
        raise UsageError(f"--metric is for --until, got {metric} without it; write for example --until 0.02")
    from lrsym.results.store.store import Store
    from lrsym.sweep.driver import plan_and_choose
    from lrsym.sweep.execution.part import Part
    from lrsym.sweep.pilot.summary import as_data, in_words
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep_file import load_any

    options = {
        "workers": workers, "pack": pack, "device": device, "engine": engine, "no-pilot": no_pilot, "budget": budget,
        "max-core-hours": max_core_hours, "max-gpu-hours": max_gpu_hours, "set": set_, "where": where, "limit": limit,
        "shard": shard, "retry": retry,
    }  # fmt: skip
    sweep = load_any(file, changes=set_ or ())
    n_cells, part = check_budget(budget, sweep), Part.of(sweep, where=where, limit=limit, shard=shard, retry=retry)
    settings = resolve(
        engine=engine, device=device, workers=workers, pack=pack, pilot=not no_pilot,
        max_core_hours=max_core_hours, max_gpu_hours=max_gpu_hours,
    )  # fmt: skip
    for warning in sweep.warnings:
        message(f"warning: {warning}")
    if isinstance(sweep, Search):
        show_search_plan(sweep, Store(results), settings, Output(as_json=json), budget=n_cells, options=options)
        return
    choice = plan_and_choose(sweep, Store(results), settings, want_cost=True, part=part, on_message=message)
    plan, command = choice.plan, sweep_command(file, results, choice, options)
    data = {
        "sweep": sweep.name, "shard": shard, "trials": plan.trials, "new": plan.new, "done": plan.done,
        "failed": plan.failed, "stopped": plan.stopped, "diverged": plan.diverged, "given_up": dict(plan.given_up),
        "packs": len(plan.packs),
        "started_packs": len(plan.packs.started), "largest_pack": plan.largest_pack,
        "engine": settings.engine, "device": settings.device, "command": command,
        **as_data(choice, device=settings.device),
    }  # fmt: skip
    counts = f"{plan.new} new, {plan.done} done, {plan.failed} failed before"
    lines = [f"{sweep.name}{part.in_words}: {plan.trials} trials = {counts}"]
    if plan.stopped:
        lines[0] += f", {plan.stopped} stopped early, to be trained in full"
    if n_given_up := plan.given_up.total():
        lines[0] += f", {n_given_up} given up"
    lines += _packs_in_words(plan, device=settings.device)
    lines += in_words(choice, device=settings.device)
    run = [f"run: {command}"] if plan.pending else []
    Output(as_json=json).result(data, [*lines, *run, *given_up_in_words(plan, file, results, options)])


def _refuse_with_until(**options: object) -> None:
    """Raise UsageError where an option is given that chooses trials to train."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(
                f"--{name} is of trials to train, got {value} with --until; keep cells with --where instead"
            )


def _show_seeds(
    file: Path,
    changes: list[str] | None,
    results: str,
    metric: str,
    half_width: float,
    *,
    where: str | None,
    output: Output,
) -> None:
    """Print how many more seeds each cell takes, of those that meet `where`."""
    from lrsym.results.analysis.metrics import as_metrics
    from lrsym.results.analysis.replicates import SeedsNeeded, seeds_until
    from lrsym.results.plots.draw import read_trials

    if len(names := as_metrics(metric)) > 1:
        raise UsageError(f"--until is about one metric, got {metric}; leave out all but {names[0]}")
    sweep = load_sweep(file, results, changes)
    cells = seeds_until(read_trials(sweep, results, where=where), metric=names[0], half_width=half_width)
    total, untrained = SeedsNeeded.of(cells), len(sweep.cells) - cells.height if where is None else 0
    data = {
        "sweep": sweep.name, "metric": names[0], "until": half_width, **vars(total),
        "untrained": untrained, "cells": cells.to_dicts(),
    }  # fmt: skip
    heading = (
        f"{sweep.name}: seeds until the 95 % interval of {names[0]} has half-width {half_width:g}, at today's spread"
    )
    output.result(data, [heading, as_text(_seeds_table(cells)), *total.in_words(untrained=untrained)])


def _seeds_table(cells: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    rounded = pl.col("mean", "half_width").round(4)
    return cells.drop("seconds", "n_needed").with_columns(rounded).rename({"n_more": "seeds more"})


def _packs_in_words(plan: "Plan", *, device: str) -> list[str]:
    if not plan.pending:
        return []
    packs = f"{len(plan.packs)} packs, the largest of {plan.largest_pack} trials"
    going_on = f", {len(plan.packs.started)} of them going on from a checkpoint" if plan.packs.started else ""
    return [f"{packs}{going_on}; {plan.workers} at a time on {device}"]
