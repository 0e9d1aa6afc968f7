"""What packs of every program of a sweep cost: a few are measured, the others are compared with them by their work."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import log

from lrsym.config.trial import Trial
from lrsym.sweep.pilot.measurement import MeasureRequest, TrialOverhead
from lrsym.sweep.pilot.measuring import MeasuringProcesses, PilotError
from lrsym.sweep.pilot.worker import CHUNK_SECONDS, CHUNKS, SINGLE_STEPS
from lrsym.sweep.planning.cost import Range, Rates
from lrsym.sweep.planning.pack import Pack, Program
from lrsym.sweep.planning.packing import PackList
from lrsym.sweep.planning.workload import work

BUDGET_SECONDS = 8.0
"""Seconds after its processes are ready after which nothing of a pilot should end: nothing is begun that would, but one
trial of the main program."""

MAX_PROGRAMS = 4
"""How many programs are measured."""

MAX_OVERHEAD_PACK = {"cpu": 4, "cuda": 64}
"""Largest pack whose evaluations and rows are measured: they cost a trial about the same in a larger one."""

FEW_EVALUATIONS, SEVERAL_EVALUATIONS = 2, 5
"""Evaluations of a first and of a thorough measurement."""


@dataclass(frozen=True)
class ProgramGroup:
    """The trials of one program that have to be trained: their work, and as many of them as one pack may have."""

    work: float
    trials: tuple[Trial, ...]

    @property
    def work_of_step(self) -> float:
        """The work of a step of one trial."""
        return work(self.trials[0]) / self.trials[0].n_steps

    def pack(self, size: int) -> Pack:
        """Return a pack of `size` of the trials."""
        return Pack(self.trials[:size])


def group_by_program(packs: PackList, *, max_trials: int) -> dict[Program, ProgramGroup]:
    """Return the groups of `packs` by program, at most `max_trials` in each; most work first, of equals most labels."""
    groups: dict[Program, ProgramGroup] = {}
    shapes = [(work(g.example, len(g.places)), packs.examples(g, max_trials)) for g in packs.groups]
    shapes += [(work(pack.trials[0], len(pack)), pack.trials[:max_trials]) for pack in packs.started]
    for of_shape, trials in shapes:
        before = groups.get(trials[0].program, ProgramGroup(0, ()))
        groups[trials[0].program] = ProgramGroup(before.work + of_shape, max(before.trials, trials, key=len))
    most_first = sorted(groups.items(), key=lambda g: (g[1].work, g[1].trials[0].scenes.n_labels), reverse=True)
    return dict(most_first)


def measure_rates(
    groups: Mapping[Program, ProgramGroup], steps: Mapping[int, Range], processes: MeasuringProcesses, *, device: str
) -> dict[Program, Rates]:
    """Return the rates of every program; `steps` are those of the first one, in seconds of the pack by its size.

    Raises PilotError where not even one trial of the first program can be measured.
    """
    programs, size = list(groups), max(steps)
    overhead = _overhead_of_main(groups[programs[0]], steps, processes, max_size=MAX_OVERHEAD_PACK[device])
    main = _rates(steps, overhead)
    rates = {programs[0]: main}
    for i in range(1, MAX_PROGRAMS):
        program = programs[round(i * (len(programs) - 1) / (MAX_PROGRAMS - 1))]  # evenly from most to least work
        if program in rates:
            continue
        ratio = groups[program].work_of_step / groups[programs[0]].work_of_step
        measured = _measure(groups[program], main, processes, ratio=ratio, size=min(size, MAX_OVERHEAD_PACK[device]))
        if measured:
            rates[program] = measured
    return {program: rates.get(program) or _compared(program, groups, rates) for program in programs}


def seconds_to_measure(step: float) -> float:
    """Return about how long a pack is measured whose step takes `step` seconds, its evaluations left out."""
    return CHUNKS * CHUNK_SECONDS + (2 + SINGLE_STEPS + 2 * CHUNKS) * step


def _has_time(processes: MeasuringProcesses, seconds: float) -> bool:
    return processes.measuring_seconds + seconds <= BUDGET_SECONDS


def _overhead_of_main(
    group: ProgramGroup, steps: Mapping[int, Range], processes: MeasuringProcesses, *, max_size: int
) -> TrialOverhead:
    """Return what trials cost besides steps: of one trial in any case, of a pack if there is time."""
    request = MeasureRequest(group.pack(1), FEW_EVALUATIONS)
    first = processes.measure(request, at_once=processes.size).outside_steps
    assert first is not None
    size = max(size for size in steps if size <= max_size)
    for evaluations in (SEVERAL_EVALUATIONS, FEW_EVALUATIONS):
        outside = size * (first.evaluation.value * evaluations + first.overhead.value)
        if _has_time(processes, seconds_to_measure(steps[size].value) + outside):
            with contextlib.suppress(PilotError):
                request = MeasureRequest(group.pack(size), evaluations)
                return processes.measure(request, at_once=processes.size).outside_steps or first
    return first


def _measure(
    group: ProgramGroup, main: Rates, processes: MeasuringProcesses, *, ratio: float, size: int
) -> Rates | None:
    """Return the rates of another program, of about `ratio` times the work of the main one, if there is time."""
    size = min(size, len(group.trials))
    outside = size * (FEW_EVALUATIONS * main.evaluation.value + main.overhead.value)
    if not _has_time(processes, seconds_to_measure(main.step(size).value * ratio) + outside * ratio):
        return None
    try:
        request = MeasureRequest(group.pack(size), FEW_EVALUATIONS)
        measurement = processes.measure(request, at_once=processes.size)
    except PilotError:
        return None
    assert measurement.outside_steps is not None
    share = measurement.step.value / main.step(size).value
    steps = {k: step * share for k, step in main.steps.items()} | {size: measurement.step}
    return _rates(steps, measurement.outside_steps)


def _compared(program: Program, groups: Mapping[Program, ProgramGroup], rates: Mapping[Program, Rates]) -> Rates:
    """Return the rates of a program that was not measured: from the one of most similar work that was."""
    programs, work_of_step = list(groups), groups[program].work_of_step
    ratios = {other: work_of_step / groups[other].work_of_step for other in rates}
    place = programs.index(program)
    nearest = min(rates, key=lambda other: (abs(log(ratios[other])), abs(programs.index(other) - place)))
    return rates[nearest].scaled(ratios[nearest])


def _rates(steps: Mapping[int, Range], outside: TrialOverhead) -> Rates:
    low, high = outside.disk.point
    point = Range(low, (low + high) / 2, high)
    return Rates(steps, outside.evaluation, outside.overhead, outside.disk.pack, outside.disk.trial, point)
