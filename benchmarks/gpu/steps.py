"""A step of a pack on a GPU: what it waits for, what it takes by pack size, and its kernels."""

import gc
import itertools
import warnings
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiler

from benchmarks.gpu.clock import milliseconds, synchronize
from benchmarks.gpu.inside import prepared, step_alone
from benchmarks.gpu.setting import BATCH_SIZES, Setting
from lrsym.testbed.training.training import Training

SIZES, WITHOUT_GRAPH = (1, 8, 32, 64, 128, 256, 512, 1024), (8, 256)
QUICK_SIZES = (1, 8)
RATES = 256
"""Different learning rates in one pack, as a random search over them has."""

WARM_UP = 6
"""Steps before anything is timed; the graph is recorded within them."""

KERNELS = 40
"""Kernels that are told of, by the time they take."""

Axes = dict[str, object]

KINDS: dict[str, Axes] = {
    "recipe": {},
    "batch 50": {"optim.batch_size": 50},
    "pre-norm, MLP": {"optim.batch_size": 32, "model.d_mlp": 64, "model.layer_norm": "pre", "model.vision_blocks": 2},
    "rotary": {"optim.batch_size": 32, "model.positions": "rotary"},
    "autoregressive": {"optim.batch_size": 32, "model.kind": "autoregressive"},
    "dropout": {"optim.batch_size": 32, "model.dropout": 0.1, "model.attention_dropout": 0.1},
}


def waits(setting: Setting) -> None:
    """Tell of each kind of model whether a step, called by Python, waits for the device."""
    for kind, axes in KINDS.items():
        training = prepared(axes, 8, setting.device, recorded=False)
        training.advance()
        synchronize(setting.device)
        setting.tell("waits", kind=kind, step=what_waits(step_alone(training)) if setting.on_gpu else "not asked")


def what_waits(call: Callable[[], object]) -> str:
    """Return "none", or what torch says of the first call in `call` that waits for the device."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this mode is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        call()
    except RuntimeError as error:
        return str(error).splitlines()[0][:200]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return "none"


def sizes(setting: Setting) -> None:
    """Tell what a step takes by pack size, and with a learning rate of its own for every member."""
    every = QUICK_SIZES if setting.quick else SIZES
    for batch in BATCH_SIZES:
        for size in every:
            _size(setting, batch, size)
        for size in WITHOUT_GRAPH[: 1 if setting.quick else None]:
            _size(setting, batch, size, recorded=False)
        _size(setting, batch, every[-1] if setting.quick else RATES, rates=RATES)


def dropout(setting: Setting) -> None:
    """Tell what a step takes under dropout, in a pack of 80 and of 256, and one of the full model."""
    batches, sizes = ((50,), (2,)) if setting.quick else (BATCH_SIZES, (80, 256))
    for batch, size in itertools.product(batches, sizes):
        for attention in (0.0, 0.1):
            _size(setting, batch, size, axes={"model.dropout": 0.1, "model.attention_dropout": attention})
    _size(setting, 50, 2 if setting.quick else 40, axes={"model.preset": "full"})


def _size(
    setting: Setting, batch: int, size: int, *, recorded: bool = True, rates: int = 1, axes: Axes | None = None
) -> None:
    """Tell of one size, or what went wrong: the next ones may work."""
    part, named = "dropout" if axes else "size", {"batch": batch, "size": size, "recorded": recorded, "rates": rates}
    named |= axes or {}
    try:
        if setting.on_gpu:
            gc.collect()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        training = prepared(
            {"optim.batch_size": batch, **(axes or {})}, size, setting.device, recorded=recorded, rates=rates
        )
        _warm_up(training, setting)
        calls = 2 if setting.quick else 64
        timed = {"calls": calls, "device": setting.device, "repeats": 2 if setting.quick else 5}
        alone = milliseconds(step_alone(training), **timed)
        whole = milliseconds(training.advance, **timed)
        gigabytes = torch.cuda.max_memory_reserved() / 1e9 if setting.on_gpu else 0.0
        setting.tell(part, **named, us_a_trial=1e3 * alone["ms"] / size, step=alone, with_batches=whole, GB=gigabytes)
    except Exception as error:
        setting.tell(part, **named, error=f"{type(error).__name__}: {error}"[:300])


def _warm_up(training: Training, setting: Setting) -> None:
    for _ in range(WARM_UP):
        training.advance()
    synchronize(setting.device)


def profile(setting: Setting) -> None:
    """Tell the kernels of one step of a pack of 256 by name, those that take longest first."""
    for batch in BATCH_SIZES:
        training = prepared({"optim.batch_size": batch}, 8 if setting.quick else 256, setting.device, recorded=False)
        _warm_up(training, setting)
        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if setting.on_gpu else [])]
        with profiler(activities=kinds) as seen:
            step_alone(training)()
            synchronize(setting.device)
        of_device = "device" if setting.on_gpu else "cpu"
        rows = [(getattr(e, f"self_{of_device}_time_total"), e) for e in seen.key_averages()]
        rows = sorted(((us, e) for us, e in rows if us > 0 and _is_kernel(e, setting)), key=lambda row: -row[0])
        total = sum(us for us, _ in rows)
        setting.tell("kernels", batch=batch, us=total, calls=sum(e.count for _, e in rows), names=len(rows))
        for us, e in rows[:KERNELS]:
            setting.tell("kernel", batch=batch, us=us, share=us / total, calls=e.count, name=e.key[:160])


def _is_kernel(event: object, setting: Setting) -> bool:
    """Whether an average is of the device's own work: operators of the host carry their kernels' time as well."""
    return not setting.on_gpu or "CUDA" in str(getattr(event, "device_type", ""))
