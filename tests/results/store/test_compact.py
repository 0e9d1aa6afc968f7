"""Merging parts beside those who write and merge at the same moment: every trial ends complete, once."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lrsym.results.store.compact import ABANDONED_SECONDS
from lrsym.results.store.filesystem import LocalFolder
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load

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

    def put(self, name, content):
        self._count()
        if name.partition("/")[0] == self.at:
            self.event()
        super().put(name, content)

    def delete(self, name):
        self._count()
        super().delete(name)


@pytest.mark.parametrize("at", range(1, 60, 2))
def test_a_pack_that_finishes_at_any_moment_is_complete(store, at):
    store.files = Interrupted(store.root, at, lambda: Store(store.root).write("f" * 32, tables("late")))
    store.compact()
    Store(store.root).write("f" * 32, tables("late"))  # where that moment has not come
    assert complete(store) == {"t0": 0.0, "t1": 0.1, "t2": 0.2, "late": 0.5}
    Store(store.root).compact()
    assert len(complete(store)) == 4


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
