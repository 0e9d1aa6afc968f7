"""The parameters of a pack: one flat buffer, named views of it, and the initial values.

Every array has a leading `trial` axis. The flat buffer is what evaluation, files and pages take; a training step has
each parameter in memory of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log, prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lrsym.config.model import ModelConfig
from lrsym.config.scene import SceneConfig
from lrsym.config.trial import Trial
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.streams import stream
from lrsym.vocabulary import ROTARY_TERM, SCORE_TERMS

Flat = Float[Tensor, "trial parameter"]
Weights = dict[str, Tensor]
"""Parameters of one encoder by name, each with a leading trial axis."""


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

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads

    @property
    def removable(self) -> tuple[str, ...]:
        """Terms that can be left out of the first block."""
        return (*SCORE_TERMS, "VP") if self.has_terms else (*ROTARY_TERM,) if self.rotary else ()

    @property
    def plain(self) -> bool:
        """Whether one bare attention block is all there is, so that term tables are the whole encoder."""
        return self.has_terms and self.blocks * self.repeats == 1 and not self.d_mlp and self.norm == "none"

    @property
    def has_terms(self) -> bool:
        """Whether the first block reads token plus position embeddings, so that its scores split into terms."""
        return not self.rotary and self.norm != "pre"

    @property
    def seen(self) -> tuple[int, int]:
        """How many token ids and positions the read-out token can have among its keys."""
        return self.readout_token + 1, self.readout + 1 if self.causal else self.length

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter shapes by name. A key bias cancels in the softmax, except where rotary positions turn it.

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
        """What a block has beyond plain attention."""
        d, wide = self.d_model, self.d_mlp
        found: dict[str, tuple[int, ...]] = {"key_bias": (d,)} if self.rotary else {}
        if wide:
            found |= {"mlp_in_weight": (d, wide), "mlp_in_bias": (wide,)}
            found |= {"mlp_out_weight": (wide, d), "mlp_out_bias": (d,)}
        for part in ("attention", *(["mlp"] if wide else [])) if self.norm != "none" else ():
            found |= {f"{part}_norm_gain": (d,), f"{part}_norm_bias": (d,)}
        return {f"block{block}.{name}" if block else name: shape for name, shape in found.items()}


def vision_shape(trial: Trial) -> EncoderShape:
    """The vision encoder: no mask, read out at [CLS], no projection."""
    s, m = trial.scenes, trial.model
    cls = sc.cls_token(s)
    sizes = (cls + 1, 1 + s.n_cells, sc.CLS_POSITION, cls)
    image = _image(s, first_pixel=1)
    return EncoderShape("vision", *sizes, False, False, blocks=m.vision_blocks, **image, **_shared(m))


def text_shape(trial: Trial) -> EncoderShape:
    """The text encoder: causal, read out at [EOT], then projected."""
    s, m = trial.scenes, trial.model
    eot = sc.eot_token(s)
    sizes = (eot + 1, sc.CAPTION_LENGTH, sc.EOT_POSITION, eot)
    return EncoderShape("text", *sizes, True, True, blocks=m.text_blocks, **_shared(m))


def decoder_shape(trial: Trial) -> EncoderShape:
    """The decoder: causal; pixels, [CLS], then the caption up to its last label. Its first prediction is read at [CLS].

    Its ids are those of the image, then those of captions but [EOT], which it predicts and never reads.
    """
    s, m = trial.scenes, trial.model
    cls, eot = sc.cls_token(s), sc.eot_token(s)
    sizes = (cls + 1 + eot, s.n_cells + sc.CAPTION_LENGTH, s.n_cells, cls)
    ends = {**_image(s, first_pixel=0), "n_outputs": eot + 1}
    return EncoderShape("decoder", *sizes, False, True, blocks=m.text_blocks, **ends, **_shared(m))


def _image(s: SceneConfig, *, first_pixel: int) -> dict[str, Any]:
    """Where the image stands in the row of tokens, and how it is read."""
    pixels = range(first_pixel, first_pixel + s.n_cells)
    return {"pixels": pixels, "n_columns": s.n_positions, "vertical": s.captions == "above"}


def _shared(m: ModelConfig) -> dict[str, Any]:
    """What both encoders have in common."""
    return {
        "d_model": m.d_model, "n_heads": m.n_heads, "repeats": m.repeats, "d_mlp": m.d_mlp, "norm": m.layer_norm,
        "rotary": m.positions == "rotary",
    }  # fmt: skip


@dataclass(frozen=True)
class ModelShape:
    """Where each parameter stands in the flat buffer; the log of the logit scale (unused by a decoder) comes last."""

    encoders: tuple[EncoderShape, ...]

    @classmethod
    def of(cls, trial: Trial) -> "ModelShape":
        """The layout shared by all trials of `trial`'s static shape."""
        if trial.model.kind == "autoregressive":
            return cls((decoder_shape(trial),))
        return cls((vision_shape(trial), text_shape(trial)))

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
        """(encoder, name, shape) in the order of the buffer."""
        all_of = [(e.name, name, shape) for e in self.encoders for name, shape in e.shapes().items()]
        return [*all_of, ("loss", "log_scale", ())]

    def views(self, flat: Flat) -> dict[str, Weights]:
        """The parameters by encoder and name, as views of `flat`; `["loss"]["log_scale"]` has shape [trial]."""
        named = self.named()
        pieces = flat.split([prod(shape) for *_, shape in named], dim=1)
        return self.by_name([p.view(len(flat), *shape) for p, (*_, shape) in zip(pieces, named, strict=True)])

    def by_name(self, parameters: Iterable[Tensor]) -> dict[str, Weights]:
        """Parameters in the order of the buffer, by encoder and name."""
        found: dict[str, Weights] = {name: {} for name in (*(e.name for e in self.encoders), "loss")}
        for (encoder, name, _), parameter in zip(self.named(), parameters, strict=True):
            found[encoder][name] = parameter
        return found

    def separate(self, flat: Flat) -> list[Tensor]:
        """The parameters in the order of the buffer, each in memory of its own, as a training step wants them."""
        pieces = flat.split([prod(shape) for *_, shape in self.named()], dim=1)
        return [p.reshape(len(flat), *shape).clone() for p, (*_, shape) in zip(pieces, self.named(), strict=True)]

    def joined(self, separate: Sequence[Tensor]) -> Flat:
        """The buffer of what `separate` gave."""
        return torch.cat([p.detach().flatten(1) if p.dim() > 1 else p.detach()[:, None] for p in separate], dim=1)

    def initial(self, trials: Sequence[Trial]) -> Flat:
        """Initial values: each trial draws from its own streams, one named after each encoder."""
        rows = [np.concatenate([*(self._draw(e, t) for e in self.encoders), _log_scale(t)]) for t in trials]
        return torch.from_numpy(np.stack(rows))

    def _draw(self, encoder: EncoderShape, trial: Trial) -> np.ndarray:
        rng, m = stream(trial.seed, encoder.name), trial.model
        std = {"token": m.init_token_std, "position": m.init_position_std}
        values = []
        for name, shape in encoder.shapes().items():
            normal = rng.standard_normal(prod(shape), dtype=np.float32)
            spread = 0.0 if name.endswith("_bias") else std.get(name, m.init_weight_gain / shape[0] ** 0.5)
            drawn = normal * np.float32(spread)
            values.append(np.ones_like(drawn) if name.endswith("_gain") else drawn)
        return np.concatenate(values)


def _log_scale(trial: Trial) -> np.ndarray:
    return np.array([log(1 / trial.optim.temperature)], dtype=np.float32)
