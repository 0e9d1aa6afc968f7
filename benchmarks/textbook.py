"""The baseline: the training loop a careful person writes for one trial, with what torch offers for speed.

The simplified model of `lrsym.testbed` as an nn.Module in dense attention: scaled_dot_product_attention (no slower
here than an explicit softmax, within noise), fused AdamW, data in memory, no value read back inside the loop. The key
projection has no bias: its gradient is zero in exact arithmetic, and Adam would turn the rounding noise into steps.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrsym.config.training import OptimConfig
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.shape import EncoderShape
from lrsym.testbed.training.contrastive import MAX_LOG_SCALE


class Encoder(nn.Module):
    """One attention block with residual, read out at one position.

    `readout_only` computes the query of that position alone, which is all that the one block needs; without it every
    position attends, as in a block that others may follow.
    """

    def __init__(self, shape: EncoderShape, weights: Weights, *, scale: float, readout_only: bool) -> None:
        super().__init__()
        d, self.n_heads, self.scale = shape.d_model, shape.n_heads, scale
        self.readout, self.readout_only, self.causal = shape.readout, readout_only, shape.name == "text"
        self.token, self.position = nn.Embedding(shape.n_tokens, d), nn.Parameter(torch.empty(shape.length, d))
        self.query, self.key = nn.Linear(d, d), nn.Linear(d, d, bias=False)
        self.value, self.output = nn.Linear(d, d), nn.Linear(d, d)
        self.projection = nn.Linear(d, d, bias=False) if shape.projected else nn.Identity()
        self._load(weights)

    @torch.no_grad()
    def _load(self, weights: Weights) -> None:
        """Take the initial values of the only member of a pack."""
        self.token.weight.copy_(weights["token"][0])
        self.position.copy_(weights["position"][0])
        for name, parameter in self.named_parameters():
            layer, _, kind = name.rpartition(".")
            if layer == "projection":
                parameter.copy_(weights["projection"][0].T)
            elif layer not in ("", "token"):
                given = weights[f"{layer}_{kind}"][0]
                parameter.copy_(given.T if kind == "weight" else given)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings [batch, width] of the token rows [batch, length]."""
        x = self.token(tokens) * self.scale + self.position
        asking = x[:, self.readout : self.readout + 1] if self.readout_only else x
        query, key, value = (
            _by_row(layer, given).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
            for layer, given in ((self.query, asking), (self.key, x), (self.value, x))
        )
        # Read out at the last position, a causal mask hides nothing from it.
        masked = self.causal and not self.readout_only
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=masked)
        mixed = asking + _by_row(self.output, mixed.transpose(1, 2).flatten(2))
        return self.projection(mixed[:, 0 if self.readout_only else self.readout])


def _by_row(layer: nn.Module, x: Tensor) -> Tensor:
    """`layer` on every token of [batch, length, width]. Flattened, copies stacked by vmap take one product each."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Clip(nn.Module):
    """Both encoders and the symmetric contrastive loss."""

    own: Tensor

    def __init__(self, vision: nn.Module, text: nn.Module, *, log_scale: Tensor, batch_size: int) -> None:
        super().__init__()
        self.vision, self.text, self.log_scale = vision, text, nn.Parameter(log_scale)
        self.register_buffer("own", torch.arange(batch_size), persistent=False)

    def forward(self, images: Tensor, captions: Tensor) -> Tensor:
        """Mean loss of the batch."""
        image, text = F.normalize(self.vision(images), dim=1), F.normalize(self.text(captions), dim=1)
        logits = self.log_scale.exp() * image @ text.T
        return (F.cross_entropy(logits, self.own) + F.cross_entropy(logits.T, self.own)) / 2


def adamw_of(named: Iterable[tuple[str, Tensor]], optim: OptimConfig) -> torch.optim.AdamW:
    """Fused AdamW over `named` parameters, which decays all but `log_scale`."""
    parameters = dict(named)
    spared = [parameters.pop("log_scale")]
    groups = [
        {"params": [*parameters.values()], "weight_decay": optim.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    betas = (optim.beta1, optim.beta2)
    return torch.optim.AdamW(groups, lr=optim.learning_rate, betas=betas, eps=optim.epsilon, fused=True)


def warm_up(adamw: torch.optim.AdamW, optim: OptimConfig, *, step: int) -> None:
    """Set the rate of step `step`, from 1."""
    for group in adamw.param_groups:
        group["lr"] = optim.learning_rate * min(1.0, step / max(1, optim.warmup_steps))


def losses(model: Clip, optim: OptimConfig, data: PackData, batches: Iterator[Tensor]) -> Iterator[Tensor]:
    """Train `model` on the scenes numbered in `batches`, without end; yields the loss before each step."""
    images, captions = data.scenes, data.captions[data.captions_of[:, 0]]
    adamw = adamw_of(model.named_parameters(), optim)
    for step, batch in enumerate(batches, start=1):
        warm_up(adamw, optim, step=step)
        loss = model(images[batch], captions[batch])
        adamw.zero_grad()
        loss.backward()
        adamw.step()
        with torch.no_grad():
            model.log_scale.clamp_(max=MAX_LOG_SCALE)
        yield loss.detach()
