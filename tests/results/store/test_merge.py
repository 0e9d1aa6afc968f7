"""Taking trials of one results folder into another."""

import itertools
import shutil

import polars as pl
import pyarrow as pa
import pytest

from lrsym.errors import UsageError
from lrsym.results.store.merge import take_trials
from lrsym.results.store.part_file import part_name
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load, load_trials
from lrsym.sweep.execution.rows import status_rows
from tests.fitted import train
from tests.small_trials import pack_of, small

TRIALS = [small(seed=seed, optim__steps=4, eval__points=2) for seed in range(3)]
IDS = sorted(trial.trial_id for trial in TRIALS)
TABLES_OF_TRIALS = [name for name in TABLES if name not in ("runs", "suggestions")]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Results with three trained trials, their run and a file of weights each."""
    root = tmp_path_factory.mktemp("source")
    train(root, TRIALS)
    store = Store(str(root))
    store.write(
        f"run-{'1' * 16}", {"runs": TABLES["runs"].build([{"run_id": load_trials(root).collect()["run_id"][0]}])}
    )
    for trial_id in IDS:
        store.files.put(f"weights/{trial_id}.safetensors", trial_id.encode())
    return store


def rows(root, table, ids=IDS):
    return load(root, table, trial_ids=ids).collect().sort(pl.all().exclude(pl.List(pl.Float64)))


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("table", TABLES_OF_TRIALS)
def test_every_row_of_the_trials_arrives_as_it_was_and_no_other(source, tmp_path, table):
    target = Store(str(tmp_path / "t"))
    assert take_trials(source, target, IDS[:2]) == 2
    assert rows(target.root, table).equals(rows(source.root, table, IDS[:2]))
    assert load(target.root, table).collect().height == rows(source.root, table, IDS[:2]).height


def test_weights_and_the_row_of_the_run_come_with_them(source, tmp_path):
    target = Store(str(tmp_path / "t"))
    take_trials(source, target, IDS[:1])
    assert target.files.list("weights") == [f"weights/{IDS[0]}.safetensors"]
    assert target.scan("runs").collect().equals(source.scan("runs").collect())


def test_taking_the_same_twice_changes_nothing(source, tmp_path):
    target = Store(str(tmp_path / "t"))
    for _ in range(2):
        take_trials(source, target, IDS)
    assert rows(target.root, "curves").equals(rows(source.root, "curves"))
    assert len(target.files.list("trials")) == 1


@pytest.mark.slow
def test_with_replace_the_rows_of_before_go(source, tmp_path):
    target, changed = Store(str(tmp_path / "t")), Store(str(tmp_path / "c"))
    take_trials(source, changed, IDS)
    newer = (
        source.scan("trials")
        .collect()
        .with_columns(unseen_order=pl.lit(0.123), finished_at=pl.col("finished_at").dt.offset_by("1d"))
    )
    table = TABLES["trials"]
    target.write("0" * 32, {"trials": newer.select(table.written.names()).to_arrow().cast(table.arrow)})
    take_trials(source, target, IDS, replace=True)
    assert rows(target.root, "trials").equals(rows(source.root, "trials"))


@pytest.mark.slow
def test_what_was_taken_is_compacted_and_checked_like_any_part(source, tmp_path):
    target = Store(str(tmp_path / "t"))
    take_trials(source, target, IDS[:1])
    take_trials(source, target, IDS[1:])
    target.compact()
    assert rows(target.root, "terms").equals(rows(source.root, "terms"))
    target.require_no_damage()


@pytest.mark.slow
def test_weights_of_a_result_that_is_replaced_go_with_it(source, tmp_path):
    target, bare = Store(str(tmp_path / "t")), Store(str(tmp_path / "b"))
    take_trials(source, target, IDS)
    shutil.copytree(source.root, bare.root, ignore=shutil.ignore_patterns("weights"))
    take_trials(bare, target, IDS[:1], replace=True)
    assert target.files.list("weights") == [f"weights/{trial_id}.safetensors" for trial_id in IDS[1:]]


def test_a_merged_part_has_the_name_of_no_pack(source, tmp_path):
    target = Store(str(tmp_path / "t"))
    take_trials(source, target, IDS)
    packs = [pack_of(*of) for n in range(1, 4) for of in itertools.permutations(TRIALS, n)]
    assert {pack.id for pack in packs}.isdisjoint(part_name(file) for file in target.files.list("trials"))


def paths(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_a_run_id_that_names_a_path_writes_nothing_outside(tmp_path):
    odd, source, target = "x/../../../OUTSIDE", Store(str(tmp_path / "s")), Store(str(tmp_path / "t"))
    source.write(pack_of(*TRIALS).id, status_rows(TRIALS, status="done", message=None, run_id=odd))
    source.write(f"run-{'1' * 16}", {"runs": TABLES["runs"].build([{"run_id": odd}])})
    before = paths(tmp_path)
    take_trials(source, target, IDS)
    assert {path.parts[0] for path in {*paths(tmp_path)} - {*before}} == {"t"}
    assert target.has_run(odd)
    assert target.scan("runs").collect()["run_id"].to_list() == [odd]


def test_a_trial_id_that_names_a_path_is_refused_and_deletes_nothing(tmp_path):
    source, target, victim = Store(str(tmp_path / "s")), Store(str(tmp_path / "t")), tmp_path / "victim.safetensors"
    rows = status_rows(TRIALS[:1], status="done", message=None, run_id="r")["trials"]
    place = rows.schema.get_field_index("trial_id")
    forged = rows.set_column(place, rows.schema.field(place), pa.array(["../../victim"]))
    source.write("c" * 32, {"trials": forged})
    victim.write_bytes(b"precious")
    target.files.put("weights/a.safetensors", b"")
    before = paths(tmp_path)
    with pytest.raises(UsageError, match=f"a trial_id is 32 hex digits, got '../../victim' in {source.root}, and"):
        take_trials(source, target, ["../../victim"], replace=True)
    assert paths(tmp_path) == before
