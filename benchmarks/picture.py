"""The picture of parts `cost` and `driver`: what a trial costs, and what so many trials cost the driver."""

from pathlib import Path

import altair as alt
import polars as pl

from benchmarks import cost, driver
from lrsym.results.plots import theme

TITLES = {
    "steps": ("optimiser steps", 1),
    "labels": ("label diversity (n_pair_labels)", 1),
    "pack": ("trials in a pack", -1),
    "workers": ("workers (processes of one thread)", -1),
}
"""Of each axis its title, and the slope of a cost in proportion: what shares the work makes it less."""

DRIVER = {
    "seconds": {"run, workers included": "whole run, 2 workers", "all of these, once": "the driver's processor time"},
    "memory of the driver (MB)": {"memory, all trained": "during the run", "memory, planned again": "planned again"},
}
"""Of each panel of part `driver`, by the title of its y-axis: its lines, by variant."""

WIDTH, HEIGHT, COLOURS = 300, 220, ["#2f7fc1", "#c8611a"]


def draw(table: Path) -> theme.Chart:
    """The picture of the rows of `cost` and `driver` in the table of figures; whatever is there has its panels."""
    rows = pl.read_parquet(table)
    axes = [axis for axis in TITLES if f"{cost.NAME}{axis}" in {*rows["benchmark"]}]
    panels = [_of_axis(rows, axis) for axis in axes]
    sizes = rows.filter(pl.col("benchmark").str.starts_with(driver.NAME))
    if not sizes.is_empty():
        panels += [_of_driver(sizes, y) for y in DRIVER]
    return theme.finish(
        alt.concat(*panels, columns=2, spacing=32).resolve_scale(color="independent"),
        title="What a trial costs, and what a sweep costs its driver",
        subtitle=[
            "Seconds a trial: one axis moves, the others stay at 300 steps, 15 labels, a pack of 8, one worker.",
            "Trials of a sweep: a trainer that does nothing, packs of 8; what is left is the driver and the tables.",
            "Dot: median; upright line: lowest to highest. Dashed: in proportion to the first point.",
        ],
        width=720,
    )


def _of_axis(rows: pl.DataFrame, axis: str) -> theme.Chart:
    """A trial's seconds against an axis of part `cost`."""
    points = rows.filter(pl.col("benchmark") == f"{cost.NAME}{axis}")
    points = points.select(pl.col("variant").cast(pl.Int64).alias("x"), "value", "lowest", "highest", line=pl.lit(""))
    title, slope = TITLES[axis]
    return _panel(points, x=title, y="seconds a trial", slope=slope)


def _of_driver(rows: pl.DataFrame, y: str) -> theme.Chart:
    """A cost of part `driver` against the trials of the sweep: those told by the trial are counted for all."""
    lines = DRIVER[y]
    trials = pl.col("benchmark").str.replace_all(r"\D", "").cast(pl.Int64)
    whole = pl.when(pl.col("unit").str.contains("ms")).then(trials / 1e3).otherwise(1)
    points = rows.filter(pl.col("variant").is_in([*lines])).select(
        trials.alias("x"),
        *(pl.col(name) * whole for name in ("value", "lowest", "highest")),
        line=pl.col("variant").replace_strict(lines, default=None),
    )
    return _panel(points, x="trials of the sweep", y=y, slope=1 if y == "seconds" else None)


def _panel(points: pl.DataFrame, *, x: str, y: str, slope: int | None) -> theme.Chart:
    """Lines of `points`, with what is in proportion to the first point of each where `slope` says how."""
    points = points.sort("line", "x")
    lines = points["line"].unique(maintain_order=True).to_list()
    first = {name: pl.col(name).first().over("line") for name in ("x", "value")}
    points = points.with_columns(proportional=first["value"] * (pl.col("x") / first["x"]) ** (slope or 0))
    base = alt.Chart(theme.inline(points)).encode(
        alt.X("x:Q", title=x)
        .scale(type="log", nice=False, padding=12)
        .axis(values=[*points["x"].unique().sort()], format=",d"),
        alt.Color("line:N", title=None, sort=lines)
        .scale(domain=lines, range=COLOURS[: len(lines)])
        .legend(alt.Legend(orient="top", symbolType="stroke") if len(lines) > 1 else None),
    )
    axis = alt.Y("value:Q", title=y).scale(type="log", nice=False, padding=16)
    axis = axis.axis(grid=True, format=",~g", tickCount=4)
    layers = [
        base.mark_rule(strokeWidth=1.5).encode(alt.Y("lowest:Q"), y2="highest:Q"),
        base.mark_line(strokeWidth=2.2, point=alt.OverlayMarkDef(size=40)).encode(axis),
    ]
    if slope is not None:
        dashed = base.mark_line(strokeDash=[5, 4]).encode(alt.Y("proportional:Q"), color=alt.value(theme.MUTED))
        layers = [dashed.encode(detail="line:N"), *layers]
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
