"""What `lrsym status` takes of many parts of one trial each, in a folder and in an object store with a delay.

The real command in a process of its own, the start of Python included; memory is the largest that the process took. The
first time it opens every part and writes the index of how trials ended, later it reads that. The object store is
moto's server on loopback, in Python and in one process, with so much added to each request. It is given the
index that a first reader would write, which takes minutes there, and remembers the pages of a listing, each of a
thousand names: moto takes half a second for one.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import polars as pl
import pyarrow as pa

from benchmarks import fresh
from benchmarks.figures import Figure
from benchmarks.scale import command_cost
from lrsym.config.trial import Trial
from lrsym.results.store import index
from lrsym.results.store.store import Store
from lrsym.sweep.execution.rows import status_rows
from tests.s3_server import S3Server, running


def measure(*, parts: int, repeats: int) -> list[Figure]:
    """Figures of a store of so many parts in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        file, store = fresh.write_sweep(Path(folder) / "status.toml", trials=parts, axes={}), Store(f"{folder}/results")
        write_parts(store, parts)
        time.sleep(index.RACY_SECONDS + 1)  # what is younger stays out of the index
        name = f"{parts:,} parts in a folder"
        first = _figures(name, file, store, n=1, how="without an index")
        return first + _figures(name, file, store, n=repeats)


def measure_s3(*, parts: int, repeats: int, delay: float) -> list[Figure]:
    """Figures of so many parts in an object store where each request takes `delay` seconds longer."""
    name = f"{parts:,} parts in an object store, {delay * 1000:g} ms"
    with tempfile.TemporaryDirectory() as folder, _object_store() as (server, store):
        file = fresh.write_sweep(Path(folder) / "status.toml", trials=parts, axes={})
        rows = write_parts(store, parts)
        index._write(store.files, rows.join(index._frame(store.files.stamps("trials")), on="file"), folder=None)
        server.tell(delay=delay, remember=True)
        _figures(name, file, store, n=1)  # the pages are remembered from here on
        before = server.tell()
        figures = _figures(name, file, store, n=repeats)
        requests = sum((server.tell() - before).values()) / repeats
        return [*figures, Figure.of([requests], variant="with an index", unit="requests", benchmark=_named(name))]


def _figures(place: str, file: Path, store: Store, *, n: int, how: str = "with an index") -> list[Figure]:
    """Return the time and the memory of `n` commands."""
    line = [sys.executable, "-m", "lrsym", "status", str(file), "--results", store.files.uri()]
    seconds, megabytes = zip(*(fresh.call(command_cost, line) for _ in range(n)), strict=True)
    return [
        Figure.of(seconds, benchmark=_named(place), variant=how, unit="s"),
        Figure.of(megabytes, benchmark=_named(place), variant=f"memory, {how}", unit="MB"),
    ]


def _named(place: str) -> str:
    return f"lrsym status, {place}"


def write_parts(store: Store, n: int) -> pl.DataFrame:
    """Write `n` parts, each with the row of one done trial of the sweep of all default values, by its seed.

    Return what an index holds of them, but for their stamps.
    """
    made = status_rows([Trial(seed=0)], status="done", message=None, run_id="0" * 16)["trials"]
    place, field = made.schema.get_field_index("trial_id"), made.schema.field("trial_id")

    def write(seed: int) -> str:
        trial_id = Trial(seed=seed).trial_id
        store.write(trial_id, {"trials": made.set_column(place, field, pa.array([trial_id]))})
        return trial_id

    with ThreadPoolExecutor(8) as pool:
        ids = pl.Series("trial_id", [*pool.map(write, range(n))])
    row = pl.DataFrame(made).select(index.OUTCOME).drop("trial_id")
    return ids.to_frame().join(row, how="cross").with_columns(file="trials/" + ids + ".parquet")


@contextmanager
def _object_store() -> Iterator[tuple[S3Server, Store]]:
    """Yield a server and a store in it, which processes started meanwhile find as well."""
    with running() as server, mock.patch.dict(os.environ, server.environment):
        server.make_bucket()
        yield server, Store("s3://bucket/results")
