"""The term tables against the textbook: same outputs, same gradients, same ablations."""

import pytest
import torch

from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.encoder import encode
from lrsym.testbed.model.scores import QUERY_COMPONENTS, score_tables, sum_terms
from lrsym.testbed.training.contrastive import contrastive_loss
from lrsym.testbed.training.training import batch_loss
from tests.fitted import CPU, noisy_model
from tests.small_trials import small
from tests.textbook import TextbookClip

BIASES = {"model__init_weight_gain": 1.5}


def pack(n=3, **changes):
    """A model with random weights and non-zero biases, and its data."""
    trials = [small(seed=seed, model__embedding_scale=1.0 + seed, **BIASES, **changes) for seed in range(n)]
    return noisy_model(trials), PackData.of(trials, device=CPU)


def textbook(model, row):
    trial = model.trials[row]
    clip = TextbookClip(7, 5, 12, trial.model.n_heads, scale=trial.model.embedding_scale, temperature=0.07)
    return clip.load(model.weights, row)


def encoded(model, name, tokens, **options):
    """What `encode` gives for one encoder of `model`."""
    shape = model.shape.vision if name == "vision" else model.shape.text
    return encode(model.weights[name], shape, tokens, scale=model.embedding_scale, **options)


@pytest.mark.parametrize("n_heads", [1, 3, 12])
def test_embeddings_agree_with_dense_attention(n_heads):
    model, data = pack(model__n_heads=n_heads)
    image, _ = encoded(model, "vision", data.scenes)
    text, _ = encoded(model, "text", data.captions)
    for row in range(len(model)):
        clip = textbook(model, row)
        torch.testing.assert_close(image[row], clip.vision(data.scenes).detach(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(text[row], clip.text(data.captions).detach(), atol=1e-5, rtol=1e-5)


def test_loss_and_every_gradient_agree_with_the_textbook():
    model, data = pack()
    batch = torch.randint(0, len(data.scenes), (3, 11), generator=torch.Generator().manual_seed(5))
    parameters = [weight.requires_grad_() for weight in model.parameters()]
    loss = batch_loss(model, data, batch)
    gradients = torch.autograd.grad(loss.sum(), parameters)
    for row in range(3):
        clip = textbook(model, row)
        expected = clip(data.scenes[batch[row]], data.captions[data.captions_of[batch[row], 0]])
        expected.backward()
        torch.testing.assert_close(loss[row], expected, atol=1e-5, rtol=1e-5)
        for (encoder, name, _), gradient in zip(model.shape.named(), gradients, strict=True):
            wanted = clip.gradient((encoder, name))
            torch.testing.assert_close(gradient[row], wanted, atol=1e-5, rtol=1e-4)


def test_the_loss_of_two_pairs_is_what_a_hand_computes():
    # cosines: own 1 and 1, other 0 and 0, scale 1: both directions log(e + 1) - 1
    image = torch.tensor([[[2.0, 0.0], [0.0, 3.0]]])
    loss = contrastive_loss(image, image * 5, torch.zeros(1))
    torch.testing.assert_close(loss, torch.log(torch.tensor([1 + torch.e])) - 1)


def test_the_six_terms_sum_to_the_logits_of_dense_attention():
    model, _ = pack()
    shape, weights, scale = model.shape.vision, model.weights["vision"], model.embedding_scale
    on_token, on_position = score_tables(weights, shape, scale)
    logits = on_token.sum(1)[..., :, None] + on_position.sum(1)[..., None, :]
    for row in range(len(model)):
        e, p = weights["token"][row] * scale[row], weights["position"][row]
        query = (e[shape.readout_token] + p[0]) @ weights["query_weight"][row] + weights["query_bias"][row]
        keys = (e[:, None] + p[None]) @ weights["key_weight"][row]
        by_head = (query.view(3, 4)[:, None, None] * keys.unflatten(2, (3, 4)).permute(2, 0, 1, 3)).sum(-1) / 2
        torch.testing.assert_close(logits[row], by_head, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("term", [q + k for q in QUERY_COMPONENTS for k in "EP"])
def test_a_term_left_out_takes_its_own_table_away_and_no_other(term):
    model, _ = pack()
    tables = score_tables(model.weights["vision"], model.shape.vision, model.embedding_scale)
    component, key = QUERY_COMPONENTS.index(term[0]), "EP".index(term[1])
    whole, without = sum_terms(tables, ()), sum_terms(tables, (term,))
    torch.testing.assert_close(whole[key] - without[key], tables[key][:, component], atol=1e-5, rtol=1e-5)
    assert torch.equal(whole[1 - key], without[1 - key])


def test_without_positions_of_keys_and_values_a_scene_looks_like_its_mirror_image():
    model, data = pack()
    mirrored = torch.cat([data.scenes[:, :1], data.scenes[:, 1:].flip(1)], dim=1)
    left_out = ("EP", "PP", "BP", "VP")
    one, other = (encoded(model, "vision", tokens, left_out=left_out)[0] for tokens in (data.scenes, mirrored))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    whole, _ = encoded(model, "vision", mirrored)
    assert not torch.allclose(one, whole, atol=1e-3)


def test_attention_of_the_readout_sums_to_one_over_the_keys():
    model, data = pack()
    _, (attention,) = encoded(model, "vision", data.scenes)
    assert attention.shape == (3, len(data.scenes), 3, 1, 6)
    torch.testing.assert_close(attention.sum(4), torch.ones(3, len(data.scenes), 3, 1))
