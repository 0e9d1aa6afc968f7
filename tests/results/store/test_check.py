"""Whether what lies in a results folder is what was written, every kind of file, and what is set aside."""

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from lrsym.errors import UsageError
from lrsym.results.store.check import check_parts, set_aside
from lrsym.results.store.digest import is_as_written, part_bytes
from lrsym.results.store.forget import remove_rows
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.execution.checkpoint import CheckpointFile
from lrsym.sweep.execution.weights import load_weights, save_pack
from lrsym.sweep.planning.pack import Pack
from lrsym.testbed.training.training import Training
from tests.fitted import CPU, Fitted
from tests.results.store.test_part_file import OTHER, PACK, without_names, write
from tests.running import lrsym
from tests.small_trials import small


def faults(root):
    return {fault.file: fault.why for fault in check_parts(Store(root).files)[1]}


def flip(file, at):
    content = bytearray(Path(file).read_bytes())
    content[at] ^= 0x40
    Path(file).write_bytes(content)


@pytest.fixture
def root(tmp_path):
    write(tmp_path, PACK, "a", "b")
    write(tmp_path, OTHER, "c")
    return tmp_path


def test_a_sound_folder_has_no_faults_and_every_file_is_read(root):
    assert check_parts(Store(root).files) == (4, [])
    assert "4 files of tables" in lrsym("check", "--results", root)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["trials", "curves"])
def test_wherever_a_bit_changes_it_is_found(root, table):
    file = root / table / f"{PACK}.parquet"
    content = file.read_bytes()
    key = content.rfind(b"lrsym_sha256")  # without it a file is one of before
    for at in range(0, len(content), len(content) // 150):
        if key <= at < key + len("lrsym_sha256") + 2:
            continue
        flip(file, at)
        assert {*faults(root)} == {f"{table}/{PACK}.parquet"}, at
        flip(file, at)
    assert faults(root) == {}


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda file: file.write_bytes(b""), "is empty"),
        (lambda file: file.write_bytes(file.read_bytes()[:-30]), "is cut short"),
        (lambda file: flip(file, -9), "is not as it was written"),
    ],
)
def test_a_file_that_is_cut_or_emptied_is_named(root, damage, why):
    damage(root / "curves" / f"{PACK}.parquet")
    (found,) = faults(root).items()
    assert found[0] == f"curves/{PACK}.parquet"
    assert why in found[1]


def test_tables_of_a_part_that_do_not_belong_together_are_named(root):
    (root / "curves" / f"{PACK}.parquet").unlink()
    assert faults(root) == {f"curves/{PACK}.parquet": "lacks the curves of 2 done trials"}
    (root / "curves" / f"{OTHER}.parquet").unlink()
    assert faults(root) == {}  # a copy that has no curves at all
    rows = TABLES["ablations"].build([{"trial_id": "x", "term": "EP"}])
    Store(root).write(OTHER, {"ablations": rows})
    assert faults(root) == {f"ablations/{OTHER}.parquet": "holds rows of 1 trial that the table trials lacks"}


def test_what_a_pack_at_work_has_written_is_no_fault(root):
    curves = TABLES["curves"].build([{"trial_id": "d", "step": 1}])
    Store(root).write("e" * 32, {"curves": curves})
    assert faults(root) == {}


def test_repair_sets_all_tables_of_the_part_aside_and_leaves_the_rest(root):
    (root / "trials" / f"{PACK}.parquet").write_bytes(b"PAR1 and no more")
    before = {table: (root / table / f"{PACK}.parquet").read_bytes() for table in ("trials", "curves")}
    report = json.loads(lrsym("check", "--results", root, "--json", code=1))
    assert [fault["part"] for fault in report["faults"]] == [PACK]
    assert report["moved"] == []
    report = json.loads(lrsym("check", "--results", root, "--repair", "--json"))
    assert report["moved"] == [f"trials/{PACK}.parquet", f"curves/{PACK}.parquet"]
    for table, content in before.items():
        assert (root / "quarantine" / table / f"{PACK}.parquet").read_bytes() == content
    assert faults(root) == {}
    assert load_trials(root).collect()["trial_id"].to_list() == ["c"]
    assert "all sound" in lrsym("check", "--results", root)


def test_a_pipe_in_the_place_of_a_table_is_left_and_not_waited_for(root):
    curves = root / "curves" / f"{PACK}.parquet"
    curves.unlink()
    os.mkfifo(curves)
    (root / "trials" / f"{PACK}.parquet").write_bytes(b"PAR1 and no more")
    report = json.loads(lrsym("check", "--results", root, "--repair", "--json"))
    assert report["moved"] == [f"trials/{PACK}.parquet"]
    assert faults(root) == {}


