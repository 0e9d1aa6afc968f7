"""Final parameters as files: exact, complete or absent, and readable without lrsym."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import lrsym
from lrsym.errors import UsageError
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.store import load_trials
from lrsym.sweep.execution.tensor_file import read_tensors
from lrsym.sweep.execution.weights import (
    has_weights,
    list_damaged_weights,
    load_weights,
    save_pack,
    save_weights,
    weights_path,
)
from lrsym.testbed.evaluation import evaluate
from lrsym.testbed.model.pack_model import PackModel
from tests.fitted import Fitted, assert_same_weights, train
from tests.small_trials import small

DEEP = {"model__text_blocks": 2, "model__d_mlp": 8, "model__layer_norm": "post"}


@pytest.fixture(scope="module", params=[{}, DEEP], ids=["plain", "deep"])
def fitted(request):
    return Fitted([small(seed=0, **request.param), small(seed=1, **request.param)])


def files(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


@pytest.mark.slow
def test_what_is_loaded_are_the_parameters_after_the_last_step_exactly(fitted, tmp_path):
    save_pack(tmp_path, fitted.snapshot)
    for row, trial in enumerate(fitted.trials):
        model = load_weights(tmp_path, trial.trial_id)
        assert model.trial == trial
        assert_same_weights(model, fitted.model[row], atol=0, rtol=0)


def test_the_beginning_of_a_trial_id_is_enough_unless_several_have_it(fitted, tmp_path):
    save_pack(tmp_path, fitted.snapshot)
    trial = fitted.trials[0]
    assert load_weights(tmp_path, trial.trial_id[:8]).trial == trial
    beside = tmp_path / f"weights/{trial.trial_id[:4]}{'0' * 28}.safetensors"
    beside.touch()
    with pytest.raises(UsageError, match=r"2 files .* give more digits"):
        load_weights(tmp_path, trial.trial_id[:4])


@pytest.mark.parametrize("trial_id", ["", "abc", "xyzw", "../x"])
def test_what_is_no_beginning_of_a_trial_id_names_no_weights(tmp_path, trial_id):
    with pytest.raises(UsageError, match="a trial is named by 4 to 32 hex digits of its trial_id, got "):
        load_weights(tmp_path, trial_id)


@pytest.mark.slow
def test_a_loaded_model_goes_into_the_functions_of_the_testbed(fitted, tmp_path):
    save_pack(tmp_path, fitted.snapshot)
    model, alone = load_weights(tmp_path, fitted.trials[0].trial_id), Fitted(fitted.trials[:1])
    found, expected = evaluate(model, alone.data, alone.candidates), alone.evaluate()
    torch.testing.assert_close(found.values, expected.values, equal_nan=True, atol=1e-6, rtol=0)


def test_a_file_names_its_tensors_and_tells_its_trial_without_the_tables(fitted, tmp_path):
    trial = fitted.trials[0]
    save_weights(tmp_path, fitted.model[0])
    with safe_open(weights_path(tmp_path, trial.trial_id), framework="numpy") as file:
        names, metadata = set(file.keys()), file.metadata()
        assert file.get_tensor("vision.token").shape == (9, 12)
        assert file.get_tensor("loss.log_scale").shape == ()
    assert {"vision.token", "text.query_weight", "loss.log_scale"} < names
    assert metadata["trial_id"] == trial.trial_id
    assert json.loads(metadata["trial"]) == trial.values()


def test_the_python_interface_reads_weights(fitted, tmp_path):
    save_pack(tmp_path, fitted.snapshot)
    tensors = lrsym.load_weights(tmp_path, fitted.trials[1].trial_id).tensors()
    assert torch.equal(tensors["vision.token"], fitted.model.weights["vision"]["token"][1])


@pytest.mark.slow
def test_a_pack_keeps_the_weights_of_its_done_trials_alone(tmp_path):
    pack = (small(seed=0), small(seed=1, optim__learning_rate=1e38))
    assert train(tmp_path, pack, save_weights=True) == {"done": 1, "diverged": 1}
    assert files(tmp_path / "weights") == [f"{pack[0].trial_id}.safetensors"]


@pytest.mark.slow
def test_without_the_option_there_are_no_weights(tmp_path):
    train(tmp_path, [small()])
    assert not (tmp_path / "weights").exists()


@pytest.mark.slow
def test_weights_are_there_before_the_rows(tmp_path):
    (tmp_path / "trials").write_text("a file where a folder must be, so that no rows can be written")
    with pytest.raises(OSError, match="trials"):
        train(tmp_path, [small()], save_weights=True)
    assert has_weights(tmp_path, small().trial_id)


@pytest.mark.slow
def test_weights_that_cannot_be_written_stop_the_worker_and_leave_no_rows(tmp_path):
    (tmp_path / "weights").write_text("a file where a folder must be")
    with pytest.raises(OSError, match="weights"):
        train(tmp_path, [small()], save_weights=True)
    assert load_trials(tmp_path).collect().is_empty()


def rewrite_metadata(path, change):
    """The file at `path` with what `change` makes of its metadata."""
    with safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in list(file.keys())}
    metadata.pop("file_sha256", None)  # as in files of before
    save_file(tensors, path, metadata={**metadata, **change(metadata)})


def test_a_file_from_before_an_axis_is_read_with_its_neutral_value(fitted, tmp_path):
    trial = fitted.trials[0]
    save_weights(tmp_path, fitted.model[0])

    def without_the_axis(metadata):
        values = json.loads(metadata["trial"])
        del values["scenes.coverage"]
        return {"trial": json.dumps(values)}

    rewrite_metadata(weights_path(tmp_path, trial.trial_id), without_the_axis)
    assert load_weights(tmp_path, trial.trial_id).trial == trial


def test_weights_that_are_not_there_are_refused_with_the_way_to_get_them(tmp_path):
    with pytest.raises(UsageError, match=r"no weights of abcd.*lrsym explain abcd.*--save-weights"):
        load_weights(tmp_path, "abcd")


@pytest.mark.parametrize("content", [b"no tensors", b"", (2).to_bytes(8, "little") + b"{}"])
def test_a_damaged_file_is_refused_with_the_remedy(tmp_path, content):
    open_filesystem(tmp_path).put("weights/abcd.safetensors", content)
    with pytest.raises(UsageError, match=r"weights/abcd.* does not hold the weights of abcd.*remove the file"):
        load_weights(tmp_path, "abcd")


def test_wherever_a_bit_of_their_header_changes_weights_are_refused_or_the_same(fitted, tmp_path):
    save_weights(tmp_path, fitted.model[0])
    trial_id, store = fitted.trials[0].trial_id, open_filesystem(tmp_path)
    content, name = store.get(f"weights/{trial_id}.safetensors"), f"weights/{trial_id}.safetensors"
    key = content.index(b"file_sha256")
    header = 8 + int.from_bytes(content[:8], "little")
    for place in [*range(0, header, header // 6), key]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        store.put(name, damaged)
        found = [*list_damaged_weights(store)]
        if key <= place < key + len("file_sha256"):  # it tells no digest any more, and is sound
            assert_same_weights(load_weights(tmp_path, trial_id), fitted.model[0], atol=0, rtol=0)
        else:
            assert found == [name]
            with pytest.raises(UsageError):
                load_weights(tmp_path, trial_id)


ANY = [
    None,
    True,
    -1,
    0.5,
    10**30,
    "",
    "x",
    [],
    [[]],
    [None],
    {},
    {"a": 1},
    {"seed": []},
    {"optim": 5, "optim.steps": 3},
]


@pytest.mark.parametrize("value", ANY)
def test_weights_whose_trial_is_anything_are_refused(fitted, tmp_path, value):
    save_weights(tmp_path, fitted.model[0])
    rewrite_metadata(weights_path(tmp_path, fitted.trials[0].trial_id), lambda _: {"trial": json.dumps(value)})
    with pytest.raises(UsageError):
        load_weights(tmp_path, fitted.trials[0].trial_id)


def test_weights_of_another_type_are_refused(fitted, tmp_path):
    save_weights(tmp_path, fitted.model[0])
    path = weights_path(tmp_path, fitted.trials[0].trial_id)
    tensors, metadata = read_tensors(open_filesystem(tmp_path), path.removeprefix(f"{tmp_path}/"), device="cpu")
    save_file({name: tensor.int() for name, tensor in tensors.items()}, path, metadata={**metadata, "file_sha256": ""})
    rewrite_metadata(path, lambda _: {})
    with pytest.raises(UsageError, match=r"must be torch\.float32, some are torch\.int32"):
        load_weights(tmp_path, fitted.trials[0].trial_id)


@pytest.mark.parametrize("sound", [True, False])
def test_files_of_before_tell_the_digest_of_their_tensors_alone(fitted, tmp_path, sound):
    save_weights(tmp_path, fitted.model[0])
    trial_id = fitted.trials[0].trial_id
    path = weights_path(tmp_path, trial_id)
    rewrite_metadata(path, lambda _: {})
    content = Path(path).read_bytes()
    digest = hashlib.sha256(content[8 + int.from_bytes(content[:8], "little") :]).hexdigest()
    rewrite_metadata(path, lambda _: {"sha256": digest if sound else "0" * 64})
    if sound:
        assert_same_weights(load_weights(tmp_path, trial_id), fitted.model[0], atol=0, rtol=0)
    else:
        with pytest.raises(UsageError, match="its tensors are not those that were written"):
            load_weights(tmp_path, trial_id)


def test_weights_of_another_shape_are_refused(fitted):
    tensors = fitted.model[0].tensors()
    tensors["vision.token"] = tensors["vision.token"][:1]
    with pytest.raises(ValueError, match=r"differ in vision\.token"):
        PackModel.from_tensors(fitted.trials[0], tensors)


def test_weights_of_another_trainer_version_are_refused(fitted, tmp_path):
    trial = fitted.trials[0]
    save_weights(tmp_path, fitted.model[0])
    path = weights_path(tmp_path, trial.trial_id)
    rewrite_metadata(path, lambda metadata: {"trial_id": "0" * 32, "trainer_version": "99"})
    with pytest.raises(UsageError, match="written by another version of lrsym"):
        load_weights(tmp_path, trial.trial_id)


def test_a_diverged_member_of_a_snapshot_is_not_saved(fitted, tmp_path):
    snapshot = dataclasses.replace(fitted.snapshot, diverged_at=torch.tensor([3, 0]))
    save_pack(tmp_path, snapshot)
    assert files(tmp_path) == [f"{fitted.trials[1].trial_id}.safetensors"]
