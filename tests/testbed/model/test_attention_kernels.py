"""The attention kernels in Triton's interpreter, held to what torch does in their place, which is held to autograd."""

import os

import pytest
import torch

from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates, evaluate
from lrsym.testbed.model.table_attention import InTorch
from lrsym.testbed.training.training import batch_loss
from tests.fitted import CPU, noisy_model
from tests.small_trials import small
from tests.testbed.model.test_table_encoder import encoded

if "TRITON_INTERPRET" not in os.environ:
    pytest.skip("a GPU is here, see tests/test_gpu.py", allow_module_level=True)

from lrsym.testbed.model import attention_kernels


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(("batch", "heads"), [(1, 4), (33, 1), (70, 2)])
@pytest.mark.parametrize("encoder", [0, 1])
def test_the_kernels_give_what_torch_gives(encoder, batch, heads):
    tables, shape, tokens, *_ = encoded(encoder, batch, model__d_model=8, model__n_heads=heads)
    logits = tables.logits.detach().float()
    in_torch = InTorch(tokens, shape.n_tokens, logits.shape[1])
    attention, by_row = attention_kernels.attend(logits, tokens, shape.n_tokens)
    torch.testing.assert_close((attention, by_row), in_torch.attend(logits))
    alone, none = attention_kernels.attend(logits, tokens, shape.n_tokens, sums=False)
    assert torch.equal(alone, attention)
    assert none.numel() == 0

    d_by_row = torch.randn(by_row.permute(0, 3, 1, 2).shape, generator=torch.Generator().manual_seed(1))
    d_by_row = d_by_row.permute(0, 2, 3, 1)  # of strides that are not those of a new tensor
    torch.testing.assert_close(
        attention_kernels.logits_gradient(d_by_row, attention, tokens, shape.n_tokens),
        in_torch.logits_gradient(d_by_row, in_torch.weights(logits)),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("n_tokens", "batch", "heads"), [(33, 1, 2), (64, 33, 1), (48, 40, 4)])
def test_more_tokens_than_are_summed_at_a_time(n_tokens, batch, heads):
    keys, rng = 5, torch.Generator().manual_seed(n_tokens)
    logits = torch.randn(2, n_tokens + keys, heads, generator=rng)
    tokens = torch.randint(n_tokens, (2, batch, keys), generator=rng)
    attention, by_row = attention_kernels.attend(logits, tokens, n_tokens)
    places = torch.arange(2)[:, None, None], tokens
    wanted = torch.softmax(logits[places] + logits[:, None, n_tokens:], dim=2)
    torch.testing.assert_close(attention.permute(0, 2, 1, 3), wanted)
    shown = torch.nn.functional.one_hot(tokens, n_tokens).float()
    torch.testing.assert_close(by_row[:, :, :n_tokens], shown.transpose(2, 3) @ wanted)
    torch.testing.assert_close(by_row[:, :, n_tokens:], wanted)

    d_by_row = torch.randn(by_row.shape, generator=rng)
    slope = d_by_row[:, :, n_tokens:] + d_by_row.gather(2, tokens[..., None].expand(-1, -1, -1, heads))
    d_logit = wanted * (slope - (wanted * slope).sum(dim=2, keepdim=True))
    of_tokens = shown.flatten(1, 2).mT @ d_logit.flatten(1, 2)
    found = attention_kernels.logits_gradient(d_by_row, attention, tokens, n_tokens)
    torch.testing.assert_close(found, torch.cat([of_tokens, d_logit.sum(dim=1)], dim=1))


@pytest.fixture
def on_a_gpu(monkeypatch):
    """Tensors that say of themselves that they lie on a GPU."""
    return lambda: monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda self: True))


def loss_gradients_and_accuracies(model, data):
    batch = torch.arange(9).expand(len(data.trials), -1)
    weights = [weight.requires_grad_() for weight in model.parameters()]
    loss = batch_loss(model, data, batch)
    gradients = torch.autograd.grad(loss.sum(), weights)
    with torch.no_grad():
        accuracies = evaluate(model, data, Candidates.of(data), splits=["unseen"], left_out=["EP"])
    return loss, gradients, accuracies.values


@pytest.mark.slow
@pytest.mark.parametrize(("heads", "taken"), [(2, True), (3, False)])
def test_a_gpu_takes_them_for_a_power_of_two_of_heads_in_training_and_evaluation(on_a_gpu, monkeypatch, heads, taken):
    trials = [small(seed=seed, model__n_heads=heads) for seed in (0, 1)]
    data, model = PackData.of(trials, device=CPU), noisy_model(trials)
    wanted = loss_gradients_and_accuracies(model, data)
    calls, attend = [], attention_kernels.attend
    monkeypatch.setattr(attention_kernels, "attend", lambda *a, **k: calls.append(1) or attend(*a, **k))
    on_a_gpu()
    torch.testing.assert_close(loss_gradients_and_accuracies(model, data), wanted, equal_nan=True)
    assert bool(calls) == taken
