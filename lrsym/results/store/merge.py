"""Taking trials of one results folder into another: rows of every table, their runs, their weights."""

import hashlib
from collections.abc import Sequence
from functools import partial

import polars as pl
import pyarrow as pa

from lrsym.results.store.forget import remove_rows
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load, read_again

CHUNK = 10_000
"""Trials whose rows are in memory at a time, and in a part."""

_OF_TRIALS = [name for name in TABLES if name not in ("runs", "suggestions")]


def take_trials(source: Store, target: Store, trial_ids: Sequence[str], *, replace: bool = False) -> int:
    """Write what `source` has of `trial_ids` to `target`; return how many weights files came with them.

    With `replace` the rows that `target` has of them go before. Killed on the way, the same call goes on. Raises
    OSError.
    """
    target.prove_writable()
    n_weights = _take_weights(
        source, target, {*trial_ids}
    )  # before the rows: of a trial that is finished they are there
    _take_runs(source, target, trial_ids)
    for start in range(0, len(trial_ids), CHUNK):
        ids = sorted(trial_ids)[start : start + CHUNK]
        if replace:
            remove_rows(target, ids)
        frames = {table: read_again(partial(_read, source, table, ids)) for table in _OF_TRIALS}
        tables = {name: _written(name, rows) for name, rows in frames.items() if name == "trials" or rows.height}
        target.write(hashlib.sha256("".join(ids).encode()).hexdigest()[:32], tables)
    return n_weights


def _read(source: Store, table: str, trial_ids: Sequence[str]) -> pl.DataFrame:
    return load(source.root, table, trial_ids=trial_ids).collect()


def _take_runs(source: Store, target: Store, trial_ids: Sequence[str]) -> None:
    """Write the rows of the runs that trained them, each as the run itself would."""
    trained = load(source.root, "trials", trial_ids=trial_ids).select("run_id").unique()
    runs = read_again(lambda: load(source.root, "runs").join(trained, on="run_id", how="semi").collect())
    for run in runs.iter_slices(1):
        if not target.has_run(run["run_id"].item()):
            target.write(f"run-{run['run_id'].item()}", {"runs": _written("runs", run)})


def _take_weights(source: Store, target: Store, trial_ids: set[str]) -> int:
    names = source.files.list("weights", suffix=".safetensors")
    wanted = [name for name in names if name.rpartition("/")[2].removesuffix(".safetensors") in trial_ids]
    for name in wanted:
        target.files.put(name, source.files.get(name))
    return len(wanted)


def _written(table: str, rows: pl.DataFrame) -> pa.Table:
    """Return `rows` as they are written: without derived columns, in the types of the table."""
    return rows.select(TABLES[table].written.names()).to_arrow().cast(TABLES[table].arrow)
