import itertools
import os
import time
from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lrsym.errors import UsageError
from lrsym.results.store.filesystem import LocalFolder
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import STALE_SECONDS, Store, load, load_trials
from lrsym.results.store.table import SCHEMA_VERSION, array, rows_of_trials

PACK = "0123456789abcdef" * 2
"""A name that a pack gives to its part."""

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def trials(*rows):
    """A table of (trial_id, status, minutes after noon, unseen_order)."""
    return TABLES["trials"].build(
        {"trial_id": i, "status": s, "finished_at": NOON + timedelta(minutes=m), "unseen_order": v}
        for i, s, m, v in rows
    )


def curves(*rows):
    return TABLES["curves"].build(
        {"trial_id": i, "step": step, "split": "train", "metric": "loss", "value": v} for i, step, v in rows
    )


def snapshot(store):
    return {t: store.scan(t).collect().sort(pl.all().exclude(pl.List(pl.Float32))).to_dicts() for t in TABLES}


def test_an_empty_store_gives_empty_tables_with_every_column_and_creates_nothing(tmp_path):
    root = tmp_path / "results"
    for name, table in TABLES.items():
        assert Store(root).scan(name).collect().columns == [c.name for c in table.columns]
    assert Store(root).statuses() == {}
    assert not root.exists()


def test_what_is_written_is_read_back(tmp_path):
    Store(tmp_path).write("a", {"trials": trials(("x", "done", 0, 0.5)), "curves": curves(("x", 10, 1.5))})
    assert load_trials(tmp_path).select("trial_id", "unseen_order").collect().rows() == [("x", 0.5)]
    assert load(tmp_path, "curves").collect().rows() == [("x", 10, "train", "loss", 1.5)]


def test_decay_times_follow_from_the_steps_that_were_taken_and_are_not_written(tmp_path):
    row = {"trial_id": "x", "status": "done", "trained_steps": 3000, "learning_rate": 1e-3, "weight_decay": 0.2}
    Store(tmp_path).write(
        "a", {"trials": TABLES["trials"].build([row, {**row, "trial_id": "y", "trained_steps": None}])}
    )
    assert load_trials(tmp_path).sort("trial_id").collect()["decay_times"].to_list() == [pytest.approx(0.6), None]
    assert "decay_times" not in pl.read_parquet_schema(tmp_path / "trials" / "a.parquet")


def test_writing_a_part_again_replaces_it(tmp_path):
    store = Store(tmp_path)
    for _ in range(3):
        store.write("a", {"trials": trials(("x", "done", 0, 0.5)), "curves": curves(("x", 10, 1.5))})
    assert len(load(tmp_path, "curves").collect()) == len(load_trials(tmp_path).collect()) == 1


def test_a_result_wins_over_a_failure_and_the_newer_result_over_the_older(tmp_path):
    store = Store(tmp_path)
    store.write("a", {"trials": trials(("x", "crashed", 9, None), ("y", "done", 1, 0.1))})
    store.write("b", {"trials": trials(("x", "done", 2, 0.2), ("y", "done", 3, 0.3))})
    assert dict(load_trials(tmp_path).select("trial_id", "unseen_order").collect().rows()) == {"x": 0.2, "y": 0.3}
    assert store.statuses() == {"x": "done", "y": "done"}


def test_rows_are_sorted_only_where_a_trial_has_several(tmp_path):
    store = Store(tmp_path)
    store.write("a", {"trials": trials(("x", "crashed", 9, None))})
    store.write("b", {"trials": trials(("y", "done", 3, 0.3))})
    asked = load_trials(tmp_path).select("trial_id", "unseen_order")
    assert "SORT" not in asked.explain()
    assert asked.collect().rows() == [("x", None), ("y", 0.3)]
    store.write("c", {"trials": trials(("x", "done", 2, 0.2))})
    asked = load_trials(tmp_path).select("trial_id", "unseen_order")
    assert "SORT" in asked.explain()
    assert asked.collect().rows() == [("y", 0.3), ("x", 0.2)]


ENDS = [("done", None), ("stopped", "decided"), ("stopped", "asha"), ("crashed", None)]


