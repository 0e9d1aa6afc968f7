"""The weights of a pack: their shapes, their members, and their names outside of it."""

import pytest
import torch

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


def test_a_pack_of_several_has_no_single_trial_and_no_names_without_a_member():
    pack = PackModel.initial(TRIALS)
    for read in (lambda: pack.trial, pack.tensors):
        with pytest.raises(ValueError, match=r"a pack of 5 trials has no single trial; select a member"):
            read()


def test_log_scale_is_the_last_parameter_and_starts_at_the_temperature():
    pack = PackModel.initial([small(optim__temperature=0.5), small(optim__temperature=0.25)])
    torch.testing.assert_close(pack.parameters()[-1].exp(), torch.tensor([2.0, 4.0]))
