"""The symmetric contrastive loss of CLIP (Radford et al., arXiv:2103.00020), for a pack, with its gradient.

    loss = (CE over captions of each image + CE over images of each caption) / 2,   logits = exp(log_scale) cos(u, v)

A caption that occurs n times in a batch is one column of the logits that counts n times: log n is added to it, and
what it pulls from the images is multiplied by n. The loss knows neither encoders nor trials. The form
that leaves out what is true beside an image's own caption is ours.
"""

from math import log
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lrsym.testbed.device_kernels import kernels_for

KERNELS = "lrsym.testbed.training.contrastive_kernels"

MAX_LOG_SCALE = log(100.0)
"""CLIP clamps the learned logit scale at 100."""

MAX_COLUMNS = 16384
"""Up to so many captions a GPU goes through the logits in kernels of its own: a row must fit into a block of theirs."""

_ABSENT = -1e4
"""Stands for log 0, finite so that a column that does not occur in a batch makes no NaN."""


def contrastive_loss(
    image: Float[Tensor, "trial batch width"],
    text: Float[Tensor, "trial column width"],
    log_scale: Float[Tensor, " trial"],
    columns: Int[Tensor, "trial batch"] | None = None,
) -> Float[Tensor, " trial"]:
    """Return the mean loss of each trial's batch, in nats.

    Row b of `image` belongs to row columns[b] of `text`, by default to row b. Rows of `text` that belong to no image of
    the batch play no part.
    """
    if columns is None:
        columns = torch.arange(image.shape[1], device=image.device).expand(len(image), -1)
    return _Contrastive.apply(image, text, log_scale, columns)


class _Contrastive(torch.autograd.Function):
    """The loss; its gradient needs what the loss needs, so both are computed at once."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, text: Tensor, log_scale: Tensor, columns: Tensor) -> Tensor:
        """Return the loss of each trial."""
        times = torch.zeros_like(text[:, :, 0]).scatter_add_(1, columns, torch.ones_like(image[:, :, 0]))
        log_times = times.log().clamp(min=_ABSENT)
        fit = image.is_cuda and text.shape[1] <= MAX_COLUMNS
        kernels = kernels_for(KERNELS, image.device, _width(text.shape[1])) if fit else None
        compute = kernels.loss_and_gradients if kernels else loss_and_gradients
        loss, *gradients = compute(image, text, log_scale, columns, log_times, times)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    @once_differentiable  # its annotation makes ctx positional, which pyright takes for another signature
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradients of image, text and log_scale."""
        (d_loss,) = grad_outputs
        d_image, d_text, d_log_scale = ctx.saved_tensors
        by = d_loss[:, None, None]
        return d_image * by, d_text * by, d_log_scale * d_loss, None


def loss_and_gradients(
    image: Float[Tensor, "trial batch width"],
    text: Float[Tensor, "trial column width"],
    log_scale: Float[Tensor, " trial"],
    columns: Int[Tensor, "trial batch"],
    log_times: Float[Tensor, "trial column"],
    times: Float[Tensor, "trial column"],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the loss of each trial, and its gradients by image, text and log_scale.

    `times` says how often each column occurs in the batch, `log_times` is its logarithm.
    """
    batch, scale = image.shape[1], log_scale.exp()[:, None, None]
    to_image = scale / image.norm(dim=2, keepdim=True)
    to_text = 1 / text.norm(dim=2, keepdim=True)
    u, v = image * to_image, text * to_text
    logits = torch.baddbmm(log_times[:, None], u, v.mT)
    of_image, of_caption = logits.softmax(dim=2), logits.softmax(dim=1)
    # A log-sum-exp is the largest logit minus the log of its probability, and that is never too small for a float.
    per_image, per_caption = (logits.amax(dim=d) - p.amax(dim=d).log() for d, p in ((2, of_image), (1, of_caption)))
    matching = logits.gather(2, columns[:, :, None])[:, :, 0]
    per_match, count = per_caption.gather(1, columns), log_times.gather(1, columns)
    loss = ((per_image + per_match + count) / 2 - matching).mean(dim=1)

    slope = torch.addcmul(of_image, of_caption, times[:, None])
    slope.scatter_add_(2, columns[:, :, None], torch.full_like(slope[:, :, :1], -2))
    d_u, d_v = torch.bmm(slope, v), torch.bmm(slope.mT, u)
    along_u, along_v = (u * d_u).sum(dim=2, keepdim=True), (v * d_v).sum(dim=2, keepdim=True)
    d_image = d_u.addcmul_(u, along_u / scale**2, value=-1).mul_(to_image / (2 * batch))
    d_text = d_v.addcmul_(v, along_v, value=-1).mul_(to_text / (2 * batch))
    return loss, d_image, d_text, along_u.sum(dim=(1, 2)) / (2 * batch)


def multi_positive_loss(
    image: Float[Tensor, "trial batch width"],
    text: Float[Tensor, "trial column width"],
    log_scale: Float[Tensor, " trial"],
    columns: Int[Tensor, "trial batch"] | None = None,
    *,
    is_true: Bool[Tensor, "trial batch column"],
) -> Float[Tensor, " trial"]:
    """Return the mean loss of each trial's batch, in nats; no caption that is true of an image is a wrong answer.

    As `contrastive_loss`, but an image competes for its own caption with the captions that are false of it, a caption
    with the images that it is false of. `is_true` says which are true; each image's own must be.
    """
    if columns is None:
        columns = torch.arange(image.shape[1], device=image.device).expand(len(image), -1)
    times = torch.zeros_like(text[:, :, 0]).scatter_add_(1, columns, torch.ones_like(image[:, :, 0]))
    logits = cosine(image, text) * log_scale.exp()[:, None, None]
    matching = logits.gather(2, columns[:, :, None])[:, :, 0]
    wrong = logits.masked_fill(is_true, _ABSENT)
    of_image = (wrong + times.log().clamp(min=_ABSENT)[:, None]).logsumexp(dim=2)
    of_caption = wrong.logsumexp(dim=1).gather(1, columns)
    against = torch.logaddexp(of_image, matching) + torch.logaddexp(of_caption, matching)
    return (against / 2 - matching).mean(dim=1)


def _width(n_columns: int) -> int:
    """Return the width that kernels are made for: the next power of two."""
    return 1 << (n_columns - 1).bit_length()


def cosine(
    image: Float[Tensor, "trial scene width"], text: Float[Tensor, "trial caption width"]
) -> Float[Tensor, "trial scene caption"]:
    """Return the cosine similarity of every scene with every caption."""
    return torch.nn.functional.normalize(image, dim=2) @ torch.nn.functional.normalize(text, dim=2).mT
