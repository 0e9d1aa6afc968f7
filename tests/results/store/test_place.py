"""Folders that are named by mistake are refused with the one that was meant, or a remedy."""

import errno
import os
import shutil

import pytest

from lrsym.errors import ObjectStoreError, UsageError
from lrsym.results.store import atomic
from lrsym.results.store.filesystem import LocalFolder, open_filesystem
from lrsym.results.store.object_store import ObjectStore
from lrsym.results.store.place import require_results
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from tests.running import lrsym
from tests.small_trials import write_sweep


@pytest.fixture
def results(tmp_path):
    Store(tmp_path / "results").write("run-1", {"runs": TABLES["runs"].build([{"run_id": "1"}])})
    return tmp_path / "results"


@pytest.mark.parametrize("name", [*TABLES, "weights", "checkpoints", "plots", "explain"])
def test_a_folder_in_a_results_folder_is_refused_with_the_one_that_was_meant(results, name):
    for given in (results / name, f"{results / name}/"):
        with pytest.raises(UsageError, match=rf"lies in one; give --results {results}$"):
            Store(str(given))


@pytest.mark.parametrize("name", TABLES)
def test_results_may_lie_in_a_folder_named_as_a_table_is(tmp_path, name):
    for folder in (name, "trials"):  # one beside another
        for _ in range(2):
            Store(str(tmp_path / folder)).write("run-1", {"runs": TABLES["runs"].build([{"run_id": "1"}])})


def test_the_one_that_was_meant_is_named_as_short_as_it_was_given(results, monkeypatch):
    monkeypatch.chdir(results.parent)
    with pytest.raises(UsageError, match=r"results/runs lies in one; give --results results$"):
        Store("results/runs")
    monkeypatch.chdir(results / "runs")
    with pytest.raises(UsageError, match=r"\. lies in one; give --results \.\.$"):
        Store(".")


def test_other_folders_may_have_the_name_of_a_table(tmp_path, results):
    Store(tmp_path / "trials")
    Store(results / "reference")


def test_a_folder_of_other_things_holds_no_results(results):
    require_results(str(results))
    with pytest.raises(UsageError, match=f"none of the folders trials, .*; give --results {results}"):
        require_results(str(results.parent))
    shutil.move(results, results.with_name("other"))
    with pytest.raises(UsageError, match="train a sweep first, or name their folder"):
        require_results(str(results.parent))


@pytest.mark.parametrize(
    "words",
    [("sweep", "FILE"), ("plan", "FILE"), ("status", "FILE"), ("compact",), ("query", "select 1 from trials"),
     ("plot", "phase", "FILE"), ("best", "FILE", "--metric", "unseen_order"), ("refine", "FILE", "--budget", 4),
     ("explain", "abcdef"), ("forget", "FILE", "--yes")],
    ids=lambda words: words[0],
)  # fmt: skip
def test_every_verb_refuses_the_folder_of_a_table_and_writes_nothing(results, words):
    path = write_sweep(results.parent, steps=5)
    before = {*results.rglob("*")}
    (results / "trials").mkdir()
    text = lrsym(*(path if word == "FILE" else word for word in words), "--results", results / "trials", code=2)
    assert (
        text == f"error: results must be a folder of tables, {results}/trials lies in one; give --results {results}\n"
    )
    assert {*results.rglob("*")} - before == {results / "trials"}


def test_there_is_nothing_to_compact_in_a_folder_that_is_not_there(tmp_path):
    text = lrsym("compact", "--results", tmp_path / "r", code=2)
    assert text.startswith(f"error: there are no results in {tmp_path}/r, which is not there yet; train a sweep first")


@pytest.mark.parametrize("given", ["", " ", "a\0b", "~nobody-of-this-name/results"])
def test_a_name_that_no_folder_can_have_is_the_users_mistake(given):
    with pytest.raises(UsageError, match="results must be a folder"):
        open_filesystem(given)


def test_a_folder_that_cannot_be_looked_at_is_an_error_of_the_system(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OSError, match="symbolic links"):
        open_filesystem(tmp_path / "loop")
    assert "check path" in lrsym("query", "select 1 from trials", "--results", tmp_path / "loop", code=2)


def test_a_folder_that_is_gone_is_not_made_again(results):
    store, files = Store(results), open_filesystem(results.with_name("new"))
    files.put("trials/a", b"")
    for folder in (results, results.with_name("new")):
        shutil.rmtree(folder)
    for write in (
        lambda: store.write("run-2", {"runs": TABLES["runs"].build([])}),
        store.prove_writable,
        lambda: files.put("trials/b", b""),
        lambda: open_filesystem(results, must_exist=True).put("trials/b", b""),
    ):
        with pytest.raises(FileNotFoundError, match="was removed or moved meanwhile"):
            write()
    assert not results.exists()


def test_a_folder_that_goes_while_a_file_is_written_is_not_made_again(results, monkeypatch):
    files, look = open_filesystem(results), LocalFolder._require_root

    def look_and_lose(folder):
        look(folder)
        shutil.rmtree(results)

    monkeypatch.setattr(LocalFolder, "_require_root", look_and_lose)
    with pytest.raises(FileNotFoundError, match="was removed or moved meanwhile"):
        files.put("deep/er/a", b"")
    assert not results.exists()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_system_that_cannot_sync_folders_works_and_a_broken_one_is_told(tmp_path, monkeypatch, number):
    sync = os.fsync

    def refuse_folders(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", refuse_folders)
    if number == errno.EIO:
        with pytest.raises(OSError, match="Input/output error"):
            open_filesystem(tmp_path).put("trials/a", b"x")
    else:
        open_filesystem(tmp_path).put("trials/a", b"x")
    assert open_filesystem(tmp_path).get("trials/a") == b"x"


@pytest.mark.parametrize("name", ["runs", "logs", "exports"])
def test_a_prefix_above_which_nothing_may_be_listed_is_one(s3, monkeypatch, name):
    allowed, listed = s3.url.rpartition("/")[0], ObjectStore.require_access

    def require_access(self):
        if self.root == allowed:
            raise ObjectStoreError(errno.EACCES, "no permission", self.root, remedy="give credentials")
        listed(self)

    monkeypatch.setattr(ObjectStore, "require_access", require_access)
    store = Store(f"{allowed}/{name}")
    store.write("run-1", {"runs": TABLES["runs"].build([{"run_id": "1"}])})
    assert store.has_run("1")
