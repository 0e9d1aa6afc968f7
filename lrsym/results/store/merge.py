"""Taking trials of one results folder into another: rows of every table, their runs, their weights."""

import contextlib
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import partial

import polars as pl
import pyarrow as pa

from lrsym.errors import UsageError
from lrsym.results.store.forget import remove_rows
from lrsym.results.store.part_file import run_part
from lrsym.results.store.schema import OF_TRIALS, TABLES
from lrsym.results.store.store import Store, load, read_again

CHUNK = 10_000
"""Trials whose rows are in memory at a time, and in a part."""

_TRIAL_ID = re.compile("[0-9a-f]{32}")

_LOG = re.compile(r"logs/[0-9a-f]{12}\.txt")


def take_trials(source: Store, target: Store, trial_ids: Sequence[str], *, replace: bool = False) -> int:
    """Write what `source` has of `trial_ids` to `target`; return how many weights files came with them.

    What searches know of them comes too. With `replace` what `target` has of them goes before. Killed on the way, the
    same call goes on. Raises OSError, and UsageError for what is no trial_id.
    """
    _require_identities(source, trial_ids)
    target.prove_writable()
    if replace:
        for name in _weights_of(target, trial_ids):
            target.files.delete(name)
    n_weights = _take_weights(source, target, trial_ids)  # first: of a trial that is finished they are there
    _take_runs(source, target, trial_ids)
    _take_suggestions(source, target, trial_ids)
    ordered = sorted(trial_ids)
    for start in range(0, len(ordered), CHUNK):
        ids = ordered[start : start + CHUNK]
        if replace:
            remove_rows(target, ids)
        frames = {table: read_again(partial(_read, source, table, ids)) for table in OF_TRIALS}
        tables = {name: _written(name, rows) for name, rows in frames.items() if name == "trials" or rows.height}
        _take_logs(source, target, frames["trials"]["message"].drop_nulls())
        target.write(_part("trials", ids), tables)
    return n_weights


def _require_identities(source: Store, trial_ids: Sequence[str]) -> None:
    """Raise UsageError for what is no trial_id: names of files are made of them."""
    if odd := [trial_id for trial_id in trial_ids if not _TRIAL_ID.fullmatch(trial_id)]:
        raise UsageError(
            f"a trial_id is 32 hex digits, got {odd[0]!r} in {source.root}, and nothing is taken; merge the folder "
            "that these rows came from"
        )


def _part(what: str, names: Sequence[str]) -> str:
    """Return a name for a part, which is that of no pack: those are made of their trials alone."""
    return hashlib.sha256("".join(["merged ", what, *names]).encode()).hexdigest()[:32]


def _read(source: Store, table: str, trial_ids: Sequence[str]) -> pl.DataFrame:
    return load(source.root, table, trial_ids=trial_ids).collect()


def _take_runs(source: Store, target: Store, trial_ids: Sequence[str]) -> None:
    """Write the rows of the runs that trained them, each as the run itself would."""

    def read() -> pl.DataFrame:
        trained = load(source.root, "trials", trial_ids=trial_ids).select("run_id").unique()
        return load(source.root, "runs").join(trained, on="run_id", how="semi").collect()

    for run in read_again(read).iter_slices(1):
        if not target.has_run(run["run_id"].item()):
            target.write(run_part(run["run_id"].item()), {"runs": _written("runs", run)})


def _take_suggestions(source: Store, target: Store, trial_ids: Sequence[str]) -> None:
    """Write all that the searches have asked for which chose any of the trials: so they go on where they were."""

    def read() -> pl.DataFrame:
        chose = load(source.root, "suggestions", trial_ids=trial_ids).select("search").unique()
        return load(source.root, "suggestions").join(chose, on="search", how="semi").collect()

    rows = read_again(read)
    if rows.height:
        searches = sorted(rows["search"].unique())
        target.write(_part("suggestions", searches), {"suggestions": _written("suggestions", rows)})


def _take_logs(source: Store, target: Store, messages: Iterable[str]) -> None:
    """Copy the tracebacks that messages of trials name."""
    for name in {found[0] for message in messages if (found := _LOG.search(message))}:
        with contextlib.suppress(FileNotFoundError):  # somebody has tidied up
            target.files.put(name, source.files.get(name))


def _weights_of(store: Store, trial_ids: Sequence[str]) -> list[str]:
    """Return the files of weights that `store` has of these trials."""
    there = {*store.files.list("weights", suffix=".safetensors")}
    return sorted(there & {f"weights/{trial_id}.safetensors" for trial_id in trial_ids})


def _take_weights(source: Store, target: Store, trial_ids: Sequence[str]) -> int:
    names = _weights_of(source, trial_ids)
    for name in names:
        target.files.put(name, source.files.get(name))
    return len(names)


def _written(table: str, rows: pl.DataFrame) -> pa.Table:
    """Return `rows` as they are written: without derived columns, in the types of the table."""
    return rows.select(TABLES[table].written.names()).to_arrow().cast(TABLES[table].arrow)
