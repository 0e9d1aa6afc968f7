"""`lrsym query` as a user meets it, and `lrsym compact`, which changes no answer."""

import io
import json
import shutil

import polars as pl
import pytest

from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.execution.rows import status_rows
from tests.running import lrsym, lrsym_errors
from tests.small_trials import small

QUERY = "select layouts_per_pair, count(*) as n, avg(train_order) as mean from trials group by 1 order by 1"


def test_query_answers_in_text_json_and_csv(trained):
    _, results = trained
    rows = json.loads(lrsym("query", QUERY, "--results", results, "--json"))
    assert [(r["layouts_per_pair"], r["n"]) for r in rows] == [(1, 4), (4, 4)]
    frame = pl.read_csv(io.StringIO(lrsym("query", QUERY, "--results", results, "--csv")))
    assert frame["mean"].to_list() == pytest.approx([r["mean"] for r in rows])
    assert "layouts_per_pair" in lrsym("query", QUERY, "--results", results)


def test_a_result_too_wide_for_the_terminal_stands_on_its_side_with_every_value_whole(trained, monkeypatch):
    _, results = trained
    (row, *_) = json.loads(lrsym("query", "select * from trials", "--results", results, "--json"))
    monkeypatch.setenv("COLUMNS", "100")
    text = lrsym("query", "select * from trials", "--results", results)
    first, second, *_ = text.split("\n\n")
    assert first.startswith("row 1 of 8\n")
    assert second.startswith("row 2 of 8\n")
    shown = dict(line.split(maxsplit=1) for line in first.splitlines()[1:])
    assert [*shown] == [*row]
    assert (shown["trial_id"], shown["status"], shown["message"]) == (row["trial_id"], "done", "null")
    monkeypatch.setenv("COLUMNS", "4000")
    assert "row 1 of" not in lrsym("query", "select * from trials", "--results", results)
    assert "row 1 of" not in lrsym("query", "select * from trials where seed > 99", "--results", results)


def test_query_joins_tables_and_shows_every_row(trained):
    _, results = trained
    sql = "select t.seed, a.term, a.value from trials t join ablations a on t.trial_id = a.trial_id"
    assert len(json.loads(lrsym("query", sql, "--results", results, "--json"))) > 100


def test_query_can_keep_to_the_trials_of_one_sweep(trained):
    path, results = trained
    part = path.with_name("part.toml")
    part.write_text(path.read_text().replace('name = "small"', 'name = "part"').replace("[1, 4]", "[4]"))
    rows = json.loads(lrsym("query", QUERY, "--results", results, "--sweep", part, "--json"))
    assert [(r["layouts_per_pair"], r["n"]) for r in rows] == [(4, 4)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("selec x", "query failed"),
        ("select nope from trials", "nope"),
        ("select number from trials", "number is a column of suggestions: name it after FROM"),
        ("select 1 from trails", "tables are trials"),
    ],
)
def test_a_query_that_is_wrong_is_one_clear_line(trained, sql, message):
    text = lrsym("query", sql, "--results", trained[1], code=2)
    assert text.startswith("error: ")
    assert message in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 as a where 1 = 2",
        "select seed from trials where seed in (select 1 as x WHERE 1 = 2)",
        "select 1 as a from trials union all select 2 as a where false",
        "select 'from' as a where a is distinct from 2 -- from",
    ],
)
def test_a_condition_that_would_be_dropped_is_refused(trained, sql):
    text = lrsym("query", sql, "--results", trained[1], code=2)
    assert text.startswith("error: WHERE needs FROM, got select ")
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 as a",
        "select avg(seed) filter (where seed < 9) as a from trials",
        "select 'where' as a",
        "with t as (select seed as a from trials) select a from t where a < 2",
    ],
)
def test_a_query_that_filters_what_it_reads_is_answered(trained, sql):
    assert json.loads(lrsym("query", sql, "--results", trained[1], "--json"))


def test_asking_results_that_are_not_there_says_so(tmp_path):
    assert "there are no results" in lrsym("query", "select 1 from trials", "--results", tmp_path / "typo", code=2)


def test_compact_keeps_the_answers(trained, tmp_path):
    shutil.copytree(trained[1], tmp_path / "r")
    before = lrsym("query", QUERY, "--results", tmp_path / "r")
    assert json.loads(lrsym("compact", "--results", tmp_path / "r", "--json"))["merged_files"] > 5
    assert lrsym("query", QUERY, "--results", tmp_path / "r") == before


@pytest.fixture
def diverged(trained, tmp_path):
    """Results in which one trial has no outcome."""
    shutil.copytree(trained[1], tmp_path / "r")
    rows = status_rows([small(seed=99)], status="diverged", message="loss at step 2", run_id="r")
    Store(tmp_path / "r").write("d" * 32, rows)
    return tmp_path / "r"


@pytest.mark.parametrize(
    ("order", "noted"), [("desc", True), ("desc limit 1", True), ("asc", False), ("desc nulls last", False)]
)
def test_a_diverged_trial_does_not_lead_the_best_unnoticed(diverged, order, noted):
    sql = f"select trial_id, train_order from trials order by train_order {order}"
    assert ("note: the first row has no train_order" in lrsym_errors("query", sql, "--results", diverged)) == noted


@pytest.mark.parametrize("sql", ["select train_order from trials", "select epochs from trials order by epochs desc"])
def test_what_is_in_no_order_or_an_axis_that_is_not_given_is_no_gap(diverged, sql):
    assert "note" not in lrsym_errors("query", sql, "--results", diverged)


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("select unseen_ordr from trials", "did you mean unseen_order?"),
        ("select 1 from trials where d_modl = 3", "did you mean d_model?"),
        ("select t.train_ordr from trials t", "did you mean train_order?"),
    ],
)
def test_an_unknown_column_is_told_with_the_nearest(trained, sql, hint):
    assert hint in lrsym("query", sql, "--results", trained[1], code=2)


def test_a_condition_on_an_unknown_column_is_told_with_the_nearest(trained):
    text = lrsym("plot", "phase", trained[0], "--results", trained[1], "--where", "n_label = 3", code=2)
    assert "did you mean n_labels?" in text


@pytest.mark.parametrize(
    ("sql", "form", "why"),
    [
        ("select cast('abc' as blob) as b from trials", "--csv", "CSV holds no values of type Binary, and b is of it"),
        (
            "select cast('abc' as blob) as b from trials",
            "--json",
            "JSON holds no values of type Binary, and b is of it",
        ),
        ("select finished_at - started_at as d from runs", "--csv", "CSV holds no values of type Duration, and d"),
    ],
)
def test_what_a_form_cannot_hold_is_told_with_a_remedy(trained, sql, form, why):
    text = lrsym("query", sql, "--results", trained[1], form, code=2)
    assert why in text
    assert "leave it out" in text


def test_of_no_rows_with_many_columns_it_is_told_that_there_are_none(trained):
    said = lrsym("query", "select * from trials where seed = 99", "--results", trained[1])
    assert said == f"no rows, {len(load_trials(trained[1]).collect_schema())} columns\n"
