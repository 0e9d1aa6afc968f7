"""Removing the rows of trials: parts are written anew without them, or deleted where nothing is left.

Each part is replaced at once, the table `trials` first: killed on the way, it leaves rows that nobody reads, and the
same removal goes on. What a search knows of such trials is taken back before, so that it trains their cells again.
"""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lrsym.errors import UsageError
from lrsym.results.store.check import require_as_written
from lrsym.results.store.digest import part_bytes
from lrsym.results.store.part_file import list_parts, part_file, part_name
from lrsym.results.store.schema import OF_TRIALS
from lrsym.results.store.store import Store, read_again

if TYPE_CHECKING:
    from lrsym.results.store.filesystem import FileSystem

MAX_ROUNDS = 20
"""How often the removal begins again where others write the rows anew."""

_UNKNOWN = {"objective": None, "intermediate": None, "finished_at": None}
"""Columns of a suggestion whose outcome is not known."""


def count_rows(store: Store, trial_ids: Iterable[str]) -> dict[str, int]:
    """Return how many rows of these trials each table has, those of every attempt; tables without any are left out."""
    wanted = _wanted(trial_ids)
    counts = {table: sum(n for _, n in read_again(lambda t=table: _parts(store, t, wanted))) for table in OF_TRIALS}
    return {table: n for table, n in counts.items() if n}


def remove_rows(store: Store, trial_ids: Iterable[str], *, search: str | None = None) -> None:
    """Remove every row of these trials; of the search of that key, what it has asked for, too.

    Raises UsageError where a part is damaged, or another process writes them again meanwhile.
    """
    trial_ids = [*trial_ids]
    wanted = _wanted(trial_ids)
    store.require_no_damage()
    require_removable(store, trial_ids)
    for _ in range(MAX_ROUNDS):
        try:
            _take_back_outcomes(store, wanted)
            found = [(table, name) for table in OF_TRIALS for name, _ in _parts(store, table, wanted)]
            for _, name in found:
                with contextlib.suppress(FileNotFoundError):  # with the trials of its part, or merged meanwhile
                    _rewrite(store.files, name, pl.col("trial_id").is_in(wanted).fill_null(value=False))
            if search is not None:
                for name in list_parts(store.files, "suggestions").parts:
                    _rewrite(store.files, name, pl.col("search") == search)
            if not found:
                break
        except FileNotFoundError:  # merged meanwhile
            continue
    else:
        raise UsageError(
            f"rows in {store.root} are written again by another process, such as lrsym compact; run the same command "
            "again when that has ended"
        )


def require_removable(store: Store, trial_ids: Iterable[str]) -> None:
    """Raise UsageError where a part that the removal of these trials may write anew is not as it was written."""
    wanted = _wanted(trial_ids)
    found = [name for table in OF_TRIALS for name, _ in read_again(lambda t=table: _parts(store, t, wanted))]
    require_as_written(store.files, [*found, *list_parts(store.files, "suggestions").parts])


def _wanted(trial_ids: Iterable[str]) -> pl.Series:
    return pl.Series([*trial_ids], dtype=pl.String).implode()


def _parts(store: Store, table: str, wanted: pl.Series) -> list[tuple[str, int]]:
    """Return the files of `table` that have rows of the wanted trials, with their number."""
    files = [*list_parts(store.files, table).parts]
    if not files:
        return []
    by_name = {part_name(name): name for name in files}
    rows = pl.scan_parquet(
        [store.files.uri(name) for name in files], schema={"trial_id": pl.String},
        missing_columns="insert", extra_columns="ignore",
        include_file_paths="part", glob=False, storage_options=store.files.storage_options,
    )  # fmt: skip
    counts = rows.filter(pl.col("trial_id").is_in(wanted)).group_by("part").len().collect()
    return sorted((by_name[part_name(part)], n) for part, n in counts.iter_rows())


def _rewrite(files: "FileSystem", name: str, unwanted: pl.Expr) -> None:
    """Write a part without the rows that are unwanted; whatever columns and metadata it has stay.

    Without trials the whole part goes; beside some an empty table stays, which they say was written with them.
    """
    table, trials = _read(files, name), part_file("trials", part_name(name))
    gone = _mask(table, unwanted)
    if gone.all() and (name == trials or not files.exists(trials)):
        for each in [name, *(part_file(of, part_name(name)) for of in OF_TRIALS if name == trials)]:
            files.delete(each)
    elif gone.any():
        _write(files, name, table.filter((~gone).to_arrow()))


def _take_back_outcomes(store: Store, wanted: pl.Series) -> None:
    """Make the outcome of suggestions with a wanted trial unknown; what was told of other sweeps stays told."""
    concerned = pl.col("trial_ids").list.eval(pl.element().is_in(wanted)).list.any() & (pl.col("origin") != "reused")
    for name in list_parts(store.files, "suggestions").parts:
        table = _read(store.files, name)
        if (back := _mask(table, concerned & (pl.col("state") != "running"))).any():
            _write(store.files, name, _replaced(table, back, {"state": "running", **_UNKNOWN}))


def _replaced(table: pa.Table, rows: pl.Series, values: dict[str, str | None]) -> pa.Table:
    """Return `table` with these values in `rows`."""
    mask = rows.to_arrow()
    for column, value in values.items():
        place, kind = table.schema.get_field_index(column), table.schema.field(column).type
        kept = table[column].to_pylist()
        new = [value if here else old for here, old in zip(mask.to_pylist(), kept, strict=True)]
        table = table.set_column(place, table.schema.field(column), pa.array(new, kind))
    return table


def _mask(table: pa.Table, condition: pl.Expr) -> pl.Series:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.select(condition.fill_null(value=False).alias("mask"))["mask"]


def _read(files: "FileSystem", name: str) -> pa.Table:
    return pq.read_table(pa.BufferReader(files.get(name)))


def _write(files: "FileSystem", name: str, table: pa.Table) -> None:
    files.put(name, part_bytes(table))
