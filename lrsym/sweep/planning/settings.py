"""How a sweep is executed: engine, device, workers, pack size. None of it changes a row."""

import os
from dataclasses import dataclass
from pathlib import Path

from lrsym.errors import UsageError

ENGINES = ("auto", "local", "ray")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Settings:
    """How to execute: not part of a trial, because none of it changes a row.

    `workers` and `pack_size` are None where a pilot, or without `pilot` a rule, is to choose them. `timeout` is in
    seconds for a pack, `threads` are torch's in each worker.
    """

    engine: str
    device: str
    workers: int | None
    pack_size: int | None
    timeout: float | None
    threads: int = 1
    save_weights: bool = False
    pilot: bool = True

    @classmethod
    def resolve(
        cls,
        *,
        engine: str = "auto",
        device: str = "auto",
        workers: int | None = None,
        pack_size: int | None = None,
        timeout: float | None = None,
        save_weights: bool = False,
        pilot: bool = True,
    ) -> "Settings":
        """Return the settings with `auto` of engine and device replaced. Raises UsageError for what is not allowed.

        Engine auto is Ray when RAY_ADDRESS names a cluster, else local, which draws its first plot sooner. One
        thread a worker: the products are small, and two workers beat one with two threads.
        """
        _check_choice("engine", engine, ENGINES)
        _check_choice("device", device, DEVICES)
        chosen, none = "to have it chosen", "for no limit"
        for name, value, without in (
            ("workers", workers, chosen), ("pack", pack_size, chosen), ("timeout", timeout, none),
        ):  # fmt: skip
            if value is not None and not value > 0:
                raise UsageError(f"--{name} must be positive, got {value}; leave it out {without}")
        if engine == "auto":
            engine = "ray" if os.environ.get("RAY_ADDRESS") else "local"
        if device == "auto":
            device = "cuda" if has_gpu() else "cpu"
        elif device == "cuda" and engine == "local" and not has_gpu():
            raise UsageError("--device cuda needs a GPU that torch can use, this machine has none; use --device cpu")
        return cls(engine, device, workers, pack_size, timeout, save_weights=save_weights, pilot=pilot)

    @property
    def max_workers(self) -> int:
        """The number of workers if it is given, else as many as there are cores or GPUs."""
        return self.workers or available_workers(self.device)


def has_gpu() -> bool:
    """Return whether torch sees a GPU; torch, slow to import, is asked only where a driver is installed."""
    if not any(Path(p).exists() for p in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg")):
        return False
    import torch

    return torch.cuda.is_available()


def available_workers(device: str) -> int:
    """Return the number of cores that this process may use, or of GPUs."""
    if device == "cuda":
        import torch

        return max(1, torch.cuda.device_count())
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"--{name} must be one of {', '.join(allowed)}, got {value}")
