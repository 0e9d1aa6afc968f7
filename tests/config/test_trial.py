"""The identity of trials, and the values that a trial refuses."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrsym.config.trial
from lrsym.config.axes import axes
from lrsym.config.scene import SceneConfig
from lrsym.config.section import axis_field
from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from tests.small_trials import OTHER


def changed(key: str) -> dict[str, Any]:
    if key in OTHER:
        return OTHER[key]
    default = Trial().values()[key]
    assert isinstance(default, int | float)
    return {key: default + 1 if isinstance(default, int) else default * 0.5}


@pytest.mark.parametrize("axis", axes(), ids=lambda axis: axis.key)
def test_changing_any_axis_changes_the_trial_id(axis):
    trial = Trial.from_axes(changed(axis.key))
    assert trial.values()[axis.key] != Trial().values()[axis.key]
    assert trial.trial_id != Trial().trial_id


def test_all_trials_that_differ_in_one_axis_have_different_ids():
    ids = [Trial.from_axes(changed(axis.key)).trial_id for axis in axes()]
    assert len(set(ids)) == len(ids)


# Axes that came after the first rows. A value here must never change: rows of old stores rely on it.
NEUTRAL = {
    "scenes.coverage": 1.0, "scenes.pair_orders": "both", "scenes.n_rows": 1, "scenes.n_objects": 2,
    "model.kind": "contrastive", "model.vision_blocks": 1, "model.text_blocks": 1, "model.repeats": 1, "model.d_mlp": 0,
    "model.layer_norm": "none", "model.dropout": 0.0, "model.positions": "learned", "model.init_bias_gain": 0.0,
    "model.init_distribution": "normal", "model.init_scaling": "fan_in", "optim.decay_biases": True,
    "optim.decay_temperature": False, "model.cls_position": True, "model.projection_bias": False,
    "model.attention_dropout": 0.0, "eval.mechanism": "last", "scenes.label_captions": False,
    "scenes.heldout_partners": 0, "optim.multi_positive": False,
}  # fmt: skip

# Axes whose other values gave other rows before.
VERSIONS = {"model.dropout": 2}


def plain_id(trial: Trial) -> str:
    """The definition of the identity, written down a second time and slowly."""
    resolved = {key: value for key, value in trial.values().items() if key not in NEUTRAL or value != NEUTRAL[key]}
    resolved = {key: 0.0 if isinstance(value, float) and value == 0 else value for key, value in resolved.items()}
    resolved |= {f"{key}.version": VERSIONS[key] for key in VERSIONS if key in resolved}
    canonical = {"trial": resolved, "trainer_version": lrsym.config.trial.TRAINER_VERSION}
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


SOME_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "scenes.n_pair_labels": st.integers(3, 9), "scenes.coverage": st.sampled_from([1, 1.0, 0.5, 1 / 3]),
    "scenes.pair_orders": st.sampled_from(["both", "one"]), "scenes.captions": st.sampled_from(["left", "both"]),
    "scenes.n_rows": st.integers(1, 3), "model.preset": st.sampled_from(["simplified", "full"]),
    "model.d_model": st.sampled_from([8, 64, 128]), "model.dropout": st.sampled_from([0, -0.0, 0.0, 0.1]),
    "model.positions": st.sampled_from(["learned", "rotary"]), "model.init_token_std": st.floats(0, 1e9),
    "model.init": st.sampled_from(["small", "pytorch", "clip"]), "model.init_bias_gain": st.sampled_from([0, -0.0, 2]),
    "model.init_weight_gain": st.sampled_from([0, -0.0, 1, 1e-06, 1e16, 5e-324, 0.1 + 0.2]),
    "optim.learning_rate": st.floats(0, 1, exclude_min=True), "optim.weight_decay": st.integers(0, 3) | st.just(-0.0),
    "optim.epochs": st.none() | st.integers(1, 5), "optim.replacement": st.booleans(),
    "optim.decay_biases": st.booleans(), "optim.decay_temperature": st.booleans(),
    "optim.multi_positive": st.booleans(), "scenes.label_captions": st.booleans(),
    "scenes.heldout_partners": st.integers(0, 2), "eval.mechanism": st.sampled_from(["last", "points"]),
    "eval.schedule": st.sampled_from(["log", "linear"]), "seed": st.integers(0, 2**63 - 1),
}  # fmt: skip


@pytest.mark.slow
@given(values=st.fixed_dictionaries({}, optional=SOME_VALUES))
def test_the_id_is_the_hash_of_plain_canonical_json_of_every_axis_that_is_not_neutral(values: dict[str, Any]):
    trial = Trial.from_axes(values)
    assert trial.trial_id == plain_id(trial)


def test_asking_for_the_id_leaves_a_trial_equal_to_one_that_was_never_asked():
    asked = Trial()
    assert asked.trial_id
    assert (asked, hash(asked), asked.values()) == (Trial(), hash(Trial()), Trial().values())
    assert pickle.loads(pickle.dumps(asked)) == asked


@pytest.mark.parametrize(
    "values", [{"scenes": 1, "scenes.n_labels": 20}, {"scenes.n_labels": 20, "scenes": {}}, {"seed.a": 2, "seed": 1}]
)
def test_a_section_beside_one_of_its_keys_is_refused(values):
    with pytest.raises(UsageError, match=r"an axis has one value, got \w+ and \w+\.\w+; leave one of them out"):
        Trial.from_axes(values)


def test_axes_that_came_later_have_the_neutral_values_they_came_with():
    assert {axis.key: axis.neutral for axis in axes() if axis.neutral is not None} == NEUTRAL
    assert {axis.key: axis.version for axis in axes() if axis.version != 1} == VERSIONS


def test_an_axis_that_came_later_leaves_older_ids_as_they_were():
    # The identity of the default trial before any axis of NEUTRAL existed.
    assert Trial.from_axes(NEUTRAL).trial_id == "2c00277432608fbf08265b17190e5cf3"


def test_a_changed_default_of_an_axis_that_came_later_changes_the_id():
    class LaterScenes(SceneConfig):
        coverage: float = axis_field(0.5, "", "", "", neutral=1.0)

    class Later(Trial):
        scenes: SceneConfig = LaterScenes()

    assert Later().trial_id == Trial.from_axes({"scenes.coverage": 0.5}).trial_id != Trial().trial_id


def test_a_changed_default_changes_the_id():
    class Later(Trial):
        seed: int = 1

    assert Later().trial_id != Trial().trial_id
    assert Later(seed=0).trial_id == Trial().trial_id


def test_another_trainer_version_changes_the_id(monkeypatch: pytest.MonkeyPatch):
    before = Trial().trial_id
    monkeypatch.setattr(lrsym.config.trial, "TRAINER_VERSION", lrsym.config.trial.TRAINER_VERSION + 1)
    assert Trial().trial_id != before


@given(order=st.permutations([axis.key for axis in axes() if axis.key != "optim.epochs"]))
def test_the_order_of_keys_does_not_matter(order: list[str]):
    values = Trial().values()
    assert Trial.from_axes({key: values[key] for key in order}).trial_id == Trial().trial_id


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_another_process_gives_the_same_id(hash_seed: str):
    code = "from lrsym.config.trial import Trial; print(Trial.from_axes({'optim.steps': 7, 'seed': 3}).trial_id)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == Trial.from_axes({"optim.steps": 7, "seed": 3}).trial_id


def test_minus_zero_is_zero():
    zero, minus = (Trial.from_axes({"optim.weight_decay": value}) for value in (0.0, -0.0))
    assert zero.trial_id == minus.trial_id


def test_a_whole_number_for_a_real_axis_is_that_real_number():
    whole, real = (Trial.from_axes({"optim.weight_decay": value}) for value in (1, 1.0))
    assert whole.trial_id == real.trial_id


@pytest.mark.parametrize("width", [1, 64, 128])
def test_sqrt_d_model_and_its_number_are_one_trial(width: int):
    base = {"model.d_model": width, "model.n_heads": 1}
    named = Trial.from_axes({**base, "model.embedding_scale": "sqrt_d_model"})
    number = Trial.from_axes({**base, "model.embedding_scale": width**0.5})
    absent = Trial.from_axes(base)
    assert named.trial_id == number.trial_id == absent.trial_id


def test_derived_n_labels_and_the_same_number_are_one_trial():
    derived = Trial.from_axes({"scenes.n_pair_labels": 8, "scenes.n_heldout_labels": 3})
    explicit = Trial.from_axes({"scenes.n_pair_labels": 8, "scenes.n_heldout_labels": 3, "scenes.n_labels": 11})
    assert derived.trial_id == explicit.trial_id


def test_the_id_is_128_bits_in_hex():
    assert len(Trial().trial_id) == 32
    assert int(Trial().trial_id, 16) >= 0


def test_values_rebuild_the_trial():
    trial = Trial.from_axes({"optim.epochs": 3, "model.d_model": 64, "seed": 5})
    assert Trial.from_axes(trial.values()) == trial


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"scenes.layouts_per_pair": 60}, "must be 1..45"),
        ({"scenes.positions_per_label": 11}, "must be 1..10"),
        ({"scenes.n_rows": 4, "scenes.positions_per_label": 41}, "must be 1..40 for 4 rows of 10 positions"),
        ({"scenes.n_rows": 8}, "must be at most 64"),
        ({"scenes.captions": "above"}, "several rows"),
        ({"scenes.n_objects": 3, "scenes.n_positions": 2, "scenes.positions_per_label": 1}, "no layout on 2 positions"),
        ({"scenes.n_objects": 3, "scenes.n_pair_labels": 2}, "must be at least scenes.n_objects = 3, got 2; raise it"),
        (
            {"scenes.n_objects": 3, "scenes.n_rows": 8, "scenes.n_positions": 8},
            "284,979,240|scenes, more than 20,000,000",
        ),
        ({"scenes.n_objects": 3, "scenes.heldout_partners": 1}, "of two objects, got scenes.n_objects 3; lower it"),
        ({"scenes.heldout_partners": 1171}, "must be 0..1170 for 15 pair labels and 45 layouts, of which 6 are kept"),
        (
            {
                "scenes.n_positions": 4,
                "scenes.positions_per_label": 1,
                "scenes.layouts_per_pair": 1,
                "scenes.heldout_partners": 1,
            },
            "must be 0..0 .* raise scenes.n_positions",
        ),
        ({"scenes.n_labels": 19}, "scenes.n_pair_labels \\+ scenes.n_heldout_labels = 20"),
        ({"model.kind": "autoregressive", "model.vision_blocks": 2}, "must be 1 with model.kind autoregressive"),
        ({"model.kind": "autoregressive", "model.projection_bias": True}, "must be false with model.kind"),
        ({"model.positions": "rotary", "model.cls_position": False}, "cls_position must be true with rotary"),
        ({"model.d_model": 130}, "must divide"),
        ({"optim.steps": 5, "optim.epochs": 5}, "either optim.steps"),
        ({"optim.steps": True}, "^optim.steps must be a whole number >= 1.*, got true; "),
        ({"optim.steps": 5.0}, "got 5.0; write 5"),
        ({"optim.weight_decay": float("nan")}, "got nan; give a finite one"),
        ({"optim.learning_rat": 1.0}, "unknown key .*; did you mean optim.learning_rate?"),
        ({"optim.batch_size": 10**11}, "optim.batch_size must be a whole number >= 2 and <= 1048576, got 100000000000"),
        ({"optim.epochs": 10**11, "optim.steps": None}, "optim.epochs must be a whole number >= 1 and <= 1000000, got"),
        ({"optim": 1.0}, "unknown key"),
        ({5: 1.0}, "unknown key 5"),
        ({"seed": 2**63}, "^seed must be a whole number >= 0 and < .*, got a whole number beyond 64 bits"),
    ],
)
def test_what_no_trial_can_be_is_refused(values: dict[str, Any], rule: str):
    with pytest.raises(UsageError, match=rule) as refused:
        Trial.from_axes(values)
    assert "\n" not in str(refused.value)


def test_more_epochs_or_more_scenes_mean_more_steps():
    steps = [Trial.from_axes({"optim.epochs": epochs}).n_steps for epochs in (1, 2, 3)]
    assert steps == [9, 18, 26]  # 2,200 scenes in batches of 256: 8.6 batches an epoch


@given(steps=st.integers(1, 10**6), points=st.integers(1, 100), schedule=st.sampled_from(["log", "linear"]))
def test_evaluation_steps_rise_and_end_with_the_last_step(steps: int, points: int, schedule: str):
    trial = Trial.from_axes({"optim.steps": steps, "eval.points": points, "eval.schedule": schedule})
    evaluated = trial.evaluation_steps
    assert list(evaluated) == sorted(set(evaluated))
    assert evaluated[0] >= 1
    assert evaluated[-1] == steps
    assert len(evaluated) <= points + 1


def test_a_preset_sets_the_axes_that_are_not_given_and_is_none_itself():
    full = Trial.from_axes({"model.preset": "full", "model.dropout": 0.0})
    assert (full.model.vision_blocks, full.model.text_blocks, full.model.repeats, full.model.d_mlp) == (2, 2, 2, 512)
    assert (full.model.layer_norm, full.model.dropout) == ("pre", 0.0)
    assert full.trial_id == Trial.from_axes(full.values()).trial_id
    assert Trial.from_axes({"model.preset": "simplified"}) == Trial()
    assert Trial.from_axes({"model.preset": "full", "model.kind": "autoregressive"}).model.text_blocks == 2


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match='preset must be one of simplified, full, got "large"'):
        Trial.from_axes({"model.preset": "large"})
    with pytest.raises(UsageError, match='init must be one of small, pytorch, clip, got "large"'):
        Trial.from_axes({"model.init": "large"})


def test_a_start_sets_the_axes_that_are_not_given_and_the_small_one_is_the_default():
    assert Trial.from_axes({"model.init": "small"}) == Trial()
    pytorch = Trial.from_axes({"model.init": "pytorch", "model.d_model": 64, "model.init_position_std": 0.5})
    assert (pytorch.model.embedding_scale, pytorch.model.init_token_std, pytorch.model.init_position_std) == (8, 1, 0.5)
    assert pytorch.trial_id == Trial.from_axes(pytorch.values()).trial_id == plain_id(pytorch)
    both = Trial.from_axes({"model.init": "clip", "model.preset": "full"})
    assert (both.model.embedding_scale, both.model.init_scaling, both.model.text_blocks) == (1, "depth", 2)


@pytest.mark.parametrize("word", ["small", "pytorch", "clip"])
def test_a_start_gives_rotary_positions_no_embeddings(word: str):
    assert Trial.from_axes({"model.init": word, "model.positions": "rotary"}).model.init_position_std == 0
