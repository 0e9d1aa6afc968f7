"""The verb `lrsym plan`: what a sweep would train, and what it will cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import PART, PLANNING, RESULTS, File, Json, Results, Set, number, with_options
from lrsym.cli.output import Output, message, sweep_command
from lrsym.cli.search import show_search_plan
from lrsym.cli.sweep import given_up_in_words
from lrsym.cli.table_text import as_text
from lrsym.errors import counted
from lrsym.vocabulary import PHASE_METRIC

if TYPE_CHECKING:
    import polars as pl

    from lrsym.sweep.planning.plan import Plan

Until = Annotated[
    float | None,
    number(
        "until",
        help="Instead of the plan: how many more seeds each cell takes until the 95 % interval of --metric has this "
        "half-width, going by the rows that there are.",
        show_default=False,
    ),
]
Metric = Annotated[str, typer.Option(help="With --until: a column of the table trials.")]


@with_options({**PLANNING, **PART})
def plan(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    until: Until = None,
    metric: Metric = PHASE_METRIC,
    json: Json = False,
    **options: Any,
) -> None:
    """Show what a sweep would train and cost: trials new, done and failed, packs, time, disk, the command to run."""
    if until is not None:
        _show_seeds(file, set_, results, metric, until, where=options["where"], output=Output(as_json=json))
        return
    from lrsym.api.request import Request
    from lrsym.sweep.pilot.choice import Choice
    from lrsym.sweep.pilot.summary import as_data, in_words

    asked, again = Request.of(file, results, changes=set_ or (), **options), {**options, "set": set_}
    for warning in asked.sweep.warnings:
        message(f"warning: {warning}")
    choice = asked.choose(want_cost=True, on_message=message)
    if not isinstance(choice, Choice):
        show_search_plan(choice, asked, Output(as_json=json), options=again)
        return
    plan, settings, command = choice.plan, asked.settings, sweep_command(file, results, choice, again)
    data = {
        "sweep": asked.sweep.name, "shard": options["shard"], "trials": plan.trials, "new": plan.new,
        "done": plan.done, "failed": plan.failed, "stopped": plan.stopped, "diverged": plan.diverged,
        "given_up": dict(plan.given_up), "packs": len(plan.packs),
        "started_packs": len(plan.packs.started), "largest_pack": plan.largest_pack,
        "engine": settings.engine, "device": settings.device, "command": command,
        **as_data(choice, device=settings.device),
    }  # fmt: skip
    counts = f"{plan.new} new, {plan.done} done, {plan.failed} failed before"
    lines = [f"{asked.sweep.name}{asked.part.in_words}: {counted(plan.trials, 'trial')} = {counts}"]
    if plan.stopped:
        lines[0] += f", {plan.stopped} stopped early, to be trained in full"
    if n_given_up := plan.given_up.total():
        lines[0] += f", {n_given_up} given up"
    lines += _packs_in_words(plan, device=settings.device)
    lines += in_words(choice, device=settings.device)
    run = [f"run: {command}"] if plan.pending else []
    Output(as_json=json).result(data, [*lines, *run, *given_up_in_words(plan, file, results, again)])


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
    from lrsym.api.arguments import as_grid
    from lrsym.api.reading import seeds_until
    from lrsym.results.analysis.replicates import SeedsNeeded

    sweep = as_grid(file, results, changes or ())
    cells = seeds_until(sweep, until=half_width, metric=metric, results=results, where=where)
    total, untrained = SeedsNeeded.of(cells), len(sweep.cells) - cells.height if where is None else 0
    data = {
        "sweep": sweep.name, "metric": metric, "until": half_width, **vars(total),
        "untrained": untrained, "cells": cells.to_dicts(),
    }  # fmt: skip
    heading = (
        f"{sweep.name}: seeds until the 95 % interval of {metric} has half-width {half_width:g}, at today's spread"
    )
    output.result(data, [heading, as_text(_seeds_table(cells)), *total.in_words(untrained=untrained)])


def _seeds_table(cells: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    rounded = pl.col("mean", "half_width").round(4)
    return cells.drop("seconds", "n_needed", "unknown").with_columns(rounded).rename({"n_more": "seeds more"})


def _packs_in_words(plan: "Plan", *, device: str) -> list[str]:
    if not plan.pending:
        return []
    packs = f"{counted(len(plan.packs), 'pack')}, the largest of {counted(plan.largest_pack, 'trial')}"
    going_on = f", {len(plan.packs.started)} of them going on from a checkpoint" if plan.packs.started else ""
    return [f"{packs}{going_on}; {plan.workers} at a time on {device}"]
