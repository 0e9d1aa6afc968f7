"""Whether what lies in a results folder is what was written, every kind of file, and what is set aside."""

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from lrsym.errors import UsageError
from lrsym.results.store import check as check_module
from lrsym.results.store import forget as forget_module
from lrsym.results.store.check import check_parts, set_aside
from lrsym.results.store.digest import is_as_written, part_bytes
from lrsym.results.store.filesystem import LocalFolder
from lrsym.results.store.forget import remove_rows
from lrsym.results.store.merge import take_trials
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.execution.checkpoint import CheckpointFile
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.execution.weights import load_weights, save_pack
from lrsym.sweep.planning.pack import Pack
from lrsym.testbed.training.training import Training
from tests.fitted import CPU, Fitted
from tests.results.store.test_part_file import OTHER, PACK, without_names, write
from tests.running import lrsym
from tests.small_trials import pack_of, small


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
    lost = "is lost: the table trials of its part was written with it"
    assert faults(root) == {f"curves/{PACK}.parquet": lost}
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
        assert f"{file} it is not as it was written: its SHA-256 is not" in said
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
    with pytest.raises(UsageError, match="is not as it was written"):
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
            assert len(opened.metadata()["file_sha256"]) == 64
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


def test_of_a_part_of_before_the_curves_of_done_trials_are_missed_beside_another_table(root):
    (root / "curves" / f"{PACK}.parquet").unlink()
    Store(root).write(PACK, {"ablations": TABLES["ablations"].build([{"trial_id": "a", "term": "EP"}])})
    without_names(root / "trials" / f"{PACK}.parquet")
    assert faults(root) == {f"curves/{PACK}.parquet": "lacks the curves of 2 done trials"}
    (root / "ablations" / f"{PACK}.parquet").unlink()
    assert faults(root) == {}


def test_trials_that_were_merged_from_a_folder_without_curves_are_sound_and_stay_so_compacted(tmp_path):
    bare, full = Store(str(tmp_path / "bare")), Store(str(tmp_path / "full"))
    trials = [small(seed=seed) for seed in range(4)]
    bare.write(pack_of(*trials[:2]).id, status_rows(trials[:2], status="done", message=None, run_id="r"))
    write(full.root, OTHER, *(trial.trial_id for trial in trials[2:]))
    take_trials(bare, full, [trial.trial_id for trial in trials[:2]])
    assert faults(full.root) == {}
    assert full.compact() == 3
    assert faults(full.root) == {}
    remove_rows(full, [trial.trial_id for trial in trials[2:]])  # all that have curves
    assert faults(full.root) == {}
    assert len(full.statuses()) == 2
    remove_rows(full, [trial.trial_id for trial in trials])
    assert full.files.list("curves") == full.files.list("trials") == []


def test_after_a_killed_forget_the_rows_of_trials_that_stay_are_kept(root):
    gone = ["a"]
    with pytest.MonkeyPatch.context() as patched:
        rewrite = forget_module._rewrite

        def killed(files, name, unwanted):
            if name.startswith("curves/"):
                raise KeyboardInterrupt
            rewrite(files, name, unwanted)

        patched.setattr(forget_module, "_rewrite", killed)
        with pytest.raises(KeyboardInterrupt):
            remove_rows(Store(root), gone)
    file = f"curves/{PACK}.parquet"
    before = (root / file).read_bytes()
    assert faults(root) == {file: "holds rows of 1 trial that the table trials lacks"}
    said = lrsym("check", "--repair", "--results", root)
    assert f"1 file written anew without those rows; what was there is in {root}/quarantine" in said
    assert (root / "quarantine" / file).read_bytes() == before
    assert faults(root) == {}
    assert pq.read_table(root / file)["trial_id"].to_pylist() == ["b"]
    assert [*Store(root).statuses()] == ["b", "c"]


def refuse(monkeypatch, store, names, error):
    """Let the system not read what of `names` is asked for; return what it was asked to delete."""
    get, delete, deleted = store.files.get, store.files.delete, []

    def refused(name, **only):
        if name in names:
            raise error
        return get(name, **only)

    monkeypatch.setattr(store.files, "get", refused)
    monkeypatch.setattr(store.files, "delete", lambda name: (deleted.append(name), delete(name)))
    return deleted


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(116, "Stale file handle")])
def test_what_cannot_be_read_now_is_told_and_nothing_of_its_part_is_moved(root, monkeypatch, error):
    store, file = Store(root), f"curves/{PACK}.parquet"
    deleted = refuse(monkeypatch, store, [file], error)
    _, found = check_parts(store.files)
    assert [(fault.file, fault.why, fault.repair) for fault in found] == [
        (file, f"cannot be read ({error.strerror})", "none")
    ]
    assert set_aside(store.files, found) == deleted == []
    assert len(store.statuses()) == 3


def test_a_part_of_which_a_table_cannot_be_read_stays_whole(root, monkeypatch):
    flip(root / "trials" / f"{PACK}.parquet", 60)
    store = Store(root)
    _, found = check_parts(store.files)
    deleted = refuse(monkeypatch, store, [f"curves/{PACK}.parquet"], OSError(5, "Input/output error"))
    assert set_aside(store.files, found) == deleted == []


def test_repair_of_what_cannot_be_read_now_names_what_helps_and_is_not_done(root, monkeypatch):
    get = LocalFolder.get

    def refused(self, name, *, size=-1):
        if name.startswith(f"curves/{PACK}"):
            raise PermissionError(13, "Permission denied", name)
        return get(self, name, size=size)

    monkeypatch.setattr(LocalFolder, "get", refused)
    said = lrsym("check", "--repair", "--results", root, code=1)
    remedy = "1 file is wrong; see to the permissions or the mount, then look again: lrsym check --results"
    assert f"{root}/curves/{PACK}.parquet cannot be read (Permission denied)\n{remedy} {root}\n" in said
    assert not (root / "quarantine").exists()


def test_parts_that_are_merged_while_they_are_checked_have_no_faults(root, monkeypatch):
    store = Store(root)
    get, merged = store.files.get, []

    def get_beside_a_compaction(name, **only):
        if name.startswith("curves/") and not merged:
            merged.append(Store(root).compact())
        return get(name, **only)

    monkeypatch.setattr(store.files, "get", get_beside_a_compaction)
    assert check_parts(store.files)[1] == []
    assert merged == [4]


def test_a_table_that_was_away_for_a_moment_while_it_was_listed_is_not_lost(root, monkeypatch):
    store, file = Store(root), f"curves/{PACK}.parquet"
    stamps = store.files.stamps
    monkeypatch.setattr(
        store.files, "stamps", lambda *a, **k: {name: at for name, at in stamps(*a, **k).items() if name != file}
    )
    assert check_parts(store.files)[1] == []


def test_repair_of_what_is_gone_by_then_says_so(root, monkeypatch):
    (root / "curves" / f"{PACK}.parquet").write_bytes(b"")

    def check_and_lose(files):
        found = check_parts(files)
        for table in ("trials", "curves"):
            (root / table / f"{PACK}.parquet").unlink()
        return found

    monkeypatch.setattr(check_module, "check_parts", check_and_lose)
    said = lrsym("check", "--repair", "--results", root, code=1)
    assert said.endswith(f"nothing of it is there any more; look again: lrsym check --results {root}\n")
