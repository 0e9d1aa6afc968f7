"""How a sweep is executed: engine, device, workers, pack size. None of it changes a row."""

import contextlib
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from lrsym.errors import UsageError

ENGINES = ("auto", "local", "ray")
DEVICES = ("auto", "cpu", "cuda")

_ELSEWHERE = (
    "; under a scheduler such as Slurm each task of an array trains its share, by --shard I/N: docs/clusters has the "
    "files to start from"
)

WORKERS_PER_GPU = 3
"""Workers that share a GPU where their number is not given: while one trains, others draw data, measure and write.
Assumed, not measured yet."""


@dataclass(frozen=True)
class Settings:
    """How to execute: not part of a trial, because none of it changes a row.

    `workers` and `pack_size` are None where a pilot, or without `pilot` a rule, is to choose them. `timeout` is in
    seconds for a pack, `threads` are torch's in each worker. `max_hours` is what the packs of one command may take
    together, in core-hours or, where `device` is cuda, in GPU-hours; None is no limit. `gpus` are those that workers
    share, of this machine or of the cluster; None on a CPU, and where they are not known.
    """

    engine: str
    device: str
    workers: int | None
    pack_size: int | None
    timeout: float | None
    threads: int = 1
    save_weights: bool = False
    pilot: bool = True
    max_hours: float | None = None
    gpus: int | None = None

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
        max_core_hours: float | None = None,
        max_gpu_hours: float | None = None,
    ) -> "Settings":
        """Return the settings with `auto` of engine and device replaced. Raises UsageError for what is not allowed.

        Engine auto is Ray when RAY_ADDRESS names a cluster, else local, which draws its first plot sooner. One
        thread a worker: the products are small, and two workers beat one with two threads.
        """
        _check_choice("engine", engine, ENGINES, _ELSEWHERE)
        remedy = "; other accelerators are not supported, and CUDA_VISIBLE_DEVICES chooses among GPUs; use --device cpu"
        _check_choice("device", device, DEVICES, remedy)
        if engine == "auto":
            engine = "ray" if os.environ.get("RAY_ADDRESS") else "local"
        if device == "auto":
            device = "cuda" if has_gpu() else "cpu"
        elif device == "cuda" and engine == "local" and not has_gpu():
            raise UsageError("--device cuda needs a GPU that torch can use, this machine has none; use --device cpu")
        max_hours = _max_hours(device, core=max_core_hours, gpu=max_gpu_hours)
        settings = cls(
            engine, device, workers, pack_size, timeout, save_weights=save_weights, pilot=pilot, max_hours=max_hours
        )
        return settings if device == "cpu" or settings.on_cluster else replace(settings, gpus=count_gpus())

    @property
    def max_workers(self) -> int:
        """The number of workers if it is given, else one for each core, or WORKERS_PER_GPU for each GPU."""
        if self.workers:
            return self.workers
        return available_cores() if self.device == "cpu" else (self.gpus or 1) * WORKERS_PER_GPU

    @property
    def on_cluster(self) -> bool:
        """Whether workers run on a Ray cluster, whose nodes are other machines."""
        return self.engine == "ray" and bool(os.environ.get("RAY_ADDRESS"))

    def units_per_worker(self, workers: int) -> float:
        """Return the cores, or the part of a GPU, that each of `workers` takes up."""
        return units_per_worker(self.device, threads=self.threads, workers=workers, gpus=self.gpus)

    @property
    def limit(self) -> str:
        """The limit of hours as it is given on the command line, such as --max-core-hours 2."""
        return f"{hours_option(self.device)} {self.max_hours:g}"

    @property
    def out_by(self) -> str:
        """What is said of trials that are left: that they are left out by the limit of hours, where there is one."""
        return "" if self.max_hours is None else f" out by {self.limit}"

    def worker_seconds(self, workers: int) -> float:
        """Return the seconds that packs may take `workers` together, of which each trains one at a time."""
        return math.inf if self.max_hours is None else self.max_hours * 3600 / self.units_per_worker(workers)

    def after(self, hours: float) -> Self:
        """Return the settings for what comes after packs that took `hours` of the limit."""
        return self if self.max_hours is None else replace(self, max_hours=max(0.0, self.max_hours - hours))


def worker_unit(device: str) -> str:
    """Return what a worker takes, as the unit of hours: a core, or a GPU."""
    return "GPU" if device == "cuda" else "core"


def hours_option(device: str) -> str:
    """Return the option that limits the hours of workers on `device`, cpu or cuda."""
    return f"--max-{worker_unit(device).lower()}-hours"


def units_per_worker(device: str, *, threads: int, workers: int, gpus: int | None) -> float:
    """Return the cores, or the part of a GPU, that each of `workers` takes up; a whole one where `gpus` is None."""
    return threads if device == "cpu" else min(1.0, (gpus or workers) / workers)


def has_gpu() -> bool:
    """Return whether torch sees a GPU; torch, slow to import, is asked only where a driver is installed."""
    if not has_driver(Path("/dev")):
        return False
    import torch

    return torch.cuda.is_available()


def has_driver(devices: Path) -> bool:
    """Return whether the folder has what a GPU's driver puts there; a container may have any of the host's cards."""
    names = ("nvidiactl", "nvidia[0-9]*", "kfd", "dxg")
    return any(path for name in names for path in devices.glob(name))


def count_gpus() -> int:
    """Return the number of this machine's GPUs, at least 1; nothing is started on them."""
    import torch

    return max(1, torch.cuda.device_count())


def available_cores() -> int:
    """Return the number of cores that this process may use, by its affinity and by the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return cores if math.isinf(quota) else max(1, min(cores, math.floor(quota)))


def cpu_quota(root: Path = Path("/")) -> float:
    """Return the processor time that the control groups of this process allow, in cores; infinite without a limit."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return math.inf
    quotas = [math.inf]
    for _, controllers, path in (line.split(":", 2) for line in groups if line.count(":") >= 2):
        base = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        if controllers and "cpu" not in controllers.split(","):
            continue
        group = base / path.lstrip("/")
        for folder in (group, *group.parents):  # a container sees its own group as the root
            if folder.is_relative_to(base):
                quotas.append(_quota(folder))
    return min(quotas)


def _quota(group: Path) -> float:
    """Return the limit of one control group, of version 2 or 1, in cores."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (group / "cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota / period if quota > 0 else math.inf
    return math.inf


def _check_choice(name: str, value: str, allowed: tuple[str, ...], remedy: str = "") -> None:
    if value not in allowed:
        raise UsageError(f"--{name} must be one of {', '.join(allowed)}, got {value}{remedy}")


def _max_hours(device: str, *, core: float | None, gpu: float | None) -> float | None:
    """Return the limit for `device`. Raises UsageError for that of the other device."""
    mine = hours_option(device)
    for option, hours in (("--max-core-hours", core), ("--max-gpu-hours", gpu)):
        if hours is not None and option != mine:
            raise UsageError(f"{option} is not for --device {device}, got {hours:g}; use {mine}")
    return core if device == "cpu" else gpu
