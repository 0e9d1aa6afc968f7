"""Time of a training step where a trial has no tables: under dropout, and of the full model. One thread, on cores.

Textbook modules with and without dropout against packs, in one process, in turn. What is compared does the same: before
anything is timed, losses without dropout are seen to agree; under dropout each side draws in its own way.
"""

import itertools
import time
from collections.abc import Iterator, Mapping

import torch

from benchmarks import fresh
from benchmarks.figures import Figure, ratios
from benchmarks.gpu.inside import last_loss
from benchmarks.step import TOLERANCE
from benchmarks.textbook import losses
from benchmarks.textbook_deep import model_of
from lrsym.config.trial import Trial
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training.training import Training

CPU = torch.device("cpu")
DROPOUT = {"model.dropout": 0.1, "model.attention_dropout": 0.1}
Axes = Mapping[str, object]

KINDS: dict[str, Axes] = {
    "recipe, batch 256": {"optim.batch_size": 256},
    "recipe, batch 50": {"optim.batch_size": 50},
    "full model, batch 64": {"optim.batch_size": 64, "model.preset": "full"},
}
TEXTBOOK, DROPPED = "textbook", "textbook, dropout"
PACKS = {f"pack of {n}{', dropout' * drops}": (n, drops) for n in (1, 8) for drops in (False, True)}


def measure(*, steps: int, repeats: int, checked: int = 8) -> list[Figure]:
    """Figures of every kind, each from a fresh process; `steps` are timed at a time, `repeats` times.

    Raises ValueError where textbook and packs do not train alike without dropout.
    """
    return [figure for kind in KINDS for figure in fresh.call(_measure, kind, steps, repeats, checked)]


def _measure(kind: str, steps: int, repeats: int, checked: int) -> list[Figure]:
    torch.set_num_threads(1)
    plain = {**KINDS[kind], "model.dropout": 0.0}
    pairs = zip(_textbook(plain), _pack(plain, 1), strict=False)
    difference = max(abs(one - other) for one, other in itertools.islice(pairs, checked))
    if not difference <= TOLERANCE:
        raise ValueError(f"losses of {kind} differ by {difference:.2g} nats, more than {TOLERANCE:g}")
    runs = {TEXTBOOK: (1, _textbook(plain)), DROPPED: (1, _textbook({**plain, **DROPOUT}))}
    runs |= {name: (n, _pack({**plain, **DROPOUT} if drops else plain, n)) for name, (n, drops) in PACKS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for name in fresh.in_turn([*runs], repeats + 1):  # the first round warms up
        n, advance = runs[name]
        started = time.perf_counter()
        for _ in itertools.islice(advance, steps):
            pass
        seconds[name].append((time.perf_counter() - started) / (steps * n))
    seconds = {name: own[1:] for name, own in seconds.items()}
    what = f"step, {kind}"
    figures = [
        Figure.of([1e3 * s for s in own], benchmark=what, variant=name, unit="ms a step and trial")
        for name, own in seconds.items()
    ]
    for name, (n, drops) in PACKS.items():
        base = DROPPED if drops else TEXTBOOK
        values = ratios(seconds[base], seconds[name])
        figures.append(Figure.of(values, benchmark=f"speed, {kind}", variant=name, unit=f"times {base}"))
        if drops:
            without = seconds[f"pack of {n}"]
            values = ratios(seconds[name], without)
            figures.append(Figure.of(values, benchmark=f"dropout, {kind}", variant=f"pack of {n}", unit="times"))
    return figures


def _trials(axes: Axes, n: int) -> list[Trial]:
    return [Trial.from_axes({**axes, "optim.steps": 10**6, "eval.points": 1, "seed": seed}) for seed in range(n)]


def _textbook(axes: Axes) -> Iterator[float]:
    """Yield the loss before each step of the first trial, by the textbook."""
    trials = _trials(axes, 1)
    data = PackData.of(trials, device=CPU)
    drawn = (batch[0] for batch in batches(trials, data.training_sets, device=CPU))
    return (loss.item() for loss in losses(model_of(trials[0]), trials[0].optim, data, drawn))


def _pack(axes: Axes, n: int) -> Iterator[float]:
    """Yield the loss before each step of the first trial of a pack."""
    trials = _trials(axes, n)
    training = Training(trials, PackData.of(trials, device=CPU), device=CPU)

    while True:
        training.advance()
        yield last_loss(training)[0].item()
