"""Which files of the results are read, merged and deleted: those that lrsym wrote, and no others."""

import shutil
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lrsym.errors import DamagedPartWarning, UsageError
from lrsym.results.store.part_file import list_parts
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load
from lrsym.results.store.table import SCHEMA_VERSION
from lrsym.vocabulary import STOP_RULES

PACK, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2


def write(root, part, *trial_ids, value=0.5, minute=0):
    """A part with a row of `trials` and of `curves` for each trial."""
    at = datetime(2026, 1, 1, 12, minute, tzinfo=UTC)
    rows = [{"trial_id": i, "seed": 0, "status": "done", "finished_at": at, "unseen_order": value} for i in trial_ids]
    points = [{"trial_id": i, "step": 1, "split": "train", "metric": "loss", "value": value} for i in trial_ids]
    tables = {"trials": TABLES["trials"].build(rows), "curves": TABLES["curves"].build(points)}
    Store(root).write(part, tables)


def values(root):
    """What is read of each trial: its accuracy, and the values of its curve."""
    accuracy = dict(load(root, "trials").select("trial_id", "unseen_order").collect().rows())
    curves = load(root, "curves").select("trial_id", "value").sort("trial_id").collect().rows()
    return accuracy, curves


def without_names(file):
    """Take from a part what parts of before lack."""
    table = pq.read_table(file)
    pq.write_table(table.replace_schema_metadata({"lrsym_schema_version": "1"}), file)


def changed(row):
    """What somebody made of rows and left in the folder: newer, with other values."""
    at = datetime(2027, 1, 1, tzinfo=UTC)
    return row.with_columns(unseen_order=pl.lit(0.9), finished_at=pl.lit(at).cast(row.schema["finished_at"]))


def copied(name):
    return lambda part: shutil.copy(part, part.with_name(name))


def export(name, change=changed):
    return lambda part: change(pl.read_parquet(part)).write_parquet(part.with_name(name))


def export_with_metadata(part):
    pq.write_table(pq.read_table(part), part.with_name("arrow.parquet"))


