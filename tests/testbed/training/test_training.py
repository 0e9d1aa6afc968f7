import itertools

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lrsym.config.trial import Trial
from lrsym.testbed.data.batches import CHUNK, batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.data.streams import stream
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.training.contrastive import MAX_LOG_SCALE
from lrsym.testbed.training.optim import AdamW
from lrsym.testbed.training.training import fit
from tests.fitted import CPU, Fitted, assert_same_weights
from tests.small_trials import SMALL, small
from tests.textbook import TextbookClip

VARIED = [
    small(seed=0),
    small(seed=1, scenes__layouts_per_pair=1),
    small(seed=2, optim__learning_rate=0.003),
    small(seed=2, optim__weight_decay=1.0, optim__replacement=False, optim__decay_temperature=True),
    small(seed=3, model__init_token_std=0.1, optim__beta2=0.9),
    small(seed=4, scenes__positions_per_label=1, model__embedding_scale=2.0, model__init="pytorch"),
    small(seed=5, scenes__n_heldout_labels=2, optim__warmup_steps=0, optim__decay_biases=False),
]


def losses_and_model(trials):
    snapshots = [*fit(trials, PackData.of(trials, device=CPU), device=CPU)]
    return torch.stack([snapshot.loss for snapshot in snapshots], dim=1), snapshots[-1].model


@pytest.mark.slow
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [6, 2, 4, 0, 5, 1, 3]])
def test_a_trial_trains_alike_alone_and_in_a_pack_of_seven_in_any_order(order):
    losses, model = losses_and_model([VARIED[i] for i in order])
    for row, i in enumerate(order):
        alone_losses, alone = losses_and_model([VARIED[i]])
        torch.testing.assert_close(losses[row], alone_losses[0], atol=1e-4, rtol=1e-4)
        assert_same_weights(model[row], alone, atol=1e-3, rtol=1e-3)


def test_members_of_a_pack_differ():
    losses, _ = losses_and_model(VARIED)
    assert len({round(loss, 6) for loss in losses[:, -1].tolist()}) == len(VARIED)


def test_a_pack_trains_as_the_textbook_loop_with_torch_adamw():
    trial = small(seed=6, optim__steps=9, optim__weight_decay=0.5)
    data = PackData.of([trial], device=CPU)
    model = TextbookClip(7, 5, 12, 3, scale=trial.model.embedding_scale, temperature=0.07)
    with torch.no_grad():
        for encoder in (model.vision, model.text):
            encoder.key.bias.zero_()
    model.load(PackModel.initial([trial]).weights, 0)
    others = [p for name, p in model.named_parameters() if name != "log_scale"]
    groups = [{"params": others, "weight_decay": 0.5}, {"params": [model.log_scale], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.98), eps=1e-6)
    for step, batch in enumerate(itertools.islice(batches([trial], data.training_sets, device=CPU), 9), start=1):
        for group in optimiser.param_groups:
            group["lr"] = 0.01 * min(1, step / 2)
        optimiser.zero_grad()
        loss = model(data.scenes[batch[0]], data.captions[data.captions_of[batch[0], 0]])
        loss.backward()
        for encoder in (model.vision, model.text):
            encoder.key.bias.grad = None  # exactly zero in theory; rounding noise would be blown up by Adam
        optimiser.step()
    *_, last = fit([trial], data, device=CPU)
    torch.testing.assert_close(last.loss[0], loss.detach(), atol=1e-5, rtol=1e-4)
    for name in ("query", "value", "output"):
        wanted = getattr(model.vision, name).weight.detach().T
        torch.testing.assert_close(last.model.weights["vision"][f"{name}_weight"][0], wanted, atol=1e-4, rtol=1e-3)


def test_a_member_that_diverges_is_marked_and_its_neighbours_do_not_notice():
    wild = small(seed=0, optim__learning_rate=1e38)
    pack = [VARIED[2], wild, VARIED[4]]
    fitted = Fitted(pack)
    at = fitted.snapshot.diverged_at.tolist()
    assert at[0] == at[2] == 0
    assert 1 <= at[1] <= 6
    assert all(weight[[0, 2]].isfinite().all() for weight in fitted.model.parameters())
    _, alone = losses_and_model([VARIED[4]])
    assert_same_weights(fitted.model[2], alone, atol=1e-3, rtol=1e-3)


def test_training_lowers_the_loss():
    trial = small(optim__steps=120)
    snapshots = [s.loss.item() for s in fit([trial], PackData.of([trial], device=CPU), device=CPU)]
    assert snapshots[-1] < 0.7 * snapshots[0]


@pytest.mark.slow
def test_snapshots_come_at_the_evaluation_steps():
    trial = small(optim__steps=20, eval__points=4, eval__schedule="linear")
    steps = [s.step for s in fit([trial], PackData.of([trial], device=CPU), device=CPU)]
    assert steps == [5, 10, 15, 20] == list(trial.evaluation_steps)


def test_trials_of_different_shapes_are_refused():
    pack = [small(), small(model__d_model=24)]
    with pytest.raises(ValueError, match="share their static shape"):
        next(fit(pack, PackData.of(pack, device=CPU), device=CPU))


