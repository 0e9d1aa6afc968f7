"""A process that works for a driver: its environment, its start, its device, its end."""

import contextlib
import multiprocessing as mp
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a driver: Ctrl-C, a request, the end of its terminal."""

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


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set these variables of the environment, for processes started meanwhile, and put back what was there.

    What else was changed meanwhile, by whatever library, is put back, too.
    """
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in {*os.environ} - {*before}:
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


def spawn(target: Callable[..., None], *arguments: Any, name: str) -> tuple[BaseProcess, Connection]:
    """Start a fresh process that runs `target(connection, *arguments)`; return it and the driver's connection to it.

    It ignores Ctrl-C and the end of its terminal, which are for the driver to answer, and unwinds at SIGTERM. Call it
    in `stop_signals_blocked`.
    """
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # its first start lets them through again
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_begin, args=(target, there, *arguments), name=name, daemon=True)
    with _main_module_hidden():
        process.start()
    there.close()
    return process, here


@contextlib.contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Keep a process that starts meanwhile from importing the main module: what a worker does lies in modules.

    Else a script without `if __name__ == "__main__":` would run again in each worker.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Keep STOP_SIGNALS back until the end of the context; a process that starts in it begins with them blocked.

    Nothing is lost: what was sent meanwhile arrives at the end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(target: Callable[..., None], *arguments: Any) -> None:
    """Be a worker: make SIGTERM an exception, so that no half-written file is left, and run `target`."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    def unwind(*_: object) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not disturb the end
        sys.exit(1)

    signal.signal(signal.SIGTERM, unwind)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    target(*arguments)


LEFT_AFTER_ERROR = 17
"""Exit code of a worker that met an error after which its GPU cannot be relied on."""


def exit_now(code: int = 0) -> NoReturn:
    """End this process at once: all is written, and to take the interpreter down with torch takes half a second."""
    with contextlib.suppress(OSError, AttributeError):  # nobody reads any more, or ever did
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def count_memory_kills() -> int:
    """Return how many processes the system has killed so far for want of memory; 0 where it does not tell."""
    listed = Path("/proc/vmstat")
    lines = listed.read_text().splitlines() if listed.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def select_device(device: str, number: int) -> str:
    """Return the device of the worker with that number: the GPUs of the machine in turn, or `device` itself."""
    if device != "cuda":
        return device
    import torch

    index = number % torch.cuda.device_count()
    torch.cuda.set_device(index)
    return f"cuda:{index}"
