"""The picture of part `cost`: a panel for each axis, both scales logarithmic."""

from pathlib import Path

import altair as alt
import polars as pl

from benchmarks.cost import AXES, NAME
from lrsym.results.plots import theme

TITLES = {
    "steps": ("optimiser steps", 1),
    "labels": ("label diversity (n_pair_labels)", 1),
    "pack": ("trials in a pack", -1),
    "workers": ("workers (processes of one thread)", -1),
}
"""Of each axis its title, and the slope of a cost in proportion: what shares the work makes it less."""

WIDTH, HEIGHT, COLOUR = 300, 220, "#2f7fc1"


def draw(table: Path) -> theme.Chart:
    """The picture of the rows of `cost` in the table of figures."""
    rows = pl.read_parquet(table).filter(pl.col("benchmark").str.starts_with(NAME))
    n = " or ".join(map(str, rows["n"].unique().sort()))
    panels = [
        _panel(rows.filter(pl.col("benchmark") == f"{NAME}{axis}"), axis)
        for axis in AXES
        if f"{NAME}{axis}" in {*rows["benchmark"]}
    ]
    return theme.finish(
        alt.concat(*panels, columns=2, spacing=32),
        title="What a trial costs",
        subtitle=[
            "Seconds of wall time. One axis moves, the others stay at 300 steps, 15 labels, a pack of 8, one worker.",
            f"Dot: median; upright line: lowest to highest (n = {n}). Dashed: in proportion to the first point.",
        ],
        width=720,
    )


def _panel(rows: pl.DataFrame, axis: str) -> theme.Chart:
    title, slope = TITLES[axis]
    points = rows.select(pl.col("variant").cast(pl.Int64).alias("x"), "value", "lowest", "highest").sort("x")
    x0, y0 = points.row(0)[:2]
    points = points.with_columns(proportional=y0 * (pl.col("x") / x0) ** slope)
    base = alt.Chart(theme.inline(points)).encode(
        alt.X("x:Q", title=title).scale(type="log", nice=False, padding=12).axis(values=[*points["x"]], format="d")
    )
    y = alt.Y("value:Q", title="seconds a trial").scale(type="log", nice=False, padding=16)
    y = y.axis(grid=True, format="~g", tickCount=4)
    measured = base.mark_line(color=COLOUR, strokeWidth=2.2, point=alt.OverlayMarkDef(size=40, color=COLOUR)).encode(y)
    spread = base.mark_rule(color=COLOUR, strokeWidth=1.5).encode(alt.Y("lowest:Q"), y2="highest:Q")
    dashed = base.mark_line(color=theme.MUTED, strokeDash=[5, 4]).encode(alt.Y("proportional:Q"))
    return alt.layer(dashed, spread, measured).properties(width=WIDTH, height=HEIGHT)
