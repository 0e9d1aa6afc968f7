"""When ranges were set: an entry from before the rows counts, and whatever changes what is asked needs a new one."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from lrsym.claims.file import load
from lrsym.claims.judging import judge_claim, read_results
from lrsym.claims.ledger import Ledger, digest_of, is_after_rows
from lrsym.claims.report import as_data, table_rows
from lrsym.errors import UsageError
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from tests.claims.test_judging import FILE

NOW = datetime.now(UTC)


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
    return read_results(str(tmp_path / "results"), sweep="one", trial_ids=[row["trial_id"] for row in trials])


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
    ledger.register(file.claims[0], "one", newest_row=None)
    ledger.exists = True
    results = results_from(tmp_path, *(NOW + timedelta(hours=hours) for hours in rows))
    arm = judged_by(file, ledger, results)
    assert [part.after_rows for part in arm.parts] == [after, after]
    assert all(part.registered_at is not None for part in arm.parts)


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
    first = ledger.register(claim, "one", newest_row=NOW)
    assert (len(first), ledger.register(claim, "one", newest_row=None)) == (2, [])
    assert ledger.registered_at(claim, "one", claim.part[0]) == first[0].registered_at
    assert ledger.registered_at(claim, "two", claim.part[0]) is None
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
    ledger.register(file.claims[0], "one", newest_row=None)
    entries = [{**entry, "registered_at": "2026-01-01T00:00:00"} for entry in json.loads(ledger.text())]
    file.path.with_suffix(".ledger.json").write_text(json.dumps(entries))
    with pytest.raises(UsageError, match=r"cannot be read: .*timezone"):
        Ledger.beside(file)


def test_without_rows_nothing_came_before_a_range():
    empty = pl.DataFrame({"finished_at": []}, schema={"finished_at": pl.Datetime("us", "UTC")})
    assert not is_after_rows(None, empty)
