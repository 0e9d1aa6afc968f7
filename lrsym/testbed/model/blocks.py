"""Encoders of more than one plain attention block: depth, tied repeats, LayerNorm, MLP, dropout, rotary positions.

    x = s E + P                                            (learned positions; rotary ones have no P)
    none    x = x + attention(x),           x = x + mlp(x)
    pre     x = x + attention(norm(x)),     x = x + mlp(norm(x)),   and a last norm before the read-out
    post    x = norm(x + attention(x)),     x = norm(x + mlp(x))

    x       the residual stream, [trial, batch, token, width]
    s, E, P embedding scale, token embeddings, position embeddings
    read    which tokens are read out; rows: where tokens stand and what a query may not see

Repeats apply the whole stack of blocks again with the same weights. In the last block only what is read out is
computed. Where the first block reads s E + P itself, its logits are sums of the six score terms, taken from tables.
Sources: arXiv:2601.12809 (full model; which does not say where its norms stand); Su et al., arXiv:2104.09864 (rotary).
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from lrsym.testbed.model.drop import Drop, dropped
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.scores import all_score_tables
from lrsym.testbed.model.shape import EncoderShape

Hidden = Float[Tensor, "trial batch token width"]


ROTARY_BASE = 10_000.0
"""Base of the rotation rates, as in the source."""


@dataclass(frozen=True)
class Rows:
    """How rows of tokens are read: where each token stands, what a query may not see, and which tokens are read out."""

    positions: Int[Tensor, " token"]
    hidden: Bool[Tensor, "token token"] | None
    read: slice

    @classmethod
    def of(cls, shape: EncoderShape, *, length: int, device: torch.device) -> "Rows":
        """Return rows of the first `length` positions, causal where the shape is, read at its read-out."""
        positions = torch.arange(length, device=device)
        hidden = positions > positions[:, None] if shape.causal else None
        return cls(positions, hidden, slice(shape.readout, shape.readout + 1))


def encode_blocks(
    weights: Weights,
    shape: EncoderShape,
    tokens: Int[Tensor, "trial batch key"],
    *,
    scale: Float[Tensor, " trial"],
    left_out: Collection[str],
    drop: Drop | None,
    rows: Rows | None = None,
) -> tuple[Float[Tensor, "trial batch read width"], list[Float[Tensor, "trial batch head query key"]]]:
    """Return embeddings of what is read out, before projection, and the attention of every block application.

    `left_out` names terms of the first block (`shape.ablatable_terms`); `rows` is by default `Rows.of` all tokens.
    """
    rows = rows or Rows.of(shape, length=tokens.shape[2], device=tokens.device)
    trial = torch.arange(len(scale), device=tokens.device)[:, None, None]
    x = weights["token"][trial, tokens] * scale[:, None, None, None]
    if not shape.rotary:
        x = x + weights["position"][:, None, rows.positions]
    x = dropped(x, drop)
    attentions: list[Tensor] = []
    last = shape.blocks * shape.repeats - 1
    blocks = [_with_norms(block_weights(weights, number), shape) for number in range(shape.blocks)]
    for application in range(last + 1):
        block = blocks[application % shape.blocks]
        read = rows.read if application == last else slice(None)
        source = _sublayer_input(x, shape)
        if application == 0 and shape.has_terms and drop is None:
            logits = _term_logits(weights, shape, tokens, scale, left_out, rows, read)
            if {"VP", "mean VP"} & {*left_out}:
                source = source - weights["position"][:, None, rows.positions]
            if "mean VP" in left_out:
                source = source + weights["position"].mean(dim=1)[:, None, None]
            values = heads(linear(source, block["value_weight"], block["value_bias"]), shape)
        else:
            rotated = shape.rotary and not (application == 0 and "R" in left_out)
            logits, values = _dense_logits(source, block, shape, rows, read, rotated=rotated)
        attended, attention = _attend(logits, values, block, rows, read, drop)
        attentions.append(attention)
        x = _add(x[:, :, read], attended, block, "attention", shape, drop)
        if shape.d_mlp:
            x = _add(x, _mlp(_sublayer_input(x, shape), block), block, "mlp", shape, drop)
    if shape.norm == "pre":
        x = _norm(x, weights, "last_norm")
    return x, attentions


def _sublayer_input(x: Hidden, shape: EncoderShape) -> Hidden:
    """Return what attention or MLP reads of the stream; gain and bias of its LayerNorm are in the maps that read it."""
    return F.layer_norm(x, x.shape[-1:]) if shape.norm == "pre" else x


def _with_norms(block: Weights, shape: EncoderShape) -> Weights:
    """Return a block whose maps have taken up gain and bias of the LayerNorm before them: one product does both."""
    if shape.norm != "pre":
        return block
    taken = dict(block)
    readers = {"attention": ("query", "key", "value")} | ({"mlp": ("mlp_in",)} if shape.d_mlp else {})
    for sublayer, maps in readers.items():
        gain, bias = block[f"{sublayer}_norm_gain"], block[f"{sublayer}_norm_bias"]
        for name in maps:
            weight, passed = block[f"{name}_weight"], (bias[:, None] @ block[f"{name}_weight"])[:, 0]
            own = block.get(f"{name}_bias")
            taken[f"{name}_weight"] = gain[:, :, None] * weight
            taken[f"{name}_bias"] = passed if own is None else passed + own
    return taken


def _add(x: Hidden, added: Hidden, block: Weights, sublayer: str, shape: EncoderShape, drop: Drop | None) -> Hidden:
    """Return the stream with what attention or MLP adds to it."""
    x = x + dropped(added, drop)
    return _norm(x, block, f"{sublayer}_norm") if shape.norm == "post" else x


def block_weights(weights: Weights, number: int) -> Weights:
    """Return the weights of one block by their names without prefix; those of block 0 have none."""
    if number == 0:
        return weights
    prefix = f"block{number}."
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _attend(
    logits: Tensor, values: Tensor, block: Weights, rows: Rows, read: slice, drop: Drop | None
) -> tuple[Float[Tensor, "trial batch query width"], Float[Tensor, "trial batch head query key"]]:
    if rows.hidden is not None:
        logits = logits.masked_fill(rows.hidden[read], -torch.inf)
    attention = torch.softmax(logits, dim=-1)
    mixed = (dropped(attention, drop, attention=True) @ values).transpose(2, 3).flatten(3)
    return linear(mixed, block["output_weight"], block["output_bias"]), attention


def _dense_logits(
    x: Hidden, block: Weights, shape: EncoderShape, rows: Rows, read: slice, *, rotated: bool
) -> tuple[Float[Tensor, "trial batch head query key"], Float[Tensor, "trial batch head key head_width"]]:
    """Return the logits of the queries in `read`, and the values of all keys."""
    every = read == slice(None)
    maps = _joined(block, ("query", "key", "value") if every else ("key", "value"))
    *first, key, value = (heads(part, shape) for part in linear(x, *maps).split(shape.d_model, dim=3))
    query = first[0] if every else heads(linear(x[:, :, read], block["query_weight"], block["query_bias"]), shape)
    if rotated:
        turn = rotations(shape.length, shape.head_width, device=x.device).to(x.dtype)[:, rows.positions]
        query, key = rotate(query, turn[:, read]), rotate(key, turn)
    return query @ key.transpose(3, 4) * shape.head_width**-0.5, value


def _joined(block: Weights, names: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Return weight and bias of maps side by side: what they read is read once."""
    biases = [block.get(f"{name}_bias", block["query_bias"].new_zeros(())) for name in names]
    biases = [bias.expand_as(block["query_bias"]) for bias in biases]
    return torch.cat([block[f"{name}_weight"] for name in names], dim=2), torch.cat(biases, dim=1)


