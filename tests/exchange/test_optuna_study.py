"""Studies of Optuna, made with Optuna itself."""

import optuna
import polars as pl
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from lrsym.errors import UsageError
from lrsym.exchange.importing import import_trials
from lrsym.exchange.run import runs
from lrsym.exchange.selection import select
from lrsym.results.store.imported import load_imported
from lrsym.results.store.query import query
from tests.running import lrsym

SPACE = {
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "depth": IntDistribution(1, 9),
    "kind": CategoricalDistribution(["a", None, 3]),
    "value": FloatDistribution(0, 1),
}


@pytest.fixture
def url(tmp_path):
    """A storage with two studies: one with a trial of every kind, one of two objectives."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    place = f"sqlite:///{tmp_path}/with space?.db".replace("?", "")
    study = optuna.create_study(storage=place, study_name="mine")
    params = {"lr": 0.01, "depth": 3, "kind": "a", "value": 0.5}
    made = [
        create_trial(params=params, distributions=SPACE, value=0.25, intermediate_values={1: 0.9, 5: 0.25},
                     user_attrs={"epochs": 7, "note": ["x"]}),
        create_trial(params={**params, "kind": None}, distributions=SPACE, state=TrialState.PRUNED, value=0.8,
                     intermediate_values={1: 0.8}),
        create_trial(params={**params, "kind": 3}, distributions=SPACE, state=TrialState.FAIL),
        create_trial(params=params, distributions=SPACE, state=TrialState.RUNNING),
    ]  # fmt: skip
    study.add_trials(made)
    study.enqueue_trial(params)
    two = optuna.create_study(storage=place, study_name="two", directions=["minimize", "maximize"])
    two.add_trial(create_trial(params={"lr": 0.1}, distributions={"lr": SPACE["lr"]}, values=[1.0, 2.0]))
    return place


@pytest.mark.slow
def test_trials_come_with_parameters_values_reports_and_how_they_ended(url, tmp_path):
    done = import_trials(url, str(tmp_path / "o"), study="mine")
    assert (done.trials, done.points, done.left_out) == (3, 3, 2)
    rows = load_imported(str(tmp_path / "o"), "trials").collect()
    assert rows["trial_id"].to_list() == ["optuna:mine:0", "optuna:mine:1", "optuna:mine:2"]
    assert rows["status"].to_list() == ["done", "stopped", "crashed"]
    assert rows["state"].to_list() == ["COMPLETE", "PRUNED", "FAIL"]
    assert rows["value"].to_list() == [0.25, 0.8, None]
    assert rows["param_value"].to_list() == [0.5, 0.5, 0.5]  # a parameter of the name of the objective
    assert (rows["lr"].dtype, rows["depth"].dtype) == (pl.Float64, pl.Int64)
    assert rows["kind"].to_list() == ["a", None, "3"]
    assert (rows["attr_epochs"][0], rows["attr_note"][0]) == (7, '["x"]')
    curves = load_imported(str(tmp_path / "o"), "curves").collect()
    assert curves.rows() == [
        ("optuna:mine:0", 1, "value_reported", 0.9), ("optuna:mine:0", 5, "value_reported", 0.25),
        ("optuna:mine:1", 1, "value_reported", 0.8),
    ]  # fmt: skip


def test_the_value_of_a_trial_is_told_beside_what_it_reported_and_a_report_that_is_no_number_stays(url, tmp_path):
    made = create_trial(value=0.8, intermediate_values={0: 0.2, 1: float("nan"), 2: 0.4})
    optuna.create_study(storage=url, study_name="sums").add_trial(made)
    folder = str(tmp_path / "o")
    assert import_trials(url, folder, study="sums").points == 3
    (run,) = runs(select(folder))
    series = run.series()
    assert series["value"] == [(2, 0.8)]
    assert str(series["value_reported"]) == "[(0, 0.2), (1, nan), (2, 0.4)]"


@pytest.mark.slow
def test_again_the_rows_are_those_of_now_and_another_study_lies_beside(url, tmp_path):
    folder = str(tmp_path / "o")
    import_trials(url, folder, study="mine")
    optuna.load_study(storage=url, study_name="mine").add_trial(
        create_trial(params={"lr": 0.5}, distributions={"lr": SPACE["lr"]}, value=0.1)
    )
    assert import_trials(url, folder, study="mine").trials == 4
    import_trials(url, folder, study="two")
    found = query(folder, "select study, count(*) as n, max(value_1) as best from trials group by study order by study")
    assert found.rows() == [("mine", 4, None), ("two", 1, 2.0)]


def test_the_storage_stays_as_it_was(url, tmp_path):
    path = tmp_path / "with space.db"
    before = path.read_bytes(), sorted(tmp_path.iterdir())
    import_trials(str(path), str(tmp_path / "o"), study="mine")
    assert (path.read_bytes(), sorted(p for p in tmp_path.iterdir() if p.name != "o")) == before


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(
    ("source", "study", "why"),
    [
        ("{url}", None, "has 2 studies, mine, two; choose one with --study"),
        ("{url}", "min", "has no study min; its studies are mine, two"),
        ("sqlite:///{tmp}/none.db", "mine", "there is no file .*none.db; check the path"),
        ("sqlite:///{tmp}/text.db", "mine", "text.db is no SQLite file"),
        ("sqlite:///{tmp}/other.db", "mine", "other.db has no studies of Optuna"),
        ("nosuch://host/base", "mine", "cannot be read as a storage of Optuna"),
        ("{tmp}/nowhere", None, "there is no .*nowhere; check the path"),
    ],
)
def test_what_is_no_study_is_one_line_and_nothing_is_made(url, tmp_path, source, study, why):
    import sqlite3

    (tmp_path / "text.db").write_text("not a database, " * 100)
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("create table t (n int)")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=why) as found:
        import_trials(source.format(url=url, tmp=tmp_path), str(tmp_path / "o"), study=study)
    assert "\n" not in str(found.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_a_study_of_the_same_name_from_elsewhere_is_refused(url, tmp_path):
    import_trials(url, str(tmp_path / "o"), study="mine")
    (tmp_path / "copy.db").write_bytes((tmp_path / "with space.db").read_bytes())
    with pytest.raises(UsageError, match=r"has a study mine from .*with space\.db already, got one from .*copy\.db"):
        import_trials(str(tmp_path / "copy.db"), str(tmp_path / "o"), study="mine")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nosuchdb://user:secret@127.0.0.1:1/studies", "nosuchdb://***@127.0.0.1:1/studies"),
        ("nosuchdb://user:a/secret@h/studies", "nosuchdb://***@h/studies"),
        ("nosuchdb://h/studies?ssl=on&password=secret", "nosuchdb://h/studies?ssl=on&password=***"),
    ],
)
def test_a_secret_of_a_url_is_not_told(tmp_path, url, told):
    with pytest.raises(UsageError) as error:
        import_trials(url, str(tmp_path / "o"))
    assert "secret" not in str(error.value)
    assert told in str(error.value)


def test_a_folder_for_imported_trials_must_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSYM_RESULTS", "results")
    text = lrsym("import", "sqlite:///study.db", code=2)
    assert text.startswith("error: --results must name a folder for these trials alone")
    assert list(tmp_path.iterdir()) == []
