"""The residual stream of attention-only encoders as a sum of parts, and the scores of every block as a sum of terms.

    x = E + P + B      E what comes from tokens, P from positions, B from biases; in front of the first block B = 0
    E <- E + A E W_V W_O      P <- P + A P W_V W_O      B <- B + (A B W_V + b_V) W_O + b_O

Given its attention A a block is linear, so the parts add up to the stream behind any number of blocks, and the six
score terms EE .. BP add up to the logits of any block, up to one number for each query (the key's part B is the same
for all keys and cancels in the softmax). LayerNorm and MLP mix the parts: behind them there are no terms.
Source: the first block as in arXiv:2601.12809; carrying the parts through further blocks is ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.blocks import block_weights
from lrsym.testbed.parameters import EncoderShape, Weights
from lrsym.vocabulary import SCORE_TERMS

Stream = Float[Tensor, "trial batch token width"]
Row = Float[Tensor, "trial batch head key"]


@dataclass(frozen=True)
class BlockTerms:
    """The read-out row of one block application: its six score terms, and its attention."""

    terms: dict[str, Row]
    attention: Row


def block_terms(
    weights: Weights, shape: EncoderShape, tokens: Int[Tensor, "batch key"], *, scale: Float[Tensor, " trial"]
) -> Iterator[BlockTerms]:
    """Score terms of the read-out token in every block application, first to last.

    `weights` are those of one encoder, `tokens` are shared by all trials. In each application the softmax of the
    sum of the terms is the attention. Raises ValueError where parts do not add up.
    """
    check_decomposable(shape)
    token = weights["token"] * scale[:, None, None]
    parts: dict[str, Stream] = {"E": token[:, tokens]}
    parts["P"] = weights["position"][:, None, : tokens.shape[1]].expand_as(parts["E"])
    parts["B"] = torch.zeros_like(parts["E"])
    for application in range(shape.blocks * shape.repeats):
        block = block_weights(weights, application % shape.blocks)
        queries, keys = (
            {k: _project(x, block[f"{side}_weight"]) for k, x in parts.items()} for side in ("query", "key")
        )
        queries["B"] = queries["B"] + block["query_bias"][:, None, None]
        split = {k: _heads(q, shape) for k, q in queries.items()}, {k: _heads(x, shape) for k, x in keys.items()}
        terms = {name: split[0][name[0]] @ split[1][name[1]].mT * shape.head_width**-0.5 for name in SCORE_TERMS}
        attention = _softmax(torch.stack([*terms.values()]).sum(dim=0), shape)
        at = shape.readout
        yield BlockTerms({name: term[:, :, :, at] for name, term in terms.items()}, attention[:, :, :, at])
        parts = {k: x + _attended(x, attention, block, shape, biased=k == "B") for k, x in parts.items()}


def check_decomposable(shape: EncoderShape) -> None:
    """Nothing; raises ValueError, naming what is in the way, where the stream is no sum of parts."""
    obstacles = {"rotary positions": shape.rotary, "LayerNorm": shape.norm != "none", "an MLP": bool(shape.d_mlp)}
    if found := [name for name, present in obstacles.items() if present]:
        raise ValueError(
            "scores are sums of terms in every block of an encoder of attention alone, with learned positions; "
            f"this {shape.name} encoder has {' and '.join(found)}; leave that out, or read its attention instead"
        )


def decomposable(shape: EncoderShape) -> bool:
    """Whether `block_terms` takes the encoder."""
    try:
        check_decomposable(shape)
    except ValueError:
        return False
    return True


def _attended(
    x: Stream,
    attention: Float[Tensor, "trial batch head query key"],
    block: Weights,
    shape: EncoderShape,
    *,
    biased: bool,
) -> Stream:
    """What attention adds to one part of the stream; biases go to the part B."""
    values = _project(x, block["value_weight"])
    values = values + block["value_bias"][:, None, None] if biased else values
    mixed = (attention @ _heads(values, shape)).transpose(2, 3).flatten(3)
    added = _project(mixed, block["output_weight"])
    return added + block["output_bias"][:, None, None] if biased else added


def _softmax(logits: Float[Tensor, "trial batch head query key"], shape: EncoderShape) -> Tensor:
    if shape.causal:
        length = logits.shape[-1]
        ahead = torch.ones(length, length, dtype=torch.bool, device=logits.device).triu(1)
        logits = logits.masked_fill(ahead, -torch.inf)
    return torch.softmax(logits, dim=-1)


def _project(x: Stream, weight: Float[Tensor, "trial width out"]) -> Float[Tensor, "trial batch token out"]:
    return (x.flatten(1, 2) @ weight).unflatten(1, x.shape[1:3])


def _heads(x: Stream, shape: EncoderShape) -> Float[Tensor, "trial batch head token part"]:
    return x.unflatten(3, (shape.n_heads, shape.head_width)).transpose(2, 3)
