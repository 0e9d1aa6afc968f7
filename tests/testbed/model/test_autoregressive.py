"""The autoregressive model against plain torch modules that read one whole row after the other."""

import functools
import itertools

import pytest
import torch
from torch.nn import functional as F

from lrsym.config.trial import Trial
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.datasets import MAX_DECODER_SPLIT
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.mechanism.measures import measures
from lrsym.testbed.mechanism.mechanism import ablations, monotonicity, profiles, slope
from lrsym.testbed.model.autoregressive import SCORED, PrefixTree
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.training.training import batch_loss, fit
from lrsym.vocabulary import ABLATIONS, METRICS, SCORE_TERMS, SPLITS
from tests.fitted import CPU, Fitted, assert_same_weights, noisy_model
from tests.small_trials import small
from tests.textbook import by_hand, through_blocks

N, P = 7, 5  # labels and pixels of small trials

VARIANTS = {
    "one block": {},
    "two blocks, repeated": {"model__text_blocks": 2, "model__repeats": 2},
    "mlp, post": {"model__d_mlp": 17, "model__layer_norm": "post"},
    "two blocks, mlp, pre": {"model__text_blocks": 2, "model__d_mlp": 17, "model__layer_norm": "pre"},
    "rotary": {"model__positions": "rotary", "model__init_position_std": 0.0, "model__text_blocks": 2},
}

SCENES = {
    "left": {},
    "both": {"scenes__captions": "both"},
    "grid": {"scenes__captions": "left+above", "scenes__n_rows": 2, "scenes__n_positions": 3},
    "three objects": {"scenes__n_objects": 3, "scenes__layouts_per_pair": 2},
}


def decoder(**changes):
    return small(**{"model__kind": "autoregressive", **changes})


def pack(**changes):
    """The model of two trials with random weights in float64 (so that rounding hides nothing), and their data."""
    trials = [decoder(seed=s, model__embedding_scale=1.0 + s, **changes) for s in range(2)]
    return noisy_model(trials, dtype=torch.float64), PackData.of(trials, device=CPU)


def member(model, row):
    return {name: value[row] for name, value in model.weights["decoder"].items()}