@pytest.mark.slow_after(4)
@pytest.mark.parametrize(("better", "worse"), [*itertools.combinations(ENDS, 2), (("diverged", None), ENDS[1])])
@pytest.mark.parametrize("minutes", [(0, 9), (9, 0)])
def test_a_result_wins_over_a_stopped_training_and_that_over_a_failure_in_any_order(tmp_path, better, worse, minutes):
    for part, (status, rule), minute in zip("ab", (better, worse), minutes, strict=True):
        row = {"trial_id": "x", "status": status, "stop_rule": rule, "finished_at": NOON + timedelta(minutes=minute)}
        Store(tmp_path).write(part, {"trials": TABLES["trials"].build([row])})
    assert load_trials(tmp_path).select("status", "stop_rule").collect().row(0) == better
    assert Store(tmp_path).statuses() == {"x": better[0]}


def test_what_the_rule_that_is_asked_for_stopped_is_done(tmp_path):
    rows = [{"trial_id": rule, "status": "stopped", "stop_rule": rule} for rule in ("asha", "decided")]
    Store(tmp_path).write("a", {"trials": TABLES["trials"].build(rows)})
    assert Store(tmp_path).statuses() == {"asha": "stopped", "decided": "stopped"}
    assert Store(tmp_path).statuses(stop_rule="decided") == {"asha": "stopped", "decided": "done"}


def test_of_attempts_that_ended_together_the_last_part_by_name_wins(tmp_path):
    store = Store(tmp_path)
    for part, value in (("b", 0.2), ("a", 0.1)):
        store.write(part, {"trials": trials(("x", "done", 0, value))})
    store.write("b-failed", {"trials": trials(("x", "crashed", 9, None), ("y", "crashed", 0, None))})
    store.write("c-failed", {"trials": trials(("y", "timeout", 0, None))})
    assert load_trials(tmp_path).filter(trial_id="x").select("unseen_order").collect().item() == 0.2
    assert store.statuses() == {"x": "done", "y": "timeout"}


def test_a_row_without_a_status_is_that_of_no_attempt(tmp_path):
    Store(tmp_path).write("a", {"trials": trials(("x", None, 0, None), ("y", "done", 0, 0.5))})
    assert Store(tmp_path).statuses() == {"y": "done"}


def test_rows_of_the_losing_attempt_are_not_read(tmp_path):
    store = Store(tmp_path)
    store.write("a", {"trials": trials(("x", "done", 1, 0.1)), "curves": curves(("x", 10, 1.0), ("x", 20, 2.0))})
    store.write("b", {"trials": trials(("x", "done", 2, 0.2)), "curves": curves(("x", 10, 3.0))})
    assert load(tmp_path, "curves").select("value").collect().rows() == [(3.0,)]


def test_curves_whose_trials_were_never_written_are_not_read(tmp_path):
    Store(tmp_path).write("killed", {"curves": curves(("x", 10, 1.0))})
    assert len(load(tmp_path, "curves").collect()) == 0


@pytest.mark.parametrize("table", sorted({*TABLES} - {"trials"}))
def test_a_trial_has_no_row_unless_all_its_other_tables_are_written(tmp_path, table):
    (tmp_path / table).write_text("a file where a folder must be")
    with pytest.raises(OSError, match=table):
        Store(tmp_path).write("a", {name: TABLES[name].build([]) for name in TABLES})
    assert not (tmp_path / "trials").exists()


def test_half_written_files_of_a_killed_writer_are_not_read_and_removed_once_stale(tmp_path):
    store = Store(tmp_path)
    store.write("a", {"trials": trials(("x", "done", 0, 0.5))})
    old, young = tmp_path / "trials" / ".b.parquet.1.tmp", tmp_path / "trials" / ".c.parquet.2.tmp"
    for path, age in ((old, STALE_SECONDS + 5), (young, STALE_SECONDS - 5)):
        path.write_bytes(b"PAR1 half")
        os.utime(path, (time.time() - age,) * 2)
    assert len(load_trials(tmp_path).collect()) == 1
    store.remove_stale_temp_files()
    assert not old.exists()
    assert young.exists()


def test_compacting_keeps_every_row_and_leaves_one_file_for_each_table(tmp_path):
    store = Store(tmp_path)
    for i in range(5):
        store.write(f"p{i}", {"trials": trials((f"t{i}", "done", i, i / 10)), "curves": curves((f"t{i}", 1, 1.0))})
        store.write(f"run-{i}", {"runs": TABLES["runs"].build([{"run_id": str(i)}])})
    before = snapshot(store)
    assert store.compact() == 15
    assert snapshot(store) == before
    assert len(list(tmp_path.glob("*/*.parquet"))) == 3


