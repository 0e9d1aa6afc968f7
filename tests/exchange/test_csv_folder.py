"""CSV: what is written is what is there, and nothing of another's is overwritten."""

import json
import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lrsym.errors import UsageError
from lrsym.exchange import csv_folder
from lrsym.exchange.csv_folder import MANIFEST, as_csv, export_csv
from lrsym.exchange.selection import select


def content(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}


def test_every_table_comes_back_with_every_number(made, tmp_path):
    sweep, root = made
    chosen = select(root, sweep)
    done = export_csv(chosen, tmp_path / "out")
    assert done.rows == {
        "trials": 8,
        "curves": 63,
        "ablations": len(chosen.tables["ablations"]),
        "terms": 14,
        "runs": 1,
    }
    for name, rows in chosen.tables.items():
        plain = [column for column, kind in rows.schema.items() if not (kind.is_nested() or kind.is_temporal())]
        found = pl.read_csv(tmp_path / f"out/{name}.csv", schema_overrides=rows.select(plain).schema)
        assert found.columns == rows.columns
        assert_frame_equal(found.select(plain), rows.select(plain), check_exact=True)
    profiles = pl.read_csv(tmp_path / "out/terms.csv")["profile"]
    assert [json.loads(text) for text in profiles] == chosen.tables["terms"]["profile"].to_list()
    told = pl.read_csv(tmp_path / "out/columns.csv")
    assert told.filter(table="curves", column="value")["unit"].item() == "0..1 or nats"


def test_values_that_csv_does_not_have_are_written_in_text():
    frame = pl.DataFrame(
        {
            "took": [timedelta(seconds=90, microseconds=5), None],
            "at": [datetime(2026, 1, 2, 3, tzinfo=UTC), None],
            "there": [datetime(2026, 1, 2, 3), None],
            "blob": [b"\x00\xff", None],
            "lists": [[[1.5, None], [math.nan]], None],
            "table": [{"a": 1, "b": "x"}, {"a": None, "b": None}],
            "said": ["", None],
        }
    )
    lines = as_csv(frame).decode().splitlines()
    assert lines[0] == "took,at,there,blob,lists,table,said"
    assert lines[1] == (
        '90.000005,2026-01-02T03:00:00.000000Z,2026-01-02T03:00:00.000000,AP8=,"[[1.5, null], [null]]",'
        '"{""a"": 1, ""b"": ""x""}",""'
    )
    assert lines[2] == ',,,,,"{""a"": null, ""b"": null}",'


@pytest.mark.slow
def test_again_it_writes_nothing_and_of_new_rows_the_tables_that_changed(made, tmp_path):
    sweep, root = made
    export_csv(select(root, sweep, where="seed = 0"), tmp_path / "out")
    before = content(tmp_path / "out")
    done = export_csv(select(root, sweep, where="seed = 0"), tmp_path / "out")
    assert (done.written, done.kept) == (0, 6)
    after = content(tmp_path / "out")
    assert {name for name in before if before[name] != after[name]} == {MANIFEST}
    done = export_csv(select(root, sweep), tmp_path / "out")
    assert (done.written, done.kept) == (4, 2)  # runs and columns are the same
    assert pl.read_csv(tmp_path / "out/trials.csv").height == 8


def test_a_table_without_rows_goes_with_the_next_export(made, tmp_path):
    sweep, root = made
    export_csv(select(root, sweep), tmp_path / "out")
    export_csv(select(root, sweep, where="status = 'crashed'"), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "columns.csv",
        MANIFEST,
        "runs.csv",
        "trials.csv",
    ]


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda out: (out / "trials.csv").write_text("mine"), r"trials\.csv was changed since it was exported"),
        (lambda out: (out / MANIFEST).unlink(), "out is a folder of other things"),
        (lambda out: (out / MANIFEST).write_text("{"), "is damaged"),
        (lambda out: (out / MANIFEST).write_text('{"files": {"../x.csv": []}}'), "is damaged"),
        (lambda out: (out / "runs.csv").unlink() or (out / "runs.csv").mkdir(), r"runs\.csv was changed"),
    ],
)
def test_what_an_export_did_not_write_is_left_as_it_is(made, tmp_path, spoil, why):
    sweep, root = made
    out = tmp_path / "out"
    export_csv(select(root, sweep, where="seed = 0"), out)
    spoil(out)
    before = {path.name: path.is_file() and path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UsageError, match=why) as found:
        export_csv(select(root, sweep), out)
    assert "--out" in str(found.value)
    assert {path.name: path.is_file() and path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.slow
def test_a_file_of_that_name_beside_an_export_is_not_overwritten(made, tmp_path):
    sweep, root = made
    export_csv(select(root, sweep, where="status = 'crashed'"), tmp_path / "out")
    (tmp_path / "out/curves.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"curves\.csv was not written by an export"):
        export_csv(select(root, sweep), tmp_path / "out")
    assert (tmp_path / "out/curves.csv").read_text() == "mine"


@pytest.mark.slow
def test_an_export_that_was_killed_says_so_and_goes_on(made, tmp_path, monkeypatch):
    sweep, root = made
    out = tmp_path / "out"
    export_csv(select(root, sweep, where="seed = 0"), out)
    write = csv_folder.write_atomically

    def killed(path, content):
        if path.name == "curves.csv":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(csv_folder, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        export_csv(select(root, sweep), out)
    monkeypatch.undo()
    assert json.loads((out / MANIFEST).read_text())["complete"] is False
    assert pl.read_csv(out / "trials.csv").height == 8  # whole tables, some of before and some of now
    assert pl.read_csv(out / "curves.csv").height == 36
    export_csv(select(root, sweep), out)
    assert json.loads((out / MANIFEST).read_text())["complete"] is True
    assert pl.read_csv(out / "curves.csv").height == 63
