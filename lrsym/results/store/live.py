"""Evaluations of packs in training: RESULTS/live/PACK_ID.parquet, replaced whole, gone once the pack has its rows.

They are no table: only what shows a sweep while it runs reads them. A file holds the curves so far and, in its
metadata, a row of the table `trials` for each member, with the status `training` and the last accuracies.
"""

import contextlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import polars as pl

from lrsym.results.store.digest import decode_part, part_bytes
from lrsym.results.store.filesystem import FileSystem
from lrsym.results.store.foreign_json import parse_json
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import load_trials, read_again
from lrsym.vocabulary import FINAL_STATUSES, TRAINING

_FOLDER, _SUFFIX, _KEY = "live", ".parquet", b"lrsym_live"

Rows = Iterable[dict[str, object]]


@dataclass(frozen=True)
class LiveRows:
    """Rows of trials that have none that is final in the store: of the table `trials` and of `curves`, so far."""

    trials: pl.DataFrame
    curves: pl.DataFrame

    @property
    def training(self) -> pl.DataFrame:
        """Those of `trials` that are not at their end, though others of their pack may be."""
        return self.trials.filter(pl.col("status") == TRAINING)


def live_file(pack_id: str) -> str:
    """Return the name of the file of a pack."""
    return f"{_FOLDER}/{pack_id}{_SUFFIX}"


def write_live(files: FileSystem, pack_id: str, *, trials: Rows, curves: Rows) -> None:
    """Write the file of a pack. Raises OSError."""
    table = TABLES["curves"].build(curves)
    files.put(live_file(pack_id), part_bytes(table.replace_schema_metadata({_KEY: json.dumps([*trials])})))


def read_live(files: FileSystem, trial_ids: Collection[str]) -> LiveRows:
    """Return what is known of those of `trial_ids` that are in training, or were when their run was stopped.

    Of a trial in several files, as a pack that was split leaves them, that which has come furthest counts.
    """
    wanted = {*trial_ids}
    names = files.list(_FOLDER, suffix=_SUFFIX)
    if names:
        wanted -= read_again(lambda: _ended(files.root, wanted))
    furthest: dict[str, tuple[dict[str, object], pl.DataFrame]] = {}
    for rows, curves in filter(None, files.map(lambda name: _read(files, name), names)):
        for row in rows:
            trial_id, before = str(row["trial_id"]), furthest.get(str(row["trial_id"]))
            if trial_id in wanted and (before is None or _steps(before[0]) < _steps(row)):
                furthest[trial_id] = row, curves
    by_file = {id(curves): curves for _, curves in furthest.values()}
    kept = [
        curves.filter(pl.col("trial_id").is_in([i for i, (_, own) in furthest.items() if own is curves]))
        for curves in by_file.values()
    ]
    trials = pl.from_arrow(TABLES["trials"].build(row for row, _ in furthest.values()))
    assert isinstance(trials, pl.DataFrame)
    empty = TABLES["curves"].empty
    return LiveRows(
        pl.concat([TABLES["trials"].empty, trials], how="diagonal"),
        pl.concat([empty, *(curves.select(empty.columns) for curves in kept)]),
    )


def _ended(root: str, trial_ids: Collection[str]) -> set[str]:
    """Return which of the trials have a row that is final."""
    final = load_trials(root, trial_ids=trial_ids).filter(pl.col("status").is_in(FINAL_STATUSES))
    return {*final.select("trial_id").collect()["trial_id"]}


def remove_stale_live(files: FileSystem) -> None:
    """Remove the files of packs whose trials all have rows that are final, as killed drivers leave them, as far as they
    can be removed."""
    names = files.list(_FOLDER, suffix=_SUFFIX)
    found = zip(names, files.map(lambda name: _read(files, name), names), strict=True)
    members = {name: {str(row["trial_id"]) for row in read[0]} for name, read in found if read}
    open_ = {*read_live(files, {i for ids in members.values() for i in ids}).trials["trial_id"]} if members else set()
    for name, ids in members.items():
        if ids.isdisjoint(open_):
            with contextlib.suppress(OSError):  # that of somebody else
                files.delete(name)


def _read(files: FileSystem, name: str) -> tuple[list[dict[str, object]], pl.DataFrame] | None:
    """Return the rows of trials and curves in a file; None where it has just been removed, is damaged, or is none of
    ours."""
    # Errors of Arrow are ValueErrors.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, OverflowError, pl.exceptions.PolarsError):
        table = decode_part(files.get(name))
        rows = parse_json((table.schema.metadata or {})[_KEY])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return None
        TABLES["trials"].build(rows)
        if not all(isinstance(row["trial_id"], str) and _steps(row) >= 0 for row in rows):
            return None
        curves = pl.from_arrow(table)
        assert isinstance(curves, pl.DataFrame)
        return rows, curves.match_to_schema(TABLES["curves"].written)
    return None


def _steps(row: dict[str, object]) -> int:
    return int(str(row["trained_steps"]))
