"""What every back end of the results folder must do; a new one joins `back_end`."""

import io
import os
import resource
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import boto3
import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.store.filesystem import LocalFolder, open_filesystem


class Folder:
    """A folder on this machine, and what only a test does with it."""

    unusable_because, full_because = "Not a directory", "too large"

    def __init__(self, path):
        self.path = path
        self.files = open_filesystem(str(path / "results"))

    def unusable(self):
        """A results folder that can never be made."""
        (self.path / "file").write_text("")
        return open_filesystem(str(self.path / "file" / "results"))

    @contextmanager
    def full(self):
        """No room for more than a hundred bytes, as on a full disk: the system refuses what goes beyond."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    def leave_behind(self, name, *, age):
        """What a writer of `name` that was killed `age` seconds ago has left."""
        target = self.path / "results" / name
        temporary = target.with_name(f".{target.name}.0123.tmp")
        temporary.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(b"half")
        os.utime(temporary, (time.time() - age,) * 2)

    def everything(self):
        """All that is stored, however hidden."""
        return sorted(str(p.relative_to(self.path / "results")) for p in self.path.rglob("*") if p.is_file())


class Bucket:
    """A place in an object store, and what only a test does with it."""

    unusable_because = full_because = "no permission"

    def __init__(self, server):
        self.server = server
        self.files = open_filesystem(server.url)
        self.client = boto3.client("s3")

    def unusable(self):
        """Results that may be read and not written."""
        self.server.tell(fail={"methods": ["PUT"], "status": 403})
        return self.files

    @contextmanager
    def full(self):
        """Nothing may be written."""
        self.unusable()
        yield
        self.server.reset_faults()

    def leave_behind(self, name, *, age):
        """What a writer of `name` that was killed in the middle of a large object has left."""
        key = f"{self.files.root.removeprefix('s3://bucket/')}/{name}"
        upload = self.client.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"]
        self.client.upload_part(Bucket="bucket", Key=key, UploadId=upload, PartNumber=1, Body=bytes(5 << 20))

    def everything(self):
        """All that is stored; what ends in a slash only says that there was a folder."""
        root = self.files.root.removeprefix("s3://bucket/") + "/"
        found = self.client.list_objects_v2(Bucket="bucket", Prefix=root).get("Contents", [])
        return sorted(o["Key"].removeprefix(root) for o in found if not o["Key"].endswith("/"))


@pytest.fixture(params=["folder", "s3"])
def back_end(request, tmp_path):
    return Folder(tmp_path) if request.param == "folder" else Bucket(request.getfixturevalue("s3"))


@pytest.fixture
def bucket(s3):
    return Bucket(s3)


@pytest.fixture
def files(back_end):
    return back_end.files


def test_nothing_is_created_before_the_first_write(back_end, files):
    assert not files.exists()
    assert files.list("trials") == []
    files.delete("trials/a")
    files.delete_folder("trials")
    files.remove_stale_temp_files(older_than=0)
    assert not files.exists()
    files.put("trials/a", b"")
    assert files.exists()


def test_what_is_put_is_got(files):
    for content in (b"one", memoryview(b"another, longer"), b""):
        files.put("trials/a", content)
        assert files.get("trials/a") == content


def test_the_beginning_of_a_file_is_read_without_the_rest(files):
    files.put("trials/a", b"header and more")
    assert files.get("trials/a", size=6) == b"header"
    assert files.get("trials/a", size=1000) == b"header and more"
    assert files.get("trials/a", size=0) == b""


def test_a_file_that_is_not_there_cannot_be_got(files):
    with pytest.raises(FileNotFoundError):
        files.get("trials/a")


def test_a_file_exists_once_it_is_put_and_a_folder_is_no_file(files):
    assert not files.exists("trials/a")
    files.put("trials/a", b"")
    assert files.exists("trials/a")
    assert not files.exists("trials")
    assert not files.exists("trials/a/b")


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(back_end, files):
    files.put("trials/a", b"old")
    for name in ("trials/a", "trials/b"):
        with back_end.full(), pytest.raises(OSError, match=back_end.full_because):
            files.put(name, bytes(1000))
    assert files.get("trials/a") == b"old"
    assert back_end.everything() == ["trials/a"]


def test_a_write_that_is_interrupted_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    folder = Folder(tmp_path)
    folder.files.put("trials/a", b"old")

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.files.put("trials/a", b"new")
    assert folder.files.get("trials/a") == b"old"
    assert folder.everything() == ["trials/a"]


@pytest.mark.slow
def test_an_object_whose_write_is_interrupted_is_written_whole(bucket):
    bucket.files.put("trials/a", b"old")
    bucket.server.tell(delay=0.3)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            bucket.files.put("trials/a", b"new")
    finally:
        signal.signal(signal.SIGALRM, before)
    bucket.files.put("trials/b", b"")  # behind the other
    assert bucket.files.get("trials/a") == b"new"


def test_names_are_listed_in_order_without_hidden_files_and_folders(files):
    for name in ("t/b.x", "t/a-failed.x", "t/a.x", "t/B.x", "t/a.y", "t/.hidden.x", "t/folder.x/a.x", "other/a.x"):
        files.put(name, b"")
    assert files.list("t", suffix=".x") == ["t/B.x", "t/a-failed.x", "t/a.x", "t/b.x"]
    assert files.list("t") == ["t/B.x", "t/a-failed.x", "t/a.x", "t/a.y", "t/b.x"]


def test_a_file_in_place_of_a_folder_holds_no_files(tmp_path):
    files = Folder(tmp_path).files
    files.put("trials", b"")
    assert files.list("trials") == []
    assert not files.exists("trials/a")
    files.delete("trials/a")
    with pytest.raises(OSError, match="trials"):
        files.put("trials/a", b"")


def test_what_is_deleted_is_gone_and_may_be_deleted_again(files):
    files.put("trials/a", b"")
    files.put("trials/b", b"")
    files.delete("trials/a")
    files.delete("trials/a")
    assert files.list("trials") == ["trials/b"]


def test_a_folder_is_deleted_with_all_below_and_with_folders_that_are_empty_then(back_end, files):
    for name in (".tune/one/driver", ".tune/one/deep/er/a", ".tune/two/driver", "trials/a"):
        files.put(name, b"")
    files.delete_folder(".tune/one")
    assert back_end.everything() == [".tune/two/driver", "trials/a"]
    files.delete_folder(".tune/two")
    files.delete_folder("trials")
    assert back_end.everything() == []
    assert files.exists()


@pytest.mark.slow_after(1)
def test_no_character_of_a_name_means_anything(files):
    names = [f"trials/{stem}.parquet" for stem in ("[1]", "a b", "*", "~", "%20", "ü", "a?b=c&d#e", "{x}", "'\"\\")]
    frame = pl.DataFrame({"a": [1]})
    files.put("trials/plain.parquet", b"")
    content = io.BytesIO()
    frame.write_parquet(content)
    for name in names:
        files.put(name, content.getvalue())
    assert files.list("trials", suffix=".parquet") == sorted([*names, "trials/plain.parquet"])
    for name in names:
        assert files.exists(name)
        assert pl.read_parquet(files.get(name)).equals(frame)
        scanned = pl.scan_parquet(files.uri(name), glob=False, storage_options=files.storage_options)
        assert scanned.collect().equals(frame)
        files.delete(name)
    assert files.list("trials") == ["trials/plain.parquet"]


def test_the_address_of_the_root_opens_it_from_anywhere(files, tmp_path, monkeypatch):
    files.put("trials/a", b"here")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert open_filesystem(files.uri()).get("trials/a") == b"here"


def test_a_root_that_is_not_there_is_made_by_proving_it_writable_and_nothing_is_left_in_it(back_end, files):
    files.prove_writable()
    assert files.exists()
    assert back_end.everything() == []


def test_a_root_that_cannot_be_made_is_proven_not_writable_with_its_name_and_the_reason(back_end):
    with pytest.raises(OSError, match=back_end.unusable_because) as raised:
        back_end.unusable().prove_writable()
    assert "results" in raised.value.filename


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder in which nobody may write a file, root included")
def test_a_folder_in_which_no_file_can_be_made_is_named_itself():
    with pytest.raises(OSError, match="proc") as raised:
        open_filesystem("/proc/self").prove_writable()
    assert raised.value.filename == "/proc/self"


def test_leftovers_of_killed_writers_are_not_there_for_readers(back_end, files):
    files.put("trials/a", b"")
    back_end.leave_behind("trials/b", age=0)
    assert files.list("trials") == ["trials/a"]
    assert not files.exists("trials/b")
    files.put("trials/b", b"whole")
    assert files.get("trials/b") == b"whole"


def test_leftovers_in_a_folder_are_removed_once_stale(tmp_path):
    folder = Folder(tmp_path)
    folder.files.put("trials/a", b"")
    folder.leave_behind("trials/old", age=3700)
    folder.leave_behind("weights/young", age=3500)
    folder.files.remove_stale_temp_files(older_than=3600)
    assert folder.everything() == ["trials/a", "weights/.young.0123.tmp"]


def test_a_stamp_is_the_same_in_a_list_and_alone_and_another_once_the_file_is_written_again(files):
    files.put("trials/a", b"one")
    before = files.stamps("trials")
    assert before == {"trials/a": files.stamp("trials/a")}
    files.put("trials/a", b"longer")
    assert files.stamp("trials/a") != before["trials/a"]
    assert files.stamp("trials/b") is None


def test_the_stamp_of_a_folder_is_another_once_a_file_in_it_is_made_written_in_place_or_removed(tmp_path):
    files, path = LocalFolder(str(tmp_path)), tmp_path / "trials/a"
    assert files.folder_stamp("trials") is None
    files.put("trials/a", b"one")
    found = [files.folder_stamp("trials")]
    assert files.folder_stamp("trials") == found[0]
    path.write_bytes(b"longer")
    found.append(files.folder_stamp("trials"))
    os.utime(path, (1e9, 1e9))
    found.append(files.folder_stamp("trials"))
    files.put("trials/b", b"")
    found.append(files.folder_stamp("trials"))
    files.delete("trials/a")
    found.append(files.folder_stamp("trials"))
    assert len({*found}) == 5


def test_the_end_of_a_file_is_read_with_its_size(files):
    files.put("trials/a", b"all but the end")
    assert files.tail("trials/a", size=3) == (15, b"end")
    assert files.tail("trials/a", size=100) == (15, b"all but the end")


def test_what_many_files_hold_is_read_in_their_order(files):
    names = [f"trials/{n}" for n in range(20)]
    for name in names:
        files.put(name, name.encode())
    assert files.map(files.get, names) == [name.encode() for name in names]


def test_what_lies_right_below_the_root_is_named(files):
    for name in ("trials/a", "weights/b/c", ".tune/d", "file"):
        files.put(name, b"")
    assert files.names() == ["file", "trials", "weights"]
    assert [files.has_folder(name) for name in ("trials", "weights", "file", "none")] == [True, True, False, False]


def test_a_relative_folder_is_named_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_filesystem("results/").root == "results"


def test_the_home_folder_may_be_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    open_filesystem("~/results").put("trials/a", b"")
    assert (tmp_path / "results" / "trials" / "a").exists()


def test_a_path_is_as_good_as_text(tmp_path):
    assert open_filesystem(tmp_path).root == str(tmp_path)


@pytest.mark.parametrize("root", ["http://host/results", "hdfs://bucket", "file:///tmp/results", "s3a://bucket/p"])
def test_another_url_is_refused_with_the_remedy(root):
    with pytest.raises(UsageError, match=f"must be a folder, s3://bucket/prefix or .*, got {root}; mount"):
        open_filesystem(root)


def test_a_file_in_place_of_the_root_is_the_users_mistake(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(UsageError, match=r"must be a folder, .*results is a file; name another with --results"):
        open_filesystem(str(tmp_path / "results"))


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")  # as the system raises it: without a name

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        open_filesystem(tmp_path).put("trials/x.parquet", b"x")
    assert caught.value.filename == str(tmp_path / "trials" / "x.parquet")
    assert list((tmp_path / "trials").iterdir()) == []


@pytest.mark.parametrize("name", ["../outside", "trials/../../outside", "trials/..", "/tmp/outside"])
def test_no_name_leads_out_of_the_folder(back_end, files, name):
    files.put("trials/a", b"")
    for use in (lambda: files.put(name, b"x"), lambda: files.get(name), lambda: files.delete(name)):
        with pytest.raises(
            UsageError, match=f"lead to nothing outside, got '{name}' in {files.root}; .* do not use their"
        ):
            use()
    assert back_end.everything() == ["trials/a"]


@pytest.mark.parametrize("given", ["./~nobody", "./~", "./ab:/x"])
def test_the_root_of_a_folder_that_looks_like_a_home_or_an_url_opens_it_again(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    files = open_filesystem(given)
    files.put("trials/a", b"here")
    assert files.root == given
    assert open_filesystem(files.root).get("trials/a") == b"here"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("given", ["\udcff", "a/\udcff/b", "."])
def test_a_folder_whose_path_is_no_text_is_refused_before_anything_is_written(tmp_path, monkeypatch, given):
    below = tmp_path / "\udcfe" if given == "." else tmp_path
    below.mkdir(exist_ok=True)
    monkeypatch.chdir(below)
    with pytest.raises(UsageError, match=r"must be a folder whose path is UTF-8, got '.*\\udcf.*'; rename it, or name"):
        open_filesystem(given)
    assert [*below.iterdir()] == []
