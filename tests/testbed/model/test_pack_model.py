"""The weights of a pack: their shapes, their members, and their names outside of it."""

import pytest
import torch
from torch import nn

from lrsym.config.model import INITS
from lrsym.config.trial import Trial
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.model.shape import ModelShape
from tests.fitted import assert_same_weights
from tests.small_trials import small

# Sizes that cannot be taken for each other: 5 members, 7 labels, 11 pixels, width 26 in 2 heads, MLP of 17.
SIZES = {"scenes__n_positions": 11, "model__d_model": 26, "model__n_heads": 2, "model__d_mlp": 17}
TRIALS = [small(seed=seed, model__embedding_scale=1.0 + seed, **SIZES) for seed in range(5)]
EXACTLY = {"atol": 0, "rtol": 0}


def test_every_weight_has_a_row_for_each_member():
    weights = PackModel.initial(TRIALS).weights
    assert weights["vision"]["token"].shape == (5, 7 + 2, 26)
    assert weights["vision"]["position"].shape == (5, 11 + 1, 26)
    assert weights["vision"]["mlp_in_weight"].shape == (5, 26, 17)
    assert weights["text"]["token"].shape == (5, 7 + 4, 26)
    assert weights["loss"]["log_scale"].shape == (5,)


def test_a_member_starts_from_the_values_that_it_starts_from_alone():
    pack = PackModel.initial(TRIALS)
    for trial, member in zip(TRIALS, pack.members(), strict=True):
        assert member.trial == trial
        assert_same_weights(member, PackModel.initial([trial]), **EXACTLY)
        assert member.embedding_scale.tolist() == [trial.model.embedding_scale]


@pytest.mark.parametrize(("index", "members"), [(1, [1]), (-1, [4]), (slice(1, 3), [1, 2]), (slice(3, None), [3, 4])])
def test_members_are_selected_as_from_a_list(index, members):
    pack = PackModel.initial(TRIALS)
    some = pack[index]
    assert some.trials == tuple(TRIALS[i] for i in members)
    assert torch.equal(some.weights["vision"]["token"], pack.weights["vision"]["token"][members])
    assert some.embedding_scale.tolist() == [1.0 + i for i in members]


def test_a_member_that_does_not_exist_is_an_index_error():
    with pytest.raises(IndexError):
        PackModel.initial(TRIALS)[5]


def test_a_model_comes_back_from_its_named_tensors():
    model = PackModel.initial(TRIALS)[3]
    tensors = model.tensors()
    assert list(tensors) == [f"{encoder}.{name}" for encoder, name, _ in ModelShape.of(TRIALS[3]).named()]
    assert tensors["vision.token"].shape == (9, 26)
    back = PackModel.from_tensors(TRIALS[3], tensors)
    assert back.trials == model.trials
    assert_same_weights(back, model, **EXACTLY)


def test_biases_are_those_of_maps_and_norms_and_the_gains():
    shape = ModelShape.of(small(model__layer_norm="post", model__d_mlp=17, model__text_blocks=2))
    named = shape.named()
    found = {named[i][:2] for i in shape.biases()}
    assert {("vision", "query_bias"), ("text", "block1.mlp_out_bias"), ("text", "mlp_norm_gain")} <= found
    assert found == {(encoder, name) for encoder, name, size in named if len(size) == 1}


def test_a_pack_of_several_has_no_single_trial_and_no_names_without_a_member():
    pack = PackModel.initial(TRIALS)
    for read in (lambda: pack.trial, pack.tensors):
        with pytest.raises(ValueError, match=r"a pack of 5 trials has no single trial; select a member"):
            read()


DEEP = small(model__d_model=128, model__n_heads=4, model__d_mlp=512, model__text_blocks=2, model__repeats=2)