def test_a_store_of_one_table_is_compacted_too(tmp_path):
    store = Store(tmp_path)
    for i in range(2):
        store.write(f"p{i}", {"trials": trials((f"t{i}", "done", i, 0.5))})
    assert store.compact() == 2
    assert store.compact() == 0
    assert store.statuses() == {"t0": "done", "t1": "done"}


class WrittenBeside(Store):
    """A store into which a sweep writes while it is compacted."""

    def write(self, part, tables, **more):
        super().write("late", {"trials": trials(("late", "done", 9, 0.5))})
        super().write(part, tables, **more)


@pytest.mark.slow
def test_a_part_that_appears_while_compacting_is_kept(tmp_path):
    for i in range(2):
        Store(tmp_path).write(f"p{i}", {"trials": trials((f"t{i}", "done", i, 0.5))})
    WrittenBeside(tmp_path).compact()
    assert set(Store(tmp_path).statuses()) == {"t0", "t1", "late"}


class KilledFolder(LocalFolder):
    """Deletes `left` files and is killed at the next."""

    left = 0

    def delete(self, name):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        super().delete(name)


@pytest.mark.slow
@pytest.mark.parametrize("left", range(9))
def test_a_compaction_killed_half_way_doubles_no_row(tmp_path, left):
    store = Store(tmp_path)
    for i in range(3):
        store.write(f"p{i}", {"trials": trials((f"t{i}", "done", i, i / 10)), "curves": curves((f"t{i}", 1, 1.0))})
        store.write(f"pr{i}", {"runs": TABLES["runs"].build([{"run_id": str(i), "finished_at": NOON}])})
    before = snapshot(store)
    store.files = KilledFolder(tmp_path)
    store.files.left = left
    with pytest.raises(KeyboardInterrupt):
        store.compact()
    assert snapshot(Store(tmp_path)) == before


def test_a_part_tells_how_its_trials_ended(tmp_path):
    store = Store(tmp_path)
    store.write("a", {"trials": trials(("x", "done", 0, 0.5), ("y", "diverged", 0, None))})
    store.write("b", {"trials": trials(("x", "done", 0, 0.5), ("y", "timeout", 0, None))})
    assert store.part_statuses("a") == {"done": 1, "diverged": 1}
    assert store.part_statuses("b") == {"done": 1, "timeout": 1}
    assert store.part_statuses("c") == {}


def test_a_folder_with_brackets_in_its_name_is_read(tmp_path):
    for part in ("a", "b"):
        Store(tmp_path / "r[1]").write(part, {"trials": trials((part, "done", 0, 0.5))})
    assert Store(tmp_path / "r[1]").statuses() == {"a": "done", "b": "done"}


def test_rows_without_a_key_are_not_read(tmp_path):
    Store(tmp_path).write("a", {"trials": trials(("x", "done", 0, 0.5))})
    pq.write_table(pl.DataFrame({"a": [1]}).to_arrow(), tmp_path / "trials" / "foreign.parquet")
    assert Store(tmp_path).statuses() == {"x": "done"}


def test_files_carry_the_schema_version_and_nothing_in_the_store_is_a_pickle(tmp_path):
    Store(tmp_path).write("a", {"trials": trials(("x", "done", 0, 0.5))})
    metadata = pq.read_schema(tmp_path / "trials" / "a.parquet").metadata
    assert metadata[b"lrsym_schema_version"] == str(SCHEMA_VERSION).encode()
    assert {p.suffix for p in tmp_path.rglob("*") if p.is_file()} == {".parquet"}


def test_a_file_of_an_older_schema_is_read_with_nulls_for_what_it_lacks(tmp_path):
    folder = tmp_path / "trials"
    folder.mkdir()
    table = trials(("x", "done", 0, 0.5)).drop_columns(["pack_size", "d_model", "coverage"])
    pq.write_table(table.append_column("gone", [[7]]), folder / f"{PACK}.parquet")
    row = load_trials(tmp_path).collect().to_dicts()[0]
    assert row["unseen_order"] == 0.5
    assert row["pack_size"] is None
    assert "gone" not in row
    assert row["coverage"] == 1.0  # the neutral value of an axis that came later


def test_a_file_in_place_of_the_folder_is_the_users_mistake(tmp_path):
    (tmp_path / "results").write_text("")
    for read in (Store, load_trials, lambda root: load(root, "curves")):
        with pytest.raises(UsageError, match="must be a folder"):
            read(tmp_path / "results")


