"""Removing rows: those that were asked for, all of them, and nothing else, whatever happens meanwhile."""

import pyarrow.parquet as pq
import pytest

from lrsym.errors import UsageError
from lrsym.results.store.digest import part_bytes
from lrsym.results.store.forget import count_rows, remove_rows
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load
from tests.results.store.test_compact import Interrupted, complete, tables

PACKS = {f"{i:032x}": [f"t{2 * i}", f"t{2 * i + 1}"] for i in range(3)}


def of_pack(trial_ids):
    each = [tables(trial_id, value=int(trial_id[1:]) / 10) for trial_id in trial_ids]
    return {name: TABLES[name].build(row for table in each for row in table[name].to_pylist()) for name in each[0]}


@pytest.fixture
def store(tmp_path):
    for pack, trial_ids in PACKS.items():
        Store(tmp_path).write(pack, of_pack(trial_ids))
    return Store(tmp_path)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_parts_lose_the_rows_and_those_that_lose_all_of_them_are_deleted(store, tmp_path):
    before = contents(tmp_path)
    assert count_rows(store, ["t0", "t1", "t2", "t9"]) == {"trials": 3, "curves": 3}
    remove_rows(store, ["t0", "t1", "t2", "t9"])
    assert complete(store) == {"t3": 0.3, "t4": 0.4, "t5": 0.5}
    assert count_rows(store, ["t0", "t1", "t2"]) == {}
    first, _, last = PACKS
    after = contents(tmp_path)
    assert not [path for path in after if first in path.name]
    assert {path: after[path] for path in before if last in path.name} == {
        path: content for path, content in before.items() if last in path.name
    }


def test_what_else_a_part_holds_stays_its_metadata_and_columns_of_another_version_included(store, tmp_path):
    path = tmp_path / "trials" / f"{next(iter(PACKS))}.parquet"
    table = pq.read_table(path)
    path.write_bytes(part_bytes(table.append_column("later", [["a", "b"]])))
    known = pq.read_schema(path).metadata
    remove_rows(store, ["t0"])
    assert pq.read_table(path)["later"].to_pylist() == ["b"]
    assert pq.read_schema(path).metadata == known
    assert complete(store).keys() == {"t1", "t2", "t3", "t4", "t5"}


def test_every_attempt_goes_not_only_the_one_that_is_read(store):
    store.write(f"{'a' * 32}-failed", {"trials": TABLES["trials"].build([{"trial_id": "t0", "status": "crashed"}])})
    assert count_rows(store, ["t0"])["trials"] == 2
    remove_rows(store, ["t0"])
    assert "t0" not in store.statuses()


def test_files_that_are_no_parts_are_left_alone(store, tmp_path):
    copy = tmp_path / "trials" / "copy.parquet"
    copy.write_bytes((tmp_path / "trials" / f"{next(iter(PACKS))}.parquet").read_bytes())
    (tmp_path / "trials" / "notes.txt").write_text("t0")
    before = copy.read_bytes()
    remove_rows(store, ["t0", "t1"])
    assert copy.read_bytes() == before
    assert (tmp_path / "trials" / "notes.txt").exists()


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("at", range(1, 5))
def test_killed_anywhere_no_other_row_is_lost_and_the_same_removal_goes_on(tmp_path, store, at, monkeypatch):
    calls = []

    def put(name, content):
        calls.append(name)
        if len(calls) == at:
            raise KeyboardInterrupt
        type(store.files).put(store.files, name, content)

    monkeypatch.setattr(store.files, "put", put)
    try:
        remove_rows(store, ["t0", "t2"])
    except KeyboardInterrupt:
        assert {"t1", "t3", "t4", "t5"} <= complete(Store(tmp_path)).keys()
    monkeypatch.undo()
    remove_rows(store, ["t0", "t2"])
    assert complete(store).keys() == {"t1", "t3", "t4", "t5"}
    assert count_rows(store, ["t0", "t2"]) == {}


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, 45))
def test_beside_a_merging_that_begins_or_ends_at_any_moment_no_row_is_lost_and_none_comes_back(tmp_path, store, at):
    compacting = Store(tmp_path)
    compacting.files = Interrupted(str(tmp_path), at, lambda: remove_rows(store, ["t0", "t2"]))
    compacting.compact()
    if compacting.files.calls >= at:
        assert complete(store).keys() == {"t1", "t3", "t4", "t5"}
    removing = Store(tmp_path)
    removing.files = Interrupted(str(tmp_path), at, lambda: Store(tmp_path).compact())
    remove_rows(removing, ["t0", "t2", "t4"])
    assert complete(store).keys() == {"t1", "t3", "t5"}


@pytest.mark.slow
def test_rows_that_another_process_writes_again_each_time_are_told(store, monkeypatch):
    def put_back(name):
        pass

    monkeypatch.setattr(store.files, "delete", put_back)
    with pytest.raises(UsageError, match="are written again by another process"):
        remove_rows(store, ["t0", "t1"])


def test_damage_is_told_before_anything_is_removed(store, tmp_path):
    (tmp_path / "curves" / f"{'b' * 32}.parquet").write_bytes(b"")
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="damaged part"):
        remove_rows(store, ["t0"])
    assert contents(tmp_path) == before


def suggestion(number, trial_ids, *, origin="asked", search="s", state="complete"):
    row = {"search": search, "number": number, "origin": origin, "state": state, "trial_ids": trial_ids}
    return row | {"objective": [0.5] if state == "complete" else None, "point": "{}"}


def test_outcomes_that_rest_on_the_trials_are_not_known_any_more_but_for_what_was_told_of_other_sweeps(store):
    rows = [
        suggestion(-1, ["t0"], origin="reused"), suggestion(0, ["t0", "t1"]), suggestion(1, ["t2"]),
        suggestion(2, ["t1"], state="failed", search="other"), suggestion(3, ["t1"], state="running"),
    ]  # fmt: skip
    store.write("search-5-0000000", {"suggestions": TABLES["suggestions"].build(rows)})
    remove_rows(store, ["t0", "t1"])
    found = load(store.root, "suggestions").sort("number").select("number", "state", "objective").collect()
    assert found.rows() == [
        (-1, "complete", [0.5]), (0, "running", None), (1, "complete", [0.5]), (2, "running", None),
        (3, "running", None),
    ]  # fmt: skip


def test_of_a_search_that_is_forgotten_nothing_stays_and_of_others_all(store):
    rows = [suggestion(0, ["t0"]), suggestion(0, ["t5"], search="other")]
    store.write("search-5-0000000", {"suggestions": TABLES["suggestions"].build(rows)})
    remove_rows(store, ["t0"], search="s")
    assert load(store.root, "suggestions").select("search", "state").collect().rows() == [("other", "complete")]


def test_what_a_damaged_part_keeps_is_not_written_anew_as_if_it_were_sound(store, tmp_path):
    file = tmp_path / "curves" / f"{next(iter(PACKS))}.parquet"
    content = bytearray(file.read_bytes())
    content[-9 - int.from_bytes(content[-8:-4], "little") - 5] ^= 1  # in the last values, before the metadata
    file.write_bytes(content)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=f"{file.name} is not as it was written.*lrsym check --repair"):
        remove_rows(store, ["t0"])
    assert contents(tmp_path) == before
    remove_rows(store, ["t4"])  # of another part
    assert len(contents(tmp_path)) == len(before)
