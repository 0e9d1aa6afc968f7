"""Merging the small files of finished packs, by generations (generations.py), beside sweeps and other compactions.

Only files are touched that lay there when the tables were listed, `trials` first. A pack writes its row of `trials`
last, so what belongs to a listed one is complete; parts without it are those of packs at work, and are left. So is a
part that is damaged, or has columns that this version would drop. Each group of parts is merged by itself: written,
`trials` last, and then what it was made of is deleted in the same order, and only if it is what was read. Killed at any
moment, some rows are twice on disk, in parts that readers tell apart, and none is gone.
"""

import time
import uuid
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from lrsym.errors import DamagedPartWarning
from lrsym.results.store.attempts import choose_rows
from lrsym.results.store.digest import decode_part, is_as_written
from lrsym.results.store.filesystem import FileSystem, Stamp
from lrsym.results.store.generations import groups
from lrsym.results.store.index import FILE as INDEX
from lrsym.results.store.part_file import list_parts, part_file, part_name
from lrsym.results.store.schema import OF_TRIALS, TABLES

if TYPE_CHECKING:
    from lrsym.results.store.store import Store

REWRITING_SECONDS = 60
"""A pack that was trained again has written all its files in less than this."""

ABANDONED_SECONDS = 86400
"""A compaction that has not written `trials` for so long was killed."""

MAX_ROUNDS = 20
"""How often the tables are listed again where parts were merged into small ones, or others merged them meanwhile."""

_ALONE = tuple(name for name in TABLES if name not in OF_TRIALS)
"""Tables whose rows belong to no attempt at a trial."""

Parts = dict[str, dict[str, Stamp]]
"""Files by table, each with its stamp."""


class _LeftError(Exception):
    """Parts that no merge may take in."""


def compact(store: "Store") -> int:
    """Merge the part files of every table as far as is worth it; return how many were merged."""
    files, merged, left = store.files, 0, set[str]()
    for _ in range(MAX_ROUNDS):
        old = {table: list_parts(files, table).parts for table in (*OF_TRIALS, *_ALONE)}
        _remove_left_behind(files, old)
        found = [*_groups(old, left=left | _unfinished(old))]
        for group in found:
            try:
                merged += _merge(store, group)
            except FileNotFoundError:  # another process has merged or rewritten them: it is looked at again
                continue
            except _LeftError as parts:
                left |= {*parts.args}
        if not found:
            break
    return merged


def _groups(old: Parts, *, left: set[str]) -> Iterator[Parts]:
    """Yield the files that are to be merged into one part: all tables of packs, and the others each by itself."""
    sizes = Counter[str]()
    for table in OF_TRIALS:
        sizes.update({part_name(file): size for file, (_, size, _) in old[table].items()})
    oldest_first = sorted(old["trials"], key=lambda file: old["trials"][file])
    for group in groups({part: sizes[part] for part in map(part_name, oldest_first) if part not in left}):
        named = {table: [part_file(table, part) for part in group] for table in OF_TRIALS}
        # By name, as readers have them: of attempts that are alike the last one counts.
        yield {
            table: {file: old[table][file] for file in sorted(named[table]) if file in old[table]}
            for table in OF_TRIALS
        }
    for table in _ALONE:
        free = {file: size for file, (_, size, _) in old[table].items() if part_name(file) not in left}
        yield from ({table: {file: old[table][file] for file in group}} for group in groups(free))


