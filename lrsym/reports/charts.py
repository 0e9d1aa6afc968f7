"""The charts of a cell, as Vega-Lite whose rows the page fills in: named data, and as wide as their place."""

from typing import Any

import altair as alt

from lrsym.results.plots import theme
from lrsym.results.plots.curves import SPLIT_COLOURS
from lrsym.results.plots.palette import HEADS
from lrsym.vocabulary import ABLATIONS, SPLITS

MEANS, SEEDS, CHANCE = "means", "seeds", "chance"
"""The names of the rows: what the seeds say together, each seed, and where guessing stands (one row or none)."""

_HEIGHT, _BAR_STEP, _PROFILE_HEIGHT = 230, 22, 150  # pixels


def specifications(name: str) -> dict[str, dict[str, Any]]:
    """Return the chart of each kind in the theme `name`, as Vega-Lite holds it, and the names of the rows it wants."""
    charts = {"curves": _curves(), "ablations": _ablations(), "profiles": _profiles()}
    both = (MEANS, SEEDS, CHANCE)
    rows = {"curves": both, "ablations": both, "profiles": (SEEDS,)}
    return {
        kind: {
            "spec": theme.recoloured(theme.style(chart, padding=4, autosize=_FIT).to_dict(), name),
            "rows": rows[kind],
        }
        for kind, chart in charts.items()
    }


_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")


def _rows(name: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(name))


def _curves() -> alt.LayerChart:
    """Return accuracies by step: a colour a split, the mean in the range of the seeds, a thin line a seed."""
    x = alt.X("step:Q", title="optimiser steps").scale(type="log", nice=False).axis(format="~s", tickCount=5)
    colour = alt.Color("split:N", title=None).scale(domain=[*SPLITS], range=[*SPLIT_COLOURS.values()]).legend(None)
    scale = alt.Scale(domain=[0, 1], nice=False)
    numbers = [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "lowest", "highest")]
    mean = (
        _rows(MEANS)
        .mark_line(strokeWidth=2.4, point=alt.OverlayMarkDef(size=20))
        .encode(x, alt.Y("mean:Q", scale=scale), colour, tooltip=["split:N", "step:Q", "n:Q", *numbers])
    )
    band = _rows(MEANS).mark_area(opacity=0.16).encode(x, alt.Y("lowest:Q", scale=scale, title="accuracy"), colour)
    seed = (
        _rows(SEEDS)
        .mark_line(strokeWidth=1, opacity=0.45)
        .encode(
            x,
            alt.Y("value:Q", scale=scale),
            colour,
            detail="seed:N",
            tooltip=["seed:N", "split:N", "step:Q", alt.Tooltip("value:Q", format=".3f")],
        )
    )
    layers = [band.encode(y2="highest:Q"), seed, mean, _guess("y")]
    return alt.LayerChart(layer=layers, width="container", height=_HEIGHT)


def _ablations() -> alt.LayerChart:
    """Return bars of the accuracy that is left without each term, with their range and a dot a seed."""
    term = alt.Y("term:N", title="left out", sort=[*ABLATIONS]).axis(ticks=False, grid=False)
    scale = alt.Scale(domain=[0, 1], nice=False)
    numbers = [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "lowest", "highest")]
    colour = alt.when(alt.datum.term == "none").then(alt.value(theme.GREY_BAR)).otherwise(alt.value(theme.BAR))
    bar = (
        _rows(MEANS)
        .mark_bar(height=alt.RelativeBandSize(0.72))
        .encode(alt.X("mean:Q", title="accuracy", scale=scale), term, color=colour, tooltip=["term:N", "n:Q", *numbers])
    )
    reach = _rows(MEANS).mark_rule(strokeWidth=2, color=theme.INK).encode(x="lowest:Q", x2="highest:Q", y=term)
    dot = (
        _rows(SEEDS)
        .mark_circle(size=26, color=theme.INK, opacity=0.65)
        .encode(x="value:Q", y=term, tooltip=["seed:N", "term:N", alt.Tooltip("value:Q", format=".3f")])
    )
    return alt.LayerChart(layer=[bar, reach, dot, _guess("x")], width="container", height=_BAR_STEP * len(ABLATIONS))


def _profiles() -> alt.LayerChart:
    """Return what one term adds to the logit along the pixels: a colour a head, a line a seed."""
    line = (
        _rows(SEEDS)
        .mark_line(strokeWidth=1.6, opacity=0.8)
        .encode(
            alt.X("pixel:O", title="pixel").axis(labelAngle=0, labelOverlap=True),
            alt.Y("value:Q", title="logit").axis(grid=True),
            alt.Color("head:N", title="head").scale(scheme=HEADS).legend(orient="top", symbolType="stroke"),
            detail="seed:N",
            tooltip=["seed:N", "head:N", "pixel:O", alt.Tooltip("value:Q", format=".3f")],
        )
    )
    zero = alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=theme.MUTED).encode(y=alt.datum(0))
    return alt.LayerChart(layer=[line, zero], width="container", height=_PROFILE_HEIGHT)


def _guess(channel: str) -> alt.Chart:
    """Return a dashed rule at the accuracy of guessing."""
    rule = _rows(CHANCE).mark_rule(color=theme.ALARM, strokeDash=[5, 4], strokeWidth=1.5)
    return rule.encode(alt.X("value:Q") if channel == "x" else alt.Y("value:Q"))
