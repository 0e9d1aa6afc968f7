"""Every verb on results in an object store: what it says of a folder, and pictures and pages on this machine."""

import json

import polars as pl
import pytest

import lrsym as package
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.store import Store, load, load_trials
from tests.cli.test_claims import claims_file
from tests.running import lrsym


@pytest.fixture
def copied(s3, trained, tmp_path, monkeypatch):
    """The file of a small sweep, its results in a folder, and the URL of a copy of them; run in an empty folder."""
    path, folder = trained
    files = open_filesystem(s3.url)
    # As sweeps write them, trials last: a part whose other tables are newer by a second is one that is written anew.
    for part in sorted(folder.rglob("*.parquet"), key=lambda part: part.parent.name == "trials"):
        files.put(str(part.relative_to(folder)), part.read_bytes())
    monkeypatch.chdir(tmp_path)
    return path, str(folder), s3.url


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(
    "words",
    [
        ("status", "FILE"), ("plan", "FILE"), ("plan", "FILE", "--set", "optim.steps=9", "--no-pilot"),
        ("best", "FILE", "--metric", "unseen_order"), ("forget", "FILE", "--where", "seed = 1"),
        ("query", "select trial_id, unseen_order, path from trials order by 1", "--json"),
        ("query", "select count(*) from curves", "--sweep", "FILE"), ("check",),
        ("contrast", "FILE", "--of", "layouts_per_pair=4", "--against", "layouts_per_pair=1"),
    ],
    ids=lambda words: "-".join(words[:1]),
)  # fmt: skip
def test_a_verb_says_what_it_says_of_a_folder(copied, words):
    path, folder, url = copied
    words = [path if word == "FILE" else word for word in words]
    assert lrsym(*words, "--results", url) == lrsym(*words, "--results", folder).replace(folder, url)


def test_the_url_may_come_from_the_environment(copied, monkeypatch):
    path, _, url = copied
    monkeypatch.setenv("LRSYM_RESULTS", url)
    assert (
        lrsym("status", path)
        == f"small: 8 trials: 8 done, 0 missing in {url}\n" + lrsym("status", path).split("\n", 1)[1]
    )


@pytest.mark.slow
def test_the_python_interface_takes_the_url(copied):
    path, folder, url = copied
    there, here = (package.load_trials(root).sort("trial_id").collect() for root in (url, folder))
    assert there.equals(here)
    assert package.status(path, url).statuses == {"done": 8}
    assert package.query(url, "select count(*) as n from trials")["n"].to_list() == [8]


@pytest.mark.slow
def test_pictures_and_pages_are_files_in_the_folder_plots_of_the_reader(copied, tmp_path):
    path, _, url = copied
    before = open_filesystem(url).names()
    drawn = json.loads(lrsym("plot", "curves", path, "--results", url, "--json"))["pictures"]
    judged = json.loads(lrsym("claims", claims_file(tmp_path), "--results", url, "--json"))["page"]
    reported = json.loads(lrsym("report", path, "--results", url, "--json"))["page"]
    assert [*drawn, judged, reported] == [
        *(f"plots/small-curves-order{ending}" for ending in (".html", ".png", ".svg", ".vl.json", ".parquet")),
        "plots/small.html", "plots/small-report.html",
    ]  # fmt: skip
    assert all((tmp_path / name).stat().st_size for name in [*drawn, judged, reported])
    assert open_filesystem(url).names() == before


@pytest.mark.slow
def test_weights_of_a_trial_that_is_explained_are_kept_in_the_store(copied, tmp_path):
    _, _, url = copied
    trial_id = load_trials(url).select("trial_id").first().collect().item()
    told = json.loads(lrsym("explain", trial_id, "--results", url, "--json"))
    assert (told["weights"], told["retrained"]) == (f"{url}/weights/{trial_id}.safetensors", True)
    assert told["page"] == f"plots/{trial_id}.html"
    assert not json.loads(lrsym("explain", trial_id, "--results", url, "--out", tmp_path, "--json"))["retrained"]
    assert package.load_weights(url, trial_id[:8]).trial.trial_id == trial_id


@pytest.mark.slow
def test_parts_are_merged_into_one_with_the_same_rows(copied):
    _, _, url = copied
    before = {table: load(url, table).collect() for table in ("trials", "curves", "terms")}
    merged = lrsym("compact", "--results", url)
    assert "merged in s3://bucket/" in merged
    assert len(Store(url).trial_parts()) == 1
    for table, rows in before.items():
        keys = [name for name, kind in rows.schema.items() if not isinstance(kind, pl.List)]
        assert load(url, table).collect().sort(keys).equals(rows.sort(keys))


@pytest.mark.slow
def test_what_is_forgotten_is_gone_and_nothing_else(copied):
    path, _, url = copied
    lrsym("forget", path, "--where", "seed = 1", "--yes", "--results", url)
    assert sorted(load_trials(url).collect()["seed"]) == [0, 0, 2, 2, 3, 3]
    assert open_filesystem(url).list("leases") == []


@pytest.mark.slow
def test_a_damaged_object_is_named_set_aside_and_what_it_held_is_trained_by_the_next_sweep(copied):
    path, _, url = copied
    files = open_filesystem(url)
    name = files.list("trials")[0]
    files.put(name, files.get(name)[:-1] + b"x")
    assert name in lrsym("check", "--results", url, code=1)
    lrsym("check", "--repair", "--results", url)
    assert not files.exists(name)
    assert files.has_folder("quarantine")
    assert "4 new" in lrsym("plan", path, "--results", url, "--no-pilot")


@pytest.mark.slow
def test_the_doctor_tells_of_the_store(copied):
    assert copied[2] in lrsym("doctor", "--results", copied[2])
