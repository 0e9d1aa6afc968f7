"""The store: a folder of Parquet tables in which finished packs appear at once or not at all.

    <root>/<table>/<part>.parquet

A pack writes one part file to each table, the table `trials` last: a trial counts as finished when its row is there.
Part files appear complete and are named after what they contain, so a pack that runs twice replaces itself. Readers
take one attempt for each trial (a result before a stopped training, that before a failure, then the newest, then the
last part by name) and, in the other tables, the rows of that attempt.
"""

import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lrsym.config.axes import axes
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.schema import TABLES
from lrsym.vocabulary import FINAL_STATUSES, GRID_STOP_RULES

STALE_SECONDS = 3600
"""Temporary files older than this belong to writers that were killed."""


class Store:
    """The tables below one folder; nothing is created before the first write.

    `root` names the folder in messages, `files` reads and writes what is in it. Raises UsageError for what cannot be
    a results folder.
    """

    def __init__(self, root: str) -> None:
        self.files = open_filesystem(root)
        self.root = self.files.root

    def prove_writable(self) -> None:
        """Make the folder and write a file that vanishes at once. Raises OSError where that cannot be."""
        self.files.prove_writable()

    def write(self, part: str, tables: Mapping[str, pa.Table]) -> None:
        """Write `tables` as `part`, the table `trials` last. Safe to repeat, and to be killed at any moment."""
        for name in sorted(tables, key=lambda name: name == "trials"):
            content = pa.BufferOutputStream()
            pq.write_table(tables[name], content, compression="zstd")
            self.files.put(_part_file(name, part), memoryview(content.getvalue()))

    def part_statuses(self, part: str) -> Counter[str]:
        """Return how many trials of `part` ended in which status; empty where it is not written."""
        name = _part_file("trials", part)
        if not self.files.exists(name):
            return Counter()
        return Counter(pl.read_parquet(self.files.uri(name), columns=["status"], glob=False)["status"])

    def read_part(self, table: str, part: str) -> pl.DataFrame:
        """Return the rows that `part` has in `table`; none where it is not written."""
        name = _part_file(table, part)
        empty = TABLES[table].empty
        if not self.files.exists(name):
            return empty
        return pl.read_parquet(self.files.uri(name), glob=False).match_to_schema(
            empty.schema, missing_columns="insert", extra_columns="ignore"
        )

    def scan(self, table: str) -> pl.LazyFrame:
        """Return the rows of `table`, one attempt for each trial; empty but typed where nothing is written yet."""
        if table == "runs":
            runs = self._parts("runs").sort("finished_at", "part", nulls_last=False)
            return runs.unique("run_id", keep="last", maintain_order=True).drop("part")
        if table == "suggestions":
            known = pl.col("state") != "running"
            rows = self._parts(table).sort("search", "number", known, "finished_at", "part", nulls_last=False)
            return rows.unique(TABLES[table].key, keep="last", maintain_order=True).drop("part")
        best = _best_attempts(self._parts("trials"))
        if table == "trials":
            return best.drop("part")
        return (
            self._parts(table).join(best.select("trial_id", "part"), on=["trial_id", "part"], how="semi").drop("part")
        )

    def statuses(self, *, stop_rule: str | None = None) -> dict[str, str]:
        """Return the status by trial_id of every trial in the store; those that `stop_rule` stopped are done."""
        attempts = self._parts("trials").select("trial_id", "status", "stop_rule", "finished_at").drop_nulls("status")
        status = pl.when(stopped_by(stop_rule)).then(pl.lit("done")).otherwise("status").alias("status")
        frame = _best_last(attempts).select("trial_id", status).collect()
        # Of several attempts a dict keeps the last. Interned: a million trials share five strings.
        return dict(zip(frame["trial_id"], map(sys.intern, frame["status"]), strict=True))

    def compact(self) -> int:
        """Merge the part files of every table into one; return how many were merged. Do not run beside a sweep.

        Killed half-way it leaves some rows twice on disk, in part files that readers tell apart.
        """
        # Listed before anything is read: a part that appears meanwhile is not removed. Trials go first: without its
        # row in `trials`, an old part is not read any more.
        old = {table: self._files(table) for table in sorted(TABLES, key=lambda table: table != "trials")}
        if all(len(files) <= 1 for files in old.values()):
            return 0
        merged = {name: self.scan(name).collect().to_arrow().cast(t.arrow) for name, t in TABLES.items()}
        part = f"compact-{uuid.uuid4().hex[:16]}"
        self.write(part, {name: table for name, table in merged.items() if table.num_rows})
        for name in chain.from_iterable(old.values()):
            self.files.delete(name)
        return sum(map(len, old.values()))

    def remove_stale_temp_files(self) -> None:
        """Remove temporary files that killed writers left behind."""
        self.files.remove_stale_temp_files(older_than=STALE_SECONDS)

    def _files(self, table: str) -> list[str]:
        return self.files.list(table, suffix=".parquet")

    def _parts(self, table: str) -> pl.LazyFrame:
        """Return all rows on disk, with the file name of their part, in the order of these names."""
        empty = TABLES[table].empty
        files = self._files(table)
        if not files:
            return empty.lazy().with_columns(part=pl.lit(None, dtype=pl.String))
        frame = pl.scan_parquet(
            [self.files.uri(name) for name in files],
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
    """Return the table `trials` of the store at `root`, one row for each trial; only `trial_ids` where given."""
    return load(root, "trials", trial_ids=trial_ids)


def stopped_by(*rules: str | None) -> pl.Expr:
    """Return whether a row of the table `trials` was stopped by one of `rules`; None stands for no rule."""
    return pl.col("stop_rule").is_in([rule for rule in rules if rule]).fill_null(value=False)


def load(root: str | Path, table: str, *, trial_ids: Iterable[str] | None = None) -> pl.LazyFrame:
    """Return any table of the store at `root`, only rows of `trial_ids` where given; see docs/columns.md.

    Of suggestions these are the ones that chose any of the trials; runs has rows of no trial and stays whole.
    """
    frame = Store(str(root)).scan(table)
    if trial_ids is None or table == "runs":
        return frame
    wanted = pl.Series(trial_ids if isinstance(trial_ids, pl.Series) else list(trial_ids), dtype=pl.String).implode()
    if table == "suggestions":
        return frame.filter(pl.col("trial_ids").list.eval(pl.element().is_in(wanted)).list.any())
    return frame.filter(pl.col("trial_id").is_in(wanted))


def _part_file(table: str, part: str) -> str:
    return f"{table}/{part}.parquet"


def _best_attempts(trials: pl.LazyFrame) -> pl.LazyFrame:
    """Return one attempt for each trial: the best (`_best_last`), then the newest, then the last part by name."""
    return _best_last(trials).unique("trial_id", keep="last", maintain_order=True)


def _best_last(trials: pl.LazyFrame) -> pl.LazyFrame:
    """Return the attempts with the best of each trial behind its others; `trials` come in the order of their parts.

    Results are better than trainings that were stopped, of these the ones that count as outcomes, and any of them than
    a failure.
    """
    final, stopped = pl.col("status").is_in(FINAL_STATUSES), pl.col("status") == "stopped"
    return trials.sort(final, stopped_by(*GRID_STOP_RULES), stopped, "finished_at", maintain_order=True)
