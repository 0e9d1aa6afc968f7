"""Merging the small files of finished packs, beside sweeps and other compactions.

Only files are touched that lay there when the tables were listed, `trials` first. A pack writes its row of `trials`
last, so what belongs to a listed one is complete; parts without it are those of packs at work, and are left. Files are
deleted in the same order, and only if they are what was read: killed at any moment, some rows are twice on disk, in
parts that readers tell apart, and none is gone.
"""

import time
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from lrsym.results.store.filesystem import FileSystem, Stamp
from lrsym.results.store.index import FILE as INDEX
from lrsym.results.store.part_file import list_parts, part_file, part_name
from lrsym.results.store.schema import OF_TRIALS, TABLES

if TYPE_CHECKING:
    from lrsym.results.store.store import Store

REWRITING_SECONDS = 60
"""A pack that was trained again has written all its files in less than this."""

ABANDONED_SECONDS = 86400
"""A compaction that has not written `trials` for so long was killed."""

_ALONE = tuple(name for name in TABLES if name not in OF_TRIALS)
"""Tables whose rows belong to no attempt at a trial."""

Parts = dict[str, dict[str, Stamp]]
"""Files by table, each with its stamp."""


def compact(store: "Store") -> int:
    """Merge the part files of every table; return how many were merged.

    Raises FileNotFoundError, before anything is written, where another process has deleted some meanwhile.
    """
    files = store.files
    old = {table: list_parts(files, table).parts for table in (*OF_TRIALS, *_ALONE)}
    _remove_left_behind(files, old)
    left = _unfinished(old) | _with_unknown_columns(files, old)
    for table in OF_TRIALS:
        old[table] = {name: stamp for name, stamp in old[table].items() if part_name(name) not in left}
    for table in _ALONE:
        unknown = _with_unknown_columns(files, {table: old[table]})
        old[table] = {name: stamp for name, stamp in old[table].items() if part_name(name) not in unknown}
    if all(len(parts) <= 1 for parts in old.values()):
        return 0
    rows = {name: store.scan_parts(name, old).collect().to_arrow().cast(TABLES[name].arrow) for name in TABLES}
    _require_unchanged(files, old)
    # A name of its own: another compaction that took it for a part of its listing would delete half of it.
    part = f"compact-{uuid.uuid4().hex[:16]}"
    written = {name: table for name, table in rows.items() if table.num_rows}
    store.write(part, written)
    try:
        _require_unchanged(files, old)
    except FileNotFoundError:  # nothing is deleted yet, and what has lost rows meanwhile must not have them back
        for name in sorted(written, key=lambda name: name != "trials"):
            files.delete(part_file(name, part))
        raise
    if not all(files.exists(part_file(name, part)) for name in written if name not in _ALONE):
        return 0  # merged further already, or taken for what a killed compaction left
    files.delete(INDEX)  # of parts that are gone; a few of them are read as fast without
    return _delete(files, old)


def _require_unchanged(files: FileSystem, old: Parts) -> None:
    """Raise FileNotFoundError where another process has deleted parts, or written them anew, since they were listed.

    Others delete and rewrite trials first: while these are as they were, all that was read beside them was so too.
    """
    now = {name: stamp for table in ("trials", *_ALONE) for name, stamp in files.stamps(table).items()}
    if any(now.get(name) != stamp for table in ("trials", *_ALONE) for name, stamp in old[table].items()):
        raise FileNotFoundError(f"parts in {files.root} were merged or written anew by another process")


def _remove_left_behind(files: FileSystem, old: Parts) -> None:
    """Delete what compactions wrote that were killed before they wrote `trials`, long ago; nobody reads it."""
    trials = {part_name(name) for name in old["trials"]}
    for table in OF_TRIALS[1:]:
        for name, (written, *_) in old[table].items():
            part = part_name(name)
            if part.startswith("compact-") and part not in trials and time.time() - written / 1e9 > ABANDONED_SECONDS:
                files.delete(name)


def _unfinished(old: Parts) -> set[str]:
    """Return the parts of packs at work: without trials, or being written anew over those of before."""
    trials = {part_name(name): stamp for name, stamp in old["trials"].items()}
    found = set[str]()
    for table in OF_TRIALS[1:]:
        for name, (written, *_) in old[table].items():
            own = trials.get(part_name(name))
            if own is None or (written > own[0] and time.time() - written / 1e9 < REWRITING_SECONDS):
                found.add(part_name(name))
    return found


def _with_unknown_columns(files: FileSystem, old: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the parts that have a column in any table that this version would drop."""

    def columns(name: str) -> list[str]:
        lazy = pl.scan_parquet(files.uri(name), glob=False, storage_options=files.storage_options)
        return lazy.collect_schema().names()

    found = {table: zip(names, files.map(columns, names), strict=True) for table, names in old.items()}
    return {
        part_name(name)
        for table, named in found.items()
        for name, there in named
        if not {*there} <= {*TABLES[table].arrow.names}
    }


def _delete(files: FileSystem, old: Parts) -> int:
    """Delete what was merged and is as it was; of the other tables only where the pack's trials are gone."""
    kept, n = set[str](), 0
    for table, parts in old.items():
        free = [name for name in parts if table in _ALONE or part_name(name) not in kept]
        as_read = [
            name for name, now in zip(free, files.map(files.stamp, free), strict=True) if now in (parts[name], None)
        ]
        files.map(files.delete, as_read)
        n += len(as_read)
        if table not in _ALONE:
            kept |= {part_name(name) for name in parts.keys() - {*as_read}}
    return n