def test_without_replacement_every_scene_comes_once_in_an_epoch():
    trial = small(optim__replacement=False, optim__steps=None, optim__epochs=5)
    scenes = np.arange(trial.scenes.n_examples)
    drawn = torch.cat(list(itertools.islice(batches([trial], [scenes], device=CPU), 3 * CHUNK)), dim=1)[0].numpy()
    whole = len(drawn) // len(scenes)
    for epoch in drawn[: whole * len(scenes)].reshape(whole, -1):
        assert sorted(epoch) == scenes.tolist()
    assert whole > 10


def test_with_replacement_every_scene_is_about_equally_likely():
    trial = small()
    drawn = torch.cat(list(itertools.islice(batches([trial], [np.arange(10)], device=CPU), 1000)), dim=1)
    counts = drawn.flatten().bincount(minlength=10)
    assert counts.sum() == 11_000
    assert (counts - 1100).abs().max() < 5 * (1100 * 0.9) ** 0.5


def test_epochs_become_steps_through_the_size_of_the_training_set():
    fixed = {k: v for k, v in SMALL.items() if k != "optim.steps"}
    trial = Trial.from_axes({**fixed, "optim.epochs": 4})
    assert trial.scenes.n_examples == 38
    assert trial.n_steps == 14  # 4 * 38 / 11, the last batch filled


def test_streams_of_one_seed_are_independent_of_each_other():
    one, other = (stream(0, name).standard_normal(1000) for name in ("vision", "text"))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.1
    assert (stream(0, "vision").standard_normal(5) == one[:5]).all()


def test_a_step_of_the_optimiser_asks_the_device_for_nothing():
    """On a GPU that would wait for it, and a step that is recorded may not: the rate stays a tensor."""
    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    optimiser = AdamW(
        [small(optim__learning_rate=rate).optim for rate in (0.1, 0.2)], [torch.ones(2, 3), torch.ones(2)]
    )
    with Watch():
        optimiser.step([torch.ones(2, 3), torch.ones(2)], number=torch.tensor(2))
    assert seen.count("aten._fused_adamw_.tensor_lr") == 1
    assert "aten._local_scalar_dense.default" not in seen


KINDS_OF_DECAY = [
    {}, {"optim__decay_temperature": True}, {"optim__decay_biases": False}, {"optim__weight_decay": 0.0},
    {"optim__decay_temperature": True, "optim__decay_biases": False},
]  # fmt: skip


@pytest.mark.parametrize("rates", [[0.1] * 5, [0.1, 0.2, 0.1, 0.3, 0.1]], ids=["one rate", "several"])
def test_each_member_decays_what_it_says_as_torch_adamw_does(rates):
    """Weights, biases and the log of the logit scale, of five members at once and of each alone."""
    optims = [
        small(**{"optim__weight_decay": 0.5, "optim__learning_rate": rate, "optim__warmup_steps": 0, **kind}).optim
        for rate, kind in zip(rates, KINDS_OF_DECAY, strict=True)
    ]
    generator = torch.Generator().manual_seed(8)
    sizes = [(5, 3, 2), (5, 2), (5,)]
    start, first, second = ([torch.randn(size, generator=generator) for size in sizes] for _ in range(3))
    pack = [weight.clone() for weight in start]
    optimiser = AdamW(optims, pack, biases=[1])
    for number, gradients in enumerate((first, second), start=1):
        optimiser.step(gradients, number=torch.tensor(number))
    for row, optim in enumerate(optims):
        decays = [1.0, float(optim.decay_biases), float(optim.decay_temperature)]
        wanted = [weight[row].clone() for weight in start]
        groups = [{"params": [w], "weight_decay": d * optim.weight_decay} for w, d in zip(wanted, decays, strict=True)]
        theirs = torch.optim.AdamW(groups, lr=optim.learning_rate, betas=(0.9, 0.98), eps=1e-6)
        alone = [weight[row : row + 1].clone() for weight in start]
        ours = AdamW([optim], alone, biases=[1])
        for number, gradients in enumerate((first, second), start=1):
            ours.step([gradient[row : row + 1] for gradient in gradients], number=torch.tensor(number))
            for weight, gradient in zip(wanted, gradients, strict=True):
                weight.grad = gradient[row]
            theirs.step()
        for found, single, weight in zip(pack, alone, wanted, strict=True):
            torch.testing.assert_close(found[row], weight, atol=1e-6, rtol=1e-5)
            torch.testing.assert_close(single[0], weight, atol=1e-6, rtol=1e-5)


def test_the_log_of_the_logit_scale_is_not_decayed_and_stays_below_its_clamp():
    weight, log_scale = torch.ones(2, 3), torch.ones(2)
    optimiser = AdamW([small(optim__weight_decay=decay).optim for decay in (1.0, 0.5)], [weight, log_scale])
    optimiser.step([torch.zeros(2, 3), torch.zeros(2)], number=torch.tensor(2))
    assert log_scale.tolist() == [1, 1]
    assert torch.allclose(weight, torch.tensor([[0.99], [0.995]]))
    hot = small(optim__temperature=0.01, optim__learning_rate=1.0)
    assert Fitted([hot]).model.weights["loss"]["log_scale"].item() <= MAX_LOG_SCALE
