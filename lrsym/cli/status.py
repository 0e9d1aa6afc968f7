"""The verb `lrsym status`: how far a sweep is."""

from typing import TYPE_CHECKING

from lrsym.cli.options import RESULTS, File, Json, Results, load_sweep
from lrsym.cli.output import Output

if TYPE_CHECKING:
    from lrsym.sweep.execution.sweep_status import SweepStatus


def status(file: File, results: Results = RESULTS, json: Json = False) -> None:
    """Show how far a sweep is: its trials by status, the hours that they took, and what went wrong."""
    from lrsym.sweep.execution.sweep_status import sweep_status

    sweep = load_sweep(file, results)
    report = sweep_status(sweep, results)
    data = {
        "sweep": sweep.name, "trials": report.trials, "statuses": report.statuses, "missing": report.missing,
        "checkpointed": report.checkpointed, "stopped": report.stopped, "core_hours": report.core_hours,
        "gpu_hours": report.gpu_hours,
        "messages": [{"status": m.status, "message": m.message, "n_trials": m.n_trials} for m in report.messages],
    }  # fmt: skip
    Output(as_json=json).result(data, _in_words(sweep.name, report, results))


def _in_words(name: str, report: "SweepStatus", results: str) -> list[str]:
    from lrsym.results.store.filesystem import open_filesystem
    from lrsym.sweep.planning.cost import two_digits

    listed = ", ".join(f"{n} {status}" for status, n in report.statuses.items()) or "none trained"
    place = results if open_filesystem(results).exists() else f"{results}, which is not there yet"
    lines = [f"{name}: {report.trials} trials: {listed}, {report.missing} missing in {place}"]
    if n := report.checkpointed:
        lines.append(f"  {n} unfinished trials have a checkpoint, at {report.completed:.0%} of their steps")
    spent = {"core": report.core_hours, "GPU": report.gpu_hours}
    if hours := [f"{two_digits(value)} {unit}-hours" for unit, value in spent.items() if value]:
        lines.append(f"  finished trials took {', '.join(hours)}")
    lines += [f"  {n} x stopped early: {rule}" for rule, n in report.stopped.items()]
    return lines + [f"  {m.n_trials} x {m.status}: {m.message}" for m in report.messages]
