"""A cost in the units a person would use, and as data for programs."""

from lrsym.sweep.pilot.choice import Choice
from lrsym.sweep.pilot.pilot import count_workers
from lrsym.sweep.planning.cost import Cost, Range

TIMES = ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "days"))
SIZES = ((1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"))


def in_words(choice: Choice, *, device: str) -> list[str]:
    """Return what was chosen and why, and where it is known, what it will cost."""
    if choice.cost is None:
        return [choice.why]
    cost, hours = choice.cost, choice.cost.worker_seconds * (1 / 3600)
    return [
        choice.why,
        f"about {_between(cost.seconds, TIMES, switch=1.5)} on {count_workers(choice.plan.workers)}, "
        f"{_number(hours.value)} {worker_unit(device)}-hours ({_number(hours.low)}-{_number(hours.high)}), "
        f"{_between(cost.disk_bytes, SIZES, switch=1.0)} on disk",
    ]


def as_data(choice: Choice, *, device: str) -> dict[str, object]:
    """Return the same for programs; each part of the cost with its range, or null where it is not known."""
    report: dict[str, object] = {
        "pack": choice.pack_size, "workers": choice.plan.workers, "why": choice.why,
        "pilot_seconds": None if choice.pilot_seconds is None else round(choice.pilot_seconds, 1),
    }  # fmt: skip
    for name, span in _parts(choice.cost, worker_unit(device)).items():
        report[name] = None if span is None else span.value
        report[f"{name}_low"] = None if span is None else span.low
        report[f"{name}_high"] = None if span is None else span.high
    return report


def _parts(cost: Cost | None, unit: str) -> dict[str, Range | None]:
    if cost is None:
        return dict.fromkeys(("seconds", f"{unit.lower()}_hours", "disk_bytes"))
    hours = cost.worker_seconds * (1 / 3600)
    return {"seconds": cost.seconds, f"{unit.lower()}_hours": hours, "disk_bytes": cost.disk_bytes}


def worker_unit(device: str) -> str:
    """Return what a worker takes, as the unit of hours: a core, or a GPU."""
    return "GPU" if device == "cuda" else "core"


def _between(span: Range, units: tuple[tuple[float, str], ...], *, switch: float) -> str:
    """Return the span in the largest unit of which its value has at least `switch`."""
    size, unit = next((u for u in reversed(units) if span.value >= switch * u[0]), units[0])
    value, low, high = (_number(x / size) for x in (span.value, span.low, span.high))
    return f"{value} {unit} ({low}-{high})"


def _number(value: float) -> str:
    """Return two significant digits, all digits of larger whole numbers."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
