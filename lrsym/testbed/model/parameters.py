"""The weights of a pack by encoder and name, and their initial values.

weights[encoder][name]      [trial, ...]    encoder "vision", "text" or "decoder"; shapes: `EncoderShape.shapes`
weights["loss"]["log_scale"]    [trial]     log of the learned logit scale, 1 / temperature
"""

from collections.abc import Sequence
from math import log, prod

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lrsym.config.model import ModelConfig
from lrsym.config.trial import Trial
from lrsym.testbed.data.streams import stream
from lrsym.testbed.model.shape import EncoderShape, ModelShape

Weights = dict[str, Tensor]
"""Weights of one encoder by name, each with a leading trial axis."""


POSITION = 1
"""The number of the position embeddings of what sees the image among the weights of `ModelShape.named`."""


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


def trained_positions(
    shape: ModelShape, trials: Sequence[Trial], *, device: torch.device | str
) -> Float[Tensor, "trial position 1"] | None:
    """Return 1 for every position that has an embedding, 0 for that of [CLS] in trials where it has none.

    None where it has one in every trial. It starts at 0, and without a gradient it stays there.
    """
    if all(trial.model.cls_position for trial in trials):
        return None
    mask = torch.ones(len(trials), shape.vision.length, 1)
    mask[:, shape.vision.readout, 0] = torch.tensor([float(trial.model.cls_position) for trial in trials])
    return mask.to(device)


def _stack(arrays: list[np.ndarray], *, device: torch.device | str) -> Tensor:
    # A copy in memory that torch has aligned itself.
    return torch.from_numpy(np.stack(arrays)).to(device, copy=True)


def _draw_model(shape: ModelShape, trial: Trial) -> dict[str, dict[str, np.ndarray]]:
    log_scale = np.array(log(1 / trial.optim.temperature), dtype=np.float32)
    return {**{e.name: _draw_encoder(e, trial) for e in shape.encoders}, "loss": {"log_scale": log_scale}}


def _draw_encoder(encoder: EncoderShape, trial: Trial) -> dict[str, np.ndarray]:
    """Draw every weight in the order of `EncoderShape.shapes`, those too that do not start at random."""
    rng, m = stream(trial.seed, encoder.name), trial.model
    values = {}
    for name, shape in encoder.shapes().items():
        if m.init_distribution == "uniform" and name not in ("token", "position"):
            standard = (2 * rng.random(prod(shape), dtype=np.float32) - 1) * np.float32(3**0.5)
        else:
            standard = rng.standard_normal(prod(shape), dtype=np.float32)
        drawn = standard.reshape(shape) * np.float32(_spread(name.rpartition(".")[2], encoder, m))
        values[name] = np.ones_like(drawn) if name.endswith("_gain") else drawn
    if encoder.pixels and not m.cls_position:
        values["position"][encoder.readout] = 0
    return values


def _spread(name: str, encoder: EncoderShape, m: ModelConfig) -> float:
    """Return the standard deviation of the weight `name` of a block, or of the encoder, at the start."""
    inputs = encoder.d_mlp if name.startswith("mlp_out") else encoder.d_model
    if name in ("token", "position"):
        return m.init_token_std if name == "token" else m.init_position_std
    if name.endswith("_bias"):
        return 0.0 if name.endswith("_norm_bias") else m.init_bias_gain / inputs**0.5
    if m.init_scaling == "depth" and name in ("output_weight", "mlp_out_weight"):
        return m.init_weight_gain / (2 * encoder.d_model * encoder.blocks * encoder.repeats) ** 0.5
    if m.init_scaling == "depth" and name == "mlp_in_weight":
        return m.init_weight_gain / (2 * encoder.d_model) ** 0.5
    return m.init_weight_gain / inputs**0.5