def _term_logits(
    weights: Weights,
    shape: EncoderShape,
    tokens: Tensor,
    scale: Tensor,
    left_out: Collection[str],
    rows: Rows,
    read: slice,
) -> Float[Tensor, "trial batch head query key"]:
    """Return logits of the first block for the queries in `read` as sums of table entries."""
    tables = {name: t for name, t in all_score_tables(weights, shape, scale).items() if name not in left_out}
    trial = torch.arange(len(scale), device=tokens.device)[:, None, None]
    query_tokens, place = tokens[:, :, read], rows.positions
    total = weights["token"].new_zeros(*tokens.shape[:2], shape.n_heads, query_tokens.shape[2], tokens.shape[2])
    query, key = query_tokens[:, :, :, None], tokens[:, :, None, :]
    for name, table in tables.items():
        # The advanced indices come first, then what they leave: heads, or heads and positions.
        if name == "EE":
            total = total + table.permute(0, 2, 3, 1)[trial[..., None], query, key].permute(0, 1, 4, 2, 3)
        elif name == "EP":
            total = total + table[..., place].permute(0, 2, 1, 3)[trial, query_tokens].permute(0, 1, 3, 2, 4)
        elif name == "PE":
            total = total + table[:, :, place[read]].permute(0, 3, 1, 2)[trial, tokens].permute(0, 1, 3, 4, 2)
        elif name == "BE":
            total = total + table.transpose(1, 2)[trial, tokens].transpose(2, 3)[:, :, :, None]
        elif name == "PP":
            total = total + table[:, :, place[read]][..., place][:, None]
        else:
            total = total + table[..., place][:, None, :, None]
    return total