@pytest.mark.parametrize("table", ["trials", "curves"])
def test_where_no_trial_is_asked_for_no_part_is_looked_at(tmp_path, monkeypatch, table):
    store = Store(str(tmp_path))
    store.write(PACK, {"trials": trials(("a", "done", 0, 0.5)), "curves": curves(("a", 1, 0.5))})
    some = store.scan(table, trial_ids=pl.Series(["a"])).collect()
    monkeypatch.setattr(Store, "_list", lambda self, table: pytest.fail("listed"))
    none = store.scan(table, trial_ids=pl.Series([], dtype=pl.String)).collect()
    assert (none.height, none.schema) == (0, some.schema)


def test_the_loaders_take_a_path_as_well_as_text(tmp_path):
    Store(str(tmp_path)).write("a", {"trials": trials(("x", "done", 0, 0.5))})
    assert load_trials(tmp_path).collect().equals(load(str(tmp_path), "trials").collect())


@pytest.mark.parametrize("table", TABLES)
def test_columns_that_a_row_lacks_are_null(table):
    (row,) = TABLES[table].build([{}]).to_pylist()
    assert row == dict.fromkeys(column.name for column in TABLES[table].columns if not column.derived)


def test_lists_may_be_null_or_empty():
    lists = [[1.0], None, [], [2.0, 3.0], None]
    assert array(lists, pa.list_(pa.float32())).to_pylist() == lists
    assert array([], pa.list_(pa.float32())).to_pylist() == []


def test_a_row_with_a_column_that_the_table_lacks_is_refused():
    with pytest.raises(ValueError, match="has no column colour"):
        TABLES["trials"].build([{"trial_id": "x", "colour": "red"}])


def suggestion(number, state, *, told=None, **values):
    at = None if told is None else datetime(2026, 1, 1, hour=told, tzinfo=UTC)
    return {"search": "s", "number": number, "state": state, "finished_at": at, **values}


def test_a_suggestion_has_one_row_and_its_outcome_wins_in_any_order_of_arrival(tmp_path):
    store, table = Store(tmp_path), TABLES["suggestions"]
    outcome = suggestion(0, "complete", told=1, objective=[0.5, 0.1], intermediate=[[0.1, 0.2], [0.3, 0.4]])
    store.write("b", {"suggestions": table.build([outcome])})
    store.write("a", {"suggestions": table.build([suggestion(0, "running"), suggestion(1, "running")])})
    store.write("c", {"suggestions": table.build([suggestion(0, "running")])})
    for _ in range(2):
        rows = store.scan("suggestions").select("number", "state", "objective", "intermediate").collect().rows()
        assert rows == [(0, "complete", [0.5, 0.1], [[0.1, 0.2], [0.3, 0.4]]), (1, "running", None, None)]
        store.compact()


def test_suggestions_are_found_by_the_trials_that_they_chose(tmp_path):
    rows = [suggestion(n, "running", trial_ids=ids) for n, ids in enumerate([["a", "b"], ["c"], None])]
    Store(tmp_path).write("p", {"suggestions": TABLES["suggestions"].build(rows)})
    assert load(tmp_path, "suggestions", trial_ids=["b", "x"]).collect()["number"].to_list() == [0]
    assert load(tmp_path, "suggestions", trial_ids=[]).collect().is_empty()


def test_the_statuses_of_a_run_are_those_of_its_rows_that_are_in_the_store(tmp_path):
    store = Store(tmp_path)
    assert store.run_statuses("one") == {}
    for part, run_id, status in (("a-failed", "one", "crashed"), ("b", "one", "done"), ("c", "two", "done")):
        row = {"trial_id": part[0], "run_id": run_id, "status": status}
        store.write(part, {"trials": TABLES["trials"].build([row])})
    assert store.run_statuses("one") == {"crashed": 1, "done": 1}
    store.write("d", {"trials": TABLES["trials"].build([{"trial_id": "a", "run_id": "one", "status": "done"}])})
    assert store.run_statuses("one") == {"done": 2}


def test_rows_of_many_trials_are_those_of_few_in_the_order_of_the_store():
    rows = pl.DataFrame({"trial_id": ["c", "a", None, "b", "a"], "n": range(5)}).lazy()
    wanted = pl.Series(["a", "c", "a", "x"])
    found = [rows_of_trials(rows, wanted, few=few).collect() for few in (3, 4)]
    assert found[0].equals(found[1])
    assert found[0]["n"].to_list() == [0, 1, 4]
