"""Milliseconds of a function by the device's own clock."""

import statistics
import time
from collections.abc import Callable

import torch


def milliseconds(call: Callable[[], object], *, calls: int, device: torch.device, repeats: int = 5) -> dict[str, float]:
    """Return median, lowest and highest milliseconds of one of `calls` calls in a row, of `repeats` such rows."""
    row = _on_device if device.type == "cuda" else _on_host
    found = [row(call, calls) / calls for _ in range(repeats)]
    return {"ms": statistics.median(found), "lowest": min(found), "highest": max(found)}


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def _on_device(call: Callable[[], object], calls: int) -> float:
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record()
    for _ in range(calls):
        call()
    last.record()
    last.synchronize()
    return first.elapsed_time(last)


def _on_host(call: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return 1e3 * (time.perf_counter() - started)
