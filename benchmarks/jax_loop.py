"""The textbook training in JAX: one function, `vmap` over trials, `scan` over steps, compiled as one program.

What a careful person would write who has read of vmap (as PureJaxRL does for seeds): the query of the read-out
position alone, AdamW by hand, batches drawn beforehand. Initial values and batches are those of lrsym.

    weights[encoder][name]  [trial, ...]    as `PackModel.weights`
    batches                 [step, trial, batch]
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np

from lrsym.config.training import OptimConfig
from lrsym.config.trial import Trial
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.model.shape import EncoderShape
from lrsym.testbed.training.contrastive import MAX_LOG_SCALE

Tree = Any
"""Nested dictionaries of arrays, as JAX takes them."""


def start_of(trials: Sequence[Trial]) -> Tree:
    """Return the initial weights of `trials`, moments at zero, and the number of the last step."""
    model = PackModel.initial(trials)
    weights = jax.tree.map(lambda tensor: jnp.asarray(tensor.numpy()), model.weights)
    zeros = partial(jax.tree.map, jnp.zeros_like)
    return weights, zeros(weights), zeros(weights), jnp.zeros((), jnp.float32)


def program(trials: Sequence[Trial], data: PackData) -> Callable[[Tree, jax.Array], tuple[Tree, jax.Array]]:
    """Return the function from (start, batches) to (end, losses [step, trial]), to be compiled.

    All trials have the optimiser's settings and the embedding scale of the first.
    """
    shapes = {shape.name: shape for shape in PackModel.initial(trials[:1]).shape.encoders}
    images = jnp.asarray(data.scenes.cpu().numpy(), jnp.int32)
    captions = jnp.asarray(data.captions[data.captions_of[:, 0]].cpu().numpy(), jnp.int32)
    optim, scale = trials[0].optim, trials[0].model.embedding_scale
    encoders = {name: partial(_encode, shape=shape, scale=scale) for name, shape in shapes.items()}

    def loss_of(weights: Tree, batch: jax.Array) -> jax.Array:
        image = encoders["vision"](weights["vision"], images[batch])
        text = encoders["text"](weights["text"], captions[batch])
        return _contrastive(image, text, weights["loss"]["log_scale"])

    gradients = jax.vmap(jax.value_and_grad(loss_of))

    def step(state: Tree, batch: jax.Array) -> tuple[Tree, jax.Array]:
        weights, first, second, number = state
        loss, gradient = gradients(weights, batch)
        return _adamw(weights, first, second, number + 1, gradient, optim), loss

    return lambda start, batches: jax.lax.scan(step, start, batches)


def _encode(weights: Tree, tokens: jax.Array, *, shape: EncoderShape, scale: float) -> jax.Array:
    """Return embeddings [batch, width]; a mask would hide nothing from the read-out position."""
    x = weights["token"][tokens] * scale + weights["position"]
    asking = x[:, shape.readout]
    query = asking @ weights["query_weight"] + weights["query_bias"]
    key, value = x @ weights["key_weight"], x @ weights["value_weight"] + weights["value_bias"]
    query = query.reshape(len(x), shape.n_heads, shape.head_width)
    key, value = (y.reshape(*y.shape[:2], shape.n_heads, shape.head_width) for y in (key, value))
    attention = jax.nn.softmax(jnp.einsum("bhw,bkhw->bhk", query, key) / shape.head_width**0.5)
    mixed = jnp.einsum("bhk,bkhw->bhw", attention, value).reshape(len(x), -1)
    out = asking + mixed @ weights["output_weight"] + weights["output_bias"]
    return out @ weights["projection"] if shape.projected else out


def _contrastive(image: jax.Array, text: jax.Array, log_scale: jax.Array) -> jax.Array:
    """Return the symmetric contrastive loss of a batch."""
    image, text = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (image, text))
    logits = jnp.exp(log_scale) * image @ text.T
    own = jnp.diagonal(logits)
    per_image, per_text = (jax.nn.logsumexp(logits, axis=axis) for axis in (1, 0))
    return ((per_image + per_text) / 2 - own).mean()


def _adamw(
    weights: Tree, first: Tree, second: Tree, number: jax.Array, gradient: Tree, optim: OptimConfig
) -> tuple[Tree, Tree, Tree, jax.Array]:
    """Return weights, moments and number after step `number`; the logit scale is not decayed, and clamped."""
    b1, b2 = optim.beta1, optim.beta2
    rate = optim.learning_rate * jnp.minimum(1.0, number / max(1, optim.warmup_steps))
    first = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, first, gradient)
    second = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, second, gradient)
    decay = {
        name: {key: 0.0 if name == "loss" else optim.weight_decay for key in named} for name, named in weights.items()
    }

    def moved(w: jax.Array, m: jax.Array, v: jax.Array, decay: float) -> jax.Array:
        root = jnp.sqrt(v / (1 - b2**number)) + optim.epsilon
        return w * (1 - rate * decay) - rate * m / (1 - b1**number) / root

    weights = jax.tree.map(moved, weights, first, second, decay)
    weights["loss"] = {"log_scale": jnp.minimum(weights["loss"]["log_scale"], MAX_LOG_SCALE)}
    return weights, first, second, number


def batches_of(drawn: Sequence[np.ndarray]) -> jax.Array:
    """Return batches [step, trial, batch] on the device."""
    return jnp.asarray(np.stack(drawn), jnp.int32)
