"""Trials as offline runs of Weights & Biases, which `wandb sync` uploads; nothing is sent here.

The id of a run is that of its trial, so that what is uploaded twice is one run.
"""

import os
from pathlib import Path
from shlex import quote
from typing import Any

from lrsym.exchange.outcome import Exported, tool
from lrsym.exchange.run import STATUS_TAG, Run, plain_name, runs
from lrsym.exchange.run_folders import export_runs
from lrsym.exchange.selection import Selection
from lrsym.vocabulary import FAILED_STATUSES

MAX_ID = 64
"""Characters of an id."""


def export_wandb(chosen: Selection, out: Path) -> Exported:
    """Write a folder of an offline run for each trial into the folder `out`; raises UsageError as `export_runs`."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    wandb = tool("wandb", to="wandb-offline")

    def write(run: Run, folder: Path) -> Path:
        return _write(wandb, run, folder)

    try:
        return export_runs(
            runs(chosen), out, write=write, look=f"upload it: wandb sync {quote(str(out))}/offline-run-*"
        )
    finally:
        wandb.teardown()


def _write(wandb: Any, run: Run, folder: Path) -> Path:
    status = run.tags[STATUS_TAG]
    tracked = wandb.init(
        mode="offline",
        dir=str(folder),
        id=plain_name(run.trial_id, r"[^\w-]+", "-", most=MAX_ID),
        name=run.name,
        project=run.experiment,
        config={**run.parameters, **run.tags},
        tags=[status],
        settings=wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,  # this machine is not where it was trained
        ),
    )
    for step, values in run.by_step().items():
        tracked.log(values, step=step)
    tracked.summary.update(dict(run.metrics))
    tracked.finish(exit_code=int(status in FAILED_STATUSES))
    (made,) = folder.glob("wandb/offline-run-*")
    return made
