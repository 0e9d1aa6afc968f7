"""The verb `lrsym sweep`: train what the store lacks of a sweep."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lrsym.cli.errors import FAILED, stopped_code
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
    Quiet,
    Results,
    Retry,
    SaveWeights,
    Set,
    Shard,
    Timeout,
    Workers,
    check_budget,
    resolve,
)
from lrsym.cli.output import Output, command_line, sweep_command
from lrsym.cli.search import run_search

if TYPE_CHECKING:
    from lrsym.sweep.driver import Outcome
    from lrsym.sweep.execution.part import Part
    from lrsym.sweep.pilot.choice import Choice
    from lrsym.sweep.planning.plan import Plan
    from lrsym.sweep.planning.settings import Settings


def sweep(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    workers: Workers = "auto",
    pack: Pack = "auto",
    device: Device = "auto",
    engine: Engine = "auto",
    timeout: Timeout = None,
    no_pilot: NoPilot = False,
    save_weights: SaveWeights = False,
    where: PartWhere = None,
    limit: Limit = None,
    shard: Shard = None,
    retry: Retry = None,
    budget: Budget = None,
    max_core_hours: MaxCoreHours = None,
    max_gpu_hours: MaxGpuHours = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train what is new or failed of a sweep, or go on with a search; after a stop the same command goes on."""
    from lrsym.results.store.store import Store
    from lrsym.sweep.driver import plan_and_choose, run
    from lrsym.sweep.execution.part import Part
    from lrsym.sweep.pilot.summary import in_words
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep_file import load_any

    options = {
        "workers": workers, "pack": pack, "device": device, "engine": engine, "timeout": timeout,
        "no-pilot": no_pilot, "save-weights": save_weights, "budget": budget, "max-core-hours": max_core_hours,
        "max-gpu-hours": max_gpu_hours, "set": set_, "where": where, "limit": limit, "shard": shard, "retry": retry,
        "quiet": quiet,
    }  # fmt: skip
    sweep, store, output = load_any(file, changes=set_ or ()), Store(results), Output(as_json=json, quiet=quiet)
    n_cells, part = check_budget(budget, sweep), Part.of(sweep, where=where, limit=limit, shard=shard, retry=retry)
    settings = resolve(
        engine=engine, device=device, workers=workers, pack=pack, timeout=timeout, pilot=not no_pilot,
        save_weights=save_weights, max_core_hours=max_core_hours, max_gpu_hours=max_gpu_hours,
    )  # fmt: skip
    if isinstance(sweep, Search):
        run_search(sweep, store, settings, output, budget=n_cells, options=options)
        return
    choice = plan_and_choose(sweep, store, settings, want_cost=False, part=part, on_message=output.message)
    plan = choice.plan
    data = {
        "sweep": sweep.name, "shard": shard, "trials": plan.trials, "reused": plan.done,
        "given_up": dict(plan.given_up),
    }  # fmt: skip
    name, given_up = sweep.name + part.in_words, given_up_in_words(plan, file, results, options)
    if not plan.pending:
        output.result(data | {"pending": 0}, [f"{name}: {_nothing_pending(plan, part, results)}", *given_up])
        raise typer.Exit(FAILED if given_up else 0)
    output.text(in_words(choice, device=settings.device))
    outcome = run(plan, store, settings, display=output.display)
    data |= {"engine": settings.engine, **run_as_data(outcome, choice, device=settings.device)}
    output.result(data, [*_in_words(name, outcome, choice, settings, file, results, options), *given_up])
    exit_by(outcome)
    if given_up:
        raise typer.Exit(FAILED)


def exit_by(outcome: "Outcome") -> None:
    """Leave with the exit code of a run that was stopped, or had trials that failed."""
    from lrsym.sweep.execution.progress import retried

    if outcome.stopped_by:
        raise typer.Exit(stopped_code(outcome.stopped_by))
    if retried(outcome.statuses):
        raise typer.Exit(FAILED)


def given_up_in_words(plan: "Plan", file: Path, results: str, options: Mapping[str, object]) -> list[str]:
    """Return which trials are not tried any more, and the command that tries them again."""
    from lrsym.sweep.planning.plan import MAX_FAILED_RUNS

    if not plan.given_up:
        return []
    listed = ", ".join(f"{n} {status}" for status, n in sorted(plan.given_up.items()))
    again = command_line("sweep", file, results, {**options, "retry": sorted(plan.given_up)})
    return [f"given up after {MAX_FAILED_RUNS} runs or more: {listed}; try them again: {again}"]


def _nothing_pending(plan: "Plan", part: "Part", results: str) -> str:
    if plan.trials:
        given_up = plan.given_up.total()
        return f"{'' if given_up else 'all '}{plan.trials - given_up} trials are in {results}"
    if part.retry:
        return f"no trial is {' or '.join(part.retry)} in {results}"
    return "has no trials: there are fewer packs than shards" + (", or --where leaves none" if part.where else "")


def run_as_data(outcome: "Outcome", choice: "Choice", *, device: str) -> dict[str, object]:
    """Return what a run did, for programs."""
    from lrsym.sweep.pilot.summary import left_out_as_data
    from lrsym.sweep.planning.settings import worker_unit

    return {
        "run_id": outcome.run_id, "statuses": dict(outcome.statuses), "pending": outcome.pending,
        "interrupted": outcome.interrupted, "seconds": round(outcome.seconds, 1),
        "pack": choice.pack_size, "workers": choice.plan.workers, "why": choice.why,
        "elsewhere": outcome.elsewhere, "others": list(outcome.others),
        "fitting_size": outcome.fitting_size, "left_out": left_out_as_data(choice.left_out),
        f"{worker_unit(device).lower()}_hours": round(outcome.hours, 6),
    }  # fmt: skip


def sharing_in_words(outcome: "Outcome") -> list[str]:
    """Return which other sweeps trained at the same time, and what they took over."""
    if not outcome.others:
        return []
    return [f"{outcome.elsewhere} trials were trained meanwhile by others: {', '.join(outcome.others)}"]


def _in_words(
    name: str,
    outcome: "Outcome",
    choice: "Choice",
    settings: "Settings",
    file: Path,
    results: str,
    options: Mapping[str, object],
) -> list[str]:
    """Return what was trained, and where something is left, the command that goes on."""
    from lrsym.sweep.execution.progress import duration, failures, retried

    again = sweep_command(file, results, choice, options, outcome=outcome)
    lines = [
        f"{name}: {outcome.statuses['done']} trials trained in {duration(outcome.seconds)}"
        f"{failures(outcome.statuses)}, {choice.plan.done} reused; rows in {results}",
        *sharing_in_words(outcome),
    ]
    if outcome.fitting_size:
        lines.append(f"packs were split down to {outcome.fitting_size}: larger ones did not fit into memory")
    if outcome.interrupted:
        kept = "finished packs are kept, others go on from their last checkpoint if they have one"
        lines.append(f"stopped with {outcome.pending} trials left; {kept}. Go on: {again}")
    elif outcome.pending:
        lines.append(f"{outcome.pending} trials left out by {settings.limit}. Go on: {again}")
    if retried(outcome.statuses) and not outcome.interrupted:
        look = command_line("status", file, results, {"set": options.get("set")})
        lines.append(f"see why: {look}; try the failed ones again: {again}")
    return lines
