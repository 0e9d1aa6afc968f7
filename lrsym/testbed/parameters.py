"""The parameters of a pack: one flat buffer, named views of it, and the initial values.

Every array has a leading `trial` axis. The flat buffer makes the optimiser a handful of elementwise passes,
and per-trial settings a broadcast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, prod

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lrsym.testbed import scenes as sc
from lrsym.testbed.streams import stream
from lrsym.trial import Trial

Flat = Float[Tensor, "trial parameter"]
Weights = dict[str, Tensor]
"""Parameters of one encoder by name, each with a leading trial axis."""


@dataclass(frozen=True)
class EncoderShape:
    """Static shape of one encoder; `readout` is the position of the token that is read out."""

    name: str
    n_tokens: int
    length: int
    readout: int
    readout_token: int
    d_model: int
    n_heads: int
    projected: bool

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter shapes by name. A key bias is left out: it cancels in the softmax."""
        d = self.d_model
        square = ("query_weight", "key_weight", "value_weight", "output_weight")
        return {
            "token": (self.n_tokens, d),
            "position": (self.length, d),
            **{name: (d, d) for name in (*square, *(["projection"] if self.projected else []))},
            **{name: (d,) for name in ("query_bias", "value_bias", "output_bias")},
        }


def vision_shape(trial: Trial) -> EncoderShape:
    """The vision encoder: no mask, read out at [CLS], no projection."""
    s, m = trial.scenes, trial.model
    cls = sc.cls_token(s)
    return EncoderShape("vision", cls + 1, 1 + s.n_positions, sc.CLS_POSITION, cls, m.d_model, m.n_heads, False)


def text_shape(trial: Trial) -> EncoderShape:
    """The text encoder: causal (which the last position cannot tell), read out at [EOT], then projected."""
    s, m = trial.scenes, trial.model
    eot = sc.eot_token(s)
    return EncoderShape("text", eot + 1, sc.CAPTION_LENGTH, sc.EOT_POSITION, eot, m.d_model, m.n_heads, True)


@dataclass(frozen=True)
class ParameterLayout:
    """Where each parameter stands in the flat buffer; the log of the logit scale comes last."""

    vision: EncoderShape
    text: EncoderShape

    @classmethod
    def of(cls, trial: Trial) -> "ParameterLayout":
        """The layout shared by all trials of `trial`'s static shape."""
        return cls(vision_shape(trial), text_shape(trial))

    def named(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """(encoder, name, shape) in the order of the buffer."""
        both = [(e.name, name, shape) for e in (self.vision, self.text) for name, shape in e.shapes().items()]
        return [*both, ("loss", "log_scale", ())]

    def views(self, flat: Flat) -> dict[str, Weights]:
        """The parameters by encoder and name, as views of `flat`; `["loss"]["log_scale"]` has shape [trial]."""
        named = self.named()
        pieces = flat.split([prod(shape) for *_, shape in named], dim=1)
        views: dict[str, Weights] = {"vision": {}, "text": {}, "loss": {}}
        for (encoder, name, shape), piece in zip(named, pieces, strict=True):
            views[encoder][name] = piece.view(len(flat), *shape)
        return views

    def initial(self, trials: Sequence[Trial]) -> Flat:
        """Initial values: each trial draws from its own streams "vision" and "text"."""
        rows = [np.concatenate([*(self._draw(e, t) for e in (self.vision, self.text)), _log_scale(t)]) for t in trials]
        return torch.from_numpy(np.stack(rows))

    def _draw(self, encoder: EncoderShape, trial: Trial) -> np.ndarray:
        rng, m = stream(trial.seed, encoder.name), trial.model
        std = {"token": m.init_token_std, "position": m.init_position_std}
        values = []
        for name, shape in encoder.shapes().items():
            normal = rng.standard_normal(prod(shape), dtype=np.float32)
            bias = name.endswith("_bias")
            values.append(normal * np.float32(0 if bias else std.get(name, m.init_weight_gain / m.d_model**0.5)))
        return np.concatenate(values)


def _log_scale(trial: Trial) -> np.ndarray:
    return np.array([log(1 / trial.optim.temperature)], dtype=np.float32)
