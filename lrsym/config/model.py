"""The encoders of a trial, or its one decoder. Sources as in `lrsym.config.section`."""

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from lrsym.config.section import ConfigSection, Value, axis_field

MAX_WIDTH, MAX_BLOCKS = 8192, 64
"""Bounds widths and counts of blocks far beyond any use, so that a typing error does not become an overflow."""

PRESETS: dict[str, dict[str, Value]] = {
    "simplified": {
        "vision_blocks": 1, "text_blocks": 1, "repeats": 1, "d_mlp": 0, "layer_norm": "none", "dropout": 0.0,
    },
    "full": {
        "vision_blocks": 2, "text_blocks": 2, "repeats": 2, "d_mlp": 512, "layer_norm": "pre", "dropout": 0.1,
    },
}  # fmt: skip
"""Axes of a model that the key `model.preset` sets where they are not given themselves: the paper's two models."""


class ModelConfig(ConfigSection):
    """The encoders, or the one decoder; by default the paper's simplified model: one attention block, no LayerNorm, no
    MLP."""

    section = "model"

    kind: Literal["contrastive", "autoregressive"] = axis_field(
        "contrastive",
        "",
        "paper",
        "Vision and text encoder with a contrastive loss, or one causal decoder that reads the image and writes the "
        "caption and is tested on at most 1,000 scenes of each validation set.",
        neutral="contrastive",
    )
    d_model: int = axis_field(128, "", "paper", "Width of embeddings and residual stream.", ge=1, le=MAX_WIDTH)
    n_heads: int = axis_field(4, "heads", "paper", "Attention heads of each encoder; must divide d_model.", ge=1)
    embedding_scale: float = axis_field(
        math.sqrt(128),
        "",
        "code base the paper started from",
        'Multiplier of the token embeddings before positions are added; "sqrt_d_model" or a number.',
        derived="sqrt(d_model)",
        per_member=True,
        gt=0,
    )
    init_token_std: float = axis_field(
        0.02, "", "recipe", "Standard deviation of token embeddings at the start.", per_member=True, ge=0
    )
    init_position_std: float = axis_field(
        0.02, "", "recipe", "Standard deviation of position embeddings at the start.", per_member=True, ge=0
    )
    init_weight_gain: float = axis_field(
        1.0,
        "",
        "recipe",
        "Attention and projection weights start at N(0, gain / sqrt(d_model)).",
        per_member=True,
        ge=0,
    )

    vision_blocks: int = axis_field(
        1, "blocks", "paper", "Blocks of the vision encoder.", neutral=1, ge=1, le=MAX_BLOCKS
    )
    text_blocks: int = axis_field(
        1, "blocks", "paper", "Blocks of the text encoder, or of the decoder.", neutral=1, ge=1, le=MAX_BLOCKS
    )
    repeats: int = axis_field(
        1,
        "",
        "paper (M_rep)",
        "How often each encoder's stack of blocks is applied, with the same weights.",
        neutral=1,
        ge=1,
        le=MAX_BLOCKS,
    )
    d_mlp: int = axis_field(
        0, "", "paper: 512", "Width of the MLP (GELU) after each attention; 0: no MLP.", neutral=0, ge=0, le=MAX_WIDTH
    )
    layer_norm: Literal["none", "pre", "post"] = axis_field(
        "none",
        "",
        "paper (full model; where is not stated)",
        "LayerNorm: none, before attention and MLP (and a last one), or after their residual sums.",
        neutral="none",
    )
    dropout: float = axis_field(
        0.0,
        "0..1",
        "paper: 0.1",
        "Share of entries dropped in training, from embeddings and from what attention and MLP add.",
        per_member=True,
        neutral=0.0,
        version=2,
        ge=0,
        lt=1,
    )
    attention_dropout: float = axis_field(
        0.0,
        "0..1",
        "code base the paper started from: 0.1",
        "Share of attention probabilities dropped in training.",
        per_member=True,
        neutral=0.0,
        ge=0,
        lt=1,
    )
    positions: Literal["learned", "rotary"] = axis_field(
        "learned", "", "paper", "Learned position embeddings, or rotary turning of queries and keys.", neutral="learned"
    )

    @property
    def drops(self) -> tuple[bool, bool]:
        """Whether entries are dropped in training: of embeddings and what is added to them, of attention."""
        return self.dropout > 0, self.attention_dropout > 0

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        axes = dict(given)
        if "preset" in axes:
            preset = axes.pop("preset")
            if preset not in PRESETS:
                raise ValueError(f'preset must be one of {", ".join(PRESETS)}, got "{preset}"; change it')
            axes = PRESETS[preset] | axes
            if axes.get("kind") == "autoregressive" and "vision_blocks" not in given:
                del axes["vision_blocks"]  # a decoder has no vision encoder
        if axes.get("positions") == "rotary":
            axes.setdefault("init_position_std", 0.0)
        if axes.get("embedding_scale", "sqrt_d_model") == "sqrt_d_model":
            width = axes.get("d_model", cls.defaults()["d_model"])
            if type(width) is int and 0 < width <= MAX_WIDTH:
                axes["embedding_scale"] = math.sqrt(width)
        return axes

    @model_validator(mode="after")
    def _rules(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError(
                f"n_heads must divide d_model, got {self.n_heads} heads for width {self.d_model}; "
                "change one of them (several model sizes: move both axes together with [[zip]])"
            )
        if self.kind == "autoregressive" and self.vision_blocks != 1:
            raise ValueError(
                f"vision_blocks must be 1 with kind autoregressive, which has no vision encoder, "
                f"got {self.vision_blocks}; set it to 1; text_blocks is the decoder's depth"
            )
        if self.positions == "rotary" and self.d_model // self.n_heads % 2:
            raise ValueError(
                f"rotary positions need heads of even width, got d_model / n_heads = {self.d_model // self.n_heads}; "
                "change one of them"
            )
        if self.positions == "rotary" and self.init_position_std:
            raise ValueError(
                f"init_position_std must be 0 with rotary positions, which have no embeddings, "
                f"got {self.init_position_std:g}; leave it out"
            )
        return self
