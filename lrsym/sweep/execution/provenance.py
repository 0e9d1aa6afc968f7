"""Where rows come from: the row of a run in the table `runs`."""

import os
import platform
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from lrsym.config.trial import TRAINER_VERSION
from lrsym.sweep.planning.plan import Plan
from lrsym.sweep.planning.settings import Settings, has_gpu

PACKAGE = Path(__file__).parents[2]


def run_row(plan: Plan, settings: Settings, *, run_id: str, started_at: datetime) -> dict[str, object]:
    """Return the row of a run that starts now; `finished_at` is for later."""
    commit, dirty = git_state(PACKAGE)
    return {
        "run_id": run_id, "sweep": plan.sweep, "started_at": started_at, "engine": settings.engine,
        "workers": plan.workers, "device": settings.device, "gpus": settings.gpus,
        "hardware": hardware(settings.device), "threads": settings.threads, "n_planned": plan.packs.n_trials,
        "lrsym_version": version("lrsym"), "trainer_version": TRAINER_VERSION, "commit": commit, "dirty": dirty,
        "python": platform.python_version(), "torch": version("torch"), "host": platform.node(),
    }  # fmt: skip


def git_state(package: Path) -> tuple[str | None, bool | None]:
    """Return commit and dirty flag of the checkout that the folder `package` is tracked in; None outside one."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=package, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # fails in a copy that only lies inside another repository
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", "."))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def hardware(device: str) -> str:
    """Return the model of the GPU, or of the processor with its number of cores."""
    if device == "cuda" and has_gpu():
        import torch

        return torch.cuda.get_device_name()
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"
