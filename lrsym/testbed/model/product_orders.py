"""The two orders in which attention meets values and W_O: by row of the tables first, or by head first.

Each has its product and the gradient of it; `table_encoder` takes the one with fewer operations.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lrsym.testbed.model.table_block import Tables


@dataclass(frozen=True)
class RowsFirst:
    """The order A M: attention by row, times `table`, which is M or, with a projection W folded in, M W."""

    attention: Float[Tensor, "trial batch row head"]
    row_outputs: Float[Tensor, "trial rowhead width"]
    table: Float[Tensor, "trial rowhead width"]
    projection: Float[Tensor, "trial width width"] | None

    @classmethod
    def forward(cls, by_row: Tensor, tables: Tables, projection: Tensor | None) -> "tuple[Tensor, RowsFirst]":
        """Return the embeddings, behind `projection` if there is one, and what `backward` needs."""
        row_outputs, constant = tables.row_outputs(), tables.constant
        table = row_outputs
        if projection is not None:
            table, constant = row_outputs @ projection, constant @ projection
        return torch.baddbmm(constant, by_row.flatten(2), table), cls(by_row, row_outputs, table, projection)

    def backward(self, d_out: Tensor, tables: Tables) -> "Gradients":
        """Return the gradients of attention by row, values, W_O by head, constant and projection."""
        d_projection, by_row = None, self.attention.flatten(2)
        d_table, d_constant = by_row.mT @ d_out, d_out.sum(dim=1, keepdim=True)
        d_by_row = (d_out @ self.table.mT).view_as(self.attention)
        if self.projection is not None:
            d_projection = torch.baddbmm(tables.constant.mT @ d_constant, self.row_outputs.mT, d_table)
            d_table, d_constant = d_table @ self.projection.mT, d_constant @ self.projection.mT
        d_heads = d_table.unflatten(1, self.attention.shape[2:]).transpose(1, 2).contiguous()  # once for both products
        return d_by_row, d_heads @ tables.output.mT, tables.values.mT @ d_heads, d_constant, d_projection


@dataclass(frozen=True)
class HeadsFirst:
    """The order (A V) W_O: values summed by head, then the product with W_O."""

    attention: Float[Tensor, "trial head batch row"]
    context: Float[Tensor, "trial batch width"]

    @classmethod
    def forward(cls, by_row: Tensor, tables: Tables) -> "tuple[Tensor, HeadsFirst]":
        """Return the embeddings, and what `backward` needs."""
        by_head = by_row.permute(0, 3, 1, 2).contiguous()
        context = (by_head @ tables.values).transpose(1, 2).flatten(2)
        return torch.baddbmm(tables.constant, context, tables.output.flatten(1, 2)), cls(by_head, context)

    def backward(self, d_out: Tensor, tables: Tables) -> "Gradients":
        """Return the gradients of attention by row, values, W_O by head, constant and projection."""
        d_output = torch.bmm(self.context.mT, d_out).view_as(tables.output)
        d_context = torch.bmm(d_out, tables.output.flatten(1, 2).mT)
        d_heads = d_context.unflatten(2, tables.output.shape[1:3]).transpose(1, 2).contiguous()
        d_values = self.attention.mT @ d_heads
        d_by_row = (d_heads @ tables.values.mT).permute(0, 2, 3, 1)
        return d_by_row, d_values, d_output, d_out.sum(dim=1, keepdim=True), None


Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]
"""Those of attention by row, values and W_O by head, the constant, and the projection if one was folded in."""
