"""The tables of one bare attention block: what its weights alone decide, whatever the batch, and the gradient of that.

    X = [scale * E ; P]                 a row for each token, then one for each position    [row, width]
    x                                   the row at the read-out: its token's + its position's
    q = x W_Q + b_Q                     the one query
    S = X (q W_K^T) / sqrt(h)           logits of the rows, head by head                    [row, head]
    M = (X W_V [+ b_V]) W_O             what a row adds to the read-out, head by head       [(row, head), width]
    c = x + b_O                         what every example gets                             [1, width]

the bias b_V is in the rows of tokens alone: a key has one of them, and its attention sums to one. How a batch reads the
tables: `table_encoder`. Source of the block: arXiv:2601.12809, simplified model.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.scores import score_tables, sum_terms
from lrsym.testbed.model.shape import EncoderShape

TRAINED = (
    "token", "position", "query_weight", "key_weight", "value_weight", "output_weight", "query_bias", "value_bias",
    "output_bias",
)  # fmt: skip
"""The parameters of the block, in the order in which `TableEncoder` takes them."""


@dataclass(frozen=True)
class Tables:
    """The tables of an encoder: `rows` X, `read` x, `logits` S, `values` X W_V + b_V by head, `constant` c.

    `query` holds each head's entries of q and zeros elsewhere, `folded` is q W_K^T, `output` is W_O by heads.
    """

    rows: Float[Tensor, "trial row width"]
    read: Float[Tensor, "trial 1 width"]
    query: Float[Tensor, "trial head width"]
    folded: Float[Tensor, "trial head width"]
    logits: Float[Tensor, "trial row head"]
    values: Float[Tensor, "trial head row head_width"]
    output: Float[Tensor, "trial head head_width width"]
    constant: Float[Tensor, "trial 1 width"]

    def row_outputs(self) -> Float[Tensor, "trial rowhead width"]:
        """Return M, what each row adds to the read-out through each head."""
        return (self.values @ self.output).transpose(1, 2).flatten(1, 2)

    @classmethod
    def of(
        cls, weights: Weights, shape: EncoderShape, scale: Float[Tensor, " trial"], left_out: Collection[str] = ()
    ) -> "Tables":
        """Return the tables of an encoder; terms named in `left_out` (see vocabulary.ABLATIONS) are zero in them."""
        w, h = weights, shape.n_heads
        rows = torch.cat([w["token"] * scale[:, None, None], w["position"]], dim=1)
        read = rows[:, shape.readout_token, None] + w["position"][:, shape.readout, None]
        whole_query = torch.baddbmm(w["query_bias"][:, None], read, w["query_weight"])
        query = whole_query * _head_mask(shape.d_model, h, dtype=scale.dtype, device=scale.device)
        folded = torch.bmm(query, w["key_weight"].mT)
        values = torch.bmm(rows, w["value_weight"])
        values[:, : shape.n_tokens] += w["value_bias"][:, None]
        values = values.unflatten(2, (h, shape.head_width)).transpose(1, 2).contiguous()
        of_positions = values[:, :, shape.n_tokens :]
        if "VP" in left_out:
            of_positions.zero_()
        elif "mean VP" in left_out:
            of_positions.copy_(of_positions.mean(dim=2, keepdim=True).expand_as(of_positions))
        output = w["output_weight"].unflatten(1, (h, shape.head_width))
        if left_out:
            logits = torch.cat(sum_terms(score_tables(w, shape, scale), left_out), dim=2)
        else:
            logits = torch.bmm(folded, rows.mT)
        constant = read + w["output_bias"][:, None]
        return cls(rows, read, query, folded, logits.mT.contiguous(), values, output, constant)

    def backward(
        self,
        weights: Weights,
        shape: EncoderShape,
        scale: Float[Tensor, " trial"],
        *,
        d_values: Tensor,
        d_output: Tensor,
        d_constant: Tensor,
        d_logits: Tensor,
    ) -> Weights:
        """Return the gradients of the weights that `of` had, by name, from those of the tables that a batch reads."""
        w, rows = weights, self.rows.mT
        d_values = d_values.transpose(1, 2).flatten(2)
        d_folded = torch.bmm(d_logits.mT, self.rows)
        d_query = torch.bmm(d_folded, w["key_weight"]) * _head_mask(
            shape.d_model, shape.n_heads, dtype=scale.dtype, device=scale.device
        )
        d_query = d_query.sum(dim=1, keepdim=True)
        d_read = torch.baddbmm(d_constant, d_query, w["query_weight"].mT)[:, 0]
        d_rows = torch.baddbmm(torch.bmm(d_logits, self.folded), d_values, w["value_weight"].mT)
        d_rows[:, shape.readout_token] += d_read
        d_position = d_rows[:, shape.n_tokens :].clone()
        d_position[:, shape.readout] += d_read
        return {
            "token": d_rows[:, : shape.n_tokens] * scale[:, None, None],
            "position": d_position,
            "query_weight": self.read.mT * d_query,
            "key_weight": torch.bmm(d_folded.mT, self.query),
            "value_weight": torch.bmm(rows, d_values),
            "output_weight": d_output.flatten(1, 2),
            "query_bias": d_query[:, 0],
            "value_bias": d_values[:, : shape.n_tokens].sum(dim=1),
            "output_bias": d_constant[:, 0],
        }


@cache
def _head_mask(width: int, n_heads: int, *, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "head width"]:
    """Return 1 / sqrt(h) where an entry of the width belongs to the head, else 0."""
    mask = torch.eye(n_heads, dtype=dtype, device=device).repeat_interleave(width // n_heads, dim=1)
    return mask * (width // n_heads) ** -0.5