FOREIGN = {
    "backup": copied(f"{PACK}_backup.parquet"),
    "copy": copied(f"{PACK} (1).parquet"),
    "conflict": copied(f"{PACK}-failed-conflict.parquet"),
    "other name of ours": copied(f"{OTHER}.parquet"),
    "hidden": lambda part: part.with_name(f"._{part.name}").write_bytes(b"\0\5\26\7"),
    "hidden part": copied("._x.parquet"),
    "table": lambda part: pl.DataFrame({"a": [1]}).write_parquet(part.with_name("a.parquet")),
    "export": export("export.parquet"),
    "export under a name of ours": export(f"{OTHER}.parquet"),
    "arrow": export_with_metadata,
    "no rows": lambda part: pl.DataFrame().write_parquet(part.with_name("none.parquet")),
    "folder": lambda part: part.with_name("folder.parquet").mkdir(),
    "no parquet": lambda part: part.with_name("notes.txt").write_text("notes"),
    "of another table": lambda part: shutil.copy(part, part.parents[1] / "curves" / f"{OTHER}.parquet"),
}


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("older", [False, True], ids=["part of today", "part of before"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_files_of_others_change_no_row_and_are_not_touched(tmp_path, kind, older):
    write(tmp_path, PACK, "x", "y")
    part = tmp_path / "trials" / f"{PACK}.parquet"
    if older:
        for file in tmp_path.glob("*/*.parquet"):
            without_names(file)
        if kind in ("other name of ours", "of another table"):
            pytest.skip("a part of before does not say its name")
    before, own = values(tmp_path), {*tmp_path.rglob("*")}
    FOREIGN[kind](part)
    foreign = {file: file.read_bytes() for file in {*tmp_path.rglob("*")} - own if file.is_file()}
    assert values(tmp_path) == before
    write(tmp_path, OTHER * 2, "z")
    before = values(tmp_path)
    assert len(before[0]) == len(before[1]) == 3
    assert Store(tmp_path).compact() == 4
    assert values(tmp_path) == before
    assert {file: file.read_bytes() for file in foreign} == foreign


@pytest.mark.slow_after(3)
@pytest.mark.parametrize(
    "name", [PACK, f"{PACK}-failed", *(f"{PACK}-{rule}" for rule in STOP_RULES), f"compact-{PACK[:16]}", "reference"]
)
def test_parts_of_before_are_read_by_their_names_and_columns(tmp_path, name):
    write(tmp_path, name, "x")
    before = values(tmp_path)
    for file in tmp_path.glob("*/*.parquet"):
        without_names(file)
    assert values(tmp_path) == before
    assert before[0] == {"x": 0.5}


@pytest.mark.parametrize(
    ("table", "name"),
    [("runs", "run-0123456789abcdef"), ("suggestions", "search-0123456789abcdef-0000012"),
     ("suggestions", "search-0123456789abcdef-0000012-outcome"), ("suggestions", "search-0123456789abcdef--000001")],
)  # fmt: skip
def test_runs_and_searches_of_before_are_read_by_their_names(tmp_path, table, name):
    Store(tmp_path).write(name, {table: TABLES[table].build([{"run_id" if table == "runs" else "search": "a"}])})
    without_names(tmp_path / table / f"{name}.parquet")
    assert [*list_parts(Store(tmp_path).files, table).parts] == [f"{table}/{name}.parquet"]


def test_a_part_of_before_in_the_folder_of_another_table_is_none_of_it(tmp_path):
    write(tmp_path, PACK, "x")
    file = tmp_path / "curves" / f"{PACK}.parquet"
    without_names(file)
    shutil.copy(file, tmp_path / "trials" / f"{OTHER}.parquet")
    assert values(tmp_path) == ({"x": 0.5}, [("x", 0.5)])


@pytest.mark.parametrize("name", [PACK, "of_a_newer_lrsym"])
def test_a_part_of_a_newer_schema_is_refused_with_its_name_and_both_versions(tmp_path, name):
    write(tmp_path, PACK, "x")
    table = pq.read_table(tmp_path / "trials" / f"{PACK}.parquet")
    newer = tmp_path / "trials" / f"{name}.parquet"
    pq.write_table(table.replace_schema_metadata({"lrsym_schema_version": str(SCHEMA_VERSION + 1)}), newer)
    expected = f"{newer} has schema version {SCHEMA_VERSION + 1}, this lrsym reads up to {SCHEMA_VERSION}; install"
    for ask in (lambda: load(tmp_path, "curves"), Store(tmp_path).statuses, Store(tmp_path).compact):
        with pytest.raises(UsageError) as raised:
            ask()
        assert str(raised.value).startswith(expected)


DAMAGE = {
    "is empty": lambda content: b"",
    "is cut short": lambda content: content[: len(content) // 2],
    "is cut short or": lambda content: b"PAR1",
    "is damaged": lambda content: b"PAR1" + content[-8:],
    "is cut short or no": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("why", DAMAGE)
def test_a_damaged_part_is_named_with_what_is_lost_and_the_rest_is_read(tmp_path, why):
    write(tmp_path, PACK, "x", "y")
    write(tmp_path, OTHER, "z")
    file = tmp_path / "trials" / f"{PACK}.parquet"
    file.write_bytes(DAMAGE[why](file.read_bytes()))
    with pytest.warns(DamagedPartWarning, match=rf"trials/{PACK}.parquet {why}.* so the rows of 2 trials are lost"):
        assert values(tmp_path) == ({"z": 0.5}, [("z", 0.5)])
    content = file.read_bytes()
    with pytest.raises(UsageError, match=f"1 damaged part in the results: .*trials/{PACK}.parquet {why}.*restore"):
        Store(tmp_path).compact()
    assert file.read_bytes() == content


def test_a_part_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    write(tmp_path, PACK, "x")
    store = Store(tmp_path)

    def refused(name, *, size):
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(store.files, "tail", refused)
    with pytest.warns(DamagedPartWarning, match=r"cannot be read \(Permission denied\)"):
        assert store.statuses() == {}


def test_compacting_leaves_parts_with_a_column_that_it_does_not_know_as_they_are(tmp_path):
    for i in range(3):
        write(tmp_path, f"{i:032x}", f"t{i}", value=i / 10)
    file = tmp_path / "curves" / f"{0:032x}.parquet"
    table = pq.read_table(file)
    pq.write_table(table.append_column("later", pa.array([7] * len(table))), file)
    before = values(tmp_path)
    assert Store(tmp_path).compact() == 4
    assert values(tmp_path) == before
    assert pq.read_table(file)["later"].to_pylist() == [7]
    assert (tmp_path / "trials" / file.name).exists()


def test_what_a_file_is_found_to_be_follows_its_content(tmp_path):
    write(tmp_path, PACK, "x")
    file = tmp_path / "trials" / f"{PACK}.parquet"
    assert Store(tmp_path).statuses() == {"x": "done"}
    pl.DataFrame({"a": [1]}).write_parquet(file)
    assert Store(tmp_path).statuses() == {}
    write(tmp_path, PACK, "x", "y")
    assert Store(tmp_path).statuses() == {"x": "done", "y": "done"}


@pytest.mark.parametrize("times", [1, 2, 99])
def test_a_part_that_was_away_for_a_moment_is_no_file_of_others(tmp_path, monkeypatch, times):
    write(tmp_path, PACK, "x")
    store = Store(tmp_path)
    tail, calls = store.files.tail, []

    def away(name, *, size):
        calls.append(name)
        if len(calls) <= times:
            raise FileNotFoundError(2, "No such file or directory", name)
        return tail(name, size=size)

    monkeypatch.setattr(store.files, "tail", away)
    if times == 1:
        assert store.statuses() == {"x": "done"}
    else:
        with pytest.warns(DamagedPartWarning, match=r"cannot be read \(it comes and goes\)"):
            assert store.statuses() == {}
    monkeypatch.undo()
    assert store.statuses() == {"x": "done"}


def test_a_part_that_is_gone_between_listing_and_reading_is_not_told(tmp_path, monkeypatch):
    write(tmp_path, PACK, "x")
    store = Store(tmp_path)

    def merged(name, *, size):
        store.files.delete(name)
        raise FileNotFoundError(2, "No such file or directory", name)

    monkeypatch.setattr(store.files, "tail", merged)
    assert store.statuses() == {}


@pytest.mark.parametrize("version", ["9" * 5000, "-1", "1.0", ""])
def test_a_schema_version_that_is_no_small_number_is_of_others(tmp_path, version):
    write(tmp_path, PACK, "x")
    file = tmp_path / "trials" / f"{PACK}.parquet"
    pq.write_table(pq.read_table(file).replace_schema_metadata({"lrsym_schema_version": version}), file)
    assert Store(tmp_path).statuses() == {}


def one_bit(part):
    content = bytearray(part.read_bytes())
    content[content.rfind(b"lrsym_part") + len("lrsym_part") + 2] ^= 1
    part.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [one_bit, lambda part: pl.read_parquet(part).write_parquet(part),
     lambda part: shutil.copy(part.parents[1] / "curves" / part.name, part)],
    ids=["one bit", "written by polars", "another table"],
)  # fmt: skip
def test_a_file_in_the_place_of_a_part_is_told_before_a_sweep_and_counts_as_not_there(tmp_path, change):
    write(tmp_path, PACK, "x", "y")
    change(tmp_path / "trials" / f"{PACK}.parquet")
    store = Store(tmp_path)
    why = "has the name of a part, but not its metadata, so the rows of 2 trials are lost; restore it from a copy"
    with pytest.raises(UsageError, match=f"1 damaged part in the results: .*trials/{PACK}.parquet {why}"):
        store.require_no_damage()
    assert store.part_statuses(PACK) == {}
    assert store.read_part("curves", PACK).height == 2


def test_of_a_part_that_cannot_be_read_now_no_loss_is_the_remedy(tmp_path, monkeypatch):
    write(tmp_path, PACK, "x")
    store = Store(tmp_path)

    def refused(name, *, size):
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(store.files, "tail", refused)
    with pytest.raises(
        UsageError, match="see to the permissions or the mount of what cannot be read, then run"
    ) as told:
        store.require_no_damage()
    assert "--repair" not in str(told.value)
