"""A process that works for a driver: its environment, its start, its device, its end."""

import contextlib
import multiprocessing as mp
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn

_MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""Keeps freed blocks in the worker, because handing them back to the system each step costs page faults, and asks for
huge pages (docs/decisions/engines.md)."""


def worker_environment(threads: int) -> dict[str, str]:
    """Return the variables that the C library and torch read once, at the start of a worker."""
    return {**_MALLOC, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def spawn(target: Callable[..., None], *arguments: Any, name: str) -> tuple[BaseProcess, Connection]:
    """Start a fresh process that runs `target(connection, *arguments)`; return it and the driver's connection to it."""
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(there, *arguments), name=name, daemon=True)
    # The child ignores Ctrl-C from its first moment: it inherits what holds here while it starts.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    there.close()
    return process, here


def unwind_on_sigterm() -> None:
    """Make SIGTERM an exception in this process, so that it leaves no half-written file."""

    def unwind(*_: object) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not disturb the end
        sys.exit(1)

    signal.signal(signal.SIGTERM, unwind)


def exit_now() -> NoReturn:
    """End this process at once: all is written, and to take the interpreter down with torch takes half a second."""
    with contextlib.suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def select_device(device: str, number: int) -> str:
    """Return the device of the worker with that number: the GPUs of the machine in turn, or `device` itself."""
    if device != "cuda":
        return device
    import torch

    index = number % torch.cuda.device_count()
    torch.cuda.set_device(index)
    return f"cuda:{index}"
