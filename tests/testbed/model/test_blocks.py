"""Encoders of several blocks against plain torch modules, one trial at a time."""

import pytest
import torch

from lrsym.testbed.model.blocks import rotary_table, rotate, rotations
from lrsym.testbed.model.encoder import encode
from lrsym.testbed.training.training import fit
from lrsym.vocabulary import SCORE_TERMS
from tests.fitted import CPU, VARIANTS, Fitted, assert_same_weights, noisy_pack, vision
from tests.small_trials import small
from tests.textbook import through_blocks


def oracle(weights, shape, tokens, scale):
    """Embedding of `tokens` for one member, its `weights` by name."""
    x = weights["token"][tokens] * scale
    x = through_blocks(x if shape.rotary else x + weights["position"], weights, shape)
    return x[:, shape.readout] @ weights["projection"] if shape.projected else x[:, shape.readout]


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("variant", VARIANTS)
def test_embeddings_and_gradients_agree_with_plain_modules(variant):
    model, data = noisy_pack(torch.float64, **VARIANTS[variant])  # so that rounding hides nothing
    scale = model.embedding_scale
    for shape, tokens in ((model.shape.vision, data.scenes), (model.shape.text, data.captions)):
        weights = {name: weight.requires_grad_() for name, weight in model.weights[shape.name].items()}
        ours, _ = encode(weights, shape, tokens, scale=scale)
        for row in range(2):
            wanted = oracle({k: v[row] for k, v in weights.items()}, shape, tokens, scale[row])
            torch.testing.assert_close(ours[row], wanted, atol=1e-6, rtol=1e-6)
            towards = torch.linspace(-1, 1, wanted.shape[1], dtype=torch.float64)
            found, expected = (
                torch.autograd.grad((x @ towards).square().mean(), [*weights.values()], retain_graph=True)
                for x in (ours[row], wanted)
            )
            torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("variant", ["two blocks", "mlp", "post", "repeats"])
def test_every_term_left_out_of_the_first_block_is_left_out_of_its_logits(variant):
    """With all six terms gone the first block attends evenly; with all but one gone, by that one."""
    model, data = noisy_pack(**VARIANTS[variant])
    weights, shape, scale = vision(model)
    _, (attention, *_) = encode(weights, shape, data.scenes, scale=scale, left_out=tuple(SCORE_TERMS))
    torch.testing.assert_close(attention, torch.full_like(attention, 1 / shape.length))
    e, p = weights["token"][:, :, :] * scale[:, None, None], weights["position"]
    parts = {"E": (e[:, data.scenes]), "P": p[:, None].expand(-1, len(data.scenes), -1, -1)}
    for term in SCORE_TERMS:
        others = tuple(name for name in SCORE_TERMS if name != term)
        _, (attention, *_) = encode(weights, shape, data.scenes, scale=scale, left_out=others)
        query = torch.einsum("tbld,tdo->tblo", parts[term[0]], weights["query_weight"]) if term[0] != "B" else (
            weights["query_bias"][:, None, None].expand(-1, len(data.scenes), shape.length, -1)
        )  # fmt: skip
        key = torch.einsum("tbld,tdo->tblo", parts[term[1]], weights["key_weight"])
        q, k = (x.unflatten(3, (shape.n_heads, -1)).transpose(2, 3) for x in (query, key))
        wanted = (q @ k.mT / shape.head_width**0.5).softmax(-1)[:, :, :, : attention.shape[3]]
        torch.testing.assert_close(attention, wanted, atol=1e-5, rtol=1e-5)


def test_leaving_a_term_out_of_a_block_that_has_none_is_refused():
    model, data = noisy_pack(**VARIANTS["pre"])
    weights, shape, scale = vision(model)
    with pytest.raises(ValueError, match="has no term EP to leave out; it has none"):
        encode(weights, shape, data.scenes, scale=scale, left_out=("EP",))


@pytest.mark.parametrize("changes", [{}, {"model__layer_norm": "pre"}], ids=["bare", "pre"])
def test_what_turning_adds_is_what_is_missing_without_it(changes):
    model, data = noisy_pack(**VARIANTS["rotary"] | changes)
    weights, shape, scale = vision(model)
    (with_, without), table = (
        (encode(weights, shape, data.scenes, scale=scale, left_out=left)[1][0][:, :, :, 0].log() for left in ((), "R")),
        rotary_table(weights, shape, scale),
    )
    position = torch.arange(shape.length)
    added = torch.stack([table[:, :, row, position] for row in data.scenes], dim=1)
    difference = with_ - without - added  # equal up to the softmax's one number for each row
    torch.testing.assert_close(difference, difference[..., :1].expand_as(difference), atol=1e-5, rtol=1e-5)
    assert added.std() > 0.01


def test_rotary_scores_depend_on_the_distance_alone():
    turn = rotations(7, 6, device=CPU).float()
    query, key = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    scores = rotate(query.expand(7, 6), turn) @ rotate(key.expand(7, 6), turn).T
    for distance in range(-6, 7):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-5, rtol=1e-5)
    assert scores.diagonal(1)[0] != pytest.approx(scores.diagonal(2)[0].item(), abs=1e-3)


FULL = VARIANTS["full, pre"] | {"model__dropout": 0.25, "optim__steps": 8}


@pytest.mark.slow
def test_a_deep_member_with_dropout_trains_the_same_alone_and_in_a_pack():
    trials = [small(seed=s, **FULL) for s in range(3)]
    trials.append(small(seed=9, **FULL | {"model__dropout": 0.5}))
    together = Fitted(trials).model
    for row, trial in enumerate(trials):
        assert_same_weights(together[row], Fitted([trial]).model, atol=2e-5, rtol=1e-4)


@pytest.mark.slow
def test_dropout_acts_in_training_and_not_in_evaluation():
    trials = [small(**FULL)]
    fitted = Fitted(trials)
    first, second = (fitted.evaluate().values for _ in range(2))
    torch.testing.assert_close(first, second, equal_nan=True)
    *_, without = fit([small(**FULL | {"model__dropout": 0.0})], fitted.data, device=CPU)
    token, other = (model.weights["vision"]["token"] for model in (without.model, fitted.model))
    assert not torch.allclose(token, other, atol=1e-3)
