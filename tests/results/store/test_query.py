import math

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.store.query import none_meets, query
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store


@pytest.fixture
def root(tmp_path):
    rows = {
        "trials": [{"trial_id": i, "status": "done", "run_id": "r"} for i in "xy"],
        "curves": [{"trial_id": i, "step": step} for i in "xy" for step in (1, 2)],
        "runs": [{"run_id": "r"}],
    }
    Store(str(tmp_path)).write("a", {name: TABLES[name].build(given) for name, given in rows.items()})
    return str(tmp_path)


def test_sql_joins_the_tables(root):
    frame = query(root, "select trial_id, max(step) as last from curves join trials using (trial_id) group by 1")
    assert frame.sort("trial_id").rows() == [("x", 2), ("y", 2)]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_can_be_asked_and_has_its_columns(root, table):
    assert query(root, f"select * from {table}").columns == [column.name for column in TABLES[table].columns]


def test_with_trial_ids_the_tables_hold_these_trials_and_every_run(root):
    assert query(root, "select step from curves", trial_ids=["y", "z"]).height == 2
    assert query(root, "select run_id from runs", trial_ids=["y"]).height == 1
    assert query(root, "select trial_id from trials", trial_ids=[]).is_empty()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select", "query failed: .*tables are trials, .*their columns: lrsym columns"),
        ("select colour from trials", "query failed: .*colour"),
        ("select * from results", "query failed: .*results.*tables are trials"),
        ("drop table trials", "query gave no table; ask with SELECT"),
        ("/* all */ Delete from trials", "query gave no table; ask with SELECT"),
        ("select 1 as one; insert into trials values (1)", "query gave no table; ask with SELECT"),
        ("select * from read_csv('/etc/hostname')", "asks the tables of the results alone, got read_csv, which"),
        ("select * from READ_PARQUET ('x')", "got READ_PARQUET, which"),
        ("select * from \"read_csv\"('x')", "got read_csv, which"),
    ],
)
def test_what_is_no_select_over_the_tables_is_the_users_mistake(root, sql, message):
    with pytest.raises(UsageError, match=message):
        query(root, sql)
    assert query(root, "select trial_id from trials").height == 2


def test_without_results_the_remedy_is_to_train(tmp_path):
    with pytest.raises(
        UsageError, match=r"there are no results in .*nowhere, which is not there yet; train a sweep first.*--results"
    ):
        query(str(tmp_path / "nowhere"), "select * from trials")
    assert not (tmp_path / "nowhere").exists()


def test_an_empty_folder_gives_empty_tables(tmp_path):
    assert query(str(tmp_path), "select count(*) as n from trials").equals(pl.DataFrame({"n": [0]}, {"n": pl.UInt32}))


@pytest.mark.parametrize(
    ("where", "there"),
    [
        ("n_heads = 9", "n_heads is 1, 2"),
        ("n_heads = 9 and seed < 0", "n_heads is 1, 2; seed is 0 to 19"),
        ('"my name" = 3 and n_heads = 1', "my name is 4; n_heads is 1, 2"),
        ("kind = 'x'", "kind is GPT, absent"),
        ("rate > 3", "rate is 0.5"),
        ("id = 'x'", "id is one of 20 values"),
    ],
)
def test_a_condition_that_none_meets_is_told_with_the_values_there_are(where, there):
    trials = pl.DataFrame(
        {
            "n_heads": [1, 2] * 10, "seed": range(20), "my name": [4] * 20, "kind": ["GPT", None] * 10,
            "rate": [0.5, math.nan] * 10, "id": [f"{n}-x" for n in range(20)],
        }
    )  # fmt: skip
    assert none_meets(trials, where) == f"where {where}; there {there}; change the condition, or leave --where out"
