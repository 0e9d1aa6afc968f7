"""The index of the table trials: what it spares, and that no reader can tell whether it is there."""

import os

import polars as pl
import pytest

from lrsym.errors import DamagedPartWarning
from lrsym.results.store import index as index_module
from lrsym.results.store import store as store_module
from lrsym.results.store.digest import part_bytes
from lrsym.results.store.index import FILE, OUTCOME
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.execution.rows import status_rows
from tests.small_trials import small

TRIALS = [small(seed=seed) for seed in range(8)]


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Every part that is not in the index makes it anew, however young it is."""
    monkeypatch.setattr(index_module, "MIN_NEW_PARTS", 1)
    monkeypatch.setattr(index_module, "RACY_SECONDS", -1)


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    """A store with several attempts at some trials."""
    place = str(tmp_path / "r") if request.param == "folder" else request.getfixturevalue("s3").url
    store = Store(place)
    write(store, "a", TRIALS[:3], "crashed", [1, 2, 3])
    write(store, "b", TRIALS[1:5], "done")
    write(store, "c", TRIALS[2:3], "timeout", [4])
    return store


def write(store, part, trials, status, attempts=None):
    store.write(part, status_rows(trials, status=status, message=f"{part} says", run_id=part, attempts=attempts))


@pytest.fixture
def opened(monkeypatch):
    """The parts of which rows are read, from now on."""
    found, read = [], Store._read_outcomes

    def spy(self, parts):
        found.extend(sorted(parts))
        return read(self, parts)

    monkeypatch.setattr(Store, "_read_outcomes", spy)
    return found


def by_table(store):
    return load_trials(store.files.uri()).select(OUTCOME).sort("trial_id").collect()


def by_index(store):
    return store.outcomes().select(OUTCOME).sort("trial_id")


@pytest.mark.slow_after(1)
def test_parts_are_opened_once_and_then_only_those_that_are_new(store, opened):
    expected = by_table(store)
    assert by_index(store).equals(expected)
    assert opened == ["trials/a.parquet", "trials/b.parquet", "trials/c.parquet"]
    opened.clear()
    assert by_index(Store(store.files.uri())).equals(expected)
    assert opened == []
    write(store, "d", TRIALS[6:], "done")
    assert by_index(store).equals(by_table(store))
    assert opened == ["trials/d.parquet"]


def test_a_part_that_is_written_again_or_removed_is_noticed(store, opened):
    by_index(store)
    opened.clear()
    write(store, "b", TRIALS[1:6], "diverged")
    store.files.delete("trials/c.parquet")
    assert by_index(store).equals(by_table(store))
    assert opened == ["trials/b.parquet"]
    assert store.statuses() == dict(by_table(store).select("trial_id", "status").iter_rows())
    assert store.failures() == {TRIALS[i].trial_id: i + 1 for i in range(3)}


@pytest.fixture
def listed(monkeypatch):
    """The tables whose parts are listed, from now on."""
    found, list_parts = [], store_module.list_parts

    def spy(files, table):
        found.append(table)
        return list_parts(files, table)

    monkeypatch.setattr(store_module, "list_parts", spy)
    return found


def test_parts_of_a_folder_that_is_as_it_was_are_not_compared_one_by_one(tmp_path, listed):
    store = Store(str(tmp_path))
    write(store, "a", TRIALS[:2], "done")
    expected = by_index(store)
    listed.clear()
    assert by_index(Store(str(tmp_path))).equals(expected)
    assert listed == []
    write(store, "b", TRIALS[2:4], "done")
    assert by_index(store).height == 4
    assert listed == ["trials"]


def test_a_part_that_is_changed_in_place_is_noticed(tmp_path):
    store, other = Store(str(tmp_path / "one")), Store(str(tmp_path / "other"))
    write(store, "a", TRIALS[:2], "crashed", [1, 1])
    write(store, "b", TRIALS[2:4], "done")
    write(other, "a", TRIALS[:2], "done")
    assert [*store.statuses().values()].count("done") == 2
    folder, part = tmp_path / "one/trials", tmp_path / "one/trials/a.parquet"
    before = folder.stat()
    part.write_bytes(other.files.get("trials/a.parquet"))  # as cp does, which makes no name anew
    os.utime(part, (1e9, 1e9))  # and with -p the time is that of the copy
    assert (folder.stat().st_mtime_ns, part.stat().st_mtime) == (before.st_mtime_ns, 1e9)
    assert {*Store(str(tmp_path / "one")).statuses().values()} == {"done"}


def test_a_folder_that_was_written_just_now_is_listed(tmp_path, monkeypatch, listed):
    monkeypatch.setattr(index_module, "RACY_SECONDS", 10)
    store = Store(str(tmp_path))
    for part in ("a", "b"):
        write(store, part, TRIALS[:2], "done")
        os.utime(tmp_path / f"trials/{part}.parquet", (1e9, 1e9))
    for _ in range(3):
        by_index(store)
    assert listed == ["trials"] * 3
    os.utime(tmp_path / "trials", (1e9, 1e9))
    for _ in range(3):
        by_index(store)
    assert listed == ["trials"] * 4


def test_a_damaged_part_is_told_every_time(tmp_path):
    store = Store(str(tmp_path))
    write(store, "a", TRIALS[:2], "done")
    store.files.put(f"trials/{'e' * 32}.parquet", b"no parquet")
    for _ in range(2):
        with pytest.warns(DamagedPartWarning, match="is cut short"):
            assert by_index(store).height == 2


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("content", [b"", b"no parquet", "another"])
def test_an_index_that_is_none_is_passed_by(store, opened, content):
    by_index(store)
    other = part_bytes(pl.DataFrame({"file": ["trials/a.parquet"]}).to_arrow())
    store.files.put(FILE, other if content == "another" else content)
    opened.clear()
    assert by_index(store).equals(by_table(store))
    assert len(opened) == 3


def test_an_index_in_which_a_bit_has_changed_is_passed_by(store, opened):
    by_index(store)
    content = bytearray(store.files.get(FILE))
    content[len(content) // 2] ^= 1
    store.files.put(FILE, bytes(content))
    opened.clear()
    assert by_index(store).equals(by_table(store))
    assert len(opened) == 3


@pytest.mark.slow_after(1)
def test_compacting_removes_it(store):
    by_index(store)
    assert store.compact() > 0
    assert not store.files.exists(FILE)
    assert by_index(store).equals(by_table(store))


def test_few_new_parts_write_nothing_nor_do_readers_who_may_not(store, monkeypatch):
    monkeypatch.setattr(index_module, "MIN_NEW_PARTS", 4)
    by_index(store)
    assert not store.files.exists(FILE)
    monkeypatch.setattr(index_module, "MIN_NEW_PARTS", 1)

    def refuse(self, name, content):
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(type(store.files), "put", refuse)
    assert by_index(store).equals(by_table(store))
    assert not store.files.exists(FILE)


def test_a_part_that_was_written_just_now_stays_out_of_it(tmp_path, monkeypatch, opened):
    monkeypatch.setattr(index_module, "RACY_SECONDS", 10)
    store = Store(str(tmp_path))
    write(store, "a", TRIALS[:2], "done")
    write(store, "b", TRIALS[2:4], "done")
    os.utime(tmp_path / "trials/a.parquet", (1e9, 1e9))
    by_index(store)
    opened.clear()
    by_index(store)
    assert opened == ["trials/b.parquet"]


def test_an_empty_store_has_no_outcomes(tmp_path):
    assert Store(str(tmp_path)).outcomes().is_empty()
    assert Store(str(tmp_path)).statuses() == {}


def test_a_part_that_was_away_for_a_moment_is_there_for_the_next_reader(tmp_path, monkeypatch):
    store = Store(str(tmp_path))
    write(store, "a", TRIALS[:2], "done")
    write(store, "b", TRIALS[2:4], "done")
    stamps = store.files.stamps
    monkeypatch.setattr(
        store.files, "stamps", lambda *folder, **only: dict([*stamps(*folder, **only).items()][1:])
    )  # as a folder is listed of which an entry is gone
    assert by_index(store).height == 2
    assert store.files.exists(FILE)
    assert by_index(Store(str(tmp_path))).height == 4


def test_a_folder_with_a_file_of_others_is_as_it_was_too(tmp_path, listed):
    store = Store(str(tmp_path))
    write(store, "a", TRIALS[:2], "done")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "trials" / "export.parquet")
    for _ in range(3):
        assert by_index(store).height == 2
    assert listed == ["trials"]
