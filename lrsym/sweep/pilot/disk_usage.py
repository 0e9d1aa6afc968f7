"""How many bytes the rows of a trial take, from the part files that one short pack wrote."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lrsym.results.store.schema import TABLES
from lrsym.results.store.table import array
from lrsym.sweep.pilot.measurement import DiskUsage


def disk_usage(root: Path, part: str, *, points: int) -> DiskUsage:
    """Return the bytes of the part files named `part` by what they belong to.

    `points` is how many evaluations its trials will have; there are two of them or more.

    A file of one trial against one of all tells what belongs to a pack. Curves, those of the mechanism too, are
    repeated to their length, once with the values of the short training, many of them alike, and once with every value
    different: real curves compress to something between.
    """
    paths = {name: root / name / f"{part}.parquet" for name in TABLES}
    tables = {name: pq.ParquetFile(path).read() for name, path in paths.items() if path.exists()}
    ids = tables["trials"]["trial_id"].to_pylist()
    along = [tables.pop(name) for name in [*tables] if "step" in TABLES[name].key]
    empty, low, high = map(sum, zip(*(_along_training(table, points) for table in along), strict=True))
    every = sum(_size(table) for table in tables.values())
    one = sum(_size(_where(table, "trial_id", ids[0])) for table in tables.values())
    trial = (every - one) / (len(ids) - 1)
    point = (low / (len(ids) * points), high / (len(ids) * points))
    return DiskUsage(pack=every - trial * len(ids) + empty, trial=trial, point=point)


def _along_training(curves: pa.Table, points: int) -> tuple[int, int, int]:
    """Return the bytes of a table of curves without rows, and those of all trials, at least and at most."""
    curves = _repeated(curves, points)
    empty = _size(curves.slice(0, 0))
    low, high = (max(0, _size(table) - empty) for table in (curves, _with_noise(curves)))
    return empty, low, max(low, high)


def _with_noise(curves: pa.Table) -> pa.Table:
    """Return the table with a random number in place of each that is no whole one."""
    rng = np.random.default_rng(0)
    for index, field in enumerate(curves.schema):
        column = curves.column(index).combine_chunks()
        if pa.types.is_floating(field.type):
            curves = curves.set_column(index, field, array(rng.random(len(column)).tolist(), field.type))
        elif pa.types.is_list(field.type):
            values = array(rng.random(len(column.values)).tolist(), field.type.value_type)
            curves = curves.set_column(index, field, pa.ListArray.from_arrays(column.offsets, values))
    return curves


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
