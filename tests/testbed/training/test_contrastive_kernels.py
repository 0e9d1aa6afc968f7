"""The kernels of the loss in Triton's interpreter, held to the formula in torch, which is held to autograd."""

import os

import pytest
import torch

from lrsym.testbed.training import contrastive
from lrsym.testbed.training.contrastive import contrastive_loss, loss_and_gradients

if "TRITON_INTERPRET" not in os.environ:
    pytest.skip("a GPU is here, see tests/test_gpu.py", allow_module_level=True)

from lrsym.testbed.training import contrastive_kernels

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, on what is beyond the last column


def near(kernels, formula):
    for ours, wanted in zip(kernels, formula, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-6)


def drawn(batch, n_columns, *, width=16, trials=2, scale=1.0):
    rng = torch.Generator().manual_seed(batch)
    image, text = (torch.randn(trials, n, width, generator=rng) for n in (batch, n_columns))
    columns = torch.randint(0, n_columns, (trials, batch), generator=rng)
    times = torch.zeros(trials, n_columns).scatter_add_(1, columns, torch.ones(trials, batch))
    log_scale = torch.full((trials,), scale) + torch.arange(trials)
    return image, text, log_scale, columns, times.log().clamp(min=-1e4), times


@pytest.mark.slow_after(2)
@pytest.mark.parametrize(
    ("batch", "n_columns"), [(1, 1), (5, 5), (64, 64), (50, 130), (130, 50), (70, 3)], ids=lambda n: str(n)
)
def test_the_kernels_give_what_the_formula_gives(batch, n_columns):
    given = drawn(batch, n_columns)
    near(contrastive_kernels.loss_and_gradients(*given), loss_and_gradients(*given))


def test_logits_far_apart_neither_overflow_nor_vanish():
    given = drawn(40, 30, scale=4.0)
    near(contrastive_kernels.loss_and_gradients(*given), loss_and_gradients(*given))


def test_a_member_that_is_not_finite_leaves_its_neighbour_alone():
    image, *rest = drawn(20, 20)
    broken = image.clone()
    broken[0, 3] = float("nan")
    loss, *gradients = contrastive_kernels.loss_and_gradients(broken, *rest)
    whole = contrastive_kernels.loss_and_gradients(image, *rest)
    assert loss[0].isnan()
    assert all(torch.equal(ours[1], wanted[1]) for ours, wanted in zip((loss, *gradients), whole, strict=True))


def test_a_gpu_takes_the_kernels(monkeypatch):
    """By what decides it: that a GPU then agrees is for tests/test_gpu.py."""
    image, text, log_scale, columns, *_ = drawn(6, 4)
    calls = []
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda self: calls.append(1) or True))
    loss = contrastive_loss(image, text, log_scale, columns)
    monkeypatch.undo()
    assert calls
    torch.testing.assert_close(loss, contrastive_loss(image, text, log_scale, columns))


def test_where_the_kernels_cannot_be_made_the_formula_does_it(monkeypatch):
    given = drawn(6, 4)[:4]
    monkeypatch.setattr(contrastive, "kernels_for", lambda *_: None)
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda self: True))
    loss = contrastive_loss(*given)
    monkeypatch.undo()
    assert torch.equal(loss, contrastive_loss(*given))
