"""Folders of imported trials: asked and exported, and never taken for trials of a sweep."""

import json

import polars as pl
import pytest

import lrsym as package
from lrsym.errors import UsageError
from lrsym.exchange.importing import import_trials
from lrsym.exchange.trials_of_others import OtherStudy, OtherTrial, write_trials
from lrsym.results.store.store import Store, load_trials
from tests.charts import panels
from tests.reports import made_up
from tests.running import lrsym
from tests.small_trials import write_sweep

STUDY = OtherStudy(
    "optuna",
    "sqlite:///x.db",
    "s",
    [
        OtherTrial(
            "0",
            "done",
            "COMPLETE",
            {"learning_rate": 0.1, "seed": 0},
            {"unseen_order": 0.7},
            {"unseen_order": [(5, 0.7)]},
        ),
        OtherTrial("1", "done", "COMPLETE", {"learning_rate": 0.2, "seed": 0}, {"unseen_order": 0.9}),
    ],
)


@pytest.fixture
def imported(tmp_path):
    write_trials(STUDY, str(tmp_path / "o"))
    return tmp_path / "o"


@pytest.mark.slow_after(4)
@pytest.mark.parametrize(
    "words",
    [
        ("sweep", "FILE"), ("plan", "FILE"), ("status", "FILE"), ("verify", "FILE"), ("report", "FILE"),
        ("plot", "phase", "FILE"), ("best", "FILE", "--metric", "unseen_order"), ("forget", "FILE"), ("compact",),
        ("refine", "FILE", "--budget", 8), ("export", "FILE", "--to", "csv"),
        ("query", "select 1 from trials", "--sweep", "FILE"),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_verbs_of_sweeps_refuse_them_and_write_nothing(imported, tmp_path, words):
    path = write_sweep(tmp_path, steps=5)
    before = sorted(imported.rglob("*"))
    text = lrsym(*(path if word == "FILE" else word for word in words), "--results", imported, code=2)
    assert text.startswith("error: ")
    assert "holds trials imported from other tools, which are none of a sweep" in text
    assert len(text.splitlines()) == 1
    assert sorted(imported.rglob("*")) == before


def test_they_are_not_merged_into_results_and_not_imported_into_them(imported, tmp_path):
    made_up.write(tmp_path / "r", made_up.sweep().trials)
    assert "imported from other tools" in lrsym("merge", imported, "--results", tmp_path / "r", code=2)
    assert "imported from other tools" in lrsym("diff", tmp_path / "r", imported, code=2)
    with pytest.raises(UsageError, match="r holds trials that lrsym trained, and imported ones are never mixed"):
        write_trials(STUDY, str(tmp_path / "r"))
    assert load_trials(tmp_path / "r").collect().height == 12
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").touch()
    with pytest.raises(UsageError, match=r"full is a folder of other things, such as thesis\.tex"):
        write_trials(STUDY, str(tmp_path / "full"))


def test_a_store_in_an_object_store_is_refused_before_the_first_write(imported):
    store = Store.__new__(Store)  # as it is where the folder became one of imported trials meanwhile
    store.files = Store(str(imported.parent / "elsewhere")).files
    store.files.put("imported.json", b"{}")
    with pytest.raises(UsageError, match="imported from other tools"):
        store.prove_writable()


def test_they_are_asked_in_sql_and_a_wrong_column_is_told_with_those_there_are(imported):
    asked = "select study, max(unseen_order) as top from trials group by study"
    assert json.loads(lrsym("query", asked, "--results", imported, "--json")) == [{"study": "s", "top": 0.9}]
    joined = "select value, learning_rate from curves join trials using (trial_id)"
    assert json.loads(lrsym("query", joined, "--results", imported, "--json")) == [{"value": 0.7, "learning_rate": 0.1}]
    text = lrsym("query", "select nope from trials", "--results", imported, code=2)
    assert "trials, curves, their columns: trial_id, imported_from, study, status" in text


@pytest.mark.slow
def test_columns_of_our_names_are_drawn_as_ours(imported):
    rows = package.load_trials(str(imported))
    chart = package.plot_line(rows, metric="unseen_order", x="learning_rate")
    assert {row["mean"] for rows in chart.to_dict()["datasets"].values() for row in rows if "mean" in row} == {0.7, 0.9}
    assert package.query(str(imported), "select count(*) as n from trials")["n"].item() == 2
    assert package.load(str(imported), "curves").collect().height == 1


def test_they_are_exported_with_their_parameters_and_metrics(imported, tmp_path):
    text = lrsym(
        "export", "--to", "csv", "--out", tmp_path / "c", "--where", "learning_rate < 0.15", "--results", imported
    )
    assert text.startswith("trials 1; curves 1 rows\n")
    assert pl.read_csv(tmp_path / "c/trials.csv")["trial_id"].to_list() == ["optuna:s:0"]
    lrsym("export", "--to", "tensorboard", "--out", tmp_path / "t", "--results", imported)
    assert sorted(path.name[:11] for path in (tmp_path / "t").iterdir()) == ["optuna-s-0-", "optuna-s-1-"]
    columns = pl.read_csv(tmp_path / "c/columns.csv")
    assert columns.filter(pl.col("column") == "learning_rate")["meaning"].to_list() == [""]
    text = lrsym("export", "--to", "csv", "--where", "nope = 1", "--results", imported, code=2)
    assert "no condition on the imported trials" in text


def test_a_study_without_a_trial_that_has_ended_is_told(tmp_path):
    with pytest.raises(UsageError, match="has no trial that has ended, and 3 that have not"):
        write_trials(OtherStudy("ray", "x", "e", [], 3), str(tmp_path / "o"))
    assert not (tmp_path / "o").exists()


def test_studies_with_other_columns_lie_in_one_folder(imported):
    other = OtherTrial("7", "crashed", "ERROR", {"learning_rate": 1, "depth": 3, "seed": None}, {"loss": 1})
    write_trials(OtherStudy("ray", "/x", "e", [other]), str(imported))
    rows = package.load_trials(str(imported)).sort("trial_id").collect()
    assert rows["learning_rate"].to_list() == [0.1, 0.2, 1.0]
    assert rows["depth"].to_list() == [None, None, 3]
    assert rows["seed"].to_list() == [0, 0, None]


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"learning_rate": "fast"}, "has a column learning_rate of numbers from another study, got learning"),
        ({"learning_rate": True}, "got learning_rate of truths from e; name another folder with --results"),
        ({"LEARNING_RATE": 0.1}, "got LEARNING_RATE of numbers"),
    ],
)
def test_a_study_that_would_change_values_of_another_is_refused(imported, parameters, why):
    before = sorted(imported.rglob("*"))
    with pytest.raises(UsageError, match=why):
        write_trials(OtherStudy("ray", "/x", "e", [OtherTrial("7", "done", "DONE", parameters, {})]), str(imported))
    assert sorted(imported.rglob("*")) == before


