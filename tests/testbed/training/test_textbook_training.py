"""Whole trainings against plain modules, autograd and torch's own AdamW, from the same start, one trial at a time."""

import pytest
import torch
from torch.nn import functional as F

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.pack_model import PackModel
from tests.fitted import CPU, Fitted
from tests.small_trials import small
from tests.textbook import through_blocks, true_sentences

ENCODERS = {
    "tables": {},
    "blocks": {"model__text_blocks": 2, "model__d_mlp": 17, "model__layer_norm": "pre"},
    "blocks, norm after": {"model__d_mlp": 17, "model__repeats": 2, "model__layer_norm": "post"},
}
PYTORCH = {"model__init": "pytorch", "model__init_token_std": 1.0, "model__init_position_std": 1.0}
AXES = {
    "as in the recipe": {},
    "pytorch's start": PYTORCH,
    "clip's start": {"model__init": "clip"},
    "no position for [CLS]": {"model__cls_position": False},
    "a bias of the projection": {"model__projection_bias": True, "model__init_bias_gain": 1.0},
    "biases do not decay": {"optim__decay_biases": False, "model__init_bias_gain": 1.0},
    "the temperature decays": {"optim__decay_temperature": True},
    "captions of one label": {"scenes__label_captions": True},
    "partners of held-out labels": {"scenes__heldout_partners": 3},
    "true captions are not wrong": {"optim__multi_positive": True},
    "nor where each is encoded once": {"optim__multi_positive": True, "optim__batch_size": 20},
    "both relations, none of them wrong": {
        "optim__multi_positive": True, "scenes__captions": "both", "scenes__label_captions": True,
        "scenes__heldout_partners": 2,
    },
    "all of them": {
        **PYTORCH, "model__cls_position": False, "model__projection_bias": True, "optim__decay_biases": False,
        "optim__decay_temperature": True,
    },
}  # fmt: skip


def embedded(weights, shape, tokens, trial):
    """Embeddings of one encoder; without a position for [CLS] nothing is added to that token."""
    places = weights["position"]
    if shape.name == "vision" and not trial.model.cls_position:
        places = torch.cat([torch.zeros_like(places[:1]), places[1:]])
    x = through_blocks(weights["token"][tokens] * trial.model.embedding_scale + places, weights, shape)
    read = x[:, shape.readout]
    return F.linear(read, weights["projection"].T, weights.get("projection_bias")) if shape.projected else read


def textbook(trial, data):
    """What `trial` comes to: its weights by their full names."""
    model = PackModel.initial([trial])
    weights = {name: weight.requires_grad_() for name, weight in model[0].tensors().items()}
    decays = {
        name: trial.optim.weight_decay
        * (trial.optim.decay_temperature if weight.ndim == 0 else weight.ndim > 1 or trial.optim.decay_biases)
        for name, weight in weights.items()
    }
    groups = [{"params": [weight], "weight_decay": decays[name]} for name, weight in weights.items()]
    optimiser = torch.optim.AdamW(groups, betas=(trial.optim.beta1, trial.optim.beta2), eps=trial.optim.epsilon)
    for step, batch in enumerate(batches([trial], data.training_sets, device=CPU), start=1):
        for group in optimiser.param_groups:
            group["lr"] = trial.optim.learning_rate * min(1, step / trial.optim.warmup_steps)
        scenes, numbers = data.examples(batch[0])
        captions = data.captions[numbers]
        u, v = (
            F.normalize(embedded(named(weights, shape.name), shape, tokens, trial), dim=-1)
            for shape, tokens in zip(model.shape.encoders, (scenes, captions), strict=True)
        )
        logits, target = weights["loss.log_scale"].exp() * u @ v.T, torch.arange(len(scenes))
        if trial.optim.multi_positive:
            logits = logits.masked_fill(true_beside_its_own(trial.scenes, scenes, numbers), -torch.inf)
        optimiser.zero_grad()
        ((F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2).backward()
        optimiser.step()
        if step == trial.n_steps:
            return {name: weight.detach() for name, weight in weights.items()}


def true_beside_its_own(config, scenes, numbers):
    """Which captions of a batch are true of which of its scenes, each scene's own example left out."""
    said = [sc.caption_text(config, int(number)) for number in numbers]
    found = torch.zeros(len(scenes), len(scenes), dtype=torch.bool)
    for i, row in enumerate(scenes.numpy()):
        true = true_sentences(config, row) | {f"{label} is in the image" for label in row[1:] if label}
        for j, text in enumerate(said):
            found[i, j] = i != j and text in true
    return found


def named(weights, encoder):
    """The weights of one encoder by their names in it."""
    return {name.removeprefix(f"{encoder}."): weight for name, weight in weights.items() if name.startswith(encoder)}


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("axes", AXES)
def test_a_trial_trains_as_plain_modules_train_with_torch_adamw(axes, encoder):
    trial = small(seed=6, optim__weight_decay=2.0, **{**ENCODERS[encoder], **AXES[axes]})
    found = Fitted([trial]).model.tensors()
    wanted = textbook(trial, PackData.of([trial], device=CPU))
    assert found.keys() == wanted.keys()
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, atol=2e-4, rtol=1e-3, msg=lambda told, name=name: name + told)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
def test_members_of_one_pack_may_differ_in_all_of_these_axes(encoder):
    shared = ("model__projection_bias", "optim__multi_positive", "scenes__captions")
    axes = [kind for kind in AXES.values() if not {*kind} & {*shared}]
    trials = [small(seed=6, optim__weight_decay=2.0, **{**ENCODERS[encoder], **kind}) for kind in axes]
    for member, trial in zip(Fitted(trials).model.members(), trials, strict=True):
        wanted = textbook(trial, PackData.of([trial], device=CPU))
        torch.testing.assert_close(member.tensors(), wanted, atol=2e-4, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["contrastive", "autoregressive"])
def test_without_a_position_cls_has_none_before_or_after_training(kind):
    trials = [small(model__kind=kind, model__cls_position=having) for having in (True, False)]
    fitted = Fitted(trials)
    place = fitted.model.shape.vision.readout
    for model in (PackModel.initial(trials), fitted.model):
        first, second = model.weights[model.shape.vision.name]["position"]
        assert first[place].abs().min() > 0
        assert not second[place].any()
        assert second.abs().sum(dim=1).gt(0).sum() == len(second) - 1
