"""Onset: order, attention and path of the seeds of each cell along training, and which of the first two comes first."""

from collections.abc import Collection
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, mean_and_range
from lrsym.results.analysis.onset import onsets, trajectories, who_leads
from lrsym.results.analysis.varied_axes import varied_axes
from lrsym.results.plots import theme
from lrsym.results.plots.mechanism_map import PATH_COLOURS
from lrsym.vocabulary import METRICS, ORDERED

MAX_CELLS = 4
"""Rows of panels, one for each cell, that fit on a screen or a page."""

NO_TERMS = "no terms"
"""Stands for the path of trials without score terms, which have none."""

_COLOURS = {**PATH_COLOURS, "none": theme.GREY_BAR, NO_TERMS: theme.LINE}
"""As in the map of mechanisms, but for a line that must be seen on white."""

_WIDTH, _HEIGHT, _SPACING = 250, 190, 26  # pixels

_LOWEST = 0.4
"""Lower end of shares whose chance is 0.5."""


def plot_onset(ablations: Frame, *, beside: Frame) -> theme.Chart:
    """Return for each cell, a row each: order, attention and paths over steps, and both onsets of every seed.

    `ablations` is the table ablation_curves joined with the axes of its trials, `beside` the table measure_curves.
    Seeds are told apart by their path at the end. Raises UsageError if there is nothing to draw, or if more cells vary
    than a picture has room for.
    """
    rows = ablations.lazy().collect()
    found = trajectories(rows, beside)
    if found["order"].is_null().all():
        raise UsageError(
            "no trial has order on unseen pairs along training: there are such pairs where two or more labels are held "
            "out; choose such trials"
        )
    varied = varied_axes(rows)
    cells = rows.select("trial_id", "seed", *varied).unique()
    last = onsets(found).with_columns(path=pl.col("path").fill_null(NO_TERMS)).join(cells, on="trial_id")
    along = found.with_columns(now=pl.col("path").fill_null(NO_TERMS)).drop("path").join(last, on="trial_id")
    named = last.select(varied).unique().sort(varied).to_dicts() if varied else [{}]
    theme.check_limit("cells", len(named), limit=MAX_CELLS, varied=varied)
    colour = _colour({*along["path"], *along["now"]})
    span = min(found["step"]), max(found["step"])
    panels = [
        panel
        for cell in named
        for panel in _row(_of(along, cell), _of(last, cell), colour, span, heading=theme.format_cell(cell))
    ]
    return theme.finish(
        alt.concat(*panels, columns=4, spacing=_SPACING).resolve_scale(color="shared"),
        title="When order on unseen pairs comes, and by which path",
        subtitle=_explain(last),
        width=4 * (_WIDTH + _SPACING),
        frame=last,
    )


def _of(frame: pl.DataFrame, cell: dict[str, Any]) -> pl.DataFrame:
    return frame.filter(*(pl.col(axis).eq_missing(pl.lit(value)) for axis, value in cell.items()))


def _explain(last: pl.DataFrame) -> list[str]:
    """Return sentences: what is drawn, which onset comes first in how many seeds, and from when on paths stand."""
    first = who_leads(last)
    told = {
        "attention": "attention before order", "order": "order before attention", "neither": "both together",
        "never": "neither of them ever",
    }  # fmt: skip
    counts = ", ".join(f"{words} in {first[name]}" for name, words in told.items() if first[name])
    stands = last["path_at"].drop_nulls()
    since = (
        f" Their last path stands from step {stands.median():,.0f} on (median of {len(stands)})." if len(stands) else ""
    )
    return [
        f"order: {METRICS['order']}.",
        "attention: share of the same scenes in which one head attends more to the object on one side, always the "
        "same; of the head with most. Chance 0.5.",
        "Line: mean of the seeds by their path at the end; band: lowest to highest. paths: how many seeds are on which "
        "path at that step.",
        f"Onset: first evaluation above {ORDERED} (dashed). Of {last.height} trials: {counts}.{since}",
    ]


def _row(
    along: pl.DataFrame, last: pl.DataFrame, colour: alt.Color, span: tuple[int, int], *, heading: str
) -> list[alt.Chart | alt.LayerChart]:
    """Return the panels of one cell."""
    names = ["order", "attention", "paths", "onset of both"]
    headings = [f"{name}, {heading}" if heading and not place else name for place, name in enumerate(names)]
    panels = [
        _lines(along, "order", colour),
        _lines(along, "attention", colour),
        _paths(along, colour),
        _both(last, colour, span),
    ]
    return [
        panel.properties(width=_WIDTH, height=_HEIGHT, title=alt.TitleParams(name, fontSize=14, offset=8))
        for panel, name in zip(panels, headings, strict=True)
    ]


