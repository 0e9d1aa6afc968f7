"""The loss that calls no true caption false: what it leaves out, and that else it is CLIP's."""

import pytest
import torch

from lrsym.testbed.training.contrastive import contrastive_loss, multi_positive_loss

TRIALS, BATCH, WIDTH = 2, 7, 5


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)
    image, text = (torch.randn(TRIALS, BATCH, WIDTH, generator=generator, requires_grad=True) for _ in range(2))
    return image, text, torch.tensor([1.0, 2.0], requires_grad=True)


def own():
    return torch.eye(BATCH, dtype=torch.bool).expand(TRIALS, -1, -1)


def test_where_captions_are_true_of_their_own_image_alone_it_is_the_loss_of_clip(batch):
    found, wanted = multi_positive_loss(*batch, is_true=own()), contrastive_loss(*batch)
    torch.testing.assert_close(found, wanted)
    gradients = [torch.autograd.grad(loss.sum(), batch, retain_graph=True) for loss in (found, wanted)]
    torch.testing.assert_close(*gradients)


def test_a_true_caption_beside_the_own_one_neither_pulls_nor_is_pulled(batch):
    image, text, log_scale = batch
    is_true = own().clone()
    is_true[:, 0, 1:] = True  # every caption is true of image 0
    is_true[:, 1:, 0] = True  # and caption 0 of every image
    loss = multi_positive_loss(image, text, log_scale, is_true=is_true)
    d_image, d_text = torch.autograd.grad(loss.sum(), (image, text))
    assert d_image[:, 0].abs().max() < 1e-6
    assert d_text[:, 0].abs().max() < 1e-6
    assert d_image[:, 1:].abs().max() > 1e-3
    rest = multi_positive_loss(image[:, 1:], text[:, 1:], log_scale, is_true=own()[:, 1:, 1:])
    torch.testing.assert_close(loss, rest * (BATCH - 1) / BATCH, atol=1e-4, rtol=1e-4)


def test_a_caption_that_several_images_have_is_one_column_with_the_same_loss_as_once_each(batch):
    image, text, log_scale = batch
    columns = torch.tensor([0, 1, 1, 2, 0, 3, 3]).expand(TRIALS, -1)
    is_true = columns[:, :, None] == torch.arange(BATCH)
    merged = multi_positive_loss(image, text, log_scale, columns, is_true=is_true)
    each = text.gather(1, columns[:, :, None].expand(-1, -1, WIDTH))
    apart = multi_positive_loss(image, each, log_scale, is_true=columns[:, :, None] == columns[:, None])
    torch.testing.assert_close(merged, apart)
    gradients = [torch.autograd.grad(loss.sum(), batch, retain_graph=True) for loss in (merged, apart)]
    torch.testing.assert_close(*gradients)


def test_if_all_is_true_there_is_nothing_to_learn_and_nothing_breaks(batch):
    loss = multi_positive_loss(*batch, is_true=torch.ones(TRIALS, BATCH, BATCH, dtype=torch.bool))
    gradients = torch.autograd.grad(loss.sum(), batch)
    torch.testing.assert_close(loss, torch.zeros(TRIALS), atol=1e-5, rtol=0)
    assert all(gradient.isfinite().all() and gradient.abs().max() < 1e-5 for gradient in gradients)
