"""How many bytes the rows of a trial take, from the part files that one short pack wrote."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lrsym.results.store.schema import TABLES, array
from lrsym.sweep.pilot.measurement import DiskUsage

TRIAL_SHARE_OF_FILE = 1 / 7
"""Of the files of a pack of one, what its trial adds: the rest is names of columns. Measured on sweeps/demo.toml."""


def disk_usage(root: Path, part: str, *, points: int) -> DiskUsage:
    """Return the bytes of the part files named `part` by what they belong to.

    `points` is how many evaluations its trials will have.

    A file of one trial against one of all tells what belongs to a pack. Curves are repeated to their length, once
    with the values of the short training, many of them alike, and once with every value different: real curves
    compress to something between.
    """
    paths = {name: root / name / f"{part}.parquet" for name in TABLES}
    tables = {name: pq.ParquetFile(path).read() for name, path in paths.items() if path.exists()}
    ids = tables["trials"]["trial_id"].to_pylist()
    curves = _repeated(tables.pop("curves"), points)
    index = curves.schema.get_field_index("value")
    noise = np.random.default_rng(0).random(curves.num_rows).tolist()
    varied = curves.set_column(index, curves.schema.field(index), array(noise, curves.schema.field(index).type))
    empty = _size(curves.slice(0, 0))
    low, high = (max(0, _size(table) - empty) / (len(ids) * points) for table in (curves, varied))
    every = sum(_size(table) for table in tables.values())
    one = sum(_size(_where(table, "trial_id", ids[0])) for table in tables.values())
    trial = (every - one) / (len(ids) - 1) if len(ids) > 1 else every * TRIAL_SHARE_OF_FILE
    return DiskUsage(pack=every - trial * len(ids) + empty, trial=trial, point=(low, max(low, high)))


def _repeated(curves: pa.Table, points: int) -> pa.Table:
    """Return the last point of every curve, `points` times over, at steps of its own each time."""
    last = _where(curves, "step", max(curves["step"].to_pylist(), default=0))
    index = curves.schema.get_field_index("step")
    field = curves.schema.field(index)
    steps = np.repeat(np.arange(1, points + 1), last.num_rows).tolist()
    return pa.concat_tables([last] * points).set_column(index, field, array(steps, field.type))


def _where(table: pa.Table, column: str, value: object) -> pa.Table:
    return table.filter(array([entry == value for entry in table[column].to_pylist()], pa.bool_()))


def _size(table: pa.Table) -> int:
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.tell()
