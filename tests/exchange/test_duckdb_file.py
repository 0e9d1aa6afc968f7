"""DuckDB: read back with DuckDB itself."""

import pytest

from lrsym.errors import UsageError
from lrsym.exchange import duckdb_file
from lrsym.exchange.duckdb_file import export_duckdb
from lrsym.exchange.selection import select
from lrsym.results.store.schema import TABLES


@pytest.fixture
def duckdb():
    return pytest.importorskip("duckdb", reason='needs duckdb: pip install "lrsym[duckdb]"')


def ask(duckdb, path, sql):
    with duckdb.connect(str(path), read_only=True) as database:
        return database.execute(sql).fetchall()


@pytest.mark.slow
def test_tables_come_back_with_numbers_lists_types_and_comments(duckdb, made, tmp_path):
    sweep, root = made
    chosen, path = select(root, sweep), tmp_path / "new/x.duckdb"
    done = export_duckdb(chosen, path)
    for name, rows in chosen.tables.items():
        assert ask(duckdb, path, f"select count(*) from {name}") == [(rows.height,)] == [(done.rows[name],)]
    kept = ["trial_id", "n_pair_labels", "unseen_order", "status", "message"]
    asked = f"select {', '.join(kept)} from trials order by trial_id"
    assert ask(duckdb, path, asked) == chosen.trials.select(kept).rows()
    (profile,) = ask(duckdb, path, "select profile from terms limit 1")[0]
    assert profile == chosen.tables["terms"]["profile"][0].to_list()
    told = dict(ask(duckdb, path, "select column_name, comment from duckdb_columns() where table_name = 'curves'"))
    assert told["step"] == "Optimiser steps taken before this evaluation. [steps]"
    types = dict(ask(duckdb, path, "select column_name, data_type from duckdb_columns() where table_name = 'trials'"))
    assert (types["finished_at"], types["seed"]) == ("TIMESTAMP WITH TIME ZONE", "BIGINT")
    assert [*types] == [column.name for column in TABLES["trials"].columns]


@pytest.mark.slow
def test_again_the_tables_are_those_of_now_and_those_of_others_stay(duckdb, made, tmp_path):
    sweep, root = made
    path = tmp_path / "x.duckdb"
    export_duckdb(select(root, sweep), path)
    with duckdb.connect(str(path)) as database:
        database.execute("create table mine as select 42 as n")
        database.execute("create view best as select max(unseen_order) as top from trials")
    done = export_duckdb(select(root, sweep, where="status = 'crashed'"), path)
    assert done.rows == {"trials": 1, "runs": 1}
    tables = {name for (name,) in ask(duckdb, path, "select table_name from information_schema.tables")}
    assert tables == {"trials", "runs", "lrsym_export", "mine", "best"}
    assert ask(duckdb, path, "select n, top from mine, best") == [(42, None)]
    export_duckdb(select(root, sweep), path)
    assert ask(duckdb, path, "select count(*) from trials") == [(8,)]


def test_a_table_of_another_is_not_overwritten_and_the_file_stays_as_it_was(duckdb, made, tmp_path):
    sweep, root = made
    path = tmp_path / "x.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute("create table curves as select 42 as n")
    with pytest.raises(UsageError, match=r"has a table curves that no export wrote, .*--out"):
        export_duckdb(select(root, sweep), path)
    assert ask(duckdb, path, "select table_name from information_schema.tables") == [("curves",)]


@pytest.mark.slow
def test_an_export_that_fails_on_the_way_leaves_the_tables_of_before(duckdb, made, tmp_path, monkeypatch):
    sweep, root = made
    path = tmp_path / "x.duckdb"
    export_duckdb(select(root, sweep, where="seed = 0"), path)

    def killed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(duckdb_file, "_quoted", killed)
    with pytest.raises(KeyboardInterrupt):
        export_duckdb(select(root, sweep), path)
    assert ask(duckdb, path, "select count(*) from trials") == [(4,)]


@pytest.mark.parametrize("there", ["file", "folder"])
def test_what_is_no_duckdb_file_is_left_as_it_is(duckdb, made, tmp_path, there):
    sweep, root = made
    path = tmp_path / "x.duckdb"
    path.write_text("mine" * 5000) if there == "file" else path.mkdir()
    with pytest.raises(UsageError, match="DuckDB file") as found:
        export_duckdb(select(root, sweep), path)
    assert "\n" not in str(found.value)
    assert path.is_dir() or path.read_text() == "mine" * 5000
