"""The path of a trial: the rule on made-up ablations, and the column as readers meet it."""

import polars as pl
import pytest

from lrsym.results.store import store as store_module
from lrsym.results.store.mechanism_path import paths
from lrsym.results.store.query import query
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials
from lrsym.vocabulary import PATHS

TERMS = ("none", "EP", "PP", "EP+PP+BP", "VP")

# Order on unseen pairs as trained, and without EP, PP, EP+PP+BP and VP.
CASES = {
    "value": [(0.9, 0.9, 0.9, 0.9, 0.5), (0.66, 0.5, 0.5, 0.66, 0.559)],
    "ep": [(0.9, 0.5, 0.9, 0.5, 0.9), (0.9, 0.69, 0.8, 0.5, 0.9), (1.0, 0.9, 1.1, 0.559, 0.66)],
    "pp": [(0.9, 0.9, 0.5, 0.5, 0.9), (0.9, 0.8, 0.69, 0.5, 0.9)],
    "mixed": [
        (0.9, 0.75, 0.8, 0.5, 0.9),  # EP and PP share the work
        (0.9, 0.9, 0.9, 0.5, 0.9),  # either does without the other
        (0.9, 0.95, 0.92, 0.5, 0.9),  # neither costs anything
        (0.9, 0.7, 0.9, 0.8, 0.8),  # both the scores and the values are enough
        (0.9, 0.5, 0.9, 0.5, 0.5),  # both are needed
        (0.9, 0.5, 0.9, 0.6, 0.9),  # something is left without the scores
        (0.9, 0.9, 0.9, 0.65, 0.5),
    ],
    "none": [(0.65, 0.5, 0.65, 0.5, 0.65), (0.3, 0.9, 0.9, 0.9, 0.5)],
}


def ablations(orders, *, trial_id="x", **other):
    return [
        {"trial_id": trial_id, "term": term, "split": "unseen", "metric": "order", "value": value, **other}
        for term, value in zip(TERMS, orders, strict=True)
    ]


def path(rows):
    (found,) = paths(pl.LazyFrame(rows)).collect()["path"]
    return found


@pytest.mark.parametrize(("expected", "orders"), [(name, orders) for name, all in CASES.items() for orders in all])
def test_the_rule_names_the_path_of_made_up_ablations(expected, orders):
    assert path(ablations(orders)) == expected


def test_every_path_of_the_vocabulary_is_met():
    assert {*CASES} == {*PATHS}


def test_other_terms_splits_and_metrics_do_not_matter():
    rows = ablations(CASES["ep"][0]) + ablations(CASES["value"][0], split="seen")
    rows += [*ablations(CASES["value"][0], metric="global"), {**rows[0], "term": "BP", "value": 0.1}]
    assert path(rows) == "ep"


@pytest.mark.parametrize("term", TERMS)
def test_without_one_of_the_terms_there_is_no_path(term):
    rows = ablations(CASES["none"][0])
    assert path([row for row in rows if row["term"] != term] + [{**rows[0], "term": "BP"}]) is None
    assert path([{**row, "value": float("nan")} if row["term"] == term else row for row in rows]) is None


@pytest.fixture
def root(tmp_path):
    """Three trials: one on each of two paths, and one that diverged."""
    statuses = {"e": "done", "v": "done", "d": "diverged"}
    trials = [{"trial_id": i, "status": status, "seed": n} for n, (i, status) in enumerate(statuses.items())]
    rows = ablations(CASES["ep"][0], trial_id="e") + ablations(CASES["value"][0], trial_id="v")
    tables = {"trials": TABLES["trials"].build(trials), "ablations": TABLES["ablations"].build(rows)}
    Store(tmp_path).write("part", tables)
    return tmp_path


EXPECTED = {"e": "ep", "v": "value", "d": None}


def test_queries_and_frames_have_the_path_and_null_where_a_trial_has_no_ablations(root):
    assert dict(query(root, "select trial_id, path from trials").rows()) == EXPECTED
    assert query(root, "select trial_id from trials where path = 'value'").rows() == [("v",)]
    assert dict(load_trials(root, trial_ids=["v", "d"]).select("trial_id", "path").collect().rows()) == {
        "v": "value", "d": None,
    }  # fmt: skip
    assert dict(Store(root).read_part("trials", "part").select("trial_id", "path").rows()) == EXPECTED


def test_it_is_read_from_the_ablations_of_the_attempt_that_counts(root):
    again = TABLES["trials"].build([{"trial_id": "e", "status": "crashed"}])
    rows = TABLES["ablations"].build(ablations(CASES["pp"][0], trial_id="e"))
    Store(root).write("later", {"trials": again, "ablations": rows})
    assert dict(query(root, "select trial_id, path from trials").rows()) == EXPECTED


def test_it_is_on_no_disk_before_and_after_compaction(root):
    store = Store(root)
    store.write("other", {"trials": TABLES["trials"].build([{"trial_id": "z", "status": "diverged"}])})
    store.compact()
    files = [*(root / "trials").iterdir()]
    assert len(files) == 1
    assert "path" not in pl.read_parquet_schema(files[0])
    assert dict(query(root, "select trial_id, path from trials").rows()) == EXPECTED | {"z": None}


def test_ablations_are_read_only_where_the_path_is_asked_for(root, monkeypatch):
    def refuse(*_):
        raise AssertionError("the path was derived")

    monkeypatch.setattr(store_module, "paths", refuse)
    assert query(root, "select count(*) as n from trials where seed < 2").item() == 2
    with pytest.raises(Exception, match="the path was derived"):
        query(root, "select path from trials")
