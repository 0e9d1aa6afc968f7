"""Pack size and workers of a sweep: by a pilot where one is worth its seconds, else by rule. And what it will cost."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from lrsym.results.store.store import Store
from lrsym.sweep.driver import Settings, auto_workers, plan_sweep
from lrsym.sweep.pilot.pilot import Findings, Room, counted, run_pilot
from lrsym.sweep.planning.cost import NOTHING, Cost, Interval, estimate
from lrsym.sweep.planning.plan import Plan
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.sweep.workers.pool import PilotError

PILOT_SECONDS = 10.0
"""What a pilot takes at most, as a rule."""

PAYS_FROM = 10
"""A pilot saves a part of a sweep, so a sweep should take this many pilots at least."""

RAY_STARTUP = Interval(2, 5, 10)
"""Seconds that Ray takes longer to start than processes do (docs/benchmarks.md)."""


@dataclass(frozen=True)
class Choice:
    """A plan with its packs and workers chosen, the reason in a line, and what a pilot knows besides."""

    plan: Plan
    why: str
    pack_size: int
    pilot_seconds: float | None = None
    cost: Cost | None = None
    warning: str | None = None


def choose(plan: Plan, settings: Settings, *, told: bool, announce: Callable[[str], None]) -> Choice:
    """What to do of `plan`, which was made by rule.

    With `told` the cost is asked for, so that a pilot is worth its time in a shorter sweep, and where everything is
    given. `announce` hears of a pilot before it starts. A pilot that fails leaves the plan as it is, with a warning.
    """
    rule = f"packs of {plan.largest_pack}, {counted(plan.workers)}"
    if not plan.pending:
        return Choice(plan, "nothing to train", 0)
    if reason := _no_pilot(plan, settings, told=told):
        return Choice(plan, f"{rule} ({reason})", plan.largest_pack)
    announce(f"pilot: measuring a few steps, at most about {PILOT_SECONDS:.0f} s")
    room = Room(settings.device, settings.most_workers, settings.workers, settings.pack_size)
    try:
        found = run_pilot(plan.packs, room, threads=settings.threads, started=plan.started)
    except PilotError as error:
        warning = f"the pilot failed: {error}; packs and workers go by rule"
        return Choice(plan, f"{rule} (by rule)", plan.largest_pack, warning=warning)
    chosen = plan.repacked(size=found.pack_size, workers=found.workers)
    why = f"pilot ({found.seconds:.0f} s): {found.why}"
    return Choice(chosen, why, found.pack_size, found.seconds, cost_of(chosen, found, settings))


def _no_pilot(plan: Plan, settings: Settings, *, told: bool) -> str | None:
    """Why there is no pilot; None where there is one."""
    if not settings.pilot:
        return "without a pilot"
    if settings.engine == "ray" and os.environ.get("RAY_ADDRESS"):
        return "no pilot: it would measure this machine, not the cluster's"
    if settings.workers and settings.pack_size and not told:
        return "as given"
    if (seconds := plan.guessed_seconds()) < PILOT_SECONDS * (1 if told else PAYS_FROM):
        told_roughly = f", very roughly {max(1, seconds):.0f} s of training"
        return f"too short for a pilot{told_roughly if settings.device == 'cpu' else ''}"
    return None


def cost_of(plan: Plan, found: Findings, settings: Settings) -> Cost:
    """What `plan` will take by what the pilot found; workers that share a GPU take a part of its hours each."""
    startup = found.startup + (RAY_STARTUP if settings.engine == "ray" else NOTHING)
    cost = estimate(plan.packs, found.rates, workers=plan.workers, startup=startup, left=plan.left)
    if settings.device == "cuda":
        share = min(1.0, auto_workers("cuda") / plan.workers)
        return replace(cost, worker_seconds=cost.worker_seconds * share)
    return cost


def plan_and_choose(
    sweep: Sweep, store: Store, settings: Settings, *, want_cost: bool, on_message: Callable[[str], None]
) -> Choice:
    """Return the plan of what `store` lacks of `sweep`, with its pack size and workers chosen.

    With `want_cost` nothing is going to be written, and a pilot runs for short sweeps too. Otherwise raises OSError,
    before any pilot, where rows could not be written. `on_message` gets a line before a pilot runs, and a warning
    where it fails.
    """
    plan = plan_sweep(sweep, store, settings)
    if plan.pending and not want_cost:
        store.prove_writable()
    choice = choose(plan, settings, told=want_cost, announce=on_message)
    if choice.warning:
        on_message(f"warning: {choice.warning}")
    return choice
