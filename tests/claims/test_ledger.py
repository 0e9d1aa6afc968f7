"""When ranges were set: an entry from before the rows counts, and whatever changes what is asked needs a new one."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from lrsym.claims.file import load
from lrsym.claims.judging import judge_claim, read_results
from lrsym.claims.ledger import Asked, Ledger, Standing, digest_of
from lrsym.claims.report import as_data, table_rows
from lrsym.errors import UsageError
from lrsym.results.store.schema import TABLES
from lrsym.results.store.sql_text import canonical_sql
from lrsym.results.store.store import Store
from lrsym.sweep.spec.sweep import Sweep
from tests.claims.test_judging import FILE

NOW = datetime.now(UTC)

EMPTY = pl.DataFrame({"finished_at": []}, schema={"finished_at": pl.Datetime("us", "UTC")})


ASKED = Asked("cells", 2)
"""What the arm of these tests is asked of: two trials."""

TEXT = FILE.where.text.replace("resolution = 0.01\n", "")


@pytest.fixture
def file(tmp_path):
    (tmp_path / "claims.toml").write_text(TEXT)
    return load(tmp_path / "claims.toml")


def results_from(tmp_path, *times):
    trials = [
        {"trial_id": f"t{i}", "status": "done", "seed": i, "unseen_order": 0.5, "finished_at": time, "run_id": "r"}
        for i, time in enumerate(times)
    ]
    Store(tmp_path / "results").write("part", {"trials": TABLES["trials"].build(trials)})
    ids = [row["trial_id"] for row in trials]
    return read_results(str(tmp_path / "results"), sweep="one", trial_ids=ids, cells="cells")


def judged_by(file, ledger, results):
    (arm,) = judge_claim(file, file.claims[0], {"one": results}, ledger).arms
    return arm


@pytest.mark.parametrize(
    ("rows", "after"),
    [([+1, +2], False), ([-1, +2], True), ([-2, -1], True), ([], False)],
    ids=["rows after", "some before", "rows before", "no rows"],
)
def test_a_range_counts_as_set_before_the_rows_where_it_was_registered_before_the_first(tmp_path, file, rows, after):
    ledger = Ledger.beside(file)
    ledger.register(file.claims[0], "one", ASKED, newest_row=None)
    ledger.exists = True
    results = results_from(tmp_path, *(NOW + timedelta(hours=hours) for hours in rows))
    arm = judged_by(file, ledger, results)
    assert [part.standing.after_rows for part in arm.parts] == [after, after]
    assert all(part.standing.registered_at is not None for part in arm.parts)


def test_a_ledger_that_lacks_a_range_says_so_and_no_ledger_says_nothing(tmp_path, file):
    results = results_from(tmp_path, NOW)
    said = []
    for ledger in (Ledger(tmp_path / "x.json", exists=True), Ledger(tmp_path / "x.json")):
        judged = judge_claim(file, file.claims[0], {"one": results}, ledger)
        text = " ".join(cell for row in table_rows([judged]) for cell in row)
        (arm,) = as_data(judged)["arms"]
        said.append((arm["parts"][0]["after_rows"], "range set after rows" in text))
    assert said == [(True, True), (None, False)]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (("at_least = 0.4", "at_least = 0.3"), False),
        (("at_most = 0.6", "# at_most"), False),
        (("select unseen_order as value", "select seen_order as value"), False),
        (('source = "s"', 'source = "s"\nminimum_n = 3'), False),
        (('source = "s"', 'source = "s"\ninterval = "wilson"'), False),
        (("at_least = 0.4", "at_least = 0.4\nresolution = 0.1"), False),
        (("at_most = 0.6", "at_most = 0.6\nrequires = 'select true as value from trials'"), False),
        (("at_most = 0.6", "at_most = 0.6\nbounds = [0, 1]"), False),
        (("select unseen_order as value", "select  unseen_order\\n as value"), True),
        (('name = "order"', 'name = "another name"'), True),
        (('sentence = "a"', 'sentence = "in other words"'), True),
    ],
)
def test_what_a_verdict_hangs_on_is_in_the_digest_and_words_are_not(tmp_path, file, change, same):
    before = digest_of(file.claims[0], file.claims[0].part[0])
    assert change[0] in TEXT
    (tmp_path / "other.toml").write_text(TEXT.replace(*change, 1).replace("\\n", " "))
    other = load(tmp_path / "other.toml").claims[0]
    assert (digest_of(other, other.part[0]) == before) is same


def test_the_date_of_the_first_entry_counts_and_entries_are_never_changed(file):
    ledger, claim = Ledger.beside(file), file.claims[0]
    first = ledger.register(claim, "one", ASKED, newest_row=NOW)
    assert (len(first), ledger.register(claim, "one", ASKED, newest_row=None)) == (2, [])
    registered = [ledger.standing(claim, arm, claim.part[0], ASKED, EMPTY).registered_at for arm in ("one", "two")]
    assert registered == [first[0].registered_at, None]
    file.path.with_suffix(".ledger.json").write_text(ledger.text())
    again = Ledger.beside(file)
    assert (again.exists, again.entries) == (True, ledger.entries)
    assert len(ledger.text().splitlines()) == 2 + len(ledger.entries)


@pytest.mark.parametrize("text", ["", "{}", '[{"claim": "A"}]', "nonsense"])
def test_a_ledger_that_cannot_be_read_is_an_error_that_names_it(file, text):
    path = file.path.with_suffix(".ledger.json")
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"^the ledger {path} cannot be read: .+; take it from version control"):
        Ledger.beside(file)


def test_a_time_without_its_zone_is_no_date(file):
    ledger = Ledger.beside(file)
    ledger.register(file.claims[0], "one", ASKED, newest_row=None)
    entries = [{**entry, "registered_at": "2026-01-01T00:00:00"} for entry in json.loads(ledger.text())]
    file.path.with_suffix(".ledger.json").write_text(json.dumps(entries))
    with pytest.raises(UsageError, match=r"cannot be read: .*timezone"):
        Ledger.beside(file)


def standing(ledger, file, asked=ASKED, *, rows=(+1, +2)):
    """What the ledger shows of the first part of a claim, with a row at each of these hours from now."""
    trials = pl.DataFrame({"finished_at": [NOW + timedelta(hours=hours) for hours in rows]}, schema=EMPTY.schema)
    return ledger.standing(file.claims[0], "one", file.claims[0].part[0], asked, trials)


def registered(file, *, newest_row=None):
    ledger = Ledger.beside(file)
    ledger.register(file.claims[0], "one", ASKED, newest_row=newest_row)
    return ledger


def changed(file, *change):
    other = file.path.with_name("other.toml")
    assert change[0] in TEXT
    other.write_text(TEXT.replace(*change, 1))
    return load(other)


def test_without_rows_nothing_came_before_a_range(file):
    assert standing(Ledger(file.path), file, rows=()) == Standing(None, after_rows=False)


def test_an_arm_that_is_asked_of_other_cells_has_no_range_yet(file):
    ledger = registered(file)
    assert not standing(ledger, file).after_rows
    assert standing(ledger, file, Asked("other cells", 2)) == Standing(None, after_rows=True)


def test_rows_that_were_seen_and_taken_away_before_they_were_trained_again_came_first(file):
    assert standing(registered(file, newest_row=NOW - timedelta(days=1)), file).after_rows


def test_trials_that_were_added_to_an_arm_since_are_counted_and_a_new_entry_does_not_hide_them(file):
    ledger, more = registered(file), Asked("cells", 5)
    assert (standing(ledger, file).trials_added, standing(ledger, file, more).trials_added) == (0, 3)
    assert len(ledger.register(file.claims[0], "one", more, newest_row=NOW + timedelta(hours=1))) == 2
    assert ledger.register(file.claims[0], "one", more, newest_row=None) == []
    assert standing(ledger, file, more).trials_added == 3
    before_rows = registered(file)
    before_rows.register(file.claims[0], "one", more, newest_row=None)
    assert standing(before_rows, file, more).trials_added == 0


@pytest.mark.parametrize(
    "change",
    [
        ('source = "s"', 'source = "s"\ninterval = "wilson"'),
        ("at_most = 0.6", 'at_most = 0.6\ninterval = "logit"\nbounds = [0, 1]'),
        ("at_most = 0.6", "at_most = 0.6\nresolution = 0.1"),
    ],
)
def test_a_range_that_came_first_with_another_interval_is_told_apart_from_one_that_did_not(file, change):
    at = standing(registered(file), file).registered_at
    ledger, other = registered(file), changed(file, *change)
    assert at is not None
    assert standing(ledger, other) == Standing(None, after_rows=False, interval_after_rows=True)
    assert standing(ledger, changed(file, "at_most = 0.6", "at_most = 0.7\nresolution = 0.1")).after_rows


def test_an_entry_from_before_cells_were_kept_counts_for_any(file):
    path = file.path.with_suffix(".ledger.json")
    entries = json.loads(registered(file).text())
    path.write_text(json.dumps([{k: v for k, v in one.items() if k not in ("cells", "trials")} for one in entries]))
    ledger = Ledger.beside(file)
    assert standing(ledger, file, Asked("any", 99)) == Standing(ledger.entries[0].registered_at, after_rows=False)
    assert "cells" not in ledger.text()  # it is written as it was read
    assert ledger.register(file.claims[0], "one", ASKED, newest_row=None) == []


def test_cells_are_known_whatever_their_order_and_however_many_seeds_they_have():
    grid = {"scenes.n_pair_labels": [5, 8]}
    one, more, other = (
        Asked.of(Sweep.grid("s", grid=grid, replicates=replicates, first_seed=first))
        for replicates, first in ((1, 0), (3, 0), (1, 7))
    )
    assert (one.cells, one.trials, more.trials) == (more.cells, 2, 6)
    assert other.cells != one.cells  # other seeds are another question: the first ones may have been seen
    turned = Asked.of(Sweep.grid("t", grid={"scenes.n_pair_labels": [8, 5]}))
    assert turned.cells == one.cells != Asked.of(Sweep.grid("s", grid={"scenes.n_pair_labels": [5, 9]})).cells


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("select a -- note\nfrom t where b", "select a -- note from t where b", False),
        ("select a -- note\nfrom t", "select a /* another */ from t", True),
        ("select a from t where b = 'x  y'", "select a from t where b = 'x y'", False),
        ("select  a\nfrom t ", "select a from t", True),
        ("select 'it''s -- no note'  from t", "select 'it''s -- no note' from t", True),
    ],
)
def test_queries_are_alike_but_for_comments_and_space_between_words(one, other, same):
    assert (canonical_sql(one) == canonical_sql(other)) is same
