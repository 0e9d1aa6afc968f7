"""Time of a training step per trial: textbook loops, alone and stacked, against packs of 1 and of 8, on one thread.

All variants are timed in one process, in turn, so that what disturbs one disturbs its neighbours. The process starts
with the environment that lrsym gives to its workers (one thread, freed memory kept), the textbook loop included, so
that neither the number of threads nor the C library's allocator favours a side. Batches are drawn by the same code.
Nothing is timed before the variants have been seen to train the same trial to the same losses.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from benchmarks import fresh, stacked
from benchmarks.figures import Figure, ratios
from benchmarks.textbook import losses
from benchmarks.textbook_trial import model_of
from lrsym.config.trial import Trial
from lrsym.testbed.data.batches import CHUNK, batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training.training import fit

BATCH_SIZES = (256, 50)
"""The recipe's and the paper's."""

TEXTBOOK, READOUT = "textbook", "textbook, read-out query only"
STACKED, ALONE, PACK = "textbook, stacked 8 with torch.func", "pack of 1", "pack of 8"
MEMBERS = {TEXTBOOK: 1, READOUT: 1, STACKED: 8, ALONE: 1, PACK: 8}

TOLERANCE = 1e-4
"""Largest difference of losses, in nats, that float32 sums in another order explain over the checked steps."""

CPU = torch.device("cpu")
Seconds = dict[str, list[float]]


def measure(*, steps: int, repeats: int, checked: int = CHUNK) -> list[Figure]:
    """Figures of every batch size, each from a fresh process; `steps` are timed at a time, `repeats` times.

    Before that the losses of `checked` steps are compared.
    Raises ValueError where the variants do not train alike.
    """
    figures = []
    for size in BATCH_SIZES:
        difference, seconds = fresh.call(_measure, size, steps=steps, repeats=repeats, checked=checked)
        named = {"benchmark": f"loss, batch {size}", "unit": f"nats, largest difference in {checked} steps"}
        figures += [*_figures(seconds, size), Figure.of([difference], variant="textbook against packs", **named)]
    return figures


def _measure(batch_size: int, *, steps: int, repeats: int, checked: int) -> tuple[float, Seconds]:
    """Largest difference of losses, and the seconds per step and trial of every variant, repeat by repeat."""
    torch.set_num_threads(1)
    difference = _check(batch_size, steps=checked)
    runs = {name: run(name, batch_size, chunk=steps, chunks=repeats + 1) for name in MEMBERS}
    for advance in runs.values():
        advance()
    seconds: Seconds = {name: [] for name in runs}
    for name in fresh.in_turn([*runs], repeats):
        started = time.perf_counter()
        runs[name]()
        seconds[name].append((time.perf_counter() - started) / (steps * MEMBERS[name]))
    return difference, seconds


def _check(batch_size: int, *, steps: int) -> float:
    """Train the first trial with every variant and compare the losses of each step."""
    runs = {name: run(name, batch_size, chunk=1, chunks=steps) for name in MEMBERS}
    traces = {name: torch.tensor([advance() for _ in range(steps)]) for name, advance in runs.items()}
    difference = max((trace - traces[TEXTBOOK]).abs().max().item() for trace in traces.values())
    if not difference <= TOLERANCE:
        raise ValueError(f"losses at batch {batch_size} differ by {difference:.2g} nats, more than {TOLERANCE:g}")
    return difference


def run(name: str, batch_size: int, *, chunk: int, chunks: int) -> Callable[[], float]:
    """A function that takes `chunk` further steps and returns the last loss of the trial of seed 0."""
    # Linear evaluation steps make `fit` hand over after each chunk.
    axes = {"optim.batch_size": batch_size, "optim.steps": chunk * chunks, "eval.schedule": "linear"}
    pack = [Trial.from_axes({**axes, "eval.points": chunks, "seed": seed}) for seed in range(MEMBERS[name])]
    data = PackData.of(pack, device=CPU)
    if name in (ALONE, PACK):
        snapshots = fit(pack, data, device=CPU)
        return lambda: next(snapshots).loss[0].item()
    trace = _textbook(pack, data, name=name)
    return lambda: next(itertools.islice(trace, chunk - 1, None)).item()


def _textbook(pack: Sequence[Trial], data: PackData, *, name: str) -> Iterator[torch.Tensor]:
    """Losses of the textbook loop, from the initial values and on the batches that lrsym draws for the first trial."""
    drawn, optim = batches(pack, data.training_sets, device=CPU), pack[0].optim
    if name == STACKED:
        models = [model_of(trial, readout_only=False) for trial in pack]
        return (loss[0] for loss in stacked.losses(models, optim, data, drawn))
    return losses(model_of(pack[0], readout_only=name == READOUT), optim, data, (batch[0] for batch in drawn))


def _figures(seconds: Seconds, batch_size: int) -> list[Figure]:
    step, speed = f"step, batch {batch_size}", f"speed, batch {batch_size}"
    figures = [
        Figure.of([1e3 * s for s in own], benchmark=step, variant=name, unit="ms a step and trial")
        for name, own in seconds.items()
    ]
    for base, name in itertools.product((TEXTBOOK, READOUT, STACKED), (ALONE, PACK)):
        values = ratios(seconds[base], seconds[name])
        figures.append(Figure.of(values, benchmark=speed, variant=name, unit=f"times {base}"))
    return figures
