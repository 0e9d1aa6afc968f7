"""The residual stream of attention-only encoders as a sum of components, and the scores of every block as one of terms.

    x = E + P + B      E what comes from tokens, P from positions, B from biases; in front of the first block B = 0
    E <- E + A E W_V W_O      P <- P + A P W_V W_O      B <- B + (A B W_V + b_V) W_O + b_O

Given its attention A a block is linear, so the components add up to the stream behind any number of blocks, and the
six score terms EE .. BP add up to the logits of any block, up to one number for each query (the key's component B is
the same for all keys and cancels in the softmax). LayerNorm and MLP mix the components: behind them there are no terms.
Source: the first block as in arXiv:2601.12809; carrying the components through further blocks is ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.model.blocks import Hidden, Rows, block_weights, heads, linear
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.shape import EncoderShape
from lrsym.vocabulary import SCORE_TERMS

Row = Float[Tensor, "trial batch head key"]


@dataclass(frozen=True)
class BlockTerms:
    """The read-out row of one block application: its six score terms, and its attention."""

    terms: dict[str, Row]
    attention: Row


def block_terms(
    weights: Weights, shape: EncoderShape, tokens: Int[Tensor, "*trial batch key"], *, scale: Float[Tensor, " trial"]
) -> Iterator[BlockTerms]:
    """Yield the score terms of the read-out token in every block application, first to last.

    `weights` are those of one encoder; `tokens` may be shared by all trials. In each application the softmax of the
    sum of the terms is the attention. Raises ValueError where components do not add up.
    """
    check_decomposable(shape)
    token = weights["token"] * scale[:, None, None]
    tokens = tokens.expand(len(scale), -1, -1)
    components: dict[str, Hidden] = {"E": token[torch.arange(len(scale), device=tokens.device)[:, None, None], tokens]}
    components["P"] = weights["position"][:, None, : tokens.shape[2]].expand_as(components["E"])
    components["B"] = torch.zeros_like(components["E"])
    hidden = Rows.of(shape, length=tokens.shape[2], device=tokens.device).hidden
    last = shape.blocks * shape.repeats - 1
    for application in range(last + 1):
        block = block_weights(weights, application % shape.blocks)
        bias = {"B": block["query_bias"]}
        queries = slice(shape.readout, shape.readout + 1) if application == last else slice(None)
        query = {
            k: heads(linear(x[:, :, queries], block["query_weight"], bias.get(k)), shape) for k, x in components.items()
        }
        key = {k: heads(linear(x, block["key_weight"], None), shape) for k, x in components.items()}
        terms = {name: query[name[0]] @ key[name[1]].mT * shape.head_width**-0.5 for name in SCORE_TERMS}
        logits = torch.stack([*terms.values()]).sum(dim=0)
        attention = (logits if hidden is None else logits.masked_fill(hidden[queries], -torch.inf)).softmax(dim=-1)
        at = 0 if application == last else shape.readout
        yield BlockTerms({name: term[:, :, :, at] for name, term in terms.items()}, attention[:, :, :, at])
        if application == last:
            return
        components = {k: x + _attended(x, attention, block, shape, biased=k == "B") for k, x in components.items()}


def check_decomposable(shape: EncoderShape) -> None:
    """Raise ValueError, naming what is in the way, unless the stream is a sum of components."""
    obstacles = {"rotary positions": shape.rotary, "LayerNorm": shape.norm != "none", "an MLP": bool(shape.d_mlp)}
    if present := [name for name, is_there in obstacles.items() if is_there]:
        raise ValueError(
            "scores are sums of terms in every block of an encoder of attention alone, with learned positions; "
            f"this {shape.name} encoder has {' and '.join(present)}; leave that out, or read its attention instead"
        )


def decomposable(shape: EncoderShape) -> bool:
    """Return whether `block_terms` takes the encoder."""
    try:
        check_decomposable(shape)
    except ValueError:
        return False
    return True


def _attended(
    x: Hidden,
    attention: Float[Tensor, "trial batch head query key"],
    block: Weights,
    shape: EncoderShape,
    *,
    biased: bool,
) -> Hidden:
    """Return what attention adds to one component of the stream; biases go to the component B."""
    values = linear(x, block["value_weight"], block["value_bias"] if biased else None)
    mixed = (attention @ heads(values, shape)).transpose(2, 3).flatten(3)
    return linear(mixed, block["output_weight"], block["output_bias"] if biased else None)
