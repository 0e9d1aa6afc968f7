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

INITS: dict[str, dict[str, Value]] = {
    "small": {
        "embedding_scale": "sqrt_d_model", "init_token_std": 0.02, "init_position_std": 0.02, "init_weight_gain": 1.0,
        "init_bias_gain": 0.0, "init_distribution": "normal", "init_scaling": "fan_in",
    },
    "pytorch": {
        "embedding_scale": "sqrt_d_model", "init_token_std": 1.0, "init_position_std": 1.0,
        "init_weight_gain": 3**-0.5, "init_bias_gain": 3**-0.5, "init_distribution": "uniform",
        "init_scaling": "fan_in",
    },
    "clip": {
        "embedding_scale": 1.0, "init_token_std": 0.02, "init_position_std": 0.01, "init_weight_gain": 1.0,
        "init_bias_gain": 0.0, "init_distribution": "normal", "init_scaling": "depth",
    },
}  # fmt: skip
"""Axes that the key `model.init` sets in the same way: where training starts from.

pytorch: `nn.Embedding` and `nn.Linear` as they come, tokens times sqrt(d_model), as in the code base the paper started
from. A uniform number within 1 / sqrt(inputs) has the standard deviation 3**-0.5 / sqrt(inputs).
clip: the text Transformer of OpenAI's CLIP, for both encoders; it leaves the biases of MLPs alone at `nn.Linear`'s.
"""

SHORTHANDS = {"preset": PRESETS, "init": INITS}
"""The words of each key that is no axis but stands for several, and the axes that they set."""


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
    init_bias_gain: float = axis_field(
        0.0,
        "",
        "recipe",
        "Biases, but those of LayerNorm, start at N(0, gain / sqrt(inputs)).",
        neutral=0.0,
        per_member=True,
        ge=0,
    )
    init_distribution: Literal["normal", "uniform"] = axis_field(
        "normal",
        "",
        "recipe (PyTorch: uniform)",
        "Weights and biases start normal, or uniform with the same standard deviation; embeddings are always normal.",
        neutral="normal",
        per_member=True,
    )
    init_scaling: Literal["fan_in", "depth"] = axis_field(
        "fan_in",
        "",
        "recipe (CLIP: depth)",
        "Weights of blocks start at gain / sqrt(inputs); with depth those that add to the stream at gain / "
        "sqrt(2 d_model blocks repeats), and those into an MLP at gain / sqrt(2 d_model).",
        neutral="fan_in",
        per_member=True,
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
    cls_position: bool = axis_field(
        True,
        "",
        "paper (11 positions)",
        "Whether [CLS] has a position embedding; without one it asks with its token and the bias of queries alone.",
        neutral=True,
        per_member=True,
    )
    projection_bias: bool = axis_field(
        False,
        "",
        "recipe (code base the paper started from: true)",
        "Whether the projection behind the text encoder has a bias.",
        neutral=False,
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
        if axes.get("positions") == "rotary":
            axes.setdefault("init_position_std", 0.0)
        for key, words in SHORTHANDS.items():
            if key in axes:
                word = axes.pop(key)
                if word not in words:
                    raise ValueError(f'{key} must be one of {", ".join(words)}, got "{word}"; change it')
                axes = words[word] | axes
        if axes.get("kind") == "autoregressive" and "vision_blocks" not in given:
            axes.pop("vision_blocks", None)  # a decoder has no vision encoder
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
        if self.kind == "autoregressive" and self.projection_bias:
            raise ValueError(
                "projection_bias must be false with kind autoregressive, which has none, got true; leave it out"
            )
        if self.positions == "rotary" and not self.cls_position:
            raise ValueError(
                "cls_position must be true with rotary positions, which turn [CLS] too, got false; leave it out"
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
