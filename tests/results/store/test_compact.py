"""Merging parts beside those who write and merge at the same moment: every trial ends complete, once."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lrsym.errors import DamagedPartWarning
from lrsym.results.store import compact as compact_module
from lrsym.results.store import generations
from lrsym.results.store.check import check_parts
from lrsym.results.store.compact import ABANDONED_SECONDS
from lrsym.results.store.digest import decode_part, part_bytes
from lrsym.results.store.filesystem import LocalFolder
from lrsym.results.store.generations import Generation
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load, read_again

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PACKS = [f"{i:032x}" for i in range(3)]


def tables(trial_id, *, value=0.5, minute=0):
    at = NOON + timedelta(minutes=minute)
    row = {"trial_id": trial_id, "status": "done", "finished_at": at, "unseen_order": value}
    point = {"trial_id": trial_id, "step": 1, "split": "train", "metric": "loss", "value": value}
    return {"trials": TABLES["trials"].build([row]), "curves": TABLES["curves"].build([point])}


@pytest.fixture
def store(tmp_path):
    for i, pack in enumerate(PACKS):
        Store(tmp_path).write(pack, tables(f"t{i}", value=i / 10))
    return Store(tmp_path)


def complete(store):
    """Accuracy and curve of every trial that has both, which must be all that have one."""
    trials = dict(load(store.root, "trials").select("trial_id", "unseen_order").collect().rows())
    curves = load(store.root, "curves").select("trial_id", "value").collect().rows()
    assert len(curves) == len(trials)
    assert dict(curves) == trials
    return trials


class Interrupted(LocalFolder):
    """Something else happens before the file system's call number `at`, once; or before a file in the folder `at`."""

    def __init__(self, root, at, event):
        super().__init__(root)
        self.calls, self.at, self.event = 0, at, event

    def _count(self):
        self.calls += 1
        if self.calls == self.at:
            self.event()

    def stamps(self, folder, *, suffix=""):
        self._count()
        return super().stamps(folder, suffix=suffix)

    def stamp(self, name):
        self._count()
        return super().stamp(name)

    def folder_stamp(self, folder):
        self._count()
        return super().folder_stamp(folder)

    def put(self, name, content):
        self._count()
        if name.partition("/")[0] == self.at:
            self.event()
        super().put(name, content)

    def delete(self, name):
        self._count()
        super().delete(name)


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("at", range(1, 60, 2))
def test_a_pack_that_finishes_at_any_moment_is_complete(store, at):
    store.files = Interrupted(store.root, at, lambda: Store(store.root).write("f" * 32, tables("late")))
    store.compact()
    Store(store.root).write("f" * 32, tables("late"))  # where that moment has not come
    assert complete(store) == {"t0": 0.0, "t1": 0.1, "t2": 0.2, "late": 0.5}
    Store(store.root).compact()
    assert len(complete(store)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, 60, 2))
def test_another_compaction_at_any_moment_loses_nothing(store, at):
    def merge_more():
        Store(store.root).compact()
        Store(store.root).write("e" * 32, tables("late"))
        Store(store.root).compact()

    store.files = Interrupted(store.root, at, merge_more)
    store.compact()
    trials = complete(store)
    assert {**trials, "late": 0.5} == {"t0": 0.0, "t1": 0.1, "t2": 0.2, "late": 0.5}


def test_a_pack_at_work_keeps_the_tables_that_it_has_written(store):
    late = tables("late")
    Store(store.root).write("f" * 32, {"curves": late["curves"]})
    store.compact()
    Store(store.root).write("f" * 32, {"trials": late["trials"]})
    assert len(complete(store)) == 4


def test_a_pack_that_is_written_anew_keeps_its_new_curves(store):
    again = tables("t0", value=0.9, minute=5)
    Store(store.root).write(PACKS[0], {"curves": again["curves"]})
    file = store.files.uri(f"curves/{PACKS[0]}.parquet")
    later = os.stat(file).st_mtime_ns + 10**7  # clocks of file systems tick some milliseconds apart
    os.utime(file, ns=(later, later))
    store.compact()
    Store(store.root).write(PACKS[0], {"trials": again["trials"]})
    assert complete(store)["t0"] == 0.9


@pytest.mark.parametrize(("age", "left"), [(0, 2), (ABANDONED_SECONDS + 5, 1)])
def test_what_a_killed_compaction_left_is_not_read_and_removed_a_day_later(store, age, left):
    def killed():
        raise KeyboardInterrupt

    store.files = Interrupted(store.root, "trials", killed)  # the last of the tables of the merged part
    with pytest.raises(KeyboardInterrupt):
        store.compact()
    (orphan,) = Path(store.root).glob("curves/compact-*")
    assert not [*Path(store.root).glob("trials/compact-*")]
    assert len(complete(store)) == 3
    os.utime(orphan, (time.time() - age,) * 2)
    Store(store.root).compact()
    assert len(complete(store)) == 3
    assert len([*Path(store.root).glob("curves/*")]) == left


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("left", range(0, 14, 2))
def test_a_compaction_of_several_groups_that_is_killed_anywhere_loses_and_doubles_nothing(store, monkeypatch, left):
    monkeypatch.setattr(generations, "MAX_PARTS", 2)
    for i in range(3, 6):
        Store(store.root).write(f"{i:032x}", tables(f"t{i}", value=i / 10))

    def killed():
        raise KeyboardInterrupt

    store.files = Interrupted(store.root, 20 + 4 * left, killed)
    with pytest.raises(KeyboardInterrupt):
        store.compact()
    assert len(complete(Store(store.root))) == 6
    assert Store(store.root).compact() > 0
    assert len(complete(Store(store.root))) == 6
    assert len([*Path(store.root).glob("trials/*")]) == 1


