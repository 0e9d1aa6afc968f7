"""The card's own rates: a copy, and float32 products of the shapes of a pack, with and without TF32."""

import torch

from benchmarks.gpu.clock import milliseconds
from benchmarks.gpu.setting import Setting

SHAPES = {
    "large": (1, 8192, 8192, 8192),
    "logits, batch 256": (256, 256, 128, 230),
    "tables of keys": (256, 256, 132, 128),
    "gradient of captions": (256, 230, 256, 128),
    "projections": (256, 128, 128, 128),
    "logits, batch 50": (256, 50, 128, 50),
}
"""Of products [b, m, k] x [b, k, n] as (b, m, k, n)."""

QUICK_SHAPE = (2, 64, 64, 64)


def ceilings(setting: Setting) -> None:
    """Tell gigabytes a second of a copy, read and written counted, and operations a second of products."""
    device, calls = setting.device, 3 if setting.quick else 20
    _copy(setting, calls)
    before = torch.backends.cuda.matmul.allow_tf32
    try:
        for name, shape in SHAPES.items():
            for tf32 in (False, True):
                torch.backends.cuda.matmul.allow_tf32 = tf32
                b, m, k, n = QUICK_SHAPE if setting.quick else shape
                left, right = torch.randn(b, m, k, device=device), torch.randn(b, k, n, device=device)
                taken = milliseconds(lambda x=left, y=right: torch.bmm(x, y), calls=calls, device=device)["ms"]
                setting.tell(
                    "ceiling", what=name, tf32=tf32, shape=[b, m, k, n], TFLOPs=2 * b * m * k * n / taken / 1e9
                )
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _copy(setting: Setting, calls: int) -> None:
    source = torch.empty(1 << (20 if setting.quick else 30), dtype=torch.uint8, device=setting.device).random_(0, 255)
    target = torch.empty_like(source)
    taken = milliseconds(lambda: target.copy_(source), calls=calls, device=setting.device)["ms"]
    setting.tell("ceiling", what="copy", GBs=2 * len(source) / taken / 1e6)
