"""Pack size and workers of a sweep: by a pilot where one is worth its seconds, else by rule. And what it will cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from lrsym.config.trial import Trial
from lrsym.sweep.pilot.measuring import PilotError
from lrsym.sweep.pilot.pilot import Options, PilotResult, count_workers, run_pilot
from lrsym.sweep.planning.cost import NOTHING, Cost, Range, Rates, estimate_cost
from lrsym.sweep.planning.hour_limit import LeftOut, fit_to_hours
from lrsym.sweep.planning.pack import Program
from lrsym.sweep.planning.plan import Plan
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.planning.workload import rough_seconds

PILOT_SECONDS = 10.0
"""What a pilot takes at most, as a rule."""

MIN_SWEEP_TO_PILOT_RATIO = 10
"""A pilot saves a part of a sweep, so a sweep should take this many pilots at least."""

RAY_STARTUP = Range(2, 5, 10)
"""Seconds that Ray takes longer to start than processes do (docs/benchmarks.md)."""

RunPilot = Callable[..., PilotResult]


@dataclass(frozen=True, repr=False)
class Choice:
    """A plan with its packs and workers chosen, the reason in a line, and what a pilot knows besides.

    `left_out` is what a limit of hours leaves out, None where nothing.
    """

    plan: Plan
    why: str
    pack_size: int
    pilot_seconds: float | None = None
    cost: Cost | None = None
    warning: str | None = None
    left_out: LeftOut | None = None

    def __repr__(self) -> str:
        plan = self.plan
        counts = f"trials={plan.trials:,}, new={plan.new:,}, done={plan.done:,}, failed={plan.failed:,}"
        return f"Choice(sweep={plan.sweep!r}, {counts}, pack_size={self.pack_size}, workers={plan.workers})"


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
    cost; so it does where the plan is to be cut to a limit of hours. `on_message` gets a line before a pilot starts. A
    pilot that fails leaves the rule, with a warning. Raises HourLimitError where the hours are not enough for any pack.
    """
    want_cost |= settings.max_hours is not None
    default = f"packs of {plan.largest_pack}, {count_workers(plan.workers)}"
    if not plan.pending:
        return Choice(plan, "nothing to train", 0)
    if reason := _reason_against_pilot(plan, settings, want_cost=want_cost):
        return _within_hours(Choice(plan, f"{default} ({reason})", plan.largest_pack), settings)
    on_message(f"pilot: measuring a few steps, at most about {PILOT_SECONDS:.0f} s")
    options = Options(settings.device, settings.max_workers, settings.workers, settings.pack_size, settings.gpus or 1)
    try:
        result = pilot(plan.packs, options, threads=settings.threads)
    except PilotError as error:
        warning = f"the pilot failed: {error}; packs and workers go by rule"
        return _within_hours(Choice(plan, f"{default} (by rule)", plan.largest_pack, warning=warning), settings)
    chosen = plan.repacked(size=result.pack_size, workers=result.workers)
    why = f"pilot ({result.seconds:.0f} s): {result.why}"
    choice = _within_hours(Choice(chosen, why, result.pack_size, result.seconds), settings, rates=result.rates)
    return replace(choice, cost=cost_of(choice.plan, result, settings))


def cost_of(plan: Plan, result: PilotResult, settings: Settings) -> Cost:
    """Return what `plan` will take by what the pilot measured, its workers' seconds as core-seconds or GPU-seconds.

    Workers that share a GPU take a part of it each.
    """
    startup = result.startup + (RAY_STARTUP if settings.engine == "ray" else NOTHING)
    cost = estimate_cost(plan.packs, result.rates, workers=plan.workers, startup=startup)
    return replace(cost, worker_seconds=cost.worker_seconds * settings.units_per_worker(plan.workers))


def _within_hours(choice: Choice, settings: Settings, *, rates: Mapping[Program, Rates] | None = None) -> Choice:
    """Return `choice` with its plan cut to the limit of hours, if there is one; without `rates` by the rough rule."""
    if settings.max_hours is None:
        return choice

    def seconds(trial: Trial, n_trials: int) -> float:
        return rough_seconds(trial, n_trials) if rates is None else rates[trial.program].seconds(trial, n_trials).value

    if rates is None and settings.device == "cuda":  # the rule is for a core, and would leave out nearly all
        plan, _ = fit_to_hours(choice.plan, settings, lambda trial, n_trials: 0.0, rough=True)
        why = f"{choice.why}; what fits into {settings.limit} is not known: no pack begins once they are spent"
        return replace(choice, plan=plan, why=why)
    plan, left_out = fit_to_hours(choice.plan, settings, seconds, rough=rates is None)
    return replace(choice, plan=plan, left_out=left_out if left_out.trials else None)


def _reason_against_pilot(plan: Plan, settings: Settings, *, want_cost: bool) -> str | None:
    """Return why there is no pilot; None where there is one."""
    if not settings.pilot:
        return "without a pilot"
    if settings.on_cluster:
        return "no pilot: it would measure this machine, not the cluster's"
    if settings.workers and settings.pack_size and not want_cost:
        return "as given"
    seconds = min(plan.rough_seconds(), settings.worker_seconds(plan.workers) / plan.workers)
    if seconds < PILOT_SECONDS * (1 if want_cost else MIN_SWEEP_TO_PILOT_RATIO):
        roughly = f", very roughly {max(1, seconds):.0f} s of training"
        return f"too short for a pilot{roughly if settings.device == 'cpu' else ''}"
    return None
