"""The store: a folder of Parquet tables in which finished packs appear at once or not at all.

    <root>/<table>/<part>.parquet

A pack writes one part file to each table, the table `trials` last: a trial counts as finished when its row is there.
Part files appear complete and are named after what they contain, so a pack that runs twice replaces itself. Readers
take one attempt for each trial (a result before a stopped training, that before a failure, then the newest, then the
last part by name) and, in the other tables, the rows of that attempt. Files that are no parts (part_file.py) are left
alone; a damaged part is told, and read around.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Literal, TypeVar

import polars as pl
import pyarrow as pa

from lrsym.config.axes import axes
from lrsym.results.store.attempts import best_attempts, best_last, choose_rows, has_each_once, stopped_by
from lrsym.results.store.digest import part_bytes
from lrsym.results.store.filesystem import LocalFolder, Stamp, open_filesystem
from lrsym.results.store.imported import refuse_imported
from lrsym.results.store.index import OUTCOME, read_outcomes
from lrsym.results.store.mechanism_path import paths, with_paths
from lrsym.results.store.mirror_pairs import expected_mirror_pairs
from lrsym.results.store.part_file import (
    Listing,
    judge,
    list_parts,
    part_file,
    require_no_damage,
    run_part,
    warn_of_damage,
)
from lrsym.results.store.place import refuse_inner_folder
from lrsym.results.store.schema import OF_TRIALS, TABLES
from lrsym.results.store.table import rows_of_trials
from lrsym.vocabulary import FAILED_STATUSES

Result = TypeVar("Result")

STALE_SECONDS = 3600
"""Temporary files older than this belong to writers that were killed."""

MAX_READS = 100
"""How often reading begins again where parts were merged into another meanwhile."""


class Store:
    """The tables below one folder; nothing is created before the first write.

    `root` names the folder in messages, `files` reads and writes what is in it; with `must_exist` as `open_filesystem`.
    Raises UsageError for what cannot be a results folder, such as a folder in one.
    """

    def __init__(self, root: str, *, must_exist: bool = False) -> None:
        self.files = open_filesystem(root, must_exist=must_exist)
        self.root = self.files.root
        refuse_inner_folder(self.root)
        if isinstance(self.files, LocalFolder):  # an object store is asked once, before the first write
            refuse_imported(self.files)

    def prove_writable(self) -> None:
        """Make the folder and write a file that vanishes at once. Raises OSError where that cannot be."""
        refuse_imported(self.files)
        self.files.prove_writable()

    def write(self, part: str, tables: Mapping[str, pa.Table], *, written: Iterable[str] = ()) -> None:
        """Write `tables` as `part`, which has those `written` before, the table `trials` last.

        Safe to repeat, and to be killed at any moment.
        """
        beside = {*tables, *written} - {"trials"}
        for name in sorted(tables, key=lambda name: name == "trials"):
            table = TABLES[name].named(tables[name], part=part, beside=beside)
            self.files.put(part_file(name, part), part_bytes(table))

    def has_run(self, run_id: str) -> bool:
        """Return whether the row of a run is there, in its own part or a merged one."""
        if self.files.exists(part_file("runs", run_part(run_id))):
            return True
        runs = read_again(lambda: self.scan("runs").filter(pl.col("run_id") == run_id).collect())
        return not runs.is_empty()

    def part_statuses(self, part: str) -> Counter[str]:
        """Return how many trials of `part` ended in which status; empty where it is not written."""
        return Counter(self.read_part("trials", part)["status"])

    def read_part(self, table: str, part: str) -> pl.DataFrame:
        """Return the rows that `part` has in `table`; none where it is not written, or another file has its name."""
        name = part_file(table, part)
        if not self.files.exists(name):
            return TABLES[table].empty
        try:
            if judge(self.files, name, table) == "foreign":
                return TABLES[table].empty
            rows = pl.read_parquet(self.files.uri(name), glob=False, storage_options=self.files.storage_options)
        except FileNotFoundError:  # merged into another part since
            return TABLES[table].empty
        rows = rows.match_to_schema(TABLES[table].written, missing_columns="insert", extra_columns="ignore")
        if table != "trials":
            return rows
        return _derive(rows.lazy(), lambda _: paths(self.read_part("ablations", part).lazy()).collect()).collect()

    def require_no_damage(self) -> None:
        """Raise UsageError for damaged parts, and files in the place of parts: they would be taken as not there."""
        listings = [list_parts(self.files, table) for table in TABLES]
        require_no_damage(self.files, [damage for found in listings for damage in (*found.damaged, *found.misnamed)])

    def scan(self, table: str, *, trial_ids: pl.Series | None = None) -> pl.LazyFrame:
        """Return the rows of `table`, one attempt for each trial; empty but typed where nothing is written yet.

        Only rows of `trial_ids` where given, which only tables with rows of trials may be asked for.
        """
        none = trial_ids is not None and trial_ids.is_empty()  # as where two stores have no trial in common

        def parts(table: str) -> list[str]:
            return [] if none else self._list(table)

        # Trials are listed first: what belongs to a row of theirs was there before.
        trials = self.rows_of("trials", parts("trials")) if _of_attempts(table) else None
        rows = trials if trials is not None and table == "trials" else self.rows_of(table, parts(table))
        if table != "trials" or not has_each_once(rows):
            rows = choose_rows(table, rows, trials=trials)
        rows = rows.drop("part")
        if trial_ids is not None:
            rows = rows_of_trials(rows, trial_ids)
        return _derive(rows, self._read_paths) if table == "trials" else rows

    def run_statuses(self, run_id: str) -> Counter[str]:
        """Return how many trials a run left in the store in which status; of its attempts at one the best counts."""

        own = self._all_outcomes().lazy().filter(pl.col("run_id") == run_id)
        return Counter(best_attempts(own).select("status").collect()["status"].drop_nulls())

    def trial_parts(self) -> dict[str, Stamp]:
        """Return the parts of the table `trials`, each with a stamp that differs once it is written again."""
        return list_parts(self.files, "trials").parts

    def statuses(self, *, stop_rule: str | None = None, parts: Iterable[str] | None = None) -> dict[str, str]:
        """Return the status by trial_id of every trial in the store, or in `parts`; those that `stop_rule` stopped
        are done. Raises FileNotFoundError where a part given has been merged."""
        status = pl.when(stopped_by(stop_rule)).then(pl.lit("done")).otherwise("status").alias("status")
        rows = self._all_outcomes() if parts is None else self._read_outcomes(parts)
        frame = best_last(rows.lazy().drop_nulls("status")).select("trial_id", status).collect()
        # Of several attempts a dict keeps the last. Interned: a million trials share five strings.
        return dict(zip(frame["trial_id"], map(sys.intern, frame["status"]), strict=True))

    def outcomes(self) -> pl.DataFrame:
        """Return how every trial in the store ended, one attempt for each, in the columns index.OUTCOME."""
        return best_attempts(self._all_outcomes().lazy()).drop("file").collect()

    def _all_outcomes(self) -> pl.DataFrame:
        """Return how every attempt ended, in the order of their parts."""

        def list_trials() -> Listing:
            listing = list_parts(self.files, "trials")
            warn_of_damage(self.files, listing.damaged)
            return listing

        return read_again(lambda: read_outcomes(self.files, list_trials, self._read_outcomes))

    def _read_outcomes(self, parts: Iterable[str]) -> pl.DataFrame:
        rows = self.rows_of("trials", parts).with_columns(file="trials/" + pl.col("part"))
        return rows.select("file", *OUTCOME).collect()

    def failures(self) -> dict[str, int]:
        """Return how many runs have tried a trial in vain, by trial_id, whatever came of it since."""
        failed = self._all_outcomes().filter(pl.col("status").is_in(FAILED_STATUSES))
        counted = failed.group_by("trial_id").agg(pl.col("attempts").fill_null(1).max())
        return dict(counted.iter_rows())

    def compact(self) -> int:
        """Merge small part files of every table (generations.py); return how many were merged. Safe beside a sweep.

        Files that lrsym did not write are left alone. Raises UsageError where a part is damaged.
        """
        from lrsym.results.store.compact import compact

        require_no_damage(self.files, chain.from_iterable(list_parts(self.files, table).damaged for table in TABLES))
        return compact(self)

    def remove_stale_temp_files(self) -> None:
        """Remove temporary files that killed writers left behind."""
        self.files.remove_stale_temp_files(older_than=STALE_SECONDS)

    def _read_paths(self, trial_ids: pl.Series) -> pl.DataFrame:
        return read_again(lambda: paths(self.scan("ablations", trial_ids=trial_ids)).collect())

    def _list(self, table: str) -> list[str]:
        """Return the part files of `table`; warn of those that are damaged."""
        listing = list_parts(self.files, table)
        warn_of_damage(self.files, listing.damaged)
        return [*listing.parts]

    def rows_of(
        self, table: str, files: Iterable[str], *, extra_columns: Literal["ignore", "raise"] = "ignore"
    ) -> pl.LazyFrame:
        """Return all rows of these files of `table`, with the file name of their part, in the order of `files`.

        Columns that this version does not know are left out, or an error of polars when the rows are collected.
        """
        schema, sources = TABLES[table].written, [self.files.uri(name) for name in files]
        if not sources:
            return pl.LazyFrame(schema=schema).with_columns(part=pl.lit(None, dtype=pl.String))
        frame = pl.scan_parquet(
            sources,
            schema=schema,
            missing_columns="insert",
            extra_columns=extra_columns,
            include_file_paths="part",
            glob=False,
            storage_options=self.files.storage_options,
        )
        named = frame.filter(pl.col(TABLES[table].key[0]).is_not_null())
        # Rows older than an axis were trained as if it had its neutral value.
        neutral = {axis.name: axis.neutral for axis in axes() if axis.neutral is not None and table == "trials"}
        named = named.with_columns(pl.col(name).fill_null(value) for name, value in neutral.items())
        return named.with_columns(pl.col("part").str.split("/").list.last())


def read_again(read: Callable[[], Result]) -> Result:
    """Return what `read` gives, from the beginning where files that it has listed are gone: `compact` merged them."""
    for _ in range(MAX_READS - 1):
        try:
            return read()
        except FileNotFoundError:
            continue
    return read()


def load_trials(root: str | Path = "results", *, trial_ids: Iterable[str] | None = None) -> pl.LazyFrame:
    """Return the table `trials` of the store at `root`, one row for each trial; only `trial_ids` where given."""
    return load(root, "trials", trial_ids=trial_ids)


def load(root: str | Path, table: str, *, trial_ids: Iterable[str] | None = None) -> pl.LazyFrame:
    """Return any table of the store at `root`, only rows of `trial_ids` where given; see docs/columns.md.

    Of suggestions these are the ones that chose any of the trials; runs has rows of no trial and stays whole.
    """
    store = Store(str(root))
    if trial_ids is None or table == "runs":
        return store.scan(table)
    wanted = pl.Series(trial_ids if isinstance(trial_ids, pl.Series) else list(trial_ids), dtype=pl.String)
    if table == "suggestions":
        of_any = pl.col("trial_ids").list.eval(pl.element().is_in(wanted.implode())).list.any()
        return store.scan(table).filter(of_any)
    return store.scan(table, trial_ids=wanted)


def _of_attempts(table: str) -> bool:
    """Return whether rows of `table` are, or belong to, attempts at a trial."""
    return table in OF_TRIALS


def _derive(trials: pl.LazyFrame, read_paths: Callable[[pl.Series], pl.DataFrame]) -> pl.LazyFrame:
    """Return trials with their derived columns; `read_paths` as `with_paths` has it."""
    decay_times = pl.col("trained_steps") * pl.col("learning_rate") * pl.col("weight_decay")
    return with_paths(trials, read_paths).with_columns(decay_times=decay_times, mirror_pairs=expected_mirror_pairs())
