"""The symmetric contrastive loss of CLIP (Radford et al., arXiv:2103.00020), for a pack.

    loss = (CE over captions of each image + CE over images of each caption) / 2,   logits = exp(log_scale) cos(u, v)

It knows neither encoders nor trials.
"""

from math import log

import torch
from jaxtyping import Float
from torch import Tensor

MAX_LOG_SCALE = log(100.0)
"""CLIP clamps the learned logit scale at 100."""


def contrastive_loss(
    image: Float[Tensor, "trial batch width"],
    text: Float[Tensor, "trial batch width"],
    log_scale: Float[Tensor, " trial"],
) -> Float[Tensor, " trial"]:
    """Mean loss of each trial's batch, in nats; row b of `image` belongs to row b of `text`."""
    image = image * (log_scale.exp()[:, None] / image.norm(dim=2))[:, :, None]
    text = text / text.norm(dim=2, keepdim=True)
    logits = image @ text.transpose(1, 2)
    own = logits.diagonal(dim1=1, dim2=2)
    both = torch.logsumexp(logits, dim=2) + torch.logsumexp(logits, dim=1)
    return (both / 2 - own).mean(dim=1)


def cosine(
    image: Float[Tensor, "trial scene width"], text: Float[Tensor, "trial caption width"]
) -> Float[Tensor, "trial scene caption"]:
    """Cosine similarity of every scene with every caption."""
    return torch.nn.functional.normalize(image, dim=2) @ torch.nn.functional.normalize(text, dim=2).transpose(1, 2)