def _lines(along: pl.DataFrame, column: str, colour: alt.Color) -> alt.LayerChart:
    """Return the mean of a column by step for the trials on each path at the end, in a band of all of them."""
    spread = mean_and_range(along.rename({column: "value"}), by=["path", "step"])
    ends = [min(_LOWEST, *spread["lowest"]), 1] if spread.height else [_LOWEST, 1]
    shares: dict[str, Any] = {"domain": ends, "nice": False}
    base = alt.Chart(theme.inline(spread)).encode(_steps(along["step"]), colour)
    y = alt.Y("mean:Q", title=None).scale(**shares).axis(grid=True)
    shown = [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "lowest", "highest")]
    layers = [
        theme.dashed_rule(theme.MUTED, told=f"order above {ORDERED}").encode(y=alt.datum(ORDERED)),
        base.mark_area(opacity=0.18).encode(alt.Y("lowest:Q").scale(**shares), y2="highest:Q"),
        base.mark_line(strokeWidth=2.2).encode(y, tooltip=["path:N", "step:Q", "n:Q", *shown]),
    ]
    return alt.LayerChart(layer=layers)


def _paths(along: pl.DataFrame, colour: alt.Color) -> alt.Chart:
    """Return how many trials are on which path at each evaluation, one above the other."""
    present = [path for path in _COLOURS if path in {*along["now"]}]
    counts = along.group_by("step", path="now").agg(n=pl.len())
    every = along.select("step").unique().join(pl.DataFrame({"path": present}), how="cross")
    table = every.join(counts, on=["step", "path"], how="left").with_columns(
        pl.col("n").fill_null(0), place=pl.col("path").replace_strict({path: i for i, path in enumerate(present)})
    )
    return (
        alt.Chart(theme.inline(table.sort("step", "place")))
        .mark_area(interpolate="step")
        .encode(
            _steps(along["step"]),
            alt.Y("n:Q", title="seeds", stack="zero").scale(nice=False).axis(tickMinStep=1),
            colour,
            order=alt.Order("place:Q"),
            tooltip=["path:N", "step:Q", "n:Q"],
        )
    )


def _both(last: pl.DataFrame, colour: alt.Color, span: tuple[int, int]) -> alt.LayerChart:
    """Return the onset of order over that of attention, a dot for each pair of steps, as large as it has seeds."""
    reached = last.drop_nulls(["attention_at", "order_at"])
    seeds = pl.col("seed").sort().cast(pl.String).str.join(", ")
    dots = reached.group_by("path", "attention_at", "order_at").agg(n=pl.len(), seeds=seeds)
    ends = [0.8 * span[0], 1.25 * span[1]]
    scale: dict[str, Any] = {"type": "log", "domain": ends, "nice": False}
    ticks = _ticks(pl.Series(span))
    diagonal = alt.Chart(alt.InlineData(values=[{"attention_at": end, "order_at": end} for end in ends]))
    x, y = (
        alt.X("attention_at:Q", title="attention from step").scale(**scale).axis(**ticks),
        alt.Y("order_at:Q", title="order from step").scale(**scale).axis(**ticks),
    )
    layers = [
        diagonal.mark_line(color=theme.MUTED, strokeDash=[5, 4]).encode(x, y),
        alt.Chart(theme.inline(dots.sort("path", "attention_at", "order_at")))
        .mark_circle(opacity=0.85, stroke=theme.INK, strokeWidth=0.5)
        .encode(
            x, y, colour,
            alt.Size("n:Q").scale(domain=[0, 10], range=[0, 600]).legend(None),
            tooltip=["path:N", "attention_at:Q", "order_at:Q", "n:Q", "seeds:N"],
        ),
    ]  # fmt: skip
    return alt.LayerChart(layer=layers)


def _steps(steps: pl.Series) -> alt.X:
    return alt.X("step:Q", title="optimiser steps").scale(type="log", nice=False).axis(**_ticks(steps))


def _ticks(steps: pl.Series) -> dict[str, Any]:
    return {"format": "~s", "values": theme.log_ticks(steps.to_list()), "grid": True}


def _colour(present: Collection[str]) -> alt.Color:
    """Return the colours of paths, with those that are `present` in the legend."""
    return (
        alt.Color("path:N")
        .scale(domain=[*_COLOURS], range=[*_COLOURS.values()])
        .legend(
            title="path",
            orient="bottom",
            values=[path for path in _COLOURS if path in present],
            symbolType="square",
            symbolOpacity=1,
        )
    )
