"""Score terms of the read-out row as small tables: the decomposition is the forward pass.

In a block that reads token + position embeddings directly, the query of the read-out token and every key split
into a component of the token, a component of the position and a bias, so the logit is a sum of table entries.

    E    scale * token embeddings    [trial, n_tokens, width]      t    token id of the read-out token
    P    position embeddings         [trial, length, width]        r    position of the read-out token
    W_Q, W_K, b_Q                    weights of queries and keys   h    width of a head, width / n_heads

    axes: key_token runs over n_tokens, key_position over length, component over the query components E, P, B

    logit(key j with token x) = EE[x] + PE[x] + BE[x] + EP[j] + PP[j] + BP[j]
    EE[x] = (E_t W_Q) . (E_x W_K) / sqrt(h)     EP[j] = (E_t W_Q) . (P_j W_K) / sqrt(h)
    PE[x] = (P_r W_Q) . (E_x W_K) / sqrt(h)     PP[j] = (P_r W_Q) . (P_j W_K) / sqrt(h)
    BE[x] = b_Q . (E_x W_K) / sqrt(h)           BP[j] = b_Q . (P_j W_K) / sqrt(h)

Terms that do not depend on the key (key bias) cancel in the softmax. Values split the same way: VE[x] + VP[j].
Source: arXiv:2601.12809, section on the decomposition of QK^T; the stacking by query component is ours.
"""

from collections.abc import Collection

import torch
from jaxtyping import Float
from torch import Tensor

from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.shape import EncoderShape

QUERY_COMPONENTS = ("E", "P", "B")

TokenScores = Float[Tensor, "trial component head key_token"]
PositionScores = Float[Tensor, "trial component head key_position"]


def score_tables(
    weights: Weights, shape: EncoderShape, scale: Float[Tensor, " trial"]
) -> tuple[TokenScores, PositionScores]:
    """Return the six score terms, stacked by query component: (EE, PE, BE) by token and (EP, PP, BP) by position."""
    h = shape.head_width
    token = weights["token"] * scale[:, None, None]
    readout = torch.stack([token[:, shape.readout_token], weights["position"][:, shape.readout]], dim=1)
    query = torch.cat([readout @ weights["query_weight"], weights["query_bias"][:, None]], dim=1) * h**-0.5
    # Fold W_K into the few queries instead of multiplying it with every key.
    query = query.unflatten(2, (shape.n_heads, h)).permute(0, 2, 1, 3)
    key_weight = weights["key_weight"].unflatten(2, (shape.n_heads, h)).permute(0, 2, 3, 1)
    folded = (query @ key_weight).transpose(1, 2).flatten(1, 2)
    sizes = (len(QUERY_COMPONENTS), shape.n_heads)
    on_token = (folded @ token.transpose(1, 2)).unflatten(1, sizes)
    on_position = (folded @ weights["position"].transpose(1, 2)).unflatten(1, sizes)
    return on_token, on_position


def all_score_tables(
    weights: Weights, shape: EncoderShape, scale: Float[Tensor, " trial"]
) -> dict[str, Float[Tensor, "trial head ..."]]:
    """Return the six score terms for every query, by trial and head.

    EE [query token, key token], EP [query token, key position], PE and PP by position of the query, BE [key token],
    BP [key position].
    """
    h = shape.head_width

    def project(weight: Tensor) -> Float[Tensor, "trial head entry head_width"]:
        rows = torch.cat([weights["token"] * scale[:, None, None], weights["position"]], dim=1) @ weight
        return rows.unflatten(2, (shape.n_heads, h)).transpose(1, 2)

    key = project(weights["key_weight"]).transpose(2, 3)
    bias = weights["query_bias"].unflatten(1, (shape.n_heads, 1, h))
    table = torch.cat([project(weights["query_weight"]), bias], dim=2) @ key * h**-0.5
    rows = dict(zip(QUERY_COMPONENTS, table.split([shape.n_tokens, shape.length, 1], dim=2), strict=True))
    both = {q: component.split([shape.n_tokens, shape.length], dim=3) for q, component in rows.items()}
    named = {q + k: table for q, pair in both.items() for k, table in zip("EP", pair, strict=True)}
    return {name: t.squeeze(2) if name.startswith("B") else t for name, t in named.items()}


def sum_terms(tables: tuple[TokenScores, PositionScores], left_out: Collection[str]) -> tuple[Tensor, Tensor]:
    """Return logits by token and by position, [trial, head, key], with the score terms named in `left_out` at zero."""
    on_token, on_position = tables
    keep_token = [component + "E" not in left_out for component in QUERY_COMPONENTS]
    keep_position = [component + "P" not in left_out for component in QUERY_COMPONENTS]
    return _sum_components(on_token, keep_token), _sum_components(on_position, keep_position)


def _sum_components(table: Tensor, keep: list[bool]) -> Tensor:
    if all(keep):
        return table.sum(dim=1)
    return (table * torch.tensor(keep, dtype=table.dtype, device=table.device)[:, None, None]).sum(dim=1)
