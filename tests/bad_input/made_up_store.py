"""A small store with a file of every kind, to be damaged: rows of three packs, a failure, a run, a search, a pack in
training with checkpoint, live rows and lease, weights."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.live import write_live
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.execution.weights import save_pack
from lrsym.sweep.spec.sweep_file import load as load_sweep
from lrsym.sweep.spec.sweep_file import load_any
from tests.cli.test_search import write_search
from tests.fitted import Fitted
from tests.reports import made_up
from tests.small_trials import pack_of, write_checkpoint, write_sweep
from tests.sweep.search.made_up_search import run

LEASE = {
    "run_id": "0123456789abcdef", "holder": {"host": "elsewhere", "boot": "b", "pid": 7, "started": "9"},
    "heartbeat": 0.0, "alone": None, "trial_ids": ["a"],
}  # fmt: skip
"""What a driver on another machine left behind."""


@dataclass(frozen=True)
class MadeUpStore:
    """Where it lies, the files of its sweep and its search, and its rows by table."""

    root: Path
    sweep: Path
    search: Path
    rows: dict[str, pl.DataFrame]


def rows_of(root: Path) -> dict[str, pl.DataFrame]:
    """Return the rows of every table, as they are written, in one order."""
    return {
        name: load(root, name).select(table.written.names()).collect().sort(table.key)
        for name, table in TABLES.items()
    }  # fmt: skip


def make_store(folder: Path) -> MadeUpStore:
    """Return the store in a new folder."""
    sweep, search, root = write_sweep(folder, steps=6, seeds=5), write_search(folder, budget=3), folder / "results"
    trials, store = load_sweep(sweep).trials, Store(str(root))
    for number in range(3):
        members, scratch = trials[3 * number : 3 * number + 3], folder / f"scratch{number}"
        made_up.write(scratch, members)
        tables = {file.parent.name: pq.read_table(file) for file in sorted(scratch.glob("*/part.parquet"))}
        runs = tables.pop("runs")
        store.write(pack_of(*members).id, tables)
        store.write(f"run-{number:016x}", {"runs": runs})
    last = trials[9]
    crashed = status_rows([last], status="crashed", message="it broke; logs/0123456789ab.txt", run_id="r", attempts=[1])
    store.write(f"{pack_of(last).id}-failed", crashed)
    store.files.put("logs/0123456789ab.txt", b"Traceback (most recent call last)")
    run(load_any(search), store)
    write_checkpoint(root, [last], step=3, steps=6)
    point = {"trial_id": last.trial_id, "step": 2, "split": "unseen", "metric": "order", "value": 0.5}
    live = {**axis_values(last), "status": "training", "trained_steps": 2, "unseen_order": 0.5}
    write_live(store.files, pack_of(last).id, trials=[live], curves=[point])
    store.files.put("leases/0123456789abcdef.json", json.dumps({**LEASE, "heartbeat": time.time() - 3600}).encode())
    save_pack(open_filesystem(str(root)), Fitted([trials[0]]).snapshot)
    return MadeUpStore(root, sweep, search, rows_of(root))
