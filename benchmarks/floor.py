"""A training step of a pack of 8 against what its matrix products and its optimiser take at the core's own best rates.

    floor = operations / best rate of products + bytes / best rate of streaming

Operations are those of the products in a real step, forward and backward, as torch counts them; everything else in a
step (softmax, gathers, sums, the loss) counts nothing, so the floor cannot be reached. Bytes are the 7 accesses that
AdamW cannot avoid for each parameter: it reads the parameter, its gradient and two moments, and writes all but the
gradient. Rates are the best of a few shapes, on the same core, between the steps that they are compared with.
"""

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import fresh, step
from benchmarks.figures import Figure, ratios
from lrsym.config.trial import Trial
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.training.training import batch_loss

ACCESSES, FLOAT_BYTES = 7, 4
TRIES = 5
"""The best of so many is a rate."""

SQUARE, PACKED = ((1, 512, 512, 512), (1, 1024, 1024, 1024)), ((8, 256, 128, 256), (8, 256, 128, 128))
"""Products of which the best rate is taken: members, rows, inner width, columns. Square ones, and ones of a pack."""


def measure(*, steps: int, repeats: int) -> list[Figure]:
    """Figures of every batch size, each from a fresh process; a step's time is the mean over `steps` of them."""
    return [figure for size in step.BATCH_SIZES for figure in fresh.call(_measure, size, steps=steps, repeats=repeats)]


def operations(batch_size: int) -> tuple[int, int]:
    """Floating-point operations of the products of a pack's loss and gradient, and the number of its parameters."""
    pack = [Trial.from_axes({"optim.batch_size": batch_size, "seed": seed}) for seed in range(8)]
    data, model = PackData.of(pack, device=step.CPU), PackModel.initial(pack)
    parameters = [weight.requires_grad_() for weight in model.parameters()]
    batch = next(batches(pack, data.training_sets, device=step.CPU))
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(batch_loss(model, data, batch).sum(), parameters)
    return counter.get_total_flops(), sum(weight.numel() for weight in parameters)


def _measure(batch_size: int, *, steps: int, repeats: int) -> list[Figure]:
    torch.set_num_threads(1)
    operated, parameters = operations(batch_size)
    moved = ACCESSES * FLOAT_BYTES * parameters
    advance = step.run(step.PACK, batch_size, chunk=steps, chunks=repeats + 1)
    advance()
    taken, products, streaming = [], [], []
    for _ in range(repeats):
        taken.append(_seconds(advance) / steps)
        products.append(max(_product_rate(*shape) for shape in (*SQUARE, *PACKED)))
        streaming.append(_streaming_rate(parameters))
    in_products, in_optimiser = [operated / rate for rate in products], [moved / rate for rate in streaming]
    floor = [a + b for a, b in zip(in_products, in_optimiser, strict=True)]
    rows = [
        ("operations of products", [operated / 1e9], "GFLOP a step"),
        ("bytes of the optimiser", [moved / 1e6], "MB a step"),
        ("best rate of products", [rate / 1e9 for rate in products], "GFLOP/s"),
        ("best rate of streaming", [rate / 1e9 for rate in streaming], "GB/s"),
        ("products at that rate", [1e3 * s for s in in_products], "ms a step"),
        ("optimiser at that rate", [1e3 * s for s in in_optimiser], "ms a step"),
        ("step", [1e3 * s for s in taken], "ms a step"),
        ("step over floor", ratios(taken, floor), "ratio"),
    ]
    name = f"floor, batch {batch_size}"
    return [Figure.of(values, benchmark=name, variant=variant, unit=unit) for variant, values, unit in rows]


def _product_rate(members: int, rows: int, inner: int, columns: int) -> float:
    """Floating-point operations a second of a batched product."""
    left, right = torch.randn(members, rows, inner), torch.randn(members, inner, columns)
    out = torch.empty(members, rows, columns)
    return 2 * members * rows * inner * columns / _best(lambda: torch.bmm(left, right, out=out))


def _streaming_rate(parameters: int) -> float:
    """Bytes a second over buffers as large as the state of the optimiser together: four for each parameter."""
    a, b, c, d = torch.randn(4, parameters)
    whole = torch.cat([a, b, c, d])
    ways = [
        (3 * parameters, lambda: torch.add(a, b, out=c)),
        (2 * parameters, lambda: d.copy_(a)),
        (2 * whole.numel(), lambda: whole.mul_(1.0)),
    ]
    return max(FLOAT_BYTES * accesses / _best(way) for accesses, way in ways)


def _best(do: Callable[[], object]) -> float:
    do()
    return min(_seconds(do) for _ in range(TRIES))


def _seconds(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started