def rotary_table(
    weights: Weights, shape: EncoderShape, scale: Float[Tensor, " trial"]
) -> Float[Tensor, "trial head key_token key_position"]:
    """Return what rotation adds to the read-out token's logits in the first block, by token and position of the key."""
    tokens = (weights["token"] * scale[:, None, None])[:, None]
    tokens, block = _sublayer_input(tokens, shape), _with_norms(weights, shape)
    at = shape.readout_token
    query = heads(linear(tokens[:, :, at : at + 1], block["query_weight"], block["query_bias"]), shape)[:, 0]
    key = heads(linear(tokens, block["key_weight"], block["key_bias"]), shape)[:, 0]
    turn = rotations(shape.length, shape.head_width, device=key.device).to(key.dtype)
    keys = rotate(key[:, :, :, None].expand(-1, -1, -1, shape.length, -1), turn)
    rotated = rotate(query, turn[:, shape.readout : shape.readout + 1])
    logits = (keys @ rotated.mT[:, :, None])[..., 0] - key @ query.mT
    return logits * shape.head_width**-0.5


def _mlp(x: Hidden, block: Weights) -> Hidden:
    hidden = F.gelu(linear(x, block["mlp_in_weight"], block["mlp_in_bias"]))
    return linear(hidden, block["mlp_out_weight"], block["mlp_out_bias"])


def _norm(x: Hidden, block: Weights, name: str) -> Hidden:
    normal = F.layer_norm(x, x.shape[-1:])
    return normal * block[f"{name}_gain"][:, None, None] + block[f"{name}_bias"][:, None, None]


def linear(
    x: Float[Tensor, "trial batch token in"],
    weight: Float[Tensor, "trial in out"],
    bias: Float[Tensor, "trial out"] | None,
) -> Float[Tensor, "trial batch token out"]:
    """Return each trial's tokens through its own linear map."""
    flat = x.flatten(1, 2)
    flat = flat @ weight if bias is None else torch.baddbmm(bias[:, None], flat, weight)
    return flat.unflatten(1, x.shape[1:3])


def heads(x: Hidden, shape: EncoderShape) -> Float[Tensor, "trial batch head token head_width"]:
    """Return `x` cut into heads."""
    return x.unflatten(3, (shape.n_heads, shape.head_width)).transpose(2, 3)


@cache
def rotations(length: int, width: int, *, device: torch.device) -> Float[Tensor, "2 position half"]:
    """Return the cosines and sines [0], [1] by which a pair of entries of a head turns at each position."""
    rates = ROTARY_BASE ** (-torch.arange(0, width, 2, device=device, dtype=torch.float64) / width)
    angles = torch.arange(length, device=device)[:, None] * rates
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Float[Tensor, "... position width"], turn: Float[Tensor, "2 position half"]) -> Tensor:
    """Return `x` with entries (2 i, 2 i + 1) turned by the i-th angle of their position."""
    cos, sin = turn
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
