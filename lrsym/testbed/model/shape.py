"""The static shape of a model: its encoders, or its one decoder, and the names and shapes of their weights.

    n_tokens, n_outputs     sizes of the vocabularies: token ids that are read, that a decoder predicts
    length                  positions of a row of tokens
    readout, readout_token  position and id of the token that is read out: [CLS] or [EOT]
    d_model, d_mlp          widths of the residual stream, of the MLP
    blocks, repeats         blocks with weights of their own, how often the stack of them is applied

All trials of a pack share their shape (`ModelShape.of_pack`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lrsym.config.agreement import agreed
from lrsym.config.model import ModelConfig
from lrsym.config.scene import SceneConfig
from lrsym.config.trial import Trial
from lrsym.testbed.data import scenes as sc
from lrsym.vocabulary import ROTARY_TERM, SCORE_TERMS, VALUE_TERMS


@dataclass(frozen=True)
class EncoderShape:
    """Static shape of one encoder, or of the decoder.

    `readout` is the position of the token that is read out; `pixels` are the positions of the image, in rows of
    `n_columns`, and `n_outputs` the tokens that a decoder predicts; these are empty for others. `vertical` where the
    first relation of captions goes from top to bottom.
    """

    name: str
    n_tokens: int
    length: int
    readout: int
    readout_token: int
    projected: bool
    causal: bool
    d_model: int
    n_heads: int
    blocks: int
    repeats: int
    d_mlp: int
    norm: str
    rotary: bool
    pixels: range = range(0)
    n_columns: int = 0
    vertical: bool = False
    n_outputs: int = 0
    projection_bias: bool = False

    @property
    def head_width(self) -> int:
        """The width of one head."""
        return self.d_model // self.n_heads

    @property
    def ablatable_terms(self) -> tuple[str, ...]:
        """The terms that can be left out of the first block."""
        return (*SCORE_TERMS, *VALUE_TERMS) if self.has_terms else (*ROTARY_TERM,) if self.rotary else ()

    @property
    def is_single_block(self) -> bool:
        """Whether one bare attention block is all there is, so that term tables are the whole encoder."""
        return self.has_terms and self.blocks * self.repeats == 1 and not self.d_mlp and self.norm == "none"

    @property
    def has_terms(self) -> bool:
        """Whether the first block reads token plus position embeddings, so that its scores split into terms."""
        return not self.rotary and self.norm != "pre"

    @property
    def n_key_tokens(self) -> int:
        """How many token ids the read-out token can have among its keys."""
        return self.readout_token + 1

    @property
    def n_key_positions(self) -> int:
        """How many positions the read-out token can have among its keys."""
        return self.readout + 1 if self.causal else self.length

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the weights' shapes by name. A key bias cancels in the softmax, except where rotary positions turn it.

        What was added later comes last, so that the first names keep their place and their random numbers.
        """
        d = self.d_model
        square = ("query_weight", "key_weight", "value_weight", "output_weight")
        biases = {name: (d,) for name in ("query_bias", "value_bias", "output_bias")}
        attention = {**{name: (d, d) for name in square}, **biases}
        further = {f"block{b}.{name}": shape for b in range(1, self.blocks) for name, shape in attention.items()}
        extra = {name: shape for b in range(self.blocks) for name, shape in self._extra(b).items()}
        last = {"last_norm_gain": (d,), "last_norm_bias": (d,)} if self.norm == "pre" else {}
        output = {"unembedding": (d, self.n_outputs)} if self.n_outputs else {}
        output |= {"projection_bias": (d,)} if self.projection_bias else {}
        return {
            "token": (self.n_tokens, d),
            **({} if self.rotary else {"position": (self.length, d)}),
            **{name: (d, d) for name in (*square, *(["projection"] if self.projected else []))},
            **biases,
            **further,
            **extra,
            **last,
            **output,
        }

    def _extra(self, block: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what a block has beyond bare attention."""
        d, wide = self.d_model, self.d_mlp
        shapes: dict[str, tuple[int, ...]] = {"key_bias": (d,)} if self.rotary else {}
        if wide:
            shapes |= {"mlp_in_weight": (d, wide), "mlp_in_bias": (wide,)}
            shapes |= {"mlp_out_weight": (wide, d), "mlp_out_bias": (d,)}
        for sublayer in ("attention", *(["mlp"] if wide else [])) if self.norm != "none" else ():
            shapes |= {f"{sublayer}_norm_gain": (d,), f"{sublayer}_norm_bias": (d,)}
        return {f"block{block}.{name}" if block else name: shape for name, shape in shapes.items()}


@dataclass(frozen=True)
class ModelShape:
    """Static shape of a model: a vision and a text encoder, or one decoder."""

    encoders: tuple[EncoderShape, ...]

    @classmethod
    def of(cls, trial: Trial) -> "ModelShape":
        """Return the shape of the model of `trial`."""
        if trial.model.kind == "autoregressive":
            return cls((_decoder(trial),))
        return cls((_vision(trial), _text(trial)))

    @classmethod
    def of_pack(cls, trials: Sequence[Trial]) -> "ModelShape":
        """Return the shape of the models of all `trials`. Raises ValueError, naming two trials, if they differ."""
        return agreed("model shape", trials, cls.of)

    @property
    def vision(self) -> EncoderShape:
        """What sees the image: the vision encoder, or the decoder."""
        return self.encoders[0]

    @property
    def text(self) -> EncoderShape:
        """What reads captions: the text encoder, or the decoder."""
        return self.encoders[-1]

    @property
    def autoregressive(self) -> bool:
        """Whether one decoder takes the place of both encoders."""
        return len(self.encoders) == 1

    def named(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """Return (encoder, name, shape) of every weight in its fixed order.

        The log of the logit scale (unused by a decoder) comes last, as ("loss", "log_scale", ()).
        """
        weights = [(e.name, name, shape) for e in self.encoders for name, shape in e.shapes().items()]
        return [*weights, ("loss", "log_scale", ())]

    def biases(self) -> list[int]:
        """Return the numbers of biases, and of gains of LayerNorm, among the weights as `named` has them."""
        return [i for i, (_, name, _) in enumerate(self.named()) if name.endswith(("_bias", "_gain"))]


def _vision(trial: Trial) -> EncoderShape:
    """Return the vision encoder: no mask, read out at [CLS], no projection."""
    s, m = trial.scenes, trial.model
    cls = sc.cls_token(s)
    sizes = (cls + 1, 1 + s.n_pixels, sc.CLS_POSITION, cls)
    image = _image(s, first_pixel=1)
    return EncoderShape("vision", *sizes, projected=False, causal=False, blocks=m.vision_blocks, **image, **_shared(m))


def _text(trial: Trial) -> EncoderShape:
    """Return the text encoder: causal, read out at [EOT], then projected."""
    s, m = trial.scenes, trial.model
    eot = sc.eot_token(s)
    sizes = (eot + 1, sc.CAPTION_LENGTH, sc.EOT_POSITION, eot)
    further = {"blocks": m.text_blocks, "projection_bias": m.projection_bias, **_shared(m)}
    return EncoderShape("text", *sizes, projected=True, causal=True, **further)


def _decoder(trial: Trial) -> EncoderShape:
    """Return the decoder: causal; pixels, [CLS], then the caption up to its last label; first read out at [CLS].

    Its ids are those of the image, then those of captions but [EOT], which it predicts and never reads.
    """
    s, m = trial.scenes, trial.model
    cls, eot = sc.cls_token(s), sc.eot_token(s)
    sizes = (cls + 1 + eot, s.n_pixels + sc.CAPTION_LENGTH, s.n_pixels, cls)
    image = {**_image(s, first_pixel=0), "n_outputs": eot + 1}
    return EncoderShape("decoder", *sizes, projected=False, causal=True, blocks=m.text_blocks, **image, **_shared(m))


def _image(scenes: SceneConfig, *, first_pixel: int) -> dict[str, Any]:
    """Return where the image stands in the row of tokens, and how it is read."""
    pixels = range(first_pixel, first_pixel + scenes.n_pixels)
    return {"pixels": pixels, "n_columns": scenes.n_positions, "vertical": scenes.captions == "above"}


def _shared(m: ModelConfig) -> dict[str, Any]:
    """Return what both encoders have in common."""
    return {
        "d_model": m.d_model, "n_heads": m.n_heads, "repeats": m.repeats, "d_mlp": m.d_mlp, "norm": m.layer_norm,
        "rotary": m.positions == "rotary",
    }  # fmt: skip