def test_what_was_merged_is_not_written_again_beside_a_few_new_parts(store, monkeypatch):
    store.compact()
    (merged,) = Path(store.root).glob("trials/compact-*")
    size = sum(file.stat().st_size for file in Path(store.root).glob(f"*/{merged.name}"))
    monkeypatch.setattr(generations, "GENERATIONS", (Generation(size, enough=2), Generation(1 << 30, enough=3)))
    before = merged.stat()
    for i in range(3, 5):
        store.write(f"{i:032x}", tables(f"t{i}", value=i / 10))
    assert store.compact() == 4
    assert merged.stat() == before
    assert len([*Path(store.root).glob("trials/*")]) == 2
    assert len(complete(store)) == 5


@pytest.mark.slow
def test_readers_see_every_trial_while_parts_are_merged_under_them(tmp_path, monkeypatch):
    monkeypatch.setattr(generations, "MAX_PARTS", 4)
    for i in range(24):
        Store(tmp_path).write(f"{i:032x}", tables(f"t{i}", value=i / 100))
    compacting = threading.Thread(target=Store(tmp_path).compact)
    compacting.start()
    seen = []
    while compacting.is_alive() or not seen:
        seen.append(read_again(lambda: len(complete(Store(tmp_path)))))
    compacting.join()
    assert {*seen} == {24}
    assert len([*Path(tmp_path).glob("trials/*")]) == 1


def test_a_part_in_which_a_bit_has_changed_is_told_and_not_merged(store):
    file = Path(store.root) / "curves" / f"{PACKS[1]}.parquet"
    content, written = bytearray(file.read_bytes()), file.stat().st_mtime_ns
    content[30] ^= 1  # in the values: the metadata are sound
    file.write_bytes(content)
    os.utime(file, ns=(written, written))
    with pytest.warns(DamagedPartWarning, match=f"curves/{PACKS[1]}.parquet is not as it was written"):
        assert store.compact() == 4
    assert file.read_bytes() == content
    assert [fault.file for fault in check_parts(store.files)[1]] == [f"curves/{PACKS[1]}.parquet"]


def test_a_part_with_a_column_of_another_type_is_left_as_it_is(store):
    name = f"trials/{PACKS[0]}.parquet"
    rows = decode_part(store.files.get(name)).drop_columns("unseen_order")
    odd = rows.append_column("unseen_order", pa.array(["0.0"])).replace_schema_metadata(rows.schema.metadata)
    store.files.put(name, part_bytes(odd))
    content = store.files.get(name)
    assert store.compact() == 4
    assert store.files.get(name) == content


@pytest.mark.parametrize(
    ("at", "error"), [("trials", OSError(28, "No space left on device")), ("ablations", KeyboardInterrupt())]
)
def test_what_a_merge_has_written_that_fails_on_the_way_takes_no_room(store, at, error):
    for i, pack in enumerate(PACKS):
        ablations = TABLES["ablations"].build([{"trial_id": f"t{i}", "term": "EP"}])
        Store(store.root).write(pack, {**tables(f"t{i}", value=i / 10), "ablations": ablations})

    def fail():
        raise error

    store.files = Interrupted(store.root, at, fail)
    with pytest.raises(type(error)):
        store.compact()
    assert not [*Path(store.root).glob("*/compact-*")]
    assert len(complete(Store(store.root))) == 3


@pytest.mark.parametrize("away", ["listing", "entry", "folder"])
def test_merged_curves_stay_where_trials_are_away_for_a_moment(store, monkeypatch, away):
    store.compact()
    for file in Path(store.root).glob("*/compact-*"):
        os.utime(file, (time.time() - ABANDONED_SECONDS - 5,) * 2)
    Store(store.root).write("f" * 32, tables("late"))
    stamps, trials, aside = store.files.stamps, Path(store.root, "trials"), Path(store.root, "aside")

    def listed(folder, *, suffix=""):
        found = stamps(folder, suffix=suffix)
        if folder != "trials":
            return found
        if away == "folder":
            trials.rename(aside)
        return {} if away == "listing" else {name: stamp for name, stamp in found.items() if "compact" not in name}

    monkeypatch.setattr(store.files, "stamps", listed)
    compact_module.compact(store)
    if away == "folder":
        aside.rename(trials)
    assert len(complete(Store(store.root))) == 4
