"""The term tables against the textbook: same outputs, same gradients, same ablations."""

import pytest
import torch

from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.encoder import encode
from lrsym.testbed.model.parameters import ModelShape
from lrsym.testbed.model.scores import QUERY_PARTS, kept, score_tables
from lrsym.testbed.training.contrastive import contrastive_loss
from lrsym.testbed.training.training import batch_loss
from tests.small_trials import CPU, small
from tests.textbook import TextbookClip

BIASES = {"model__init_weight_gain": 1.5}


def pack(n=3, **changes):
    """Trials, random parameters with non-zero biases, and data."""
    trials = [small(seed=seed, model__embedding_scale=1.0 + seed, **BIASES, **changes) for seed in range(n)]
    layout = ModelShape.of(trials[0])
    generator = torch.Generator().manual_seed(17)
    flat = layout.initial(trials)
    flat += 0.1 * torch.randn(flat.shape, generator=generator)
    return trials, layout, flat, PackData.of(trials, device=CPU)


def textbook(trial, layout, flat, row):
    model = TextbookClip(7, 5, 12, trial.model.n_heads, scale=trial.model.embedding_scale, temperature=0.07)
    return model.load(layout.views(flat), row)


@pytest.mark.parametrize("n_heads", [1, 3, 12])
def test_embeddings_agree_with_dense_attention(n_heads):
    trials, layout, flat, data = pack(model__n_heads=n_heads)
    scale = torch.tensor([t.model.embedding_scale for t in trials])
    views = layout.views(flat)
    image, _ = encode(views["vision"], layout.vision, data.scenes, scale=scale)
    text, _ = encode(views["text"], layout.text, data.captions, scale=scale)
    for row, trial in enumerate(trials):
        model = textbook(trial, layout, flat, row)
        torch.testing.assert_close(image[row], model.vision(data.scenes).detach(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(text[row], model.text(data.captions).detach(), atol=1e-5, rtol=1e-5)


def test_loss_and_every_gradient_agree_with_the_textbook():
    trials, layout, flat, data = pack()
    scale = torch.tensor([t.model.embedding_scale for t in trials])
    batch = torch.randint(0, len(data.scenes), (3, 11), generator=torch.Generator().manual_seed(5))
    flat.requires_grad_()
    loss = batch_loss(layout, layout.views(flat), data, batch, scale=scale)
    (gradient,) = torch.autograd.grad(loss.sum(), flat)
    views = layout.views(gradient)
    for row, trial in enumerate(trials):
        model = textbook(trial, layout, flat.detach(), row)
        expected = model(data.scenes[batch[row]], data.captions[data.captions_of[batch[row], 0]])
        expected.backward()
        torch.testing.assert_close(loss[row], expected, atol=1e-5, rtol=1e-5)
        for encoder, name, _ in layout.named():
            wanted = model.gradient((encoder, name))
            torch.testing.assert_close(views[encoder][name][row], wanted, atol=1e-5, rtol=1e-4)


def test_the_loss_of_two_pairs_is_what_a_hand_computes():
    # cosines: own 1 and 1, other 0 and 0, scale 1: both directions log(e + 1) - 1
    image = torch.tensor([[[2.0, 0.0], [0.0, 3.0]]])
    loss = contrastive_loss(image, image * 5, torch.zeros(1))
    torch.testing.assert_close(loss, torch.log(torch.tensor([1 + torch.e])) - 1)


def test_the_six_terms_sum_to_the_logits_of_dense_attention():
    trials, layout, flat, _ = pack()
    shape, weights = layout.vision, layout.views(flat)["vision"]
    scale = torch.tensor([t.model.embedding_scale for t in trials])
    on_token, on_position = score_tables(weights, shape, scale)
    logits = on_token.sum(1)[..., :, None] + on_position.sum(1)[..., None, :]
    for row, trial in enumerate(trials):
        e, p = weights["token"][row] * trial.model.embedding_scale, weights["position"][row]
        query = (e[shape.readout_token] + p[0]) @ weights["query_weight"][row] + weights["query_bias"][row]
        keys = (e[:, None] + p[None]) @ weights["key_weight"][row]
        by_head = (query.view(3, 4)[:, None, None] * keys.unflatten(2, (3, 4)).permute(2, 0, 1, 3)).sum(-1) / 2
        torch.testing.assert_close(logits[row], by_head, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("term", [q + k for q in QUERY_PARTS for k in "EP"])
def test_a_term_left_out_takes_its_own_table_away_and_no_other(term):
    trials, layout, flat, _ = pack()
    scale = torch.tensor([t.model.embedding_scale for t in trials])
    tables = score_tables(layout.views(flat)["vision"], layout.vision, scale)
    part, key = QUERY_PARTS.index(term[0]), "EP".index(term[1])
    whole, without = kept(tables, ()), kept(tables, (term,))
    torch.testing.assert_close(whole[key] - without[key], tables[key][:, part], atol=1e-5, rtol=1e-5)
    assert torch.equal(whole[1 - key], without[1 - key])


def test_without_positions_of_keys_and_values_a_scene_looks_like_its_mirror_image():
    trials, layout, flat, data = pack()
    scale = torch.tensor([t.model.embedding_scale for t in trials])
    mirrored = torch.cat([data.scenes[:, :1], data.scenes[:, 1:].flip(1)], dim=1)
    left_out = ("EP", "PP", "BP", "VP")
    one, other = (
        encode(layout.views(flat)["vision"], layout.vision, tokens, scale=scale, left_out=left_out)[0]
        for tokens in (data.scenes, mirrored)
    )
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    whole, _ = encode(layout.views(flat)["vision"], layout.vision, mirrored, scale=scale)
    assert not torch.allclose(one, whole, atol=1e-3)


def test_attention_of_the_readout_sums_to_one_over_the_keys():
    trials, layout, flat, data = pack()
    scale = torch.tensor([t.model.embedding_scale for t in trials])
    _, (attention,) = encode(layout.views(flat)["vision"], layout.vision, data.scenes, scale=scale)
    assert attention.shape == (3, len(data.scenes), 3, 1, 6)
    torch.testing.assert_close(attention.sum(4), torch.ones(3, len(data.scenes), 3, 1))
