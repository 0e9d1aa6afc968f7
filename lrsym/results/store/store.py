"""The store: a folder of Parquet tables in which finished packs appear at once or not at all.

    <root>/<table>/<part>.parquet

A pack writes one part to each table, the table `trials` last: a trial counts as finished when its row is there.
Parts are written under a temporary name, flushed and renamed, and are named after what they contain, so a pack
that runs twice replaces itself. Readers take one attempt for each trial (a result before a failure, then the
newest) and, in the other tables, the rows of that attempt.
"""

import contextlib
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lrsym.config.axes import axes
from lrsym.errors import UsageError
from lrsym.results.store.atomic import write_atomically
from lrsym.results.store.schema import TABLES
from lrsym.vocabulary import FINAL_STATUSES

STALE_SECONDS = 3600
"""Temporary files older than this belong to writers that were killed."""


class Store:
    """The tables below one folder; nothing is created before the first write."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"results must be a folder, {self.root} is a file; name another with --results")

    def prove_writable(self) -> None:
        """Make the folder and a file that vanishes at once; raises OSError where that cannot be."""
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.root):
            pass

    def write(self, part: str, tables: Mapping[str, pa.Table]) -> None:
        """Write `tables` as `part`, the table `trials` last. Safe to repeat, and to be killed at any moment."""
        for name in sorted(tables, key=lambda name: name == "trials"):
            table = tables[name]
            write_atomically(
                self._path(name, part), lambda file, table=table: pq.write_table(table, file, compression="zstd")
            )

    def part_statuses(self, part: str) -> Counter[str]:
        """How many trials of `part` ended in which status; empty where it is not written."""
        path = self._path("trials", part)
        return Counter(pl.read_parquet(path, columns=["status"], glob=False)["status"] if path.exists() else [])

    def scan(self, table: str) -> pl.LazyFrame:
        """The rows of `table`, one attempt for each trial; empty but typed where nothing is written yet."""
        if table == "runs":
            runs = self._parts("runs").sort("finished_at", "part", nulls_last=False)
            return runs.unique("run_id", keep="last", maintain_order=True).drop("part")
        winners = _winners(self._parts("trials"))
        if table == "trials":
            return winners.drop("part")
        return (
            self._parts(table)
            .join(winners.select("trial_id", "part"), on=["trial_id", "part"], how="semi")
            .drop("part")
        )

    def statuses(self) -> dict[str, str]:
        """Status by trial_id of every trial in the store."""
        frame = _winners(self._parts("trials")).select("trial_id", "status").collect()
        return dict(frame.iter_rows())

    def compact(self) -> int:
        """Merge the parts of every table into one; returns how many files went. Do not run beside a sweep.

        Killed half-way it leaves some rows twice on disk, in parts that readers tell apart.
        """
        # Listed before anything is read: a part that appears meanwhile is not removed.
        old = [path for name in TABLES for path in self._files(name)]
        if len(old) == len({path.parent for path in old}):
            return 0
        merged = {name: self.scan(name).collect().to_arrow().cast(t.arrow) for name, t in TABLES.items()}
        part = f"compact-{uuid.uuid4().hex[:16]}"
        self.write(part, {name: table for name, table in merged.items() if table.num_rows})
        # Trials go first: without its row in `trials`, an old part is not read any more.
        for path in sorted(old, key=lambda path: path.parent.name != "trials"):
            path.unlink()
        return len(old)

    def sweep_up(self) -> None:
        """Remove temporary files that killed writers left behind."""
        for path in self.root.glob("*/.*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # another sweep has just finished writing it
                if path.stat().st_mtime < time.time() - STALE_SECONDS:
                    path.unlink()

    def _path(self, table: str, part: str) -> Path:
        return self.root / table / f"{part}.parquet"

    def _files(self, table: str) -> list[Path]:
        return sorted((self.root / table).glob("*.parquet"))

    def _parts(self, table: str) -> pl.LazyFrame:
        """All rows on disk, with the name of their part."""
        empty = TABLES[table].empty
        files = self._files(table)
        if not files:
            return empty.lazy().with_columns(part=pl.lit(None, dtype=pl.String))
        frame = pl.scan_parquet(
            files,
            schema=empty.schema,
            missing_columns="insert",
            extra_columns="ignore",
            include_file_paths="part",
            glob=False,
        )
        # Rows without a key come from files that are none of ours.
        named = frame.filter(pl.col(TABLES[table].key[0]).is_not_null())
        # Rows older than an axis were trained as if it had its neutral value.
        neutral = {axis.name: axis.neutral for axis in axes() if axis.neutral is not None and table == "trials"}
        named = named.with_columns(pl.col(name).fill_null(value) for name, value in neutral.items())
        return named.with_columns(pl.col("part").str.split("/").list.last())


def load_trials(root: str | Path = "results", *, trial_ids: Iterable[str] | None = None) -> pl.LazyFrame:
    """The table `trials` of the store at `root`, one row for each trial; only `trial_ids` where given."""
    return load(root, "trials", trial_ids=trial_ids)


def load(root: str | Path, table: str, *, trial_ids: Iterable[str] | None = None) -> pl.LazyFrame:
    """Any table of the store at `root`; see docs/columns.md."""
    frame = Store(Path(root)).scan(table)
    return frame if trial_ids is None else frame.filter(pl.col("trial_id").is_in(list(trial_ids)))


def _winners(trials: pl.LazyFrame) -> pl.LazyFrame:
    """One attempt for each trial: a result before a failure, then the newest."""
    result = pl.col("status").is_in(list(FINAL_STATUSES))
    return trials.sort(result, "finished_at", "part").unique("trial_id", keep="last", maintain_order=True)