def _merge(store: "Store", old: Parts) -> int:
    """Merge these files into one part; return how many were merged.

    Raises FileNotFoundError, and leaves everything as it was, where another process has deleted some meanwhile, and
    _LeftError with the parts that are not to be merged.
    """
    # A name of its own: another compaction that took it for a part of its listing would delete half of it.
    files, part, written, ends = store.files, f"compact-{uuid.uuid4().hex[:16]}", list[str](), False

    def write(table: str, rows: pl.DataFrame) -> None:
        if rows.height:
            store.write(part, {table: rows.drop("part").to_arrow().cast(TABLES[table].arrow)}, written=written)
            written.append(table)

    try:
        first, *others = old
        rows = _read(store, first, old[first]).lazy()
        chosen = choose_rows(first, rows, trials=rows if first == "trials" else None).collect()
        for table in others:
            attempts = chosen.select("trial_id", "part")
            write(table, _read(store, table, old[table]).join(attempts, on=["trial_id", "part"], how="semi"))
        _require_unchanged(files, first, old[first])
        ends = True
        write(first, chosen)
        _require_unchanged(files, first, old[first])
    except BaseException as error:  # nothing is deleted, and what has lost rows meanwhile has them not back
        if isinstance(error, Exception) or not ends:  # an interrupted write of the last table may yet be complete
            for table in old:  # from the first, which makes the others count
                files.delete(part_file(table, part))
        raise
    if not all(files.exists(part_file(table, part)) for table in written):
        return 0  # merged further already, or taken for what a killed compaction left
    files.delete(INDEX)  # of parts that are gone; a few of them are read as fast without
    return _delete(files, old)


def _read(store: "Store", table: str, names: Iterable[str]) -> pl.DataFrame:
    """Return the rows of these files of `table`, with the file name of their part. Raises as `_merge`."""
    files, names = store.files, [*names]
    sound = files.map(lambda name: is_as_written(files.get(name)) is not False, names)
    if not all(sound):
        raise _LeftError(*_warned(files, [name for name, right in zip(names, sound, strict=True) if not right]))
    try:
        return store.rows_of(table, names, extra_columns="raise").collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # one of them is of another kind: of before, or
        if odd := [name for name in names if not _is_known(files.get(name), TABLES[table].arrow)]:  # of a later lrsym
            raise _LeftError(*map(part_name, odd)) from None
        raise


def _warned(files: FileSystem, damaged: list[str]) -> list[str]:
    """Return the parts of these files, of which it is told that they are damaged."""
    for name in damaged:
        why = "is not as it was written: its SHA-256 is another, so it is left as it is and not merged"
        warnings.warn(
            f"{files.root}/{name} {why}; lrsym check --repair sets it aside", DamagedPartWarning, stacklevel=3
        )
    return [*map(part_name, damaged)]


def _is_known(content: bytes, known: pa.Schema) -> bool:
    """Return whether a part can be read, and all of its columns are among those of its table, and of their type."""
    try:
        schema = decode_part(content).schema
    except ValueError:
        return False
    return all(field.name in known.names and field.type == known.field(field.name).type for field in schema)


def _require_unchanged(files: FileSystem, table: str, old: dict[str, Stamp]) -> None:
    """Raise FileNotFoundError where another process has deleted parts, or written them anew, since they were listed.

    Others delete and rewrite trials first: while these are as they were, all that was read beside them was so too.
    """
    now = files.stamps(table)
    if any(now.get(name) != stamp for name, stamp in old.items()):
        raise FileNotFoundError(f"parts in {files.root} were merged or written anew by another process")


def _remove_left_behind(files: FileSystem, old: Parts) -> None:
    """Delete what compactions wrote that were killed before they wrote `trials`, long ago; nobody reads it.

    The folder of trials is asked again before each: one that was away for a moment has none either.
    """
    if not old["trials"]:
        return
    trials = {part_name(name) for name in old["trials"]}
    for table in OF_TRIALS[1:]:
        for name, (written, *_) in old[table].items():
            part = part_name(name)
            long_ago = time.time() - written / 1e9 > ABANDONED_SECONDS
            if part.startswith("compact-") and part not in trials and long_ago and _has_no_trials(files, part):
                files.delete(name)


def _has_no_trials(files: FileSystem, part: str) -> bool:
    return files.has_folder("trials") and not files.exists(part_file("trials", part))


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


def _delete(files: FileSystem, old: Parts) -> int:
    """Delete what was merged and is as it was; of the other tables only where the pack's trials are gone."""
    kept, n = set[str](), 0
    for _table, parts in old.items():
        free = [name for name in parts if part_name(name) not in kept]
        as_read = [
            name for name, now in zip(free, files.map(files.stamp, free), strict=True) if now in (parts[name], None)
        ]
        files.map(files.delete, as_read)
        n += len(as_read)
        kept |= {part_name(name) for name in parts.keys() - {*as_read}}
    return n
