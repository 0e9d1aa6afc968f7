"""Would a kernel for gather, softmax and sum by token pay? A step with it against the step as it is."""

import os
from typing import Any

from torch import Tensor

from benchmarks.gpu.clock import milliseconds
from benchmarks.gpu.inside import prepared, step_alone, weights
from benchmarks.gpu.setting import BATCH_SIZES, Setting
from benchmarks.gpu.steps import WARM_UP
from lrsym.testbed.model import table_encoder


def attention(setting: Setting) -> None:
    """Tell what a step of a pack of 256 takes as it is and with the kernel, and how far apart the weights then are."""
    if not setting.on_gpu:
        os.environ["TRITON_INTERPRET"] = "1"
    size = 2 if setting.quick else 256
    for batch in (8,) if setting.quick else BATCH_SIZES:
        reached: dict[str, list[Tensor]] = {}
        for variant in ("as it is", "in a kernel"):
            before = (table_encoder._attend, table_encoder._sum_by_row, table_encoder._logits_gradient)
            if variant == "in a kernel":
                _use_kernels()
            try:
                training = prepared({"optim.batch_size": batch}, size, setting.device)
                for _ in range(WARM_UP):
                    training.advance()
                reached[variant] = weights(training)
                calls, repeats = (1, 1) if setting.quick else (64, 5)
                step = milliseconds(step_alone(training), calls=calls, device=setting.device, repeats=repeats)
            finally:
                table_encoder._attend, table_encoder._sum_by_row, table_encoder._logits_gradient = before
            us = 1e3 * step["ms"] / size
            setting.tell("attention", batch=batch, size=size, variant=variant, step=step, us_a_trial=us)
        pairs = zip(*reached.values(), strict=True)
        apart = max((one - other).abs().max().item() for one, other in pairs)
        setting.tell("attention", batch=batch, largest_difference=apart)


def _use_kernels() -> None:
    """Put the kernels in the place of the three functions of `table_encoder` that they stand for."""
    from benchmarks.gpu import attention_kernels as kernels

    summed: dict[int, Tensor] = {}

    def attend(row_logits: Tensor, shape: Any, tokens: Tensor) -> tuple[Tensor, Tensor]:
        of_keys, by_row = kernels.attend(row_logits, tokens, shape.n_tokens)
        summed[id(of_keys)] = by_row
        return of_keys, tokens[:0]  # no index: nothing gathers by it

    def sum_by_row(of_keys: Tensor, *_: Any) -> Tensor:
        return summed.pop(id(of_keys))

    def logits_gradient(d_by_row: Tensor, tables: Any, cache: Any, shape: Any) -> Tensor:
        return kernels.logits_gradient(d_by_row, cache.attention, cache.tokens, shape.n_tokens)

    table_encoder._attend, table_encoder._sum_by_row = attend, sum_by_row
    table_encoder._logits_gradient = logits_gradient
