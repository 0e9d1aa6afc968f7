"""A short chaos of each kind, and that it sees what it looks for."""

import shutil

import pytest

from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load
from lrsym.sweep.spec.sweep_file import load as load_sweep
from tests import chaos
from tests.fitted import train
from tests.small_trials import write_sweep


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "store", "events"),
    [("local", "folder", 8), ("local", "s3", 5), pytest.param("ray", "folder", 2, marks=pytest.mark.ray)],
)
def test_rows_are_those_of_an_undisturbed_run_whatever_is_killed_or_frozen(
    tmp_path, monkeypatch, engine, store, events
):
    if store == "s3":
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            monkeypatch.setenv(name, "")  # those that the chaos sets are gone again afterwards
    report = chaos.run(engine=engine, store=store, events=events, seed=7, trials=4, steps=1000, folder=tmp_path)
    assert report.faults == []
    assert report.events.total() >= events
    assert report.rows > 100


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A sweep, and a folder with what it trains."""
    folder = tmp_path_factory.mktemp("trained")
    path = write_sweep(folder, steps=5, seeds=1)
    for trial in load_sweep(path).trials:
        train(folder / "results", [trial])
    return path, folder / "results"


@pytest.fixture
def places(trained, tmp_path):
    """A sweep with its rows in two places alike, and the chaos that compares them."""
    path, results = trained
    for name in ("one", "two"):
        shutil.copytree(results, tmp_path / name)
    maker = chaos.Chaos(path, engine="local", seed=1, folder=tmp_path, server=None)
    return maker, str(tmp_path / "one"), str(tmp_path / "two")


@pytest.mark.slow
def test_rows_that_are_alike_are_no_fault(places):
    maker, one, two = places
    maker.compare(one, two)
    assert maker.report.faults == []
    assert maker.report.rows > 10


def test_a_row_that_is_twice_on_disk_is_seen(places):
    maker, one, two = places
    Store(two).write(
        "copy", {"trials": load(two, "trials").head(1).collect().select(TABLES["trials"].arrow.names).to_arrow()}
    )
    maker.compare(one, two)
    assert "not each there once and done" in maker.report.faults[0]


def test_a_value_that_differs_in_its_last_digit_is_seen(places):
    maker, one, two = places
    (part, *_) = Store(two).trial_parts()
    name = part.removeprefix("trials/").removesuffix(".parquet")
    curves = Store(two).read_part("curves", name)
    changed = curves.with_columns(value=curves["value"] * (1 + 1e-15)).to_arrow()
    Store(two).write(name, {"curves": changed})
    maker.compare(one, two)
    assert maker.report.faults == [f"{two}: the table curves differs"]


@pytest.mark.parametrize(("code", "text"), [(1, ""), (2, "error: gone"), (0, "Traceback (most recent call last)")])
def test_an_end_that_is_none_of_a_sweep_is_seen(places, code, text):
    maker, *_ = places
    maker._check_end(code, text)
    assert len(maker.report.faults) == 1
    maker._check_end(0, "8 trials trained")
    assert len(maker.report.faults) == 1
