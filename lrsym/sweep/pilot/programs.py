"""What packs of every program of a sweep cost: a few are measured, the others are compared with them by their work."""

import contextlib
from collections.abc import Mapping
from math import log

from lrsym.sweep.pilot.measurement import Ask, Full
from lrsym.sweep.pilot.worker import CHUNK_SECONDS, CHUNKS, SINGLE_STEPS
from lrsym.sweep.planning.cost import Interval, Rates
from lrsym.sweep.planning.plan import Group, Program
from lrsym.sweep.workers.pool import Crew, PilotError

BUDGET_SECONDS = 9.0
"""Seconds of a pilot after which nothing should end: nothing is begun that would, but one trial of the main program."""

MOST_PROGRAMS = 4
"""How many programs are measured."""

FULL_SIZE = {"cpu": 4, "cuda": 64}
"""Largest pack whose evaluations and rows are measured: they cost a trial about the same in a larger one."""

FEW, SEVERAL = 2, 5
"""Evaluations of a first and of a thorough look."""


def survey(
    groups: Mapping[Program, Group], steps: Mapping[int, Interval], crew: Crew, *, device: str
) -> dict[Program, Rates]:
    """The rates of every program; `steps` are those of the first one, in seconds of the pack by its size.

    Raises PilotError where not even one trial of the first program can be measured.
    """
    names, size = list(groups), max(steps)
    main = _rates(steps, _main_full(groups[names[0]], steps, crew, most=FULL_SIZE[device]))
    rates = {names[0]: main}
    for i in range(1, MOST_PROGRAMS):
        program = names[round(i * (len(names) - 1) / (MOST_PROGRAMS - 1))]  # spread evenly from most to least work
        if program in rates:
            continue
        ratio = groups[program].work_of_step / groups[names[0]].work_of_step
        found = _look(groups[program], main, crew, ratio=ratio, size=min(size, FULL_SIZE[device]))
        if found:
            rates[program] = found
    return {program: rates.get(program) or _compared(program, groups, rates) for program in names}


def seconds_of_look(step: float) -> float:
    """About how long it takes to look at a pack whose step takes `step` seconds, its evaluations left out."""
    return CHUNKS * CHUNK_SECONDS + (2 + SINGLE_STEPS + 2 * CHUNKS) * step


def _main_full(group: Group, steps: Mapping[int, Interval], crew: Crew, *, most: int) -> Full:
    """What trials cost besides steps: of one trial in any case, of a pack if there is time."""
    first = crew.ask(Ask(group.trials[:1], FEW), at_once=crew.size).full
    assert first is not None
    size = max(size for size in steps if size <= most)
    for evaluations in (SEVERAL, FEW):
        rest = size * (first.evaluation.value * evaluations + first.rest.value)
        if crew.seconds + seconds_of_look(steps[size].value) + rest <= BUDGET_SECONDS:
            with contextlib.suppress(PilotError):
                return crew.ask(Ask(group.trials[:size], evaluations), at_once=crew.size).full or first
    return first


def _look(group: Group, main: Rates, crew: Crew, *, ratio: float, size: int) -> Rates | None:
    """The rates of another program, of about `ratio` times the work of the main one, if there is time to look."""
    size = min(size, len(group.trials))
    rest = size * (FEW * main.evaluation.value + main.rest.value)
    if crew.seconds + seconds_of_look(main.step(size).value * ratio) + rest * ratio > BUDGET_SECONDS:
        return None
    try:
        look = crew.ask(Ask(group.trials[:size], FEW), at_once=crew.size)
    except PilotError:
        return None
    assert look.full is not None
    share = look.step.value / main.step(size).value
    return _rates({k: step * share for k, step in main.steps.items()} | {size: look.step}, look.full)


def _compared(program: Program, groups: Mapping[Program, Group], rates: Mapping[Program, Rates]) -> Rates:
    """The rates of a program that was not measured: from the one of most similar work that was."""
    names, work = list(groups), groups[program].work_of_step
    ratios = {other: work / groups[other].work_of_step for other in rates}
    place = names.index(program)
    nearest = min(rates, key=lambda other: (abs(log(ratios[other])), abs(names.index(other) - place)))
    return rates[nearest].scaled(ratios[nearest])


def _rates(steps: Mapping[int, Interval], full: Full) -> Rates:
    disk = full.disk
    low, high = disk.point
    return Rates(steps, full.evaluation, full.rest, disk.pack, disk.trial, Interval(low, (low + high) / 2, high))
