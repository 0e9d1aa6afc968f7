"""`lrsym query` as a user meets it, and `lrsym compact`, which changes no answer."""

import io
import json
import shutil

import polars as pl
import pytest

from tests.running import lrsym

QUERY = "select layouts_per_pair, count(*) as n, avg(train_order) as mean from trials group by 1 order by 1"


def test_query_answers_in_text_json_and_csv(trained):
    _, results = trained
    rows = json.loads(lrsym("query", QUERY, "--results", results, "--json"))
    assert [(r["layouts_per_pair"], r["n"]) for r in rows] == [(1, 4), (4, 4)]
    frame = pl.read_csv(io.StringIO(lrsym("query", QUERY, "--results", results, "--csv")))
    assert frame["mean"].to_list() == pytest.approx([r["mean"] for r in rows])
    assert "layouts_per_pair" in lrsym("query", QUERY, "--results", results)


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
    [("selec x", "query failed"), ("select nope from trials", "nope"), ("select 1 from trails", "tables are trials")],
)
def test_a_query_that_is_wrong_is_one_clear_line(trained, sql, message):
    text = lrsym("query", sql, "--results", trained[1], code=2)
    assert text.startswith("error: ")
    assert message in text
    assert len(text.splitlines()) == 1


def test_asking_results_that_are_not_there_says_so(tmp_path):
    assert "there are no results" in lrsym("query", "select 1 from trials", "--results", tmp_path / "typo", code=2)


def test_compact_keeps_the_answers(trained, tmp_path):
    shutil.copytree(trained[1], tmp_path / "r")
    before = lrsym("query", QUERY, "--results", tmp_path / "r")
    assert json.loads(lrsym("compact", "--results", tmp_path / "r", "--json"))["merged_files"] > 5
    assert lrsym("query", QUERY, "--results", tmp_path / "r") == before
