"""The verb `lrsym sweep`: train what the store lacks of a sweep."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lrsym.cli.errors import FAILED, stopped_code
from lrsym.cli.options import EXECUTION, PART, RESULTS, File, Json, Quiet, Results, Set, with_options
from lrsym.cli.output import Output, command_line, more_time, sweep_command
from lrsym.cli.search import run_search
from lrsym.errors import counted

if TYPE_CHECKING:
    from lrsym.api.request import Request
    from lrsym.sweep.driver import Outcome
    from lrsym.sweep.execution.part import Part
    from lrsym.sweep.pilot.choice import Choice
    from lrsym.sweep.planning.plan import Plan
    from lrsym.sweep.search.refine import RefinementSource
    from lrsym.sweep.search.run import SearchPlan


@with_options({**EXECUTION, **PART})
def sweep(
    file: File, set_: Set = None, results: Results = RESULTS, quiet: Quiet = False, json: Json = False, **options: Any
) -> None:
    """Train what is new or failed of a sweep, or go on with a search; after a stop the same command goes on."""
    from lrsym.api.request import Request
    from lrsym.sweep.driver import run
    from lrsym.sweep.pilot.choice import Choice
    from lrsym.sweep.pilot.summary import in_words

    output = Output(as_json=json, quiet=quiet)
    asked = Request.of(file, results, changes=set_ or (), **options)
    choice, again = asked.choose(on_message=output.message), {**options, "set": set_, "quiet": quiet}
    if not isinstance(choice, Choice):
        run_search(choice, asked, output, options=again)
        return
    plan = choice.plan
    data = {
        "sweep": asked.sweep.name, "shard": options["shard"], "trials": plan.trials, "reused": plan.done,
        "given_up": dict(plan.given_up),
    }  # fmt: skip
    name, given_up = asked.sweep.name + asked.part.in_words, given_up_in_words(plan, file, results, again)
    if not plan.pending:
        output.result(data | {"pending": 0}, [f"{name}: {_nothing_pending(plan, asked.part, results)}", *given_up])
        raise typer.Exit(FAILED if given_up else 0)
    output.text(in_words(choice, device=asked.settings.device))
    outcome = run(plan, asked.store, asked.settings, display=output.display)
    data |= {"engine": asked.settings.engine, **run_as_data(outcome, choice, device=asked.settings.device)}
    output.result(data, [*_in_words(name, outcome, choice, asked, file, results, again), *given_up])
    exit_by(outcome)
    if given_up:
        raise typer.Exit(FAILED)


def exit_by(outcome: "Outcome") -> None:
    """Leave with the exit code of a run that was stopped, or had trials that failed."""
    from lrsym.sweep.execution.progress import retried

    if outcome.stopped_by and outcome.interrupted:
        raise typer.Exit(stopped_code(outcome.stopped_by))
    if retried(outcome.statuses):
        raise typer.Exit(FAILED)


def given_up_in_words(
    plan: "Plan | SearchPlan | RefinementSource", file: Path, results: str, options: Mapping[str, object]
) -> list[str]:
    """Return which trials are not tried any more, and the command that tries them again."""
    from lrsym.sweep.planning.plan import MAX_FAILED_RUNS

    if not plan.given_up:
        return []
    listed = ", ".join(f"{n} {status}" for status, n in sorted(plan.given_up.items()))
    changed = {"retry": sorted(plan.given_up), **more_time(plan.given_up, options)}
    again = command_line("sweep", file, results, {**options, **changed})
    return [f"given up after {MAX_FAILED_RUNS} runs or more: {listed}; try them again: {again}"]


def _nothing_pending(plan: "Plan", part: "Part", results: str) -> str:
    if plan.trials:
        given_up = plan.given_up.total()
        return f"{'' if given_up else 'all '}{counted(plan.trials - given_up, 'trial', 'are')} in {results}"
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
    return [f"{counted(outcome.elsewhere, 'trial', 'were')} trained meanwhile by others: {', '.join(outcome.others)}"]


def failed_in_words(outcome: "Outcome", look: str, again: str) -> list[str]:
    """Return what to do about trials that failed: `look` is the command that says why, `again` tries them again."""
    from lrsym.sweep.execution.progress import retried

    if not retried(outcome.statuses):
        return []
    longer = ", with twice the time" if outcome.statuses["timeout"] else ""
    return [f"see why: {look}; try the failed ones again{longer}: {again}"]


def _in_words(
    name: str,
    outcome: "Outcome",
    choice: "Choice",
    asked: "Request",
    file: Path,
    results: str,
    options: Mapping[str, object],
) -> list[str]:
    """Return what was trained, and where something is left, the command that goes on."""
    from lrsym.sweep.execution.progress import duration, failures

    again = sweep_command(file, results, choice, options, outcome=outcome)
    lines = [
        f"{name}: {counted(outcome.statuses['done'], 'trial')} trained in {duration(outcome.seconds)}"
        f"{failures(outcome.statuses)}, {choice.plan.done} reused; rows in {results}",
        *sharing_in_words(outcome),
    ]
    if outcome.fitting_size:
        lines.append(f"packs were split down to {outcome.fitting_size}: larger ones did not fit into memory")
    if outcome.interrupted:
        kept = "finished packs are kept, others go on from their last checkpoint if they have one"
        lines.append(f"stopped with {counted(outcome.pending, 'trial')} left; {kept}. Go on: {again}")
        return lines
    if outcome.pending:
        lines.append(f"{counted(outcome.pending, 'trial')} left{asked.settings.out_by}. Go on: {again}")
    look = command_line("status", file, results, {"set": options["set"]})
    return lines + failed_in_words(outcome, look, again)
