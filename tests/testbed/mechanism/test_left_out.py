"""What is left out of either encoder: both paths of the model agree on it, and by hand."""

import pytest
import torch

from lrsym.testbed.mechanism.mechanism import TEXT_ABLATION_SPLITS, ablations, text_ablations
from lrsym.testbed.model.blocks import encode_blocks
from lrsym.testbed.model.encoder import encode
from lrsym.vocabulary import ABLATED_SIDES, ABLATIONS, ROTARY_TERM, TEXT_ABLATIONS
from tests.fitted import VARIANTS, Fitted, noisy_pack
from tests.small_trials import small

FITTED = Fitted([small(seed=seed, optim__steps=30) for seed in range(2)])


@pytest.mark.slow_after(6)
@pytest.mark.parametrize("term", [term for term in ABLATIONS if term not in ROTARY_TERM])
@pytest.mark.parametrize("encoder", ["vision", "text"])
def test_tables_and_blocks_agree_on_what_is_left_without_a_term(encoder, term):
    model, data = noisy_pack(torch.float64)
    shape, tokens = (model.shape.vision, data.scenes) if encoder == "vision" else (model.shape.text, data.captions)
    weights, scale, left_out = model.weights[encoder], model.embedding_scale, ABLATIONS[term]
    by_tables, _ = encode(weights, shape, tokens, scale=scale, left_out=left_out)
    read, _ = encode_blocks(weights, shape, tokens.expand(2, -1, -1), scale=scale, left_out=left_out, drop=None)
    by_blocks = read[:, :, 0] @ weights["projection"] if shape.projected else read[:, :, 0]
    torch.testing.assert_close(by_tables, by_blocks)
    if left_out:
        assert not torch.allclose(by_tables, encode(weights, shape, tokens, scale=scale)[0], atol=1e-4)


@pytest.mark.parametrize("variant", [{}, VARIANTS["two blocks"], VARIANTS["post"]], ids=["one", "two blocks", "post"])
def test_with_the_mean_in_place_of_vp_all_keys_have_the_mean_position_in_their_values(variant):
    """As a model whose values have position embeddings of their own, all alike."""
    model, data = noisy_pack(torch.float64, **variant)
    weights, shape, scale = model.weights["vision"], model.shape.vision, model.embedding_scale
    found, (attention, *_) = encode(weights, shape, data.scenes, scale=scale, left_out=("mean VP",))
    _, (wanted, *_) = encode(weights, shape, data.scenes, scale=scale)
    torch.testing.assert_close(attention, wanted)  # the scores of the first block are as they were
    if variant:
        return
    keys = (
        weights["token"][:, data.scenes] * scale[:, None, None, None] + weights["position"].mean(dim=1)[:, None, None]
    )
    values = torch.einsum("tbkd,tdo->tbko", keys, weights["value_weight"]) + weights["value_bias"][:, None, None]
    mixed = torch.einsum("tbhk,tbkhw->tbhw", attention[:, :, :, 0], values.unflatten(3, (shape.n_heads, -1))).flatten(2)
    read = weights["token"][:, data.scenes[:, 0]] * scale[:, None, None] + weights["position"][:, None, 0]
    out = read + torch.einsum("tbd,tdo->tbo", mixed, weights["output_weight"]) + weights["output_bias"][:, None]
    torch.testing.assert_close(found, out)


def test_the_mean_is_no_zero():
    model, data = noisy_pack()
    weights, shape, scale = model.weights["vision"], model.shape.vision, model.embedding_scale
    mean, zero = (encode(weights, shape, data.scenes, scale=scale, left_out=(t,))[0] for t in ("mean VP", "VP"))
    assert not torch.allclose(mean, zero, atol=1e-3)


def by_side(fitted):
    return {(encoder, term): found for encoder, term, found in text_ablations(*fitted.arguments())}


@pytest.mark.slow
def test_every_term_is_left_out_of_the_text_and_of_both():
    found = by_side(FITTED)
    assert {*found} == {(encoder, term) for encoder in ABLATED_SIDES for term in TEXT_ABLATIONS}
    assert {accuracies.splits for accuracies in found.values()} == {TEXT_ABLATION_SPLITS}


def test_without_any_position_in_its_text_a_model_of_one_block_takes_a_caption_for_its_swap():
    model, data, candidates = FITTED.arguments()
    left_out, weights, scale = ABLATIONS["EP+PP+BP+VP"], model.weights["text"], model.embedding_scale
    text, _ = encode(weights, model.shape.text, data.captions, scale=scale, left_out=left_out)
    torch.testing.assert_close(text, text[:, candidates.swapped], atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_each_side_has_accuracies_of_its_own():
    found, image = by_side(FITTED), dict(ablations(*FITTED.arguments()))
    term = "EP+PP+BP"
    sides = [found["text", term], found["both", term], image[term], image["none"]]
    values = [accuracies.values[:, accuracies.splits.index("unseen")] for accuracies in sides]
    assert all(not torch.equal(a, b) for i, a in enumerate(values) for b in values[:i])
    left_out = ABLATIONS[term]
    again = FITTED.evaluate(splits=TEXT_ABLATION_SPLITS, left_out=left_out, text_left_out=left_out)
    torch.testing.assert_close(found["both", term].values, again.values, equal_nan=True)


@pytest.mark.slow_after(2)
@pytest.mark.parametrize(
    ("changes", "sides"),
    [
        ({"model__kind": "autoregressive"}, set()),
        (VARIANTS["pre"], set()),
        (VARIANTS["rotary"], set()),
        (VARIANTS["two blocks"], {*ABLATED_SIDES}),
    ],
)
def test_where_there_are_no_terms_in_a_text_encoder_there_is_nothing_to_leave_out(changes, sides):
    assert {encoder for encoder, _ in by_side(Fitted([small(**changes)]))} == sides
