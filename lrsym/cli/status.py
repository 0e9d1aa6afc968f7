"""The verb `lrsym status`: how far a sweep or a search is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import RESULTS, File, Json, Results, Set, Shard
from lrsym.cli.output import Output
from lrsym.cli.search import search_status_as_data, search_status_in_words
from lrsym.cli.watch import Every, check_every, diagram_in_words, repeat
from lrsym.errors import UsageError, printable
from lrsym.vocabulary import PHASE_METRIC

if TYPE_CHECKING:
    from lrsym.sweep.execution.running import Running
    from lrsym.sweep.execution.sweep_status import SweepStatus


Watch = Annotated[
    bool, typer.Option("--watch", help="Show it again and again, with a diagram of what is trained, until all is.")
]


def status(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    shard: Shard = None,
    watch: Watch = False,
    every: Every = None,
    json: Json = False,
) -> None:
    """Show how far a sweep or a search is: trials by status, hours taken, what went wrong, the best of a search."""
    seconds = check_every(every)
    if every is not None and not watch:
        raise UsageError(f"--every is for --watch, got {every:g} without it; add --watch, or leave it out")
    if watch and json:
        raise UsageError("--watch is for a reader, and --json for a program; leave one of them out")
    if watch:
        repeat(lambda: progress_in_words(file, set_, results, shard=shard, diagram=True), every=seconds)
        return
    name, data, lines, _ = _ask_again(file, set_, results, shard)
    Output(as_json=json).result({"sweep": name, "shard": shard, **data}, lines)


def progress_in_words(
    file: Path, changes: list[str] | None, results: str, *, shard: str | None = None, diagram: bool = False
) -> tuple[list[str], bool]:
    """Return in words how far a sweep or a search is, and whether it is over: all has ended and nobody trains."""
    _, _, lines, over = _ask_again(file, changes, results, shard)
    return [*lines, *(diagram_in_words(file, changes, results) if diagram else [])], over


def _ask_again(
    file: Path, changes: list[str] | None, results: str, shard: str | None
) -> tuple[str, dict[str, Any], list[str], bool]:
    """Return what `_ask` does, from the beginning where parts were merged meanwhile."""
    from lrsym.results.store.store import read_again

    return read_again(lambda: _ask(file, changes, results, shard))


def _ask(
    file: Path, changes: list[str] | None, results: str, shard: str | None
) -> tuple[str, dict[str, Any], list[str], bool]:
    """Return the name of a sweep or a search, how far it is as data and in words, and whether it is over."""
    from lrsym.results.store.store import Store
    from lrsym.sweep.execution.part import Part
    from lrsym.sweep.execution.sweep_status import sweep_status
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep_file import load_any

    found, left, data, lines = load_any(file, changes=changes or ()), 0, dict[str, Any](), list[str]()
    part = Part.of(found, shard=shard)
    if isinstance(found, Search):
        from lrsym.sweep.search.search_status import search_status

        search = search_status(found, Store(results))
        report, data = search.trials, search_status_as_data(search)
        lines = search_status_in_words(found, search, results)
        left = search.budget - search.cells["complete"] - search.cells["failed"]
    else:
        report = sweep_status(found, results, part=part)
    if report is not None:
        data |= _as_data(report)
        lines += _in_words(found.name + part.in_words, report, results)
        left += report.missing + report.running.trials
    return found.name, data, lines, left <= 0


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
    from lrsym.results.store.filesystem import open_filesystem
    from lrsym.sweep.execution.traceback_log import with_place
    from lrsym.sweep.planning.cost import two_digits
    from lrsym.sweep.planning.plan import MAX_FAILED_RUNS

    none = "none trained yet" if report.running.trials else "none trained"
    listed = ", ".join(f"{n} {status}" for status, n in report.statuses.items()) or none
    place = results if open_filesystem(results).exists() else f"{results}, which is not there yet"
    lines = [f"{name}: {report.trials} trials: {listed}, {report.missing} missing in {place}"]
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
    return lines + [
        f"  {m.n_trials} x {m.status}: {printable(with_place(m.message, results))}" for m in report.messages
    ]
