"""A phase diagram in letters, for a terminal: the mean of a metric in each cell, with the seeds behind it."""

from collections.abc import Sequence

import polars as pl

from lrsym.results.analysis.aggregate import summarise
from lrsym.results.analysis.varied_axes import check_single_cells, choose_axes
from lrsym.vocabulary import PHASE_METRIC


def text_diagram(trials: pl.DataFrame, *, metric: str = PHASE_METRIC, prefer: Sequence[str] = ()) -> pl.DataFrame:
    """Return a row for each value of a second and third varied axis, with a column for each value of the first.

    Values are as `0.93 (5)`, mean and n, `-` where no trial has one. `prefer` as of `choose_axes`. Raises UsageError
    where more axes vary.
    """
    x, y, facet = choose_axes(trials, prefer=prefer)
    by = [axis for axis in (facet, y) if axis is not None]
    check_single_cells(trials, by=[*by, x])
    cells = summarise(trials, by=[*by, x], metric=metric)
    mean = pl.col("mean").map_elements(lambda value: f"{value:.2f}", return_dtype=pl.String)
    text = pl.when(pl.col("n") > 0).then(pl.format("{} ({})", mean, "n")).otherwise(pl.lit("-"))
    name = pl.format(f"{x} {{}}", pl.col(x).cast(pl.String).fill_null("absent")).alias("column")
    order = cells.select(x, name).unique().sort(x)
    cells = cells.select(*by, name, text=text)
    if not by:
        cells, by = cells.with_columns(pl.lit(metric).alias("metric")), ["metric"]
    columns = order["column"].unique(maintain_order=True)
    rows = cells.pivot("column", on_columns=columns, index=by, values="text")
    return rows.sort(by).with_columns(pl.col(columns.to_list()).fill_null("-"))
