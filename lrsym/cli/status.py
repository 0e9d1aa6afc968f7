"""The verb `lrsym status`: how far a sweep or a search is."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import RESULTS, File, Json, Results, Set, Shard
from lrsym.cli.output import Output
from lrsym.cli.search import search_status_as_data, search_status_in_words
from lrsym.cli.watch import EVERY_SECONDS, Every, diagram_in_words, repeat
from lrsym.errors import counted
from lrsym.vocabulary import PHASE_METRIC

if TYPE_CHECKING:
    from lrsym.sweep.execution.running import Running
    from lrsym.sweep.execution.sweep_status import SweepStatus
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep import Sweep


Watch = Annotated[
    bool, typer.Option("--watch", help="Show it again and again, with a diagram of what is trained, until all is.")
]


def status(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    shard: Shard = None,
    watch: Watch = False,
    every: Every = EVERY_SECONDS,
    json: Json = False,
) -> None:
    """Show how far a sweep or a search is: trials by status, hours taken, what went wrong, the best of a search."""
    from lrsym.api.arguments import as_sweep

    found = as_sweep(file, set_ or ())
    if watch:
        repeat(lambda: _with_diagram(found, results, shard), every=every)
        return
    data, lines, _ = ask_again(found, results, shard)
    Output(as_json=json).result({"sweep": found.name, "shard": shard, **data}, lines)


def _with_diagram(found: "Sweep | Search", results: str, shard: str | None) -> tuple[list[str], bool]:
    _, lines, over = ask_again(found, results, shard)
    return [*lines, *diagram_in_words(found, results)], over


def ask_again(
    found: "Sweep | Search", results: str, shard: str | None = None
) -> tuple[dict[str, Any], list[str], bool]:
    """Return how far a sweep or a search is, as data and in words, and whether it is over: all ended, nobody trains.

    It is read from the beginning where parts were merged meanwhile.
    """
    from lrsym.results.store.store import read_again

    return read_again(lambda: _ask(found, results, shard))


def _ask(found: "Sweep | Search", results: str, shard: str | None) -> tuple[dict[str, Any], list[str], bool]:
    from lrsym.api.reading import status
    from lrsym.sweep.execution.sweep_status import SweepStatus
    from lrsym.sweep.spec.search import Search

    told = status(found, results, shard=shard)
    left, data, lines = 0, dict[str, Any](), list[str]()
    if isinstance(told, SweepStatus):
        report: SweepStatus | None = told
    else:
        assert isinstance(found, Search)
        report, data, lines = told.trials, search_status_as_data(told), search_status_in_words(found, told, results)
        left = told.left
    if report is not None:
        named = found.name if shard is None else f"{found.name}, shard {shard}"
        data |= _as_data(report)
        lines += _in_words(named, report, results)
        left += report.missing + report.running.trials
    return data, lines, left <= 0


def _as_data(report: "SweepStatus") -> dict[str, Any]:
    return {
        "trials": report.trials, "statuses": report.statuses, "missing": report.missing,
        "checkpointed": report.checkpointed, "stopped": report.stopped,
        "given_up": report.given_up, **_running_as_data(report.running),
        "core_hours": report.core_hours, "gpu_hours": report.gpu_hours,
        "messages": [{"status": m.status, "message": m.message, "n_trials": m.n_trials} for m in report.messages],
    }  # fmt: skip


def _running_as_data(running: "Running") -> dict[str, Any]:
    return {
        "training": running.trials, "trainers": list(running.trainers), "since": running.since,
        "evaluated": running.evaluated, "completed": running.completed, PHASE_METRIC: running.order,
        "trials_per_minute": running.rate, "seconds_left": running.left and vars(running.left),
    }  # fmt: skip


def _running_in_words(running: "Running") -> list[str]:
    from lrsym.sweep.execution.progress import duration

    since = f" since {running.since:%Y-%m-%d %H:%M} UTC" if running.since else ""
    lines = [f"  {running.trials} in training now, by {', '.join(running.trainers)}{since}"]
    if running.evaluated:
        order = "" if running.order is None else f", {PHASE_METRIC} {running.order:.2f} so far"
        lines.append(f"  {running.evaluated} of them evaluated, at {running.completed:.0%} of their steps{order}")
    if running.rate is not None and running.left is not None:
        left, low, high = (duration(s) for s in (running.left.estimate, running.left.low, running.left.high))
        lines.append(f"  {running.rate:.3g} trials a minute, {left} left (95 % interval {low} to {high})")
    return lines


def _in_words(name: str, report: "SweepStatus", results: str) -> list[str]:
    from lrsym.results.store.place import name_place
    from lrsym.sweep.execution.traceback_log import with_place
    from lrsym.sweep.planning.cost import two_digits
    from lrsym.sweep.planning.plan import MAX_FAILED_RUNS

    none = "none trained yet" if report.running.trials else "none trained"
    listed = ", ".join(f"{n} {status}" for status, n in report.statuses.items()) or none
    lines = [f"{name}: {counted(report.trials, 'trial')}: {listed}, {report.missing} missing in {name_place(results)}"]
    if report.running.trials:
        lines += _running_in_words(report.running)
    elif report.missing:
        lines.append("  nobody trains it now")
    if n := report.checkpointed:
        lines.append(f"  {n} unfinished trials have a checkpoint, at {report.completed:.0%} of their steps")
    spent = {"core": report.core_hours, "GPU": report.gpu_hours}
    if hours := [f"{two_digits(value)} {unit}-hours" for unit, value in spent.items() if value]:
        lines.append(f"  finished trials took {', '.join(hours)}")
    if report.given_up:
        again = "lrsym sweep --retry STATUS tries them again"
        lines.append(f"  {report.given_up} given up after {MAX_FAILED_RUNS} runs or more; {again}")
    lines += [f"  {n} x stopped early: {rule}" for rule, n in report.stopped.items()]
    return lines + [f"  {m.n_trials} x {m.status}: {with_place(m.message, results)}" for m in report.messages]
