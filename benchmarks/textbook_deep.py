"""The baseline of deeper models and of dropout: a Transformer by the textbook, one trial at a time.

Blocks of torch's modules with LayerNorm before attention and MLP, applied more than once, and dropout where
`lrsym.testbed` has it: on embeddings, on what attention and MLP add, and on attention itself. Keys have no bias, as in
`textbook`.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.textbook import Clip
from lrsym.config.trial import Trial
from lrsym.testbed.model.blocks import block_weights
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.shape import EncoderShape


class Block(nn.Module):
    """Attention and, where there is one, an MLP."""

    def __init__(self, shape: EncoderShape, trial: Trial) -> None:
        super().__init__()
        d, self.n_heads, self.causal = shape.d_model, shape.n_heads, shape.causal
        self.query, self.value, self.output = (nn.Linear(d, d) for _ in range(3))
        self.key = nn.Linear(d, d, bias=False)
        normal = shape.norm == "pre"
        self.attention_norm, self.mlp_norm = (nn.LayerNorm(d) if normal else nn.Identity() for _ in range(2))
        self.mlp_in = nn.Linear(d, shape.d_mlp) if shape.d_mlp else None
        self.mlp_out = nn.Linear(shape.d_mlp, d) if shape.d_mlp else None
        self.drop, self.attention_dropout = nn.Dropout(trial.model.dropout), trial.model.attention_dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return the stream behind the block."""
        normal = self.attention_norm(x)
        query, key, value = (
            layer(normal).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(
            query, key, value, is_causal=self.causal, dropout_p=self.attention_dropout
        )
        x = x + self.drop(self.output(mixed.transpose(1, 2).flatten(2)))
        if self.mlp_in is None or self.mlp_out is None:
            return x
        return x + self.drop(self.mlp_out(F.gelu(self.mlp_in(self.mlp_norm(x)))))


class Encoder(nn.Module):
    """Tokens and positions, the stack of blocks as often as it is applied, a last norm, the read-out."""

    def __init__(self, shape: EncoderShape, weights: Weights, trial: Trial) -> None:
        super().__init__()
        d, self.scale, self.repeats, self.readout = (
            shape.d_model,
            trial.model.embedding_scale,
            shape.repeats,
            shape.readout,
        )
        self.token, self.position = nn.Embedding(shape.n_tokens, d), nn.Parameter(torch.empty(shape.length, d))
        self.blocks = nn.ModuleList(Block(shape, trial) for _ in range(shape.blocks))
        self.last_norm = nn.LayerNorm(d) if shape.norm == "pre" else nn.Identity()
        self.projection = nn.Linear(d, d, bias=False) if shape.projected else nn.Identity()
        self.drop = nn.Dropout(trial.model.dropout)
        self._load(weights)

    @torch.no_grad()
    def _load(self, weights: Weights) -> None:
        """Take the initial values of the only member of a pack."""
        self.token.weight.copy_(weights["token"][0])
        self.position.copy_(weights["position"][0])
        if isinstance(self.projection, nn.Linear):
            self.projection.weight.copy_(weights["projection"][0].T)
        if isinstance(self.last_norm, nn.LayerNorm):
            _copy(self.last_norm.named_parameters(prefix="last_norm"), weights)
        for number, block in enumerate(self.blocks):
            _copy(block.named_parameters(), block_weights(weights, number))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the embeddings [batch, width] of the token rows [batch, length]."""
        x = self.drop(self.token(tokens) * self.scale + self.position)
        for _ in range(self.repeats):
            for block in self.blocks:
                x = block(x)
        return self.projection(self.last_norm(x[:, self.readout]))


def _copy(named: Any, weights: Weights) -> None:
    """Copy weights into modules by name: a linear map's stand the other way, the gain of a norm is its weight."""
    for name, parameter in named:
        layer, _, kind = name.rpartition(".")
        kind = "gain" if layer.endswith("norm") and kind == "weight" else kind
        given = weights[f"{layer}_{kind}"][0]
        parameter.copy_(given.T if kind == "weight" else given)


def model_of(trial: Trial) -> Clip:
    """Return the model of `trial` at its initial values."""
    model = PackModel.initial([trial])
    vision, text = (Encoder(shape, model.weights[shape.name], trial) for shape in model.shape.encoders)
    log_scale = model.weights["loss"]["log_scale"][0].clone()
    return Clip(vision, text, log_scale=log_scale, batch_size=trial.optim.batch_size)
