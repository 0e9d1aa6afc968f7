"""The weights of a pack by encoder and name, and their initial values.

weights[encoder][name]      [trial, ...]    encoder "vision", "text" or "decoder"; shapes: `EncoderShape.shapes`
weights["loss"]["log_scale"]    [trial]     log of the learned logit scale, 1 / temperature
"""

from collections.abc import Sequence
from math import log, prod

import numpy as np
import torch
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.testbed.data.streams import stream
from lrsym.testbed.model.shape import EncoderShape, ModelShape

Weights = dict[str, Tensor]
"""Weights of one encoder by name, each with a leading trial axis."""


def initial_weights(
    shape: ModelShape, trials: Sequence[Trial], *, device: torch.device | str = "cpu"
) -> dict[str, Weights]:
    """Return the initial values in float32: each trial draws from its own streams, one named after each encoder.

    A trial that occurs again, as in a pilot, is drawn once.
    """
    drawn = {number: _draw_model(shape, trial) for number, trial in {id(trial): trial for trial in trials}.items()}
    members = [drawn[id(trial)] for trial in trials]
    return {
        encoder: {name: _stack([member[encoder][name] for member in members], device=device) for name in named}
        for encoder, named in members[0].items()
    }


def _stack(arrays: list[np.ndarray], *, device: torch.device | str) -> Tensor:
    # A copy in memory that torch has aligned itself.
    return torch.from_numpy(np.stack(arrays)).to(device, copy=True)


def _draw_model(shape: ModelShape, trial: Trial) -> dict[str, dict[str, np.ndarray]]:
    log_scale = np.array(log(1 / trial.optim.temperature), dtype=np.float32)
    return {**{e.name: _draw_encoder(e, trial) for e in shape.encoders}, "loss": {"log_scale": log_scale}}


def _draw_encoder(encoder: EncoderShape, trial: Trial) -> dict[str, np.ndarray]:
    """Draw every weight in the order of `EncoderShape.shapes`, those too that do not start at random."""
    rng, m = stream(trial.seed, encoder.name), trial.model
    std = {"token": m.init_token_std, "position": m.init_position_std}
    values = {}
    for name, shape in encoder.shapes().items():
        normal = rng.standard_normal(prod(shape), dtype=np.float32).reshape(shape)
        spread = 0.0 if name.endswith("_bias") else std.get(name, m.init_weight_gain / shape[0] ** 0.5)
        drawn = normal * np.float32(spread)
        values[name] = np.ones_like(drawn) if name.endswith("_gain") else drawn
    return values
