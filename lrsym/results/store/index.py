"""What the parts of the table trials say of how trials ended, in one file: status and plan need not open every part.

    RESULTS/.index/trials.parquet

Each row has the part that it stands in and that part's stamp: what was written since is read from the parts themselves.
Whoever reads many parts that are not in it writes it anew. Nothing depends on it; it may be removed at any time.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lrsym.results.store.digest import is_as_written, part_bytes
from lrsym.results.store.filesystem import FileSystem, Stamp
from lrsym.results.store.part_file import remember_parts
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

_loaded: dict[str, tuple[Stamp, pl.DataFrame]] = {}
"""The index by the address of its file, with its stamp: a driver asks for it with every pack."""


def read_outcomes(
    files: FileSystem, list_parts: Callable[[], Mapping[str, Stamp]], read: Callable[[Iterable[str]], pl.DataFrame]
) -> pl.DataFrame:
    """Return OUTCOME of every row of the table trials and the `file` it stands in, in the order of the parts.

    `list_parts` gives the parts with their stamps, `read` the rows of some of them. Raises what these raise.
    """
    index = _load(files)
    entries = index.select("file", *_STAMP).unique("file", maintain_order=True)
    remember_parts(files, {file: tuple(stamp) for file, *stamp in entries.iter_rows()})
    stamps = list_parts()
    parts = _frame(stamps)
    known = index.join(parts, on=["file", *_STAMP], how="semi", nulls_equal=True, maintain_order="left")
    new = parts.join(known, on="file", how="anti", maintain_order="left")
    rows = known.select("file", *OUTCOME)
    if new.height:
        rows = pl.concat([rows, read(new["file"].to_list()).select(rows.columns)])
    if new.height >= MIN_NEW_PARTS:
        _write(files, parts, rows)
    return rows.sort("file", maintain_order=True)


def _frame(stamps: Mapping[str, Stamp]) -> pl.DataFrame:
    columns = zip(*stamps.values(), strict=True) if stamps else [(), (), ()]
    named = dict(zip(_STAMP, columns, strict=True))
    return pl.DataFrame({"file": [*stamps], **named}, schema={"file": pl.String, **_STAMP})


def _load(files: FileSystem) -> pl.DataFrame:
    """Return the index; an empty one where there is none, or it is damaged or of another version."""
    with contextlib.suppress(OSError, ValueError, pa.ArrowException, pl.exceptions.PolarsError):
        stamp, place = files.stamp(FILE), files.uri(FILE)
        if stamp is not None and (found := _loaded.get(place)) is not None and found[0] == stamp:
            return found[1]
        if stamp is not None and is_as_written(content := files.get(FILE)):
            frame = pl.DataFrame(pq.ParquetFile(pa.BufferReader(content)).read())
            if frame.schema == _SCHEMA:
                _loaded[place] = stamp, frame
                return frame
    return pl.DataFrame(schema=_SCHEMA)


def _write(files: FileSystem, parts: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Write the index of these rows; a folder that may not be written does without."""
    settled = parts.filter(pl.col("written") < (time.time() - RACY_SECONDS) * 1e9)
    frame = rows.join(settled, on="file", maintain_order="left").select(_SCHEMA.names())
    with contextlib.suppress(OSError):
        files.put(FILE, part_bytes(frame.to_arrow()))
