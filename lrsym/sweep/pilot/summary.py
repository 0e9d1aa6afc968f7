"""A cost in the units a person would use, and as data for programs."""

from itertools import groupby

from lrsym.errors import counted
from lrsym.sweep.pilot.choice import Choice
from lrsym.sweep.pilot.pilot import count_workers
from lrsym.sweep.planning.cost import Cost, Range, two_digits
from lrsym.sweep.planning.hour_limit import LeftOut
from lrsym.sweep.planning.settings import worker_unit

TIMES = ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "days"))
SIZES = ((1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"))

MAX_SEED_RUNS = 4
"""How many runs of seeds a line lists; there are two, unless the store has some of the highest ones already."""


def in_words(choice: Choice, *, device: str) -> list[str]:
    """Return what was chosen and why, where it is known what it will cost, and what a limit of hours leaves out."""
    left_out = [_left_out_in_words(choice.left_out, worker_unit(device))] if choice.left_out else []
    if choice.cost is None:
        return [choice.why, *left_out]
    cost, hours = choice.cost, choice.cost.worker_seconds * (1 / 3600)
    return [
        choice.why,
        f"about {_between(cost.seconds, TIMES, switch=1.5)} on {count_workers(choice.plan.workers)}, "
        f"{two_digits(hours.value)} {worker_unit(device)}-hours ({two_digits(hours.low)}-{two_digits(hours.high)}), "
        f"{_between(cost.disk_bytes, SIZES, switch=1.0)} on disk",
        *left_out,
    ]


def _left_out_in_words(left_out: LeftOut, unit: str) -> str:
    following = groupby(enumerate(left_out.by_seed.items()), key=lambda entry: (entry[1][1], entry[1][0] - entry[0]))
    runs = [(n, [seed for _, (seed, _) in run]) for (n, _), run in following]
    seeds = [
        (f"seed {run[0]}" if len(run) == 1 else f"seeds {run[0]}-{run[-1]}") + f" of {n} cell{'s' * (n > 1)}"
        for n, run in runs
    ]
    listed = ", ".join(seeds[:MAX_SEED_RUNS]) + (", ..." if len(seeds) > MAX_SEED_RUNS else "")
    rule = "a rough rule, right to a factor of three" if left_out.rough else "the pilot"
    return (
        f"{left_out.limit} leaves out {counted(left_out.trials, 'trial')}, {listed}: "
        f"about {two_digits(left_out.hours)} {unit}-hours by {rule}"
    )


def as_data(choice: Choice, *, device: str) -> dict[str, object]:
    """Return the same for programs; each part of the cost with its range, or null where it is not known."""
    report: dict[str, object] = {
        "pack": choice.pack_size, "workers": choice.plan.workers, "why": choice.why,
        "pilot_seconds": None if choice.pilot_seconds is None else round(choice.pilot_seconds, 1),
        "left_out": left_out_as_data(choice.left_out),
    }  # fmt: skip
    for name, span in _parts(choice.cost, worker_unit(device)).items():
        report[name] = None if span is None else span.value
        report[f"{name}_low"] = None if span is None else span.low
        report[f"{name}_high"] = None if span is None else span.high
    return report


def left_out_as_data(left_out: LeftOut | None) -> dict[str, object] | None:
    """Return what a limit of hours leaves out, for programs."""
    if left_out is None:
        return None
    by_seed = {str(seed): n for seed, n in left_out.by_seed.items()}
    return {"trials": left_out.trials, "by_seed": by_seed, "hours": left_out.hours, "rough": left_out.rough}


def _parts(cost: Cost | None, unit: str) -> dict[str, Range | None]:
    if cost is None:
        return dict.fromkeys(("seconds", f"{unit.lower()}_hours", "disk_bytes"))
    hours = cost.worker_seconds * (1 / 3600)
    return {"seconds": cost.seconds, f"{unit.lower()}_hours": hours, "disk_bytes": cost.disk_bytes}


def _between(span: Range, units: tuple[tuple[float, str], ...], *, switch: float) -> str:
    """Return the span in the largest unit of which its value has at least `switch`."""
    size, unit = next((u for u in reversed(units) if span.value >= switch * u[0]), units[0])
    value, low, high = (two_digits(x / size) for x in (span.value, span.low, span.high))
    return f"{value} {unit} ({low}-{high})"