def start(init, trial=DEEP, **changes):
    """What the text encoder of `trial` starts from, by name."""
    values = {"model.init": init, **{key.replace("__", "."): value for key, value in changes.items()}}
    kept = {key: value for key, value in trial.values().items() if key.rpartition(".")[2] not in INITS[init]}
    (weights,) = PackModel.initial([Trial.from_axes({**kept, **values})]).members()
    return {name: weight[0] for name, weight in weights.weights["text"].items()}


def test_pytorchs_start_is_that_of_its_own_layers():
    text = start("pytorch")
    (query, into, out), embedding = (nn.Linear(*s) for s in ((128, 128), (128, 512), (512, 128))), nn.Embedding(11, 128)
    like = {"query": query, "value": query, "output": query, "mlp_in": into, "mlp_out": out, "block1.output": query}
    for name, layer in like.items():
        for ours, theirs in ((text[f"{name}_weight"], layer.weight), (text[f"{name}_bias"], layer.bias)):
            bound = layer.in_features**-0.5
            assert 0.9 * bound < ours.abs().max() <= bound >= theirs.abs().max()
            # A uniform number: mean 0, variance bound^2 / 3 and fourth moment bound^4 / 5.
            assert ours.mean().item() == pytest.approx(0, abs=3 * bound / ours.numel() ** 0.5)
            assert ours.std().item() == pytest.approx(bound / 3**0.5, rel=2 / ours.numel() ** 0.5)
            assert (ours**4).mean().item() == pytest.approx(bound**4 / 5, rel=5 / ours.numel() ** 0.5)
    for ours in (text["token"], text["position"]):
        assert ours.std().item() == pytest.approx(embedding.weight.std().item(), rel=0.2) == pytest.approx(1, rel=0.2)
    assert text["projection"].abs().max() <= 128**-0.5


def test_clips_start_has_the_standard_deviations_of_its_text_transformer():
    text, depth = start("clip"), 4  # two blocks twice
    wanted = {
        "token": 0.02, "position": 0.01, "query_weight": 128**-0.5, "block1.value_weight": 128**-0.5,
        "output_weight": 128**-0.5 * (2 * depth) ** -0.5, "mlp_in_weight": (2 * 128) ** -0.5,
        "block1.mlp_out_weight": 128**-0.5 * (2 * depth) ** -0.5, "projection": 128**-0.5,
    }  # fmt: skip
    for name, std in wanted.items():
        assert text[name].std().item() == pytest.approx(std, rel=3 / text[name].numel() ** 0.5), name
    assert not any(weight.any() for name, weight in text.items() if name.endswith("_bias"))


@pytest.mark.parametrize("init", ["small", "pytorch", "clip"])
def test_a_layer_norm_starts_as_the_identity(init):
    text = start(init, small(model__layer_norm="pre", model__d_mlp=17))
    assert all(weight.eq(1).all() for name, weight in text.items() if name.endswith("_gain"))
    assert not any(weight.any() for name, weight in text.items() if name.endswith("_norm_bias"))


def test_members_with_different_starts_start_from_what_they_start_from_alone():
    trials = [small(seed=1, model__init_bias_gain=0.5), small(seed=1, model__init_distribution="uniform"),
              small(seed=1, model__init_scaling="depth"), small(seed=1)]  # fmt: skip
    pack = PackModel.initial(trials)
    for trial, member in zip(trials, pack.members(), strict=True):
        assert_same_weights(member, PackModel.initial([trial]), **EXACTLY)
    biased, uniform, deep, plain = (member.weights["vision"] for member in pack.members())
    assert torch.equal(biased["query_weight"], plain["query_weight"])
    assert torch.equal(uniform["token"], plain["token"])
    torch.testing.assert_close(deep["output_weight"] * 2**0.5, plain["output_weight"])


def test_log_scale_is_the_last_parameter_and_starts_at_the_temperature():
    pack = PackModel.initial([small(optim__temperature=0.5), small(optim__temperature=0.25)])
    torch.testing.assert_close(pack.parameters()[-1].exp(), torch.tensor([2.0, 4.0]))
