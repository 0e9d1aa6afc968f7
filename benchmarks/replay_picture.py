"""The picture of part `refine`: the error of each strategy against the trials it has, one panel a surface."""

from pathlib import Path

import altair as alt
import polars as pl

from lrsym.results.plots import theme

COLOURS = {"refine": "#c1121f", "random order": "#5b6270", "adaptive": "#2f7fc1"}
LEVELS = {"full grid": [2, 3], "full grid, smoothed": [7, 4]}
"""Dashes of the lines at the error of the full grid."""

WIDTH, HEIGHT = 250, 150


def draw(curves: Path) -> theme.Chart:
    """Return the picture of the curves that the replay wrote."""
    rows = pl.read_parquet(curves)
    panels = [_panel(part) for part in rows.partition_by("grid", "kind", "noise", maintain_order=True)]
    n = rows["seed"].n_unique()
    return theme.finish(
        alt.concat(*panels, columns=4, spacing=24),
        title="Where the boundary is found with fewer trials",
        subtitle=[
            f"Share of cells on the wrong side of an accuracy of 0.9, mean over {n} seeds of each surface; the band is "
            "the middle half of the seeds. Upright: a fourth of the full grid's trials (2 axes), a tenth (3 axes).",
            "Level: the full grid, each cell read by its mean (dotted) and smoothed by the same process (dashed).",
        ],
        width=4 * WIDTH,
    )


def _panel(rows: pl.DataFrame) -> theme.Chart:
    grid, kind, noise = rows.select("grid", "kind", "noise").row(0)
    size = rows.filter(strategy="full grid")["trials"][0]
    curves = rows.filter(pl.col("strategy").is_in([*COLOURS])).group_by("strategy", "trials", maintain_order=True).agg(
        error=pl.col("error").mean(), low=pl.col("error").quantile(0.25), high=pl.col("error").quantile(0.75)
    )  # fmt: skip
    x = alt.X("trials:Q", title="trials").scale(domain=[0, max(curves["trials"].to_list())], nice=False)
    y = alt.Y("error:Q", title="cells misread").axis(format="%", tickCount=4).scale(domain=[0, 0.3], clamp=True)
    colour = alt.Color("strategy:N", scale=alt.Scale(domain=[*COLOURS], range=[*COLOURS.values()]))
    colour = colour.legend(orient="bottom", title=None, symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=3)
    base = alt.Chart(theme.inline(curves)).encode(x)
    band = base.transform_filter("datum.strategy == 'refine'").mark_area(opacity=0.18).encode(
        alt.Y("low:Q", title="cells misread"), y2="high:Q", color=colour
    )  # fmt: skip
    line = base.mark_line(strokeWidth=2.2, clip=True).encode(y, color=colour)
    layers = [band, line]
    for strategy, dash in LEVELS.items():
        error = rows.filter(strategy=strategy)["error"].mean()
        level = alt.Chart(alt.InlineData(values=[{"error": error}])).mark_rule(color=theme.INK, strokeDash=dash)
        layers.append(level.encode(y))
    share = 10 if grid == "3 axes" else 4
    layers.append(
        alt.Chart(alt.InlineData(values=[{"trials": size / share}]))
        .mark_rule(color=theme.MUTED, strokeDash=[1, 3])
        .encode(x)
    )
    noise_text = f", noise {noise:g}" if noise else ""
    title = f"{grid}: {kind}{noise_text}" if kind != "committed" else grid
    return alt.LayerChart(layer=layers, width=WIDTH, height=HEIGHT, title=alt.TitleParams(title, fontSize=13))
