"""An object store that refuses, fails or is not there: one line each, in seconds, and nothing half-written counts."""

import pickle
import socket
import time
from pathlib import Path

import pytest

import lrsym as package
from lrsym.errors import DamagedPartWarning, ObjectStoreError, UsageError
from lrsym.results.store import object_access
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.object_access import MAX_ATTEMPTS, Access, parse_url, storage_options
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from tests.running import lrsym
from tests.s3_server import SECRET
from tests.small_trials import write_sweep


def written(url, *run_ids):
    """A store at `url` with a row of the table runs for each id."""
    store = Store(url)
    for run_id in run_ids:
        store.write(f"run-{run_id}", {"runs": TABLES["runs"].build([{"run_id": run_id}])})
    return store


def run_ids(store):
    return sorted(store.scan("runs").collect()["run_id"])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket", ("s3", "bucket", "")),
        ("s3://bucket/", ("s3", "bucket", "")),
        ("S3://bucket/a/b c/ü%20//", ("s3", "bucket", "a/b c/ü%20")),
        ("gs://my_bucket.of.mine/a", ("gs", "my_bucket.of.mine", "a")),
    ],
)
def test_a_url_is_a_scheme_a_bucket_and_a_prefix(url, expected):
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3:/bucket/a", "give two slashes, and from Python a text: a pathlib.Path swallows one"),
        ("s3://", "a bucket's name has 3 to 63 lower-case letters"),
        ("s3://Bucket/a", "a bucket's name has 3 to 63 lower-case letters"),
        ("s3://bucket/a//b", "single slashes between them"),
        ("s3://bucket/../b", "none of them . or .."),
        ("s3://bucket/a\nb", "a prefix is names"),
        ("http://host/a", "must be a folder, s3://bucket/prefix or gs://bucket/prefix, got http://host/a; mount"),
    ],
)
def test_a_malformed_url_is_one_line_with_the_remedy(url, expected):
    with pytest.raises(UsageError) as raised:
        open_filesystem(url)
    assert expected in str(raised.value)
    text = lrsym("compact", "--results", url, code=2)
    assert text.startswith("error: ")
    assert len(text.splitlines()) == 1 + url.count("\n")


@pytest.mark.parametrize(
    "url", ["s3://key:secret@bucket/a", "http://key:secret@host/a", "s3:/key:secret@bucket", "pg://key:se/secret@host"]
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url):
    with pytest.raises(UsageError) as raised:
        open_filesystem(url)
    assert "secret" not in str(raised.value)


def test_from_python_a_path_is_refused_with_what_it_does_to_a_url():
    with pytest.raises(UsageError, match=r"a pathlib\.Path swallows one"):
        package.load_trials(Path("s3://bucket/results"))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (None, None)),
        ({"AWS_ENDPOINT_URL": "http://host:9000/", "AWS_DEFAULT_REGION": "eu-1"}, ("http://host:9000", "eu-1")),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "https://b", "AWS_REGION": "r"}, ("https://b", "r")),
        ({"AWS_ENDPOINT_URL": "host:9000"}, ("https://host:9000", None)),
        ({"AWS_ENDPOINT_URL": "host:9000", "AWS_ALLOW_HTTP": "true"}, ("http://host:9000", None)),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-1"}, (None, "eu-1")),
    ],
)
def test_endpoint_and_region_come_from_the_usual_variables(environment, expected):
    access = Access.from_environment(environment)
    assert (access.endpoint, access.region) == expected


@pytest.mark.parametrize("endpoint", ["ftp://host", "http://host/path", "http://key:secret@host", "http://"])
def test_what_is_no_endpoint_is_one_line(endpoint):
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL must be http://host:port") as raised:
        Access.from_environment({"AWS_ENDPOINT_URL": endpoint})
    assert "secret" not in str(raised.value)


def test_what_polars_is_told_holds_no_secret(s3):
    assert SECRET not in str(storage_options(s3.url))
    assert storage_options("/a/folder") is None


def one_line(url, tmp_path, *, verb=("status", "FILE")):
    """What a verb that reads says of results at `url`, and the seconds that it took."""
    words = [write_sweep(tmp_path, steps=5) if word == "FILE" else word for word in verb]
    begun = time.monotonic()
    text = lrsym(*words, "--results", url, code=2)
    assert len(text.splitlines()) == 1, text
    assert text.startswith("error: ")
    return text, time.monotonic() - begun


VERBS = [("status", "FILE"), ("plan", "FILE"), ("sweep", "FILE"), ("query", "select 1 from trials"), ("compact",)]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_bucket_that_is_not_there_is_one_line(s3, tmp_path, verb):
    text, _ = one_line("s3://another-bucket/a", tmp_path, verb=verb)
    assert text == (
        "error: s3://another-bucket/a: there is no such bucket; create it, or check its name, AWS_REGION and "
        "AWS_ENDPOINT_URL\n"
    )


def test_a_key_that_is_not_known_is_one_line(s3, tmp_path):
    s3.require_known_keys()
    assert "the object store does not accept the key; check AWS_ACCESS_KEY_ID" in one_line(s3.url, tmp_path)[0]


