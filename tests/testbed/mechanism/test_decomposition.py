"""The stream of attention-only encoders as a sum of components, against the encoder itself."""

import pytest
import torch

from lrsym.testbed.mechanism.decomposition import block_terms
from lrsym.testbed.model.encoder import encode
from lrsym.testbed.model.scores import score_tables
from lrsym.vocabulary import SCORE_TERMS
from tests.fitted import VARIANTS, noisy_pack, vision

DEEP = {"model__vision_blocks": 2, "model__text_blocks": 3, "model__repeats": 2}


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, DEEP], ids=["one block", "deep"])
@pytest.mark.parametrize("name", ["vision", "text"])
def test_the_softmax_of_the_summed_terms_is_the_attention_of_every_block(changes, name):
    model, data = noisy_pack(torch.float64, **changes)
    weights, scale = model.weights[name], model.embedding_scale
    shape = model.shape.vision if name == "vision" else model.shape.text
    tokens = data.scenes if name == "vision" else data.captions
    found = list(block_terms(weights, shape, tokens, scale=scale))
    _, attentions = encode(weights, shape, tokens, scale=scale)
    assert len(found) == len(attentions) == shape.blocks * shape.repeats
    for block, attention in zip(found, attentions, strict=True):
        at = shape.readout if attention.shape[3] > 1 else 0
        assert list(block.terms) == [*SCORE_TERMS]
        total = torch.stack([*block.terms.values()]).sum(dim=0)
        torch.testing.assert_close(total.softmax(dim=-1), attention[:, :, :, at])
        torch.testing.assert_close(block.attention, attention[:, :, :, at])


def test_the_terms_of_the_first_block_are_the_entries_of_its_tables():
    model, data = noisy_pack(**DEEP)
    weights, shape, scale = vision(model)
    first = next(block_terms(weights, shape, data.scenes, scale=scale))
    on_token, on_position = score_tables(weights, shape, scale)
    for component, query in enumerate("EPB"):
        by_token = on_token[:, component][:, :, data.scenes].transpose(1, 2)
        torch.testing.assert_close(first.terms[f"{query}E"], by_token, atol=1e-4, rtol=1e-4)
        by_position = on_position[:, component][:, None].expand_as(by_token)
        torch.testing.assert_close(first.terms[f"{query}P"], by_position, atol=1e-4, rtol=1e-4)


def test_without_position_embeddings_no_block_has_a_term_of_positions():
    model, data = noisy_pack(**DEEP)
    weights, shape, scale = vision(model)
    weights = {**weights}
    weights["position"] = torch.zeros_like(weights["position"])
    for block in block_terms(weights, shape, data.scenes, scale=scale):
        assert all(not block.terms[name].any() for name in ("EP", "PE", "PP", "BP"))
        assert block.terms["EE"].any()


@pytest.mark.parametrize(
    ("variant", "obstacle"),
    [("pre", "LayerNorm"), ("post", "LayerNorm"), ("mlp", "an MLP"), ("rotary", "rotary positions")],
)
def test_what_mixes_the_parts_is_named(variant, obstacle):
    model, data = noisy_pack(**VARIANTS[variant])
    weights, shape, scale = vision(model)
    with pytest.raises(ValueError, match=f"this vision encoder has {obstacle}; leave that out"):
        next(block_terms(weights, shape, data.scenes, scale=scale))
