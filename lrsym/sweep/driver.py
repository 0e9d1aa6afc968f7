"""A sweep from its plan to its last row: choose engine and device, record the run, train, report."""

import os
import platform
import subprocess
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from lrsym.config.trial import TRAINER_VERSION
from lrsym.errors import UsageError
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.sweep.execution import checkpoint
from lrsym.sweep.execution.progress import Display
from lrsym.sweep.execution.task import Job
from lrsym.sweep.planning.plan import Plan, make_plan
from lrsym.sweep.spec.sweep_file import Sweep

ENGINES = ("auto", "local", "ray")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Settings:
    """How to execute: none of it changes a row, so none of it is part of a trial.

    `workers` and `pack_size` are None where a pilot, or without `pilot` a rule, is to choose them.
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
        engine: str,
        device: str,
        workers: int | None,
        pack_size: int | None,
        timeout: float | None,
        pilot: bool = True,
    ) -> "Settings":
        """Replace `auto` of engine and device; UsageError for a value that is not allowed.

        Engine auto is Ray when RAY_ADDRESS names a cluster, else local, which draws its first plot sooner. One
        thread a worker: the products are small, and two workers beat one with two threads.
        """
        _one_of("engine", engine, ENGINES)
        _one_of("device", device, DEVICES)
        chosen, none = "to have it chosen", "for no limit"
        for name, value, left_out in (
            ("workers", workers, chosen), ("pack", pack_size, chosen), ("timeout", timeout, none),
        ):  # fmt: skip
            if value is not None and not value > 0:
                raise UsageError(f"--{name} must be positive, got {value}; leave it out {left_out}")
        if engine == "auto":
            engine = "ray" if os.environ.get("RAY_ADDRESS") else "local"
        if device == "auto":
            device = "cuda" if _has_gpu() else "cpu"
        elif device == "cuda" and engine == "local" and not _has_gpu():
            raise UsageError("--device cuda needs a GPU that torch can use, this machine has none; use --device cpu")
        return cls(engine, device, workers, pack_size, timeout, pilot=pilot)

    @property
    def most_workers(self) -> int:
        """As many workers as there are cores or GPUs, if their number is not given."""
        return self.workers or auto_workers(self.device)


@dataclass(frozen=True)
class Outcome:
    """What a sweep left behind: how trials ended, and how many were not reached."""

    run_id: str
    statuses: Counter[str]
    pending: int
    interrupted: bool
    seconds: float


def plan_sweep(sweep: Sweep, store: Store, settings: Settings) -> Plan:
    """The plan of `sweep` against `store`, by the rule that takes no pilot."""
    return make_plan(
        sweep.trials,
        store.statuses(),
        workers=settings.most_workers,
        device=settings.device,
        pack_size=settings.pack_size,
        checkpoints=checkpoint.list_checkpoints(store.root),
    )


def run_sweep(sweep: Sweep, store: Store, settings: Settings, plan: Plan) -> Outcome:
    """Train what `plan` holds. On Ctrl-C finished packs are kept and `interrupted` is set."""
    started, run_id = datetime.now(UTC), uuid.uuid4().hex[:16]
    store.remove_stale_temp_files()
    checkpoint.remove_stale_checkpoints(store)
    row = _run_row(sweep, settings, plan, run_id=run_id, started=started)
    _write_run(store, row)
    job = Job(store.files.uri(), run_id, settings.device, settings.threads, settings.timeout, settings.save_weights)
    if settings.engine == "ray":
        from lrsym.sweep.engines.ray_tune import run_ray as engine
    else:
        from lrsym.sweep.engines.local import run_local as engine
    display, interrupted = Display(plan.packs, started=plan.started), False
    try:
        with display:
            engine(plan.packs, job, workers=plan.workers, listen=display.listen)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        finished = datetime.now(UTC)
        _write_run(store, {**row, "finished_at": finished})
    return Outcome(
        run_id=run_id,
        statuses=display.statuses,
        pending=plan.pending - display.ended,
        interrupted=interrupted,
        seconds=(finished - started).total_seconds(),
    )


def _write_run(store: Store, row: dict[str, object]) -> None:
    store.write(f"run-{row['run_id']}", {"runs": TABLES["runs"].build([row])})


def _run_row(sweep: Sweep, settings: Settings, plan: Plan, *, run_id: str, started: datetime) -> dict[str, object]:
    commit, dirty = _git_state()
    return {
        "run_id": run_id, "sweep": sweep.name, "started_at": started, "engine": settings.engine,
        "workers": plan.workers, "device": settings.device, "hardware": _hardware(settings.device),
        "threads": settings.threads, "n_planned": plan.pending, "lrsym_version": version("lrsym"),
        "trainer_version": TRAINER_VERSION, "commit": commit, "dirty": dirty, "python": platform.python_version(),
        "torch": version("torch"), "host": platform.node(),
    }  # fmt: skip


def _git_state() -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the checkout this code runs from; None outside one."""
    package = Path(__file__).parents[1]

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=package, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # fails in a copy that only lies inside another repository
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", "."))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _hardware(device: str) -> str:
    if device == "cuda" and _has_gpu():
        import torch

        return torch.cuda.get_device_name()
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _has_gpu() -> bool:
    """Whether torch sees a GPU; torch, slow to import, is asked only where a driver is installed."""
    if not any(Path(p).exists() for p in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg")):
        return False
    import torch

    return torch.cuda.is_available()


def auto_workers(device: str) -> int:
    """Cores that this process may use, or GPUs."""
    if device == "cuda":
        import torch

        return max(1, torch.cuda.device_count())
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"--{name} must be one of {', '.join(allowed)}, got {value}")
