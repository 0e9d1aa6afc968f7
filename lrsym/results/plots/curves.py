"""Learning curves: the mean of a metric along training, in a band from the lowest to the highest seed."""

from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, with_trial_ids
from lrsym.results.analysis.frames import curves
from lrsym.results.analysis.varied_axes import check_axes, varied_axes
from lrsym.results.plots import theme
from lrsym.results.plots.interaction import Chosen, zoomed
from lrsym.vocabulary import CHANCE, METRICS, SPLITS, by_name

SPLIT_COLOURS = by_name(
    SPLITS,
    {
        "train": "#6b7280",
        "single": "#b96aa5",
        "seen": theme.LINE,
        "unseen": "#d1551b",
        "half": "#2a9d7f",
        "uncovered": "#8c6d1f",
    },
)

MAX_PANELS = 12
"""Panels, or colours in one, that a reader can still tell apart."""

MAX_COLUMNS = 4
"""Panels side by side; where there are more, rows of three."""

_WIDTH, _HEIGHT, _PADDING = 300, 200, 4
"""Pixels of a panel, and between its edges and the points at the ends of an axis."""


def plot_curves(frame: Frame, *, metric: str = "order", color: str | None = None) -> theme.Chart:
    """Return the mean of `metric` over optimiser steps, in a band from the lowest to the highest seed.

    `frame` is the table `curves` joined with the axes of its trials. Each cell has a panel and each split a colour;
    with `color`, an axis, each of its values has a colour and each split a panel. Raises UsageError if there is
    nothing to draw or more than can be read.
    """
    table = frame.lazy().filter(pl.col("metric") == metric, pl.col("value").is_finite()).collect()
    if table.is_empty():
        raise UsageError(f"no learning curve of {metric}; metrics: {', '.join(METRICS)}, loss")
    given = [color] if color else []
    check_axes(given)
    varied = varied_axes(table, first=given)
    cell = [axis for axis in varied if axis != color]
    by = [*cell, *given]
    each = table.unique("trial_id", keep="first", maintain_order=True) if "trial_id" in table.columns else table
    spread = with_trial_ids(curves(table, metric=metric, by=by), each, by=by)
    hue, panel = (color, ["split", *cell]) if color else ("split", cell)
    rows = [
        {**row, "panel": theme.format_cell({axis: row[axis] for axis in panel}), "hue": theme.format_value(row[hue])}
        for row in spread.iter_rows(named=True)
    ]
    panels = [*dict.fromkeys(row["panel"] for row in rows)]
    theme.check_limit("panels", len(panels), limit=MAX_PANELS, varied=varied)
    theme.check_limit("colours", spread[hue].n_unique(), limit=MAX_PANELS, varied=varied)
    splits = [name for name in SPLITS if name in {*spread["split"]}]
    side_by_side = spread["split" if color else cell[-1]].n_unique() if color or cell else 1
    columns = side_by_side if side_by_side <= MAX_COLUMNS else 3
    facet = alt.Facet("panel:N", sort=panels, title=None, header=alt.Header(labels=len(panels) > 1))
    hues = theme.format_values(spread[color]) if color else splits
    chosen = Chosen("hue")
    panel_of_all = zoomed(chosen.on(_panel(rows, metric, hue, hues, chosen)), along=["x"])
    return theme.finish(
        panel_of_all.facet(facet=facet, columns=columns).resolve_axis(x="independent", y="independent"),
        title=f"{metric} along training",
        subtitle=_explain(metric, splits, spread["n"]),
        width=columns * _WIDTH,
        frame=spread,
    )


def _explain(metric: str, splits: list[str], counts: pl.Series) -> list[str]:
    shown = f"Line: mean; band: lowest to highest of {theme.seed_count(counts)}."
    if counts.max() == 1:
        shown = "Line: the one seed."
    return [
        f"{metric}: {METRICS.get(metric, 'of the batch, in nats')}.",
        *(f"{name}: {SPLITS[name]}." for name in splits),
        f"{shown} Red: chance." if metric in CHANCE else shown,
    ]


def _panel(
    rows: list[dict[str, Any]], metric: str, hue: str, hues: list[str], chosen: Chosen
) -> alt.LayerChart | alt.FacetChart:
    chance = CHANCE.get(metric)
    y = alt.Y("mean:Q", title=metric).axis(grid=True)
    if metric in METRICS:
        lowest = 0.0 if chance is None else min(chance - 0.1, *(row["lowest"] for row in rows))
        y = y.scale(domain=[lowest, 1], nice=False, padding=_PADDING)
    ticks = theme.log_ticks([row["step"] for row in rows])
    base = alt.Chart().encode(
        alt.X("step:Q", title="optimiser steps")
        .scale(type="log", nice=False, padding=_PADDING)
        .axis(format="~s", values=ticks),
        _colour(hue, hues),
    )
    numbers = [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "lowest", "highest")]
    tooltip = ["panel:N", "split:N", "hue:N", "step:Q", "n:Q", *numbers, *theme.trials_told(rows[0])]
    told = base.encode(y, opacity=chosen.opacity(), tooltip=tooltip)
    lines = [told.mark_line(strokeWidth=2.2, clip=True), told.mark_point(size=18, filled=True, clip=True)]
    band = base.mark_area(clip=True).encode(
        alt.Y("lowest:Q", title=metric), y2="highest:Q", opacity=chosen.opacity(0.22)
    )
    guess = [] if chance is None else [theme.dashed_rule(theme.ALARM, told="chance").encode(y=alt.datum(chance))]
    return alt.layer(band, *guess, *lines, data=theme.inline(rows)).properties(width=_WIDTH, height=_HEIGHT)


def _colour(hue: str, hues: list[str]) -> alt.Color:
    if hue != "split":
        return theme.axis_colour("hue:N", hue, hues)
    colour = alt.Color("hue:N", title=None).scale(domain=hues, range=[SPLIT_COLOURS[name] for name in hues])
    return colour.legend(symbolType="stroke", symbolStrokeWidth=4, symbolOpacity=1)
