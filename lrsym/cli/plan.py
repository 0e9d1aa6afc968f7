"""The verb `lrsym plan`: what a sweep would train, and what it will cost."""

from typing import TYPE_CHECKING

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
    Set,
    Workers,
    check_budget,
    read_part,
    resolve,
)
from lrsym.cli.output import Output, message, sweep_command
from lrsym.cli.search import show_search_plan

if TYPE_CHECKING:
    from lrsym.sweep.planning.plan import Plan


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
    budget: Budget = None,
    max_core_hours: MaxCoreHours = None,
    max_gpu_hours: MaxGpuHours = None,
    json: Json = False,
) -> None:
    """Show what a sweep would train and cost: trials new, done and failed, packs, time, disk, the command to run."""
    from lrsym.results.store.store import Store
    from lrsym.sweep.driver import plan_and_choose
    from lrsym.sweep.pilot.summary import as_data, in_words
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep_file import load_any

    options = {
        "workers": workers, "pack": pack, "device": device, "engine": engine, "no-pilot": no_pilot, "budget": budget,
        "max-core-hours": max_core_hours, "max-gpu-hours": max_gpu_hours, "set": set_, "where": where, "limit": limit,
    }  # fmt: skip
    sweep = load_any(file, changes=set_ or ())
    n_cells, part = check_budget(budget, sweep), read_part(where, limit, sweep)
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
        "sweep": sweep.name, "trials": plan.trials, "new": plan.new, "done": plan.done, "failed": plan.failed,
        "stopped": plan.stopped, "diverged": plan.diverged, "packs": len(plan.packs),
        "started_packs": len(plan.packs.started), "largest_pack": plan.largest_pack,
        "engine": settings.engine, "device": settings.device, "command": command,
        **as_data(choice, device=settings.device),
    }  # fmt: skip
    lines = [f"{sweep.name}: {plan.trials} trials = {plan.new} new, {plan.done} done, {plan.failed} failed before"]
    if plan.stopped:
        lines[0] += f", {plan.stopped} stopped early, to be trained in full"
    lines += _packs_in_words(plan, device=settings.device)
    lines += in_words(choice, device=settings.device)
    Output(as_json=json).result(data, [*lines, f"run: {command}"] if plan.pending else lines)


def _packs_in_words(plan: "Plan", *, device: str) -> list[str]:
    if not plan.pending:
        return []
    packs = f"{len(plan.packs)} packs, the largest of {plan.largest_pack} trials"
    going_on = f", {len(plan.packs.started)} of them going on from a checkpoint" if plan.packs.started else ""
    return [f"{packs}{going_on}; {plan.workers} at a time on {device}"]