def read(weights, shape, scene, caption, scale):
    """Log probabilities [4, caption token] of what follows [CLS] and each caption token but the last, one whole row."""
    tokens = [*scene.tolist()[1:], N + 1, *(N + 2 + word for word in caption.tolist()[:-1])]
    x = weights["token"][tokens] * scale
    x = through_blocks((x if shape.rotary else x + weights["position"])[None], weights, shape)
    return (x[0, -4:] @ weights["unembedding"]).log_softmax(-1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_loss_and_every_gradient_agree_with_plain_modules(variant):
    model, data = pack(**VARIANTS[variant])
    parameters = [weight.requires_grad_() for weight in model.parameters()]
    batch = torch.randint(0, len(data.scenes), (2, 5), generator=torch.Generator().manual_seed(5))
    loss = batch_loss(model, data, batch)
    wanted = []
    for row in range(2):
        weights, losses = member(model, row), []
        for example in batch[row]:
            scene, caption = data.scenes[example], data.captions[data.captions_of[example, 0]]
            losses.append(
                F.nll_loss(read(weights, model.shape.vision, scene, caption, model.embedding_scale[row]), caption)
            )
        wanted.append(torch.stack(losses).mean())
    torch.testing.assert_close(loss, torch.stack(wanted), atol=1e-7, rtol=1e-7)
    *found, of_scale = torch.autograd.grad(sum(loss), parameters, allow_unused=True)
    *expected, _ = torch.autograd.grad(sum(wanted), parameters, allow_unused=True)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    assert max(gradient.abs().max() for gradient in found) > 1e-3
    assert of_scale is None  # the logit scale has no part in it


def scores_of_rows(weights, shape, scenes, captions, scale):
    """Log likelihoods [scene, caption] without [EOT], each caption in a row of its own."""
    rows = [[read(weights, shape, scene, caption, scale) for caption in captions] for scene in scenes]
    return torch.tensor([
        [sum(p[k, caption[k]].item() for k in range(3)) for p, caption in zip(row, captions, strict=True)]
        for row in rows
    ])  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_tree_of_prefixes_scores_captions_as_separate_rows_do(variant):
    model, data = pack(**VARIANTS[variant])
    shape, scale = model.shape.vision, model.embedding_scale
    tree = PrefixTree.of(data.captions, shape)
    found = tree.scores(model.weights["decoder"], shape, data.scenes[::80], scale=scale)
    for row in range(2):
        wanted = scores_of_rows(member(model, row), shape, data.scenes[::80], data.captions, scale[row])
        torch.testing.assert_close(found[row].float(), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", SCENES)
def test_the_tree_has_a_node_for_each_prefix_of_one_and_of_two_tokens(kind):
    model, data = pack(**SCENES[kind])
    trial = decoder(**SCENES[kind])
    tree = PrefixTree.of(data.captions, model.shape.vision)
    prefixes = {tuple(c[:k].tolist()) for c in data.captions for k in (1, 2)}
    assert len(tree.tokens) == len(prefixes) == N + N * (1 + len(sc.relations(trial.scenes)))
    assert tree.words.tolist() == data.captions[:, :SCORED].tolist()


def test_a_row_of_the_tree_sees_the_image_its_prefixes_and_itself():
    model, data = pack()
    tree = PrefixTree.of(data.captions, model.shape.vision)
    assert tree.rows.hidden is not None
    assert (~tree.rows.hidden[: P + 1]).sum(dim=1).tolist() == list(range(1, P + 2))
    for caption, path in zip(data.captions.tolist(), tree.predicted_by.tolist(), strict=True):
        for depth, node in enumerate(path):
            seen = (~tree.rows.hidden[P + node]).nonzero()[:, 0].tolist()
            assert seen == [*range(P + 1), *(P + n for n in path[1 : depth + 1])]
            assert tree.rows.positions[P + node] == P + depth
            if depth:
                assert tree.tokens[node - 1] == N + 2 + caption[depth - 1]


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("kind", SCENES)
def test_every_accuracy_agrees_with_a_loop_over_scenes_and_captions(kind):
    trials = [decoder(seed=9, optim__steps=30, **SCENES[kind])]
    fitted = Fitted(trials)
    (accuracies,) = fitted.evaluate().members()
    model, shape = fitted.model, fitted.model.shape.vision

    def scores(scenes):
        tree = PrefixTree.of(fitted.data.captions, shape)
        return tree.scores(model.weights["decoder"], shape, scenes, scale=model.embedding_scale)[0].tolist()

    wanted = by_hand(trials[0], scores)
    assert set(wanted) == {(s, m) for s in SPLITS for m in METRICS}
    assert accuracies == pytest.approx(wanted, abs=1e-6)
    assert any(v is not None and 0 < v < 1 for v in wanted.values())


@pytest.mark.slow
def test_a_member_trains_and_is_evaluated_the_same_alone_and_in_a_pack():
    changes = {"model__text_blocks": 2, "model__dropout": 0.2, "optim__steps": 20}
    trials = [decoder(seed=s, **changes) for s in range(3)]
    together = Fitted(trials)
    accuracies = together.evaluate().values
    for row, trial in enumerate(trials):
        alone = Fitted([trial])
        assert_same_weights(together.model[row], alone.model, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(accuracies[row], alone.evaluate().values[0], atol=0.02, rtol=0, equal_nan=True)


@pytest.mark.slow
def test_accuracies_do_not_depend_on_how_scenes_are_cut_into_chunks():
    fitted = Fitted([decoder()])
    whole, part = fitted.evaluate(), fitted.evaluate(splits=("unseen", "single"), max_chunk_numbers=1)
    for key in itertools.product(part.splits, part.metrics):
        torch.testing.assert_close(part[key], whole[key], equal_nan=True)


def test_large_validation_sets_are_sampled_and_the_training_set_is_not():
    sizes, whole = (
        {split: len(numbers) for split, numbers in PackData.of([trial], device=CPU).splits[0].items()}
        for trial in (Trial.from_axes({"model.kind": kind}) for kind in ("autoregressive", "contrastive"))
    )
    assert sizes == {split: n if split == "train" else min(n, MAX_DECODER_SPLIT) for split, n in whole.items()}
    assert whole["seen"] > MAX_DECODER_SPLIT < whole["train"]


def test_the_logit_scale_stays_where_it_starts():
    trials = [decoder(optim__steps=9)]
    fitted = Fitted(trials)
    initial = PackModel.initial(trials)
    assert torch.equal(fitted.model.weights["loss"]["log_scale"], initial.weights["loss"]["log_scale"])


@functools.cache
def trained():
    """Two small decoders that have learned the order."""
    return Fitted([decoder(seed=s, optim__steps=150, optim__batch_size=32, model__d_model=24) for s in (0, 1)])


@pytest.mark.slow
def test_a_small_model_learns_the_order_of_trained_pairs_in_new_layouts():
    accuracies = trained().evaluate()
    assert accuracies["train", "global"].min() > 0.9
    assert accuracies["seen", "order"].min() > 0.85


@pytest.mark.slow
def test_one_block_without_positions_of_keys_and_values_orders_at_chance():
    """It sees a scene as its mirror image; the positions of its queries (PE) are those of the caption."""
    blind = ("EP", "PP", "BP", "VP")
    accuracies = trained().evaluate(left_out=blind)
    assert accuracies["unseen", "order"].tolist() == [0.5, 0.5]


def test_two_blocks_know_the_order_by_their_mask_even_without_positions():
    fitted = Fitted([decoder(model__text_blocks=2)])
    model, mirrored = fitted.model, fitted.data.scenes.clone()
    mirrored[:, 1:] = mirrored[:, 1:].flip(1)
    weights, shape = dict(model.weights["decoder"]), model.shape.vision
    weights["position"] = torch.zeros_like(weights["position"])
    tree = PrefixTree.of(fitted.data.captions, shape)
    one, other = (tree.scores(weights, shape, s, scale=model.embedding_scale) for s in (fitted.data.scenes, mirrored))
    assert not torch.allclose(one, other, atol=1e-3)


@pytest.mark.slow
def test_ablations_leave_terms_out_of_the_decoder():
    by_term = dict(ablations(*trained().arguments()))
    assert list(by_term) == [term for term, names in ABLATIONS.items() if "R" not in names]
    assert by_term["EP+PP+BP"]["seen", "order"].max() < by_term["none"]["seen", "order"].min() - 0.2


def test_rotary_decoders_have_rotation_to_leave_out_and_nothing_else():
    fitted = Fitted([decoder(**VARIANTS["rotary"])])
    with pytest.raises(ValueError, match="the decoder has no term EP"):
        fitted.evaluate(left_out=("EP",))
    assert {*dict(ablations(*fitted.arguments()))} == {"none", "R"}
    (found,) = profiles(fitted.model)
    assert [(p.term, len(p.values)) for p in found] == [("R", P + 1)] * 3


def pair_of(scene):
    """Pixels of the two objects of a row of scene tokens, in order."""
    return [pixel for pixel, token in enumerate(scene.tolist()[1:]) if token]


@pytest.mark.slow
def test_measures_of_a_decoder_compare_the_two_objects_in_the_row_of_cls():
    data = trained().data
    found = measures(trained().model, data)[0]
    assert {m.encoder for m in found} == {"decoder"}
    by_name = {(m.measure, m.head): m.value for m in found if m.block == 0}
    first, _ = profiles(trained().model)
    pairs = [pair_of(scene) for scene in data.scenes[data.splits[0]["unseen"]]]
    for head in range(3):
        (ep,) = (p.values for p in first if (p.term, p.head) == ("EP", head))
        wanted = sum(ep[right] - ep[left] for left, right in pairs) / len(pairs)
        assert by_name["delta_pe", head] == pytest.approx(wanted, abs=1e-4)


def test_measures_of_a_decoder_without_terms_are_those_of_its_attention():
    trial = decoder(**VARIANTS["two blocks, mlp, pre"])
    fitted = Fitted([trial])
    found = measures(fitted.model, fitted.data)[0]
    assert {(m.block, m.head) for m in found} == {(block, head) for block in range(2) for head in range(3)}
    assert {m.measure for m in found} == {"attend_last", "attention_difference"}


@pytest.mark.slow
def test_profiles_of_the_decoder_are_those_of_cls_over_the_keys_that_it_sees():
    first, _ = profiles(trained().model)
    terms = [*SCORE_TERMS, "EP+PP+BP", "EE+PE+BE"]
    assert sorted((p.head, p.term) for p in first) == sorted((head, term) for head in range(3) for term in terms)
    for p in first:
        assert (p.encoder, p.query) == ("decoder", P)
        assert len(p.values) == (P + 1 if p.term.endswith("P") else N + 2)
        if p.term.endswith("P"):
            assert (p.slope, p.monotonicity) == (slope(p.values[:P]), monotonicity(p.values[:P]))
        else:
            assert p.slope is p.monotonicity is None


def test_the_score_terms_of_cls_are_its_logits_on_the_pixels():
    weights, scale = member(trained().model, 0), trained().model.embedding_scale[0]
    e, p = weights["token"] * scale, weights["position"]
    query = (e[N + 1] + p[P]) @ weights["query_weight"] + weights["query_bias"]
    keys = (e[: N + 2, None] + p[None, : P + 1]) @ weights["key_weight"]
    logits = (query.view(3, 8)[:, None, None] * keys.unflatten(2, (3, 8)).permute(2, 0, 1, 3)).sum(-1) / 8**0.5
    by_name = {(q.term, q.head): torch.from_numpy(q.values) for q in profiles(trained().model)[0]}
    for head in range(3):
        summed = by_name["EE+PE+BE", head][:, None] + by_name["EP+PP+BP", head]
        torch.testing.assert_close(summed, logits[head], atol=1e-4, rtol=1e-4)


def test_dropout_acts_in_training_only():
    trials = [decoder(model__dropout=0.3)]
    fitted = Fitted(trials)
    first, second = (fitted.evaluate().values for _ in range(2))
    torch.testing.assert_close(first, second, equal_nan=True)
    *_, without = fit([decoder()], fitted.data, device=CPU)
    token, other = (model.weights["decoder"]["token"] for model in (without.model, fitted.model))
    assert not torch.allclose(token, other, atol=1e-3)
