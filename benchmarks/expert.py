"""A training step against what an expert would write instead: JAX, compiled, and the textbook under torch.compile.

One core and one thread for all. JAX maps over trials and scans over steps in one program (`jax_loop`), torch.compile
gets the textbook that asks at the read-out alone. All of them and packs are timed in one process, in turn, after their
losses have been seen to agree; what compiling takes is told beside it. Needs the extra `bench`.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks import fresh
from benchmarks.figures import Figure, ratios
from benchmarks.step import ALONE, BATCH_SIZES, PACK, TOLERANCE
from benchmarks.textbook import losses
from benchmarks.textbook_trial import model_of
from lrsym.config.trial import Trial
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training.training import fit

COMPILED, JAX_ALONE, JAX_PACK = "textbook, torch.compile", "JAX, 1 trial", "JAX, 8 trials"
MEMBERS = {COMPILED: 1, JAX_ALONE: 1, JAX_PACK: 8, ALONE: 1, PACK: 8}
AGAINST = ((ALONE, COMPILED), (ALONE, JAX_ALONE), (PACK, COMPILED), (PACK, JAX_ALONE), (PACK, JAX_PACK))

CPU = torch.device("cpu")
Chunks = Iterator[np.ndarray]
"""Losses of the first trial, `steps` of them at a time, for ever."""


def measure(*, steps: int, repeats: int) -> list[Figure]:
    """Figures of every batch size, each from a fresh process; `steps` are timed at a time, `repeats` times.

    Raises ValueError where the variants do not train alike.
    """
    return [figure for size in BATCH_SIZES for figure in fresh.call(_measure, size, steps, repeats)]


def _measure(batch_size: int, steps: int, repeats: int) -> list[Figure]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # XLA takes every core it may
    torch.set_num_threads(1)
    runs: dict[str, Chunks] = {}
    compiling, first = {}, {}
    for name, n in MEMBERS.items():
        axes = {"optim.batch_size": batch_size, "optim.steps": steps * (repeats + 2), "eval.schedule": "linear"}
        trials = [Trial.from_axes({**axes, "eval.points": repeats + 2, "seed": seed}) for seed in range(n)]
        runs[name] = VARIANTS[name](trials, steps)
        began = time.perf_counter()
        first[name] = next(runs[name])
        compiling[name] = time.perf_counter() - began
    difference = max(np.abs(trace[-1] - first[PACK][-1]) for trace in first.values())
    if not difference <= TOLERANCE:
        raise ValueError(f"losses at batch {batch_size} differ by {difference:.2g} nats, more than {TOLERANCE:g}")
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for name in fresh.in_turn([*runs], repeats + 1):  # the first round warms up
        began = time.perf_counter()
        next(runs[name])
        seconds[name].append((time.perf_counter() - began) / (steps * MEMBERS[name]))
    return _figures({name: own[1:] for name, own in seconds.items()}, compiling, batch_size)


def _figures(seconds: dict[str, list[float]], compiling: dict[str, float], batch_size: int) -> list[Figure]:
    step, speed = f"step, batch {batch_size}", f"speed, batch {batch_size}"
    figures = [
        Figure.of([1e3 * s for s in own], benchmark=step, variant=name, unit="ms a step and trial")
        for name, own in seconds.items()
    ]
    for ours, theirs in AGAINST:
        values = ratios(seconds[theirs], seconds[ours])
        figures.append(Figure.of(values, benchmark=speed, variant=ours, unit=f"times {theirs}"))
    for name in (COMPILED, JAX_ALONE, JAX_PACK):
        named = {"benchmark": f"first steps, batch {batch_size}", "unit": "s, compiling included"}
        figures.append(Figure.of([compiling[name]], variant=name, **named))
    return figures


def _packs(trials: list[Trial], steps: int) -> Chunks:
    """Yield the last loss of each chunk: linear evaluation steps make `fit` hand over after it."""
    data = PackData.of(trials, device=CPU)
    return (snapshot.loss[:1].numpy() for snapshot in fit(trials, data, device=CPU))


def _compiled(trials: list[Trial], steps: int) -> Chunks:
    data, model = PackData.of(trials, device=CPU), model_of(trials[0], readout_only=True)
    model.compile()
    drawn = (batch[0] for batch in batches(trials, data.training_sets, device=CPU))
    trace = losses(model, trials[0].optim, data, drawn)
    while chunk := [*itertools.islice(trace, steps)]:
        yield torch.stack(chunk).numpy()


def _jax(trials: list[Trial], steps: int) -> Chunks:
    import jax  # pyright: ignore[reportMissingImports]

    from benchmarks import jax_loop

    data = PackData.of(trials, device=CPU)
    drawn = batches(trials, data.training_sets, device=CPU)
    run, state = jax.jit(jax_loop.program(trials, data)), jax_loop.start_of(trials)
    while chunk := [batch.numpy().copy() for batch in itertools.islice(drawn, steps)]:
        state, trace = run(state, jax_loop.batches_of(chunk))
        yield np.asarray(trace)[:, 0]


VARIANTS: dict[str, Callable[[list[Trial], int], Chunks]] = {
    COMPILED: _compiled, JAX_ALONE: _jax, JAX_PACK: _jax, ALONE: _packs, PACK: _packs,
}  # fmt: skip
