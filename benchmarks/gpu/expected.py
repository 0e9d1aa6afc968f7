"""What was expected of a GPU, written down before any was measured.

From an audit of the code at commit 7972631: counts of kernels, bytes and products of a step, and assumed rates (a copy
of 4.3 TB/s on an H200 and 3.0 on an H100, 30 TFLOP/s for a pack's float32 products, 2 microseconds a small kernel in a
CUDA graph). Sums by token and the optimiser have been rewritten since. Of sweeps and JAX: arithmetic from the same
figures.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

H200_COPY, H100_COPY = 4.3, 3.0
"""Terabytes a second, read and written."""


@dataclass(frozen=True)
class Expected:
    """The `field` of the line that has `match`; divided by that of the line with `over` where there is one."""

    what: str
    match: Mapping[str, object]
    field: str
    h200: float | str
    unit: str
    h100: float | str | None = None
    over: Mapping[str, object] | None = None

    def on(self, card: str) -> float | str:
        """Return what is expected on that card."""
        return self.h100 if self.h100 is not None and "H100" in card else self.h200


STEPS = {
    (256, 8): (0.45, 0.03),
    (256, 64): (0.73, 0.19),
    (256, 256): (2.1, 0.44),
    (256, 1024): (7.9, 0.52),
    (50, 8): (0.44, 0.01),
    (50, 64): (0.51, 0.14),
    (50, 256): (0.89, 0.41),
    (50, 1024): (2.9, 0.68),
}
"""By batch size and members: milliseconds of a recorded step on an H200, and the share in which bytes are moved."""

PLAIN = {1: 525, 4: 1700, 8: 1850, 16: 1850}
"""Steps a second of the textbook loop in so many processes."""

AROUND = {
    "data": 0.9, "start": 3.0, "evaluation": 0.05, "ablations": 0.4, "profiles": 0.6, "measures": 6.0,
}  # fmt: skip
"""Milliseconds a trial."""

SWEEPS = {
    (256, 1): 63e3, (256, 3): 92e3, (256, 4): 92e3, (256, 6): 92e3, (50, 1): 83e3, (50, 3): 140e3, (50, 4): 140e3,
    (50, 6): 140e3,
}  # fmt: skip
"""By batch size and workers: trials of 3,000 steps an hour in packs of 128, without the start. From the first day's
steps (17.2 and 6.6 microseconds in packs of 256) with the gather and the loss mended: 12 and 7.5 in packs of 128, 3 ms
of evaluation, and a worker's own 18 ms a trial, which overlap with the others' steps."""

ATTENTION = {256: 0.93, 50: 0.92}
"""A step with gather, softmax and sum by token in one kernel over the step in torch: 9.7 and 5.0 microseconds, as
measured once, over what is expected of torch with the gather mended, 10.4 and 5.45."""

JAX = {(256, 1): 400.0, (256, 8): 75.0, (256, 64): 34.0, (256, 256): 30.0, (50, 1): 400.0, (50, 256): 7.0}
"""By batch size and trials: microseconds a trial and step."""


def expected() -> Iterator[Expected]:
    """Yield everything, in the order of the parts."""
    for kind in ("recipe", "batch 50", "pre-norm, MLP", "rotary", "autoregressive", "dropout"):
        yield Expected(f"a step waits: {kind}", {"part": "waits", "kind": kind}, "step", "none", "")
    copy = {"part": "ceiling", "what": "copy"}
    yield Expected("copy", copy, "GBs", 1e3 * H200_COPY, "GB/s", 1e3 * H100_COPY)
    large = {"part": "ceiling", "what": "large"}
    yield Expected("large product, float32", {**large, "tf32": False}, "TFLOPs", 50, "TFLOP/s")
    yield Expected("large product, TF32", {**large, "tf32": True}, "TFLOPs", 400, "TFLOP/s")
    for name in ("logits, batch 256", "projections"):
        yield Expected(f"{name}, float32", {"part": "ceiling", "what": name, "tf32": False}, "TFLOPs", 30, "TFLOP/s")
    yield from _steps()
    for what, ms in AROUND.items():
        yield Expected(what, {"part": "around", "what": what}, "ms_a_trial", ms, "ms a trial")
    for batch, kernels in ((256, 218), (50, 218)):
        yield Expected(f"kernels of a step, batch {batch}", {"part": "kernels", "batch": batch}, "calls", kernels, "")
    for batch in (256, 50):
        one, other = ({"part": "attention", "batch": batch, "variant": v} for v in ("in a kernel", "in torch"))
        what = f"attention in a kernel over torch, batch {batch}"
        yield Expected(what, one, "us_a_trial", ATTENTION[batch], "times", over=other)
    for (batch, workers), hourly in SWEEPS.items():
        which = {"part": "sweep", "batch": batch, "workers": workers}
        yield Expected(f"sweep, batch {batch}, {workers} workers", which, "trials_an_hour_packs", hourly, "trials/h")
    yield from _textbook()
    yield from _jax()


def _steps() -> Iterator[Expected]:
    for (batch, size), (ms, bytes_share) in STEPS.items():
        us, slower = 1e3 * ms / size, 1 + bytes_share * (H200_COPY / H100_COPY - 1)
        what = f"step, batch {batch}, pack {size}"
        yield Expected(what, _size(batch, size), "us_a_trial", us, "µs a trial", us * slower)
    for batch in (256, 50):
        for size, ratio in ((8, 2.75), (256, 1.05 if batch == 256 else 1.5)):
            called = _size(batch, size, recorded=False)
            what = f"called over recorded, batch {batch}, pack {size}"
            yield Expected(what, called, "us_a_trial", ratio, "times", over=_size(batch, size))
        rates = _size(batch, 256, rates=256)
        what = f"256 learning rates over one, batch {batch}"
        yield Expected(what, rates, "us_a_trial", 1.1, "times", over=_size(batch, 256))
    yield Expected("memory, batch 256, pack 256", _size(256, 256), "GB", 1.5, "GB")


def _size(batch: int, size: int, *, recorded: bool = True, rates: int = 1) -> dict[str, object]:
    return {"part": "size", "batch": batch, "size": size, "recorded": recorded, "rates": rates}


def _textbook() -> Iterator[Expected]:
    for processes, rate in PLAIN.items():
        for batch in (256, 50):
            which = {"part": "textbook", "batch": batch, "processes": processes}
            yield Expected(f"textbook, batch {batch}, {processes} processes", which, "steps_a_second", rate, "steps/s")
    for variant, rate in (("called", 525), ("recorded", 2200), ("compiled", 2200)):
        for batch in (256, 50):
            which = {"part": "textbook step", "batch": batch, "variant": variant}
            yield Expected(f"textbook, batch {batch}, {variant}", which, "steps_a_second", rate, "steps/s")


def _jax() -> Iterator[Expected]:
    for batch in (256, 50):
        which = {"part": "jax loss", "batch": batch}
        yield Expected(f"losses of JAX, batch {batch}", which, "largest_difference", 1e-5, "nats apart")
    for (batch, size), us in JAX.items():
        which = {"part": "jax size", "batch": batch, "size": size, "precision": "highest"}
        yield Expected(f"JAX, batch {batch}, {size} trials", which, "us_a_trial", us, "µs a trial")
    which = {"part": "jax size", "batch": 256, "size": 256, "precision": "highest"}
    yield Expected("JAX compiles, batch 256, 256 trials", which, "compile_seconds", 10, "s")