def test_a_key_without_permission_is_one_line_that_names_what_is_needed(s3, tmp_path):
    s3.tell(fail={"status": 403})
    text, _ = one_line(s3.url, tmp_path)
    assert "no permission; give credentials that may list, read, write and delete there" in text


def test_results_that_may_be_read_only_are_told_before_anything_is_trained(s3, tmp_path):
    s3.tell(fail={"status": 403, "methods": ["PUT"]})
    assert "no permission" in one_line(s3.url, tmp_path, verb=("sweep", "FILE", "--no-pilot"))[0]


@pytest.mark.slow
def test_an_endpoint_where_nothing_listens_is_one_line_in_seconds(s3, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    text, seconds = one_line(s3.url, tmp_path)
    assert "the object store does not answer; check AWS_ENDPOINT_URL and the network" in text
    assert seconds < 10


@pytest.mark.slow
def test_a_server_that_says_nothing_is_one_line_within_half_a_minute(s3, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        text, seconds = one_line(s3.url, tmp_path)
    assert "the object store does not answer" in text
    assert seconds < 30


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_fails_now_and_then_is_asked_again(s3, status):
    store = written(s3.url, "1")
    for methods in (["PUT"], ["GET"], ["HEAD"]):
        s3.tell(fail={"times": 1, "status": status, "methods": methods})
        written(s3.url, "2")
        assert run_ids(store) == ["1", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_fails_again_and_again_is_one_line_and_what_was_there_stays(s3, tmp_path, status):
    store = written(s3.url, "1")
    before = store.files.get("runs/run-1.parquet")
    s3.tell(fail={"status": status, "methods": ["PUT"]})
    asked = s3.tell()["PUT"]
    with pytest.raises(ObjectStoreError, match="failed again and again; run the same command again later"):
        store.files.put("runs/run-1.parquet", b"half")
    assert s3.tell()["PUT"] - asked == MAX_ATTEMPTS
    s3.tell(fail={"status": status, "path": "."})
    assert "failed again and again" in one_line(f"{s3.url}/more", tmp_path)[0]
    s3.reset_faults()
    assert store.files.get("runs/run-1.parquet") == before


@pytest.mark.slow
def test_a_large_object_of_which_a_piece_cannot_be_written_is_not_there(s3):
    files = open_filesystem(s3.url)
    files.put("checkpoints/a", b"old")
    s3.tell(fail={"status": 500, "methods": ["PUT"]})
    with pytest.raises(OSError, match="again and again"):
        files.put("checkpoints/a", bytes(25 << 20))
    s3.reset_faults()
    assert files.get("checkpoints/a") == b"old"
    files.put("checkpoints/a", bytes(25 << 20))
    assert files.get("checkpoints/a") == bytes(25 << 20)


@pytest.mark.slow
def test_a_table_that_polars_cannot_read_any_more_is_one_line(s3, tmp_path):
    written(s3.url, "1").scan("runs").collect()
    s3.tell(fail={"status": 403, "methods": ["GET"], "path": "parquet"})
    text, _ = one_line(s3.url, tmp_path, verb=("query", "select * from runs"))
    assert "no permission" in text


def test_what_polars_says_of_an_object_is_put_in_our_words():
    said = OSError(
        "object-store error: Generic S3 error: Error performing GET http://127.0.0.1:9/bucket/a.parquet in 1s, after 3 "
        "retries - Server returned non-2xx status code: 503 Service Unavailable: <?xml\n..."
    )
    assert object_access.sentence(said).startswith("http://127.0.0.1:9/bucket/a.parquet: the object store failed")
    assert object_access.sentence(FileNotFoundError(2, "No such file", "here")).startswith("here: No such file; check")


def test_an_error_comes_whole_out_of_another_process():
    error = pickle.loads(pickle.dumps(ObjectStoreError(5, "why", "s3://bucket/a", remedy="do this")))
    assert (str(error), error.errno, error.filename) == ("s3://bucket/a: why; do this", 5, "s3://bucket/a")


def test_a_folder_in_results_is_refused_with_the_one_that_was_meant(s3):
    written(s3.url, "1")
    with pytest.raises(UsageError, match=rf"lies in one; give --results {s3.url}$"):
        Store(f"{s3.url}/runs")


def test_a_place_above_results_names_them(s3):
    written(s3.url, "1")
    text = lrsym("query", "select 1 from runs", "--results", s3.url.removesuffix("/results"), code=2)
    assert f"give --results {s3.url}" in text


def test_half_a_part_is_told_and_not_read_and_the_others_are(s3):
    whole, half = "1" * 16, "2" * 16
    store, name = written(s3.url, whole, half), f"runs/run-{half}.parquet"
    store.files.put(name, store.files.get(name)[:-100])
    with pytest.warns(DamagedPartWarning, match=rf"{s3.url}/{name} is cut short .* and is not read"):
        assert run_ids(store) == [whole]
    with pytest.raises(UsageError, match="1 damaged part in the results"):
        store.require_no_damage()
    written(s3.url, half)
    assert run_ids(store) == [whole, half]