def test_names_that_differ_in_case_alone_are_told_apart(tmp_path):
    one = OtherTrial("0", "done", "DONE", {"lr": 1, "LR": 2, "Status": 3}, {"Lr": 4})
    write_trials(OtherStudy("ray", "/x", "e", [one]), str(tmp_path / "o"))
    rows = package.load_trials(tmp_path / "o").collect()
    assert rows.select("Lr", "param_lr", "param_param_LR", "param_Status").rows() == [(4, 1, 2, 3)]


def test_a_source_that_is_nothing_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="source must be an Optuna storage"):
        import_trials(str(tmp_path / "typo"), str(tmp_path / "o"))


@pytest.mark.slow
def test_imported_rows_with_our_names_are_drawn_and_others_are_told_to_be_renamed(imported):
    rows = package.load_trials(imported)
    assert package.plot_line(rows, x="learning_rate", metric="unseen_order").to_dict()["vconcat"]
    drawn = package.plot_phase(rows, x="learning_rate", metric="unseen_order")
    assert [panel["title"]["text"] for panel in panels(drawn)] == ["unseen_order, the one seed"]
    strange = rows.rename({"unseen_order": "loss"})
    for draw in (package.plot_line, package.plot_phase):
        with pytest.raises(UsageError, match=r'got metric loss, .*; rename it .*rename\(\{"loss": "unseen_order'):
            draw(strange, x="learning_rate", metric="loss")
    with pytest.raises(UsageError, match=r'got x lr, .*rename\(\{"lr": "learning_rate"\}\)'):
        package.plot_line(rows.rename({"learning_rate": "lr"}), x="lr", metric="unseen_order")