@pytest.fixture
def kept(root):
    """A checkpoint and a file of weights, as packs leave them."""
    fitted = Fitted([small(seed=0, optim__steps=5)])
    save_pack(str(root), fitted.snapshot)
    training = Training(fitted.trials, fitted.data, device=CPU)
    pack = Pack(tuple(fitted.trials))
    CheckpointFile(str(root), pack).save(training.state(), {"points": []}, seconds=1.0)
    return [*(root / "checkpoints").iterdir(), *(root / "weights").iterdir()]


def test_damaged_weights_and_checkpoints_are_named_and_set_aside(root, kept):
    assert "all sound" in lrsym("check", "--results", root)
    for file in kept:
        flip(file, -3)
    said = lrsym("check", "--results", root, code=1)
    for file in kept:
        assert f"{file} its tensors are not those that were written" in said
    assert f"2 files are wrong; set aside what is: lrsym check --repair --results {root}" in said
    lrsym("check", "--results", root, "--repair")
    for file in kept:
        assert not file.exists()
        assert (root / "quarantine" / file.parent.name / file.name).exists()


def test_a_damaged_checkpoint_is_none_and_damaged_weights_are_an_error(root, kept):
    weights = kept[1]
    pack = Pack((small(seed=0, optim__steps=5),))
    assert CheckpointFile(str(root), pack).load(device="cpu") is not None
    for file in kept:
        flip(file, -3)
    assert CheckpointFile(str(root), pack).load(device="cpu") is None
    with pytest.raises(UsageError, match="are not those that were written"):
        load_weights(root, weights.stem)


def test_weights_under_the_name_of_another_trial_are_named(root, kept):
    other = kept[1].with_name(f"{'f' * 16}.safetensors")
    kept[1].rename(other)
    assert f"{other} holds the weights of {kept[1].stem}" in lrsym("check", "--results", root, code=1)


def test_parts_of_before_which_tell_no_digest_are_decoded(root):
    file = root / "trials" / f"{PACK}.parquet"
    without_names(file)
    assert faults(root) == {}
    flip(file, 60)
    assert [*faults(root)] == [f"trials/{PACK}.parquet"]


def test_a_part_that_somebody_wrote_anew_is_not_as_it_was_written(root):
    file = root / "trials" / f"{PACK}.parquet"
    pq.write_table(pq.read_table(file), file)
    assert faults(root) == {f"trials/{PACK}.parquet": "is not as it was written: its SHA-256 is another"}


def test_a_compaction_and_what_is_left_after_forgetting_are_as_they_were_written(root):
    Store(root).compact()
    remove_rows(Store(root), frozenset({"a"}))
    (file,) = (root / "trials").iterdir()
    assert is_as_written(file.read_bytes())
    assert check_parts(Store(root).files) == (2, [])


def test_a_fault_that_vanished_meanwhile_is_no_error(root):
    _, found = check_parts(Store(root).files)
    (root / "trials" / f"{PACK}.parquet").write_bytes(b"")
    _, found = check_parts(Store(root).files)
    (root / "trials" / f"{PACK}.parquet").unlink()
    assert set_aside(Store(root).files, found) == [f"curves/{PACK}.parquet"]


def test_a_folder_without_results_is_refused(tmp_path):
    assert "there are no results in" in lrsym("check", "--results", tmp_path / "r", code=2)


def test_readers_of_safetensors_need_nothing_new(kept):
    for file in kept:
        with safe_open(file, framework="pt") as opened:
            assert len(opened.metadata()["sha256"]) == 64
            names = opened.keys()
            assert all(opened.get_tensor(name) is not None for name in names)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rows: rows.drop_columns("trial_id"), "lacks the columns trial_id"),
        (lambda rows: rows.set_column(0, "trial_id", [[1, 2]]), "has columns of another type: trial_id"),
    ],
)
def test_a_part_of_other_columns_is_named_by_check_and_by_readers(root, change, why):
    file = root / "curves" / f"{PACK}.parquet"
    rows = change(pq.read_table(file))
    file.write_bytes(part_bytes(rows))
    assert faults(root) == {f"curves/{PACK}.parquet": why}
    if "type" in why:
        said = lrsym("query", "select value, trial_id from curves", "--results", root, code=2)
        assert f"{file} cannot be read" in said
    lrsym("check", "--repair", "--results", root)
    assert faults(root) == {}


def test_what_is_set_aside_again_stands_beside_what_was_set_aside_before(root):
    kept = set()
    for at in (200, 300):
        write(root, PACK, "a", "b")
        file = root / "trials" / f"{PACK}.parquet"
        flip(file, at)
        kept.add(file.read_bytes())
        lrsym("check", "--repair", "--results", root)
    aside = (root / "quarantine" / "trials").iterdir()
    assert {path.read_bytes() for path in aside} == kept
    assert len(kept) == 2
