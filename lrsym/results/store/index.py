"""What the parts of the table trials say of how trials ended, in one file: status and plan need not open every part.

    RESULTS/.index/trials.parquet

Each row has the part that it stands in and that part's stamp: what was written since is read from the parts themselves.
Where it holds all of a folder, and that has the stamp that it had then, parts need not be compared one by one; of
damage every reader is to be told, so it never holds all of a folder with damaged parts. Whoever reads many parts that
are not in it writes it anew. Nothing depends on it; it may be removed at any time.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lrsym.results.store.digest import is_as_written, part_bytes
from lrsym.results.store.filesystem import FileSystem, Stamp
from lrsym.results.store.part_file import Listing, remember_parts
from lrsym.results.store.schema import TABLES

FILE = ".index/trials.parquet"

OUTCOME = ("trial_id", "status", "stop_rule", "message", "seconds", "run_id", "finished_at", "attempts")
"""Columns of the table trials that it holds."""

MIN_NEW_PARTS = 1000
"""The index is written anew where so many parts are not in it: to read them takes a tenth of a second or more."""

RACY_SECONDS = 10
"""Parts that are younger stay out of it: within the grain of a clock they may be written again and look the same."""

_STAMP = {"written": pl.Int64, "bytes": pl.Int64, "number": pl.UInt64}
_SCHEMA = pl.Schema({"file": pl.String, **_STAMP, **{name: TABLES["trials"].written[name] for name in OUTCOME}})

_FOLDER, _FOLDER_KEY = "trials", b"lrsym_folder"


class _Index(NamedTuple):
    """The rows of the index; `folder` is the stamp of the folder that they are all of, None where they may not be."""

    rows: pl.DataFrame
    folder: Stamp | None


_NONE = _Index(pl.DataFrame(schema=_SCHEMA), None)

_loaded: dict[str, tuple[Stamp, _Index]] = {}
"""The index by the address of its file, with its stamp: a driver asks for it with every pack."""


def read_outcomes(
    files: FileSystem, list_parts: Callable[[], Listing], read: Callable[[Iterable[str]], pl.DataFrame]
) -> pl.DataFrame:
    """Return OUTCOME of every row of the table trials and the `file` it stands in, in the order of the parts.

    `list_parts` gives the parts with their stamps, `read` the rows of some of them. Raises what these raise.
    """
    index, folder = _load(files), files.folder_stamp(_FOLDER)  # as it was before it is listed
    if folder is not None and index.folder == folder:
        return index.rows.select("file", *OUTCOME)
    entries = index.rows.select("file", *_STAMP).unique("file", maintain_order=True)
    remember_parts(files, {file: tuple(stamp) for file, *stamp in entries.iter_rows()})
    listing = list_parts()
    parts = _frame(listing.parts)
    known = index.rows.join(parts, on=["file", *_STAMP], how="semi", nulls_equal=True, maintain_order="left")
    new = parts.join(known, on="file", how="anti", maintain_order="left")
    rows = known.select("file", *OUTCOME)
    if new.height:
        rows = pl.concat([rows, read(new["file"].to_list()).select(rows.columns)])
    rows = rows.sort("file", maintain_order=True)
    settled = (time.time() - RACY_SECONDS) * 1e9
    kept = parts.filter(pl.col("written") < settled)
    told = [*listing.parts.values(), *listing.foreign.values()]
    # Bytes and times as the folder has them: a file that was away for a moment while it was listed is missing here.
    is_whole = (
        folder is not None and folder[0] < settled and kept.height == parts.height and not listing.damaged
        and folder[1:] == (sum(size for _, size, _ in told), sum(written for written, *_ in told))
    )  # fmt: skip
    if max(new.height, parts.height * is_whole) >= MIN_NEW_PARTS:
        _write(files, rows.join(kept, on="file", maintain_order="left"), folder=folder if is_whole else None)
    return rows


def _frame(stamps: Mapping[str, Stamp]) -> pl.DataFrame:
    columns = zip(*stamps.values(), strict=True) if stamps else [(), (), ()]
    named = dict(zip(_STAMP, columns, strict=True))
    return pl.DataFrame({"file": [*stamps], **named}, schema={"file": pl.String, **_STAMP})


def _load(files: FileSystem) -> _Index:
    """Return the index; an empty one where there is none, or it is damaged or of another version."""
    with contextlib.suppress(OSError, ValueError, pa.ArrowException, pl.exceptions.PolarsError):
        stamp, place = files.stamp(FILE), files.uri(FILE)
        if stamp is not None and (found := _loaded.get(place)) is not None and found[0] == stamp:
            return found[1]
        if stamp is not None and is_as_written(content := files.get(FILE)):
            table = pq.ParquetFile(pa.BufferReader(content)).read()
            frame = pl.DataFrame(table)
            if frame.schema == _SCHEMA:
                told = json.loads((table.schema.metadata or {}).get(_FOLDER_KEY, b"null"))
                index = _Index(frame, tuple(told) if told else None)
                _loaded[place] = stamp, index
                return index
    return _NONE


def _write(files: FileSystem, rows: pl.DataFrame, *, folder: Stamp | None) -> None:
    """Write the index of these rows; a folder that may not be written does without."""
    table = rows.select(_SCHEMA.names()).to_arrow()
    with contextlib.suppress(OSError):
        files.put(FILE, part_bytes(table.replace_schema_metadata({_FOLDER_KEY: json.dumps(folder)})))
