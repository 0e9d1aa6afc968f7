"""Does the kernel for gather, softmax and sums by row pay? A step with it against a step with torch in its place."""

from unittest.mock import patch

from torch import Tensor

from benchmarks.gpu.clock import milliseconds
from benchmarks.gpu.inside import prepared, step_alone, weights
from benchmarks.gpu.setting import BATCH_SIZES, Setting
from benchmarks.gpu.steps import WARM_UP
from lrsym.testbed.model import table_attention


def attention(setting: Setting) -> None:
    """Tell what a step of a pack of 256 takes in torch and in kernels, and how far apart the weights then are."""
    size = 2 if setting.quick else 256
    for batch in (8,) if setting.quick else BATCH_SIZES:
        reached: dict[str, list[Tensor]] = {}
        variants = {"in torch": lambda *_: None, "in a kernel": table_attention.kernels_for}
        for variant, kernels in variants.items():
            with patch.object(table_attention, "kernels_for", kernels):
                training = prepared({"optim.batch_size": batch}, size, setting.device)
                for _ in range(WARM_UP):
                    training.advance()
                reached[variant] = weights(training)
                calls, repeats = (1, 1) if setting.quick else (64, 5)
                step = milliseconds(step_alone(training), calls=calls, device=setting.device, repeats=repeats)
            us = 1e3 * step["ms"] / size
            setting.tell("attention", batch=batch, size=size, variant=variant, step=step, us_a_trial=us)
        pairs = zip(*reached.values(), strict=True)
        apart = max((one - other).abs().max().item() for one, other in pairs)
        setting.tell("attention", batch=batch, largest_difference=apart)
