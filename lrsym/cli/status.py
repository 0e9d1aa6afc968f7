"""The verb `lrsym status`: how far a sweep or a search is."""

from typing import TYPE_CHECKING, Any

from lrsym.cli.options import RESULTS, File, Json, Results, Set, Shard
from lrsym.cli.output import Output
from lrsym.cli.search import search_status_as_data, search_status_in_words
from lrsym.errors import printable

if TYPE_CHECKING:
    from lrsym.sweep.execution.sweep_status import SweepStatus


def status(file: File, set_: Set = None, results: Results = RESULTS, shard: Shard = None, json: Json = False) -> None:
    """Show how far a sweep or a search is: trials by status, hours taken, what went wrong, the best of a search."""
    from lrsym.results.store.store import Store
    from lrsym.sweep.execution.part import Part
    from lrsym.sweep.execution.sweep_status import sweep_status
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep_file import load_any

    found, data, lines = load_any(file, changes=set_ or ()), dict[str, Any](), list[str]()
    part = Part.of(found, shard=shard)
    if isinstance(found, Search):
        from lrsym.sweep.search.search_status import search_status

        search = search_status(found, Store(results))
        report, data = search.trials, search_status_as_data(search)
        lines = search_status_in_words(found, search, results)
    else:
        report = sweep_status(found, results, part=part)
    if report is not None:
        data |= _as_data(report)
        lines += _in_words(found.name + part.in_words, report, results)
    Output(as_json=json).result({"sweep": found.name, "shard": shard, **data}, lines)


def _as_data(report: "SweepStatus") -> dict[str, Any]:
    return {
        "trials": report.trials, "statuses": report.statuses, "missing": report.missing,
        "checkpointed": report.checkpointed, "stopped": report.stopped,
        "given_up": report.given_up, "training": report.training, "trainers": list(report.trainers),
        "core_hours": report.core_hours, "gpu_hours": report.gpu_hours,
        "messages": [{"status": m.status, "message": m.message, "n_trials": m.n_trials} for m in report.messages],
    }  # fmt: skip


def _in_words(name: str, report: "SweepStatus", results: str) -> list[str]:
    from lrsym.results.store.filesystem import open_filesystem
    from lrsym.sweep.planning.cost import two_digits
    from lrsym.sweep.planning.plan import MAX_FAILED_RUNS

    none = "none trained yet" if report.training else "none trained"
    listed = ", ".join(f"{n} {status}" for status, n in report.statuses.items()) or none
    place = results if open_filesystem(results).exists() else f"{results}, which is not there yet"
    lines = [f"{name}: {report.trials} trials: {listed}, {report.missing} missing in {place}"]
    if report.training:
        lines.append(f"  {report.training} in training now, by {', '.join(report.trainers)}")
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
    return lines + [f"  {m.n_trials} x {m.status}: {printable(m.message)}" for m in report.messages]
