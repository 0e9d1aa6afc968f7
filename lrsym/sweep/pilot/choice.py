"""Pack size and workers of a sweep: by a pilot where one is worth its seconds, else by rule. And what it will cost."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from lrsym.sweep.pilot.measuring import PilotError
from lrsym.sweep.pilot.pilot import Options, PilotResult, count_workers, run_pilot
from lrsym.sweep.planning.cost import NOTHING, Cost, Range, estimate_cost
from lrsym.sweep.planning.plan import Plan
from lrsym.sweep.planning.settings import Settings, available_workers

PILOT_SECONDS = 10.0
"""What a pilot takes at most, as a rule."""

MIN_SWEEP_TO_PILOT_RATIO = 10
"""A pilot saves a part of a sweep, so a sweep should take this many pilots at least."""

RAY_STARTUP = Range(2, 5, 10)
"""Seconds that Ray takes longer to start than processes do (docs/benchmarks.md)."""

RunPilot = Callable[..., PilotResult]


@dataclass(frozen=True)
class Choice:
    """A plan with its packs and workers chosen, the reason in a line, and what a pilot knows besides."""

    plan: Plan
    why: str
    pack_size: int
    pilot_seconds: float | None = None
    cost: Cost | None = None
    warning: str | None = None


def choose_packing(
    plan: Plan,
    settings: Settings,
    *,
    want_cost: bool = False,
    on_message: Callable[[str], None] = lambda text: None,
    pilot: RunPilot = run_pilot,
) -> Choice:
    """Choose pack size and workers for `plan`: by a pilot run if it pays, else by the default rule.

    With `want_cost` the pilot also runs for shorter sweeps and where both are given, because only it can estimate the
    cost. `on_message` gets a line before a pilot starts. A pilot that fails leaves the plan as it is, with a warning.
    """
    default = f"packs of {plan.largest_pack}, {count_workers(plan.workers)}"
    if not plan.pending:
        return Choice(plan, "nothing to train", 0)
    if reason := _reason_against_pilot(plan, settings, want_cost=want_cost):
        return Choice(plan, f"{default} ({reason})", plan.largest_pack)
    on_message(f"pilot: measuring a few steps, at most about {PILOT_SECONDS:.0f} s")
    options = Options(settings.device, settings.max_workers, settings.workers, settings.pack_size)
    try:
        result = pilot(plan.packs, options, threads=settings.threads)
    except PilotError as error:
        warning = f"the pilot failed: {error}; packs and workers go by rule"
        return Choice(plan, f"{default} (by rule)", plan.largest_pack, warning=warning)
    chosen = plan.repacked(size=result.pack_size, workers=result.workers)
    why = f"pilot ({result.seconds:.0f} s): {result.why}"
    return Choice(chosen, why, result.pack_size, result.seconds, cost_of(chosen, result, settings))


def cost_of(plan: Plan, result: PilotResult, settings: Settings, *, n_gpus: int | None = None) -> Cost:
    """Return what `plan` will take by what the pilot measured; workers that share a GPU take a part of its hours each.

    `n_gpus` is by default the number of this machine's.
    """
    startup = result.startup + (RAY_STARTUP if settings.engine == "ray" else NOTHING)
    cost = estimate_cost(plan.packs, result.rates, workers=plan.workers, startup=startup)
    if settings.device == "cuda":
        share = min(1.0, (n_gpus or available_workers("cuda")) / plan.workers)
        return replace(cost, worker_seconds=cost.worker_seconds * share)
    return cost


def _reason_against_pilot(plan: Plan, settings: Settings, *, want_cost: bool) -> str | None:
    """Return why there is no pilot; None where there is one."""
    if not settings.pilot:
        return "without a pilot"
    if settings.engine == "ray" and os.environ.get("RAY_ADDRESS"):
        return "no pilot: it would measure this machine, not the cluster's"
    if settings.workers and settings.pack_size and not want_cost:
        return "as given"
    if (seconds := plan.rough_seconds()) < PILOT_SECONDS * (1 if want_cost else MIN_SWEEP_TO_PILOT_RATIO):
        roughly = f", very roughly {max(1, seconds):.0f} s of training"
        return f"too short for a pilot{roughly if settings.device == 'cpu' else ''}"
    return None
