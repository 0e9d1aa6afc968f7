"""The same training in JAX: microseconds a trial and step, seconds of compiling, and losses against lrsym's."""

import itertools
import os
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # torch is on the card as well

import jax  # pyright: ignore[reportMissingImports]
import numpy as np
import torch

from benchmarks import jax_loop
from benchmarks.gpu.inside import DISTINCT_SEEDS, last_loss
from benchmarks.gpu.setting import BATCH_SIZES, Setting
from lrsym.config.trial import Trial
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training.training import Training

ROUNDS = (*((size, "highest") for size in (256, 64, 8, 1)), (256, "default"))
"""Trials, and precision of float32 products: float32 throughout, and what JAX does when it is not asked (TF32)."""

STEPS, REPEATS = 64, 3
CPU = torch.device("cpu")


def jax_steps(setting: Setting) -> None:
    """Tell of every size and precision; first whether JAX trains as lrsym does."""
    setting.tell("jax", jax=jax.__version__, device=str(jax.devices()[0]))
    for batch in BATCH_SIZES:
        _tell_difference(setting, batch)
    rounds = ((2, "highest"), (1, "default")) if setting.quick else ROUNDS
    for (size, precision), batch in itertools.product(rounds, BATCH_SIZES):
        try:
            _tell_size(setting, batch, size, precision)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"[:300]
            setting.tell("jax size", batch=batch, size=size, precision=precision, error=message)


def _drawn(batch: int, size: int, steps: int) -> tuple[list[Trial], PackData, list[np.ndarray]]:
    """Return trials, their data on the host, and their batches."""
    trials = [Trial.from_axes({"optim.batch_size": batch, "seed": seed}) for seed in range(size)]
    data = PackData.of(trials, device=CPU)
    return trials, data, [b.numpy() for b in itertools.islice(batches(trials, data.training_sets, device=CPU), steps)]


def _tell_difference(setting: Setting, batch: int) -> None:
    """Compare losses with those of packs, step by step."""
    steps = 4 if setting.quick else STEPS
    trials, data, drawn = _drawn(batch, 2, steps)
    with jax.default_matmul_precision("highest"):
        run = jax.jit(jax_loop.program(trials, data))
        _, found = run(jax_loop.start_of(trials), jax_loop.batches_of(drawn))
    training = Training(trials, PackData.of(trials, device=setting.device), device=setting.device)
    wanted = []
    for _ in range(steps):
        training.advance()
        wanted.append(last_loss(training).cpu().numpy())
    difference = float(np.abs(np.asarray(found) - np.stack(wanted)).max())
    setting.tell("jax loss", batch=batch, steps=steps, largest_difference=difference)


def _tell_size(setting: Setting, batch: int, size: int, precision: str) -> None:
    few, steps = min(size, DISTINCT_SEEDS), 2 if setting.quick else STEPS
    trials, data, drawn = _drawn(batch, few, steps)
    turn = [number % few for number in range(size)]
    start = jax.tree.map(lambda x: x[np.array(turn)] if x.ndim else x, jax_loop.start_of(trials))
    rows = jax_loop.batches_of([b[turn] for b in drawn])
    with jax.default_matmul_precision(precision):
        began = time.perf_counter()
        run = jax.jit(jax_loop.program(trials, data)).lower(start, rows).compile()
        compiling = time.perf_counter() - began
    seconds = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        jax.block_until_ready(run(start, rows))
        seconds.append(time.perf_counter() - began)
    ms = sorted(1e3 * s / steps for s in seconds[1:])
    step = {"ms": ms[len(ms) // 2], "lowest": ms[0], "highest": ms[-1]}
    setting.tell(
        "jax size", batch=batch, size=size, precision=precision, us_a_trial=1e3 * step["ms"] / size, step=step,
        compile_seconds=compiling,
    )  # fmt: skip
