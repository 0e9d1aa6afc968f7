"""A store that an earlier lrsym has written, and what that lrsym said of it: today's says the same.

`kept/v1` has rows in every table, of schema version 1. One of a later version is added beside it, never in its place:

    lrsym sweep tests/results/store/kept/v2.toml --workers 1 --pack 2 --results tests/results/store/kept/v2
    lrsym sweep tests/results/store/kept/v2.search.toml --workers 1 --results tests/results/store/kept/v2
    python -m tests.results.store.test_kept_store v2
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest

import lrsym as package
from lrsym.config.trial import TRAINER_VERSION
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load
from tests.running import lrsym

KEPT = Path(__file__).parent / "kept"
STORES = sorted(path.stem for path in KEPT.glob("*.json"))


def read(root):
    """The rows of every table, in an order that does not depend on its files."""
    return {name: load(str(root), name).collect().sort(TABLES[name].key) for name in TABLES}


def say(tables):
    """The number of rows and a digest of the values of each column, by table."""

    def digest(values):
        return hashlib.sha256(json.dumps(values.to_list(), default=str).encode()).hexdigest()[:16]

    return {name: {"rows": len(rows), **{c: digest(rows[c]) for c in rows.columns}} for name, rows in tables.items()}


def lost(said, now):
    """What was said and is not any more, by table and column; columns that came since are no loss."""
    return sorted(f"{name}.{of}" for name, told in said.items() for of in told if now.get(name, {}).get(of) != told[of])


@pytest.fixture(params=STORES)
def kept(request, tmp_path):
    """The sweep file, a copy of the store, and what was said of it."""
    shutil.copytree(KEPT / request.param, tmp_path / "r")
    return KEPT / f"{request.param}.toml", tmp_path / "r", json.loads((KEPT / f"{request.param}.json").read_text())


def test_every_value_of_every_table_is_read_as_it_was(kept):
    _, root, said = kept
    assert min(told["rows"] for told in said.values()) > 0
    assert lost(said, say(read(root))) == []


def test_the_comparison_sees_a_row_a_column_and_a_value_that_are_lost(kept):
    _, root, said = kept
    tables = read(root)
    tables["trials"] = tables["trials"].drop("seconds")
    tables["terms"] = tables["terms"].with_columns(pl.col("slope") + 1)
    assert lost(said, say(tables)) == ["terms.slope", "trials.seconds"]
    assert "curves.rows" in lost(said, say({"curves": tables["curves"][1:]}))


@pytest.mark.slow
def test_merged_compacted_and_exported_it_says_the_same(kept, tmp_path):
    _, root, said = kept
    lrsym("merge", root, "--results", tmp_path / "merged")
    assert lost(said, say(read(tmp_path / "merged"))) == []
    lrsym("export", "--to", "csv", "--results", root, "--out", tmp_path / "csv")
    assert pl.read_csv(tmp_path / "csv/curves.csv").height == said["curves"]["rows"]
    assert Store(str(root)).compact() > 0
    assert lost(said, say(read(root))) == []


@pytest.mark.slow
def test_what_reads_reads_it(kept):
    path, root, said = kept
    n = said["trials"]["rows"]
    assert json.loads(lrsym("query", "select count(*) as n from trials", "--results", root, "--json")) == [{"n": n}]
    assert f"{n} in both" in lrsym("diff", root, KEPT / path.stem)
    ours = set(load(str(root), "runs").collect()["trainer_version"]) == {TRAINER_VERSION}  # else none is of the sweep
    found = json.loads(lrsym("status", path, "--results", root, "--json"))
    assert found["statuses"] == ({"done": 2} if ours else {})
    assert (json.loads(lrsym("plan", path, "--results", root, "--json"))["new"] == 0) == ours
    if not ours:
        return
    sweep = package.load_sweep(path)
    for draw in (package.plot_line, package.plot_curves):
        assert draw(sweep, results=root).to_dict()["datasets"]
    assert package.best(path, root, metric="unseen_order").cells


if __name__ == "__main__":
    (KEPT / f"{sys.argv[1]}.json").write_text(json.dumps(say(read(KEPT / sys.argv[1])), indent=0))
