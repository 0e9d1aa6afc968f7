"""How far a search is, on made-up rows."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.sweep.execution.lease import Lease
from lrsym.sweep.search.best import best_of_search
from lrsym.sweep.search.search_status import search_status
from tests.sweep.search.made_up_search import run, search

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.mark.slow
def test_a_status_counts_cells_by_state_and_knows_the_best(store):
    found = search(budget=6)
    empty = search_status(found, store)
    assert (empty.begun, empty.best, empty.cells) == (False, None, {"running": 0, "complete": 0, "failed": 0})
    run(found, store, packs=1)
    half = search_status(found, store)
    assert (half.cells["complete"], half.cells["running"]) == (2, 2)
    run(found, store)
    status = search_status(found, store)
    assert status.cells == {"running": 0, "complete": 6, "failed": 0}
    assert (status.budget, status.trials.statuses) == (6, {"done": 12})
    assert status.best == best_of_search(found, store, n=1).cells[0].objective


@pytest.mark.slow
def test_the_time_left_counts_cells_that_are_not_asked_for_yet(store):
    found = search(budget=9)
    store.write("run", {"runs": TABLES["runs"].build([{"run_id": "one", "started_at": datetime.now(UTC) - MINUTE}])})
    run(found, store, packs=2)  # of two cells each, while two more are in training
    asked = {trial_id for ids in store.scan("suggestions").collect()["trial_ids"] for trial_id in ids}
    ended = {*store.statuses()}
    with Lease(store.files, "one") as lease:
        lease.claim(sorted(asked - ended))
        running = search_status(found, store).trials.running
    assert running.left.estimate == pytest.approx(60 * (9 * 2 - len(ended)) / len(ended), rel=0.1)


@pytest.mark.slow
def test_a_status_knows_the_budget_that_the_search_was_last_asked_for_with(store):
    found = search(budget=3)
    run(found, store, budget=5)
    assert search_status(found, store).budget == 5


@pytest.mark.slow
@pytest.mark.parametrize("column", ["point", "trial_ids", "pending"])
def test_a_row_that_lacks_what_every_suggestion_has_is_none(store, column):
    found = search(budget=3)
    run(found, store)
    part = store.files.list("suggestions")[-1].partition("/")[2].removesuffix(".parquet")
    rows = store.read_part("suggestions", part)
    lacking = rows.with_columns(pl.lit(None, dtype=rows.schema[column]).alias(column), number=pl.lit(7))
    lacking = lacking.select(TABLES["suggestions"].written.names()).to_arrow().cast(TABLES["suggestions"].arrow)
    before = search_status(found, store)
    store.write(part.replace("-outcome", "")[:-7] + "0000007", {"suggestions": lacking})
    assert search_status(found, store) == before
