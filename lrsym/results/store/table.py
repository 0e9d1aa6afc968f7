"""What a table of the store is: its columns with types, units and sentences, and rows built in these types."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from typing import Any

import polars as pl
import pyarrow as pa

SCHEMA_VERSION = 1

TEXT, INT, FLOAT, TIME = pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", tz="UTC")
"""The Arrow types of most columns."""

VERSION_KEY, TABLE_KEY, PART_KEY = "lrsym_schema_version", "lrsym_table", "lrsym_part"
"""Under these keys the metadata of a file hold the schema's version, its table and its part."""

BESIDE_KEY = "lrsym_tables"
"""Under this key those of the table trials hold the other tables of its part, with commas between them."""


@dataclass(frozen=True)
class Column:
    """One column; `type` is the Arrow type it is written with, unless it is `derived` from others when it is read."""

    name: str
    type: pa.DataType
    unit: str
    sentence: str
    derived: bool = False


@dataclass(frozen=True)
class Table:
    """One table; `key` names the columns that tell its rows apart."""

    name: str
    sentence: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of what is written, with the schema version in its metadata."""
        fields = [pa.field(c.name, c.type) for c in self.columns if not c.derived]
        return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION)})

    @cached_property
    def empty(self) -> pl.DataFrame:
        """A frame of its columns as they are read, without rows."""
        return pl.DataFrame(schema=pl.Schema([pa.field(c.name, c.type) for c in self.columns]))

    @cached_property
    def written(self) -> pl.Schema:
        """The schema of what is written."""
        return pl.Schema(self.arrow)

    def named(self, rows: pa.Table, *, part: str, beside: Iterable[str]) -> pa.Table:
        """Return `rows` with metadata that name this table and `part`, and for trials the tables `beside`."""
        known = {**(rows.schema.metadata or {}), **(self.arrow.metadata or {})}  # as bytes: so are the keys below
        own = {TABLE_KEY: self.name, PART_KEY: part}
        if self.name == "trials":
            own[BESIDE_KEY] = ",".join(sorted(beside))
        return rows.replace_schema_metadata({**known, **{key.encode(): value for key, value in own.items()}})

    def build(self, rows: Iterable[dict[str, object]]) -> pa.Table:
        """Return an Arrow table of `rows`; columns that a row lacks are null.

        Raises ValueError for a column this table does not have.
        """
        rows = list(rows)
        unknown = {name for row in rows for name in row} - {*self.arrow.names}
        if unknown:
            raise ValueError(f"table {self.name} has no column {', '.join(sorted(unknown))}; add it to schema.py")
        arrays = [array([row.get(field.name) for row in rows], field.type) for field in self.arrow]
        return pa.Table.from_arrays(arrays, schema=self.arrow)


def array(values: Sequence[Any], type: pa.DataType) -> pa.Array:
    """Return an Arrow array of Python values.

    It is made through polars: Arrow's own way there imports pandas, a quarter of a second. Lists go end to end, cut
    where one begins: list by list polars takes five times as long.
    """
    if pa.types.is_list(type):
        lists = [value or () for value in values]
        cuts = [*accumulate(map(len, lists), initial=0)]
        starts = [None if value is None else cut for value, cut in zip(values, cuts[:-1], strict=True)]
        offsets = array([*starts, cuts[-1]], pa.int32())
        return pa.ListArray.from_arrays(offsets, array([*chain.from_iterable(lists)], type.value_type))
    (dtype,) = pl.Schema([pa.field("", type)]).values()
    return pl.Series(values, dtype=dtype).to_arrow().cast(type)


FEW_TRIALS = 10_000
"""So many identities are compared with each row as it is read, so that parts without them are skipped; more are not:
every batch of rows would make a set of all of them anew."""


def rows_of_trials(rows: pl.LazyFrame, trial_ids: pl.Series, *, few: int = FEW_TRIALS) -> pl.LazyFrame:
    """Return the `rows` of these trials, in the order of `rows`; more than `few` trials are joined, once."""
    if len(trial_ids) <= few:
        return rows.filter(pl.col("trial_id").is_in(trial_ids.implode()))
    wanted = trial_ids.alias("trial_id").to_frame().lazy()
    return rows.join(wanted, on="trial_id", how="semi", maintain_order="left")
