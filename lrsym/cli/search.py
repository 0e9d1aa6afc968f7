"""What the verbs `plan`, `sweep` and `status` say of a search."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lrsym.cli.errors import FAILED
from lrsym.cli.output import Output, command_line, sweep_command
from lrsym.errors import counted

if TYPE_CHECKING:
    from lrsym.api.request import Request
    from lrsym.sweep.driver import Outcome
    from lrsym.sweep.search.run import SearchPlan
    from lrsym.sweep.search.search_status import SearchStatus
    from lrsym.sweep.spec.search import Search


def show_search_plan(plan: "SearchPlan", asked: "Request", output: Output, *, options: Mapping[str, object]) -> None:
    """Print how far a search is, and what is left of it will cost."""
    from lrsym.cli.sweep import given_up_in_words
    from lrsym.sweep.pilot.summary import as_data, in_words

    lines, settings = _plan_in_words(plan), asked.settings
    data: dict[str, object] = {"sweep": plan.search.name, **_plan_as_data(plan), "engine": settings.engine}
    file, results = Path(plan.search.source.name), asked.store.root
    if plan.left:
        command = sweep_command(file, results, plan.choice, options)
        limit = [f"{settings.limit}: no pack begins once they are spent"] if settings.max_hours is not None else []
        lines += [*in_words(plan.choice, device=settings.device), *limit, f"run: {command}"]
        data |= {"command": command, **as_data(plan.choice, device=settings.device)}
    output.result(data, [*lines, *given_up_in_words(plan, file, results, options)])


def run_search(plan: "SearchPlan", asked: "Request", output: Output, *, options: Mapping[str, object]) -> None:
    """Train cells until the budget is spent, and print what came of it."""
    from lrsym.cli.sweep import exit_by, given_up_in_words
    from lrsym.sweep.pilot.summary import in_words
    from lrsym.sweep.planning.settings import worker_unit
    from lrsym.sweep.search import run as search_run

    search, store, settings, file = plan.search, asked.store, asked.settings, Path(plan.search.source.name)
    given_up = given_up_in_words(plan, file, store.root, options)
    if plan.over:
        search_run.require_objective(search, store)
        cells = search_run.count_cells(search, store)
        best = [] if plan.given_up and not plan.done else _best_in_words(plan, store.root, options)
        lines = [_nothing_left(plan, asked), *best, *given_up]
        data = {"sweep": search.name, "budget": plan.budget, "cells": cells, "statuses": {}}
        output.result(data | {"given_up": dict(plan.given_up)}, lines)
        raise typer.Exit(FAILED if given_up else 0)
    output.text([*_plan_in_words(plan), *in_words(plan.choice, device=settings.device)])
    outcome = search_run.run_search(plan, store, settings, display=output.display)
    done, left = search_run.count_cells(search, store), search_run.cells_left(plan, store)
    data = {
        "sweep": search.name, "run_id": outcome.run_id, "statuses": dict(outcome.statuses), "budget": plan.budget,
        "elsewhere": outcome.elsewhere, "others": list(outcome.others), "given_up": dict(plan.given_up),
        "cells": done, "interrupted": outcome.interrupted, "seconds": round(outcome.seconds, 1),
        f"{worker_unit(settings.device).lower()}_hours": round(outcome.hours, 6),
    }  # fmt: skip
    spent = settings.limit if settings.max_hours is not None and outcome.hours >= settings.max_hours else None
    told = _outcome_in_words(plan, outcome, done, left, store.root, options, spent=spent)
    output.result(data, [*told, *given_up])
    exit_by(outcome)
    if given_up:
        raise typer.Exit(FAILED)


def _nothing_left(plan: "SearchPlan", asked: "Request") -> str:
    if plan.retry:
        return f"{plan.search.name}: no trial is {' or '.join(plan.retry)} in {asked.store.root}"
    if not plan.cells:
        return f"{plan.search.name}: other sweeps have trained every cell of the space in {asked.store.root}"
    wanted = plan.search.budget if asked.budget is None else asked.budget
    there = f"{counted(plan.done, 'cell', 'are')} in {asked.store.root}"
    if wanted < plan.budget:
        return f"{plan.search.name}: {there}, more than the budget of {wanted}"
    none_else = ", the space has no others" if plan.cells < plan.budget else ""
    return f"{plan.search.name}: {'' if plan.given_up else 'all '}{there}{none_else}"


def _best_in_words(plan: "SearchPlan", results: str, options: Mapping[str, object]) -> list[str]:
    return [f"the best: {command_line('best', Path(plan.search.source.name), results, {'set': options['set']})}"]


def _plan_in_words(plan: "SearchPlan") -> list[str]:
    search = plan.search
    sought = ", ".join(objective.words for objective in search.objectives)
    running = f", {plan.running} of them begun" if plan.running else ""
    given_up = f", {counted(plan.given_up.total(), 'trial')} given up" if plan.given_up else ""
    none_else = "; the space has no others" if plan.cells < plan.budget and not plan.retry else ""
    lines = [
        f"{search.name}: search by {search.sampler}, {sought}",
        f"{counted(plan.cells, 'cell')} x {counted(search.replicates, 'replicate')}: "
        f"{plan.done} done, {plan.left} to train{running}{given_up}{none_else}",
    ]
    if plan.reused:
        lines.append(f"{counted(plan.reused, 'cell')} that other sweeps have trained are told to the sampler first")
    return lines


def _plan_as_data(plan: "SearchPlan") -> dict[str, object]:
    return {
        "search": plan.search.key, "sampler": plan.search.sampler, "budget": plan.budget, "cells_done": plan.done,
        "cells_left": plan.left, "cells_reused": plan.reused, "replicates": plan.search.replicates,
        "trials": plan.left * plan.search.replicates, "given_up": dict(plan.given_up),
    }  # fmt: skip


def _outcome_in_words(
    plan: "SearchPlan",
    outcome: "Outcome",
    done: Mapping[str, int],
    left: int,
    results: str,
    options: Mapping[str, object],
    *,
    spent: str | None,
) -> list[str]:
    """Return what came of a run that has `left` so many cells, with the command that goes on; `spent` is the limit of
    hours that ended it, if any."""
    from lrsym.cli.sweep import failed_in_words, sharing_in_words
    from lrsym.sweep.execution.progress import duration, failures

    search, file, same = plan.search, Path(plan.search.source.name), {"set": options["set"]}
    again = sweep_command(file, results, plan.choice, options, outcome=outcome)
    lines = [
        f"{search.name}: {done['complete'] + done['failed']} of {max(plan.cells, sum(done.values()))} cells done; "
        f"{counted(outcome.statuses['done'], 'trial')} trained in {duration(outcome.seconds)}"
        f"{failures(outcome.statuses)}; rows in {results}",
        *sharing_in_words(outcome),
    ]
    if outcome.interrupted:
        lines.append(f"stopped; finished packs are kept, and the search goes on where it was. Go on: {again}")
    elif failed := failed_in_words(outcome, command_line("status", file, results, same), again):
        lines += failed
    elif left and spent:
        lines.append(f"{counted(left, 'cell')} left out by {spent}. Go on: {again}")
    elif not left and not plan.retry and sum(done.values()) < plan.budget:
        lines.append("the space has no other cells")
    return lines + (_best_in_words(plan, results, options) if done["complete"] else [])


def search_status_as_data(report: "SearchStatus") -> dict[str, object]:
    """Return how far a search is, for programs."""
    return {
        "begun": report.begun, "budget": report.budget, "cells": report.cells, "to_come": report.to_come,
        "repeated": report.repeated, "reused": report.reused, "best": report.best,
    }  # fmt: skip


def search_status_in_words(search: "Search", report: "SearchStatus", results: str) -> list[str]:
    """Return how far a search is, for a reader."""
    from lrsym.results.store.place import name_place

    if not report.begun:
        return [
            f"{search.name}: not begun in {name_place(results)}: "
            f"{counted(report.to_come, 'cell')} x {counted(search.replicates, 'replicate')}"
        ]
    asked = sum(report.cells.values())
    nobody = report.trials is None or not report.trials.running.trials
    named = {"running": "begun, which nobody trains now"} if nobody and report.cells["running"] else {}
    states = ", ".join(f"{n} {named.get(state, state)}" for state, n in report.cells.items())
    lines = [f"{search.name}: {asked} of {asked + report.to_come} cells asked for: {states}"]
    if report.repeated + report.reused:
        lines.append(f"  {report.repeated} repeated, answered from rows; {report.reused} reused of other sweeps")
    if report.best is not None:
        values = zip(search.objectives, report.best, strict=True)
        where = "" if len(search.objectives) == 1 else ", one of the Pareto front"
        lines.append(f"  best so far: {', '.join(f'{o.words}: {value:.4g}' for o, value in values)}{where}")
    return lines
