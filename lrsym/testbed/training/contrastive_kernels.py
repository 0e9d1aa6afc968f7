# pyright: basic, reportArgumentType=false, reportCallIssue=false
"""The contrastive loss and its gradient on a GPU: two passes over the logits between three products, in Triton.

What `contrastive` does in some thirty passes is done in two: one for the log-sum-exps of rows and columns, one for the
gradient, which takes the place of the logits. With raw = image . text^T, a = exp(log_scale) / |image|, b = 1 / |text|
and n the times a caption occurs,

    logit = a b raw + log n        p_row = exp(logit - lse_row)        p_column = exp(logit - lse_column)
    slope = p_row + n p_column - 2 [column of the row]                 the gradient of 2 batch loss by a b raw

and what normalising takes away again is sums of slope a b raw along rows and columns. No sum is made by atomic
additions: the same bits each time. Loaded only where there is a GPU; the test suite runs it in Triton's interpreter.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.device_kernels import kernel

TILE = 4096
"""Numbers of a block of rows: 32 for each thread of four warps."""


@kernel
def _sum_up(
    raw, row_factor, column_factor, log_times, row_lse, block_max, block_sum, n_rows, n_columns, n_blocks,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Write the log-sum-exp of each row, and of each column the largest logit and the sum of a block of rows."""
    trial, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    row, column = block * ROWS + tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    here = (row < n_rows)[:, None] & (column < n_columns)[None, :]
    logit = tl.load(raw + trial * n_rows * n_columns + row[:, None] * n_columns + column[None, :], mask=here, other=0.0)
    a = tl.load(row_factor + trial * n_rows + row, mask=row < n_rows, other=0.0)
    b = tl.load(column_factor + trial * n_columns + column, mask=column < n_columns, other=0.0)
    c = tl.load(log_times + trial * n_columns + column, mask=column < n_columns, other=-float("inf"))
    logit = logit * a[:, None] * b[None, :] + c[None, :]
    top = tl.max(logit, 1)
    tl.store(row_lse + trial * n_rows + row, top + tl.log(tl.sum(tl.exp(logit - top[:, None]), 1)), mask=row < n_rows)
    logit = tl.where(here, logit, -float("inf"))
    top = tl.max(logit, 0)
    shift = tl.where(column < n_columns, top, 0.0)  # beyond them all is -inf
    at = (trial * n_blocks + block) * n_columns + column
    tl.store(block_max + at, top, mask=column < n_columns)
    tl.store(block_sum + at, tl.sum(tl.exp(logit - shift[None, :]), 0), mask=column < n_columns)


@kernel
def _differentiate(
    raw, row_factor, column_factor, log_times, times, columns, row_lse, column_lse, loss, along_row, along_column,
    n_rows, n_columns, n_blocks, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Put the gradient in the place of the raw products; write the loss of each row and the sums along both."""
    trial, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    row, column = block * ROWS + tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    in_rows, in_columns = row < n_rows, column < n_columns
    here = in_rows[:, None] & in_columns[None, :]
    places = raw + trial * n_rows * n_columns + row[:, None] * n_columns + column[None, :]
    a = tl.load(row_factor + trial * n_rows + row, mask=in_rows, other=0.0)
    b = tl.load(column_factor + trial * n_columns + column, mask=in_columns, other=0.0)
    c = tl.load(log_times + trial * n_columns + column, mask=in_columns, other=0.0)
    n = tl.load(times + trial * n_columns + column, mask=in_columns, other=0.0)
    of_row = tl.load(row_lse + trial * n_rows + row, mask=in_rows, other=0.0)
    of_column = tl.load(column_lse + trial * n_columns + column, mask=in_columns, other=0.0)
    own = tl.load(columns + trial * n_rows + row, mask=in_rows, other=-1)[:, None] == column[None, :]
    cosine = tl.load(places, mask=here, other=0.0) * a[:, None] * b[None, :]
    logit = cosine + c[None, :]
    slope = tl.exp(logit - of_row[:, None]) + tl.exp(logit - of_column[None, :]) * n[None, :] - tl.where(own, 2.0, 0.0)
    slope = tl.where(here, slope, 0.0)
    matching = tl.sum(tl.where(own, (of_column + c)[None, :] / 2 - logit, 0.0), 1)
    tl.store(loss + trial * n_rows + row, matching + of_row / 2, mask=in_rows)
    along = slope * cosine
    tl.store(along_row + trial * n_rows + row, tl.sum(along, 1), mask=in_rows)
    tl.store(along_column + (trial * n_blocks + block) * n_columns + column, tl.sum(along, 0), mask=in_columns)
    tl.store(places, slope * a[:, None] * b[None, :], mask=here)


def loss_and_gradients(
    image: Float[Tensor, "trial batch width"],
    text: Float[Tensor, "trial column width"],
    log_scale: Float[Tensor, " trial"],
    columns: Int[Tensor, "trial batch"],
    log_times: Float[Tensor, "trial column"],
    times: Float[Tensor, "trial column"],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the loss of each trial, and its gradients by image, text and log_scale.

    `times` says how often each column occurs in the batch, `log_times` is its logarithm.
    """
    n_trials, n_rows, n_columns = *image.shape[:2], text.shape[1]
    width = triton.next_power_of_2(n_columns)
    rows = max(1, min(64, TILE // width))
    n_blocks = triton.cdiv(n_rows, rows)
    grid, sizes, blocks = (n_trials, n_blocks), (n_rows, n_columns, n_blocks), {"ROWS": rows, "COLUMNS": width}
    per_image, per_text = 1 / image.norm(dim=2), 1 / text.norm(dim=2)
    factors = log_scale.exp()[:, None] * per_image, per_text, log_times
    raw = torch.bmm(image, text.mT)
    row_lse, loss, along_row = (torch.empty_like(per_image) for _ in range(3))
    block_max, block_sum, along_column = (raw.new_empty(n_trials, n_blocks, n_columns) for _ in range(3))
    _sum_up[grid](raw, *factors, row_lse, block_max, block_sum, *sizes, **blocks)
    column_max = block_max.amax(dim=1)
    column_lse = column_max + (block_sum * (block_max - column_max[:, None]).exp_()).sum(dim=1).log_()
    _differentiate[grid](
        raw, *factors, times, columns.contiguous(), row_lse, column_lse, loss, along_row, along_column, *sizes, **blocks
    )
    half = 1 / (2 * n_rows)
    lost_image = image * (along_row * per_image.square_())[:, :, None]
    lost_text = text * (along_column.sum(dim=1) * per_text.square_())[:, :, None]
    d_image = torch.baddbmm(lost_image, raw, text, beta=-half, alpha=half)
    d_text = torch.baddbmm(lost_text, raw.mT, image, beta=-half, alpha=half)
    return loss.mean(dim=1), d_image, d_text, along_row.sum(dim=1) * half


def try_out(device: torch.device, width: int) -> None:
    """Make the kernels for so many columns by calling them once."""
    ones, columns = torch.ones(1, width, 1, device=device), torch.zeros(1, 1, dtype=torch.int64, device=device)
    loss_and_gradients(ones[:, :1], ones, ones[0, 0], columns, 0 * ones[..., 0], ones[..., 0])
