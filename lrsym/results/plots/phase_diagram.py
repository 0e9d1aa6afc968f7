"""The phase diagram: for each cell of two axes the mean of a metric and, beside it, the phase."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.config.axes import axes
from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, has_outcome
from lrsym.results.analysis.phases import phases, split_and_metric
from lrsym.results.analysis.varied_axes import axis_groups, choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.phase_grid import LINE_HEIGHT, PhaseGrid, with_texts
from lrsym.vocabulary import FAILED_STATUSES, METRICS, PHASE_METRIC, PHASE_THRESHOLD, PHASES, SPLITS, by_name

PHASE_COLOURS = by_name(
    PHASES,
    {
        "confusion": "#e8894a",
        "memorisation": "#f2cf63",
        "layout generalisation": "#8ec6ea",
        "relational generalisation": "#2a9d7f",
    },
)
"""Told apart by lightness as well as by hue, for readers who do not see all hues."""

MAX_FACETS = 6
"""Rows of panels that fit on a screen or a page."""

_CELL_WIDTH, _NUMBER_HEIGHT, _CORNER = 72, 19, 12  # pixels

_POINT_SIZE = 4
"""The size at which Vega draws one unit of a symbol's path as one pixel."""


def plot_phase(
    trials: Frame,
    *,
    metric: str = PHASE_METRIC,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    threshold: float = PHASE_THRESHOLD,
    prefer: Sequence[str] = (),
) -> theme.Chart:
    """Return, left, the mean of `metric` in each cell, right its phase at `threshold`; a row of panels a facet value.

    `trials` is the table of that name; axes not given are the first varied ones, those in `prefer` before others.
    Cells that lost trials carry a red corner and the loss in words; those that lost all of them are hatched. Raises
    UsageError if more axes vary than a picture has room for, or if `metric` has no value to draw.
    """
    split, accuracy = split_and_metric(metric)
    trials = trials.lazy().collect()
    if trials.is_empty():
        raise UsageError("there are no trials to draw; train a sweep first, or load the folder that has its rows")
    x, y, facet = choose_axes(trials, x=x, y=y, facet=facet, prefer=prefer)
    frame = phases(trials, x=x, y=y, metric=metric, threshold=threshold, facet=facet)
    if not frame.select(pl.sum_horizontal("n", "n_failed", "n_diverged", "n_censored").sum()).item():
        raise UsageError(f"no trial has a value of {metric}; choose another --metric, such as {PHASE_METRIC}")
    grid = PhaseGrid(with_texts(frame, x, y), x, y, facet, metric, threshold)
    shown = [axis for axis in (x, y, facet) if axis is not None]
    return theme.finish(
        alt.concat(*_panels(grid), columns=2, spacing=36).resolve_scale(color="independent"),
        title=f"{accuracy} accuracy on {split} by " + " and ".join(theme.axis_title(axis) for axis in (x, y) if axis),
        subtitle=[f"{split}: {SPLITS[split]}.", f"{accuracy}: {METRICS[accuracy]}.", *_explain(trials, shown)],
        width=2 * _CELL_WIDTH * len(grid.x_labels),
    )


def _panels(grid: PhaseGrid) -> list[alt.LayerChart]:
    """Return two panels for each facet value; the last two carry the legends of all."""
    rows, headings = [grid.cells], [""]
    if grid.facet:
        rows = grid.cells.sort(grid.facet, nulls_last=True).partition_by(grid.facet, maintain_order=True)
        headings = [f"{grid.facet} = {value}: " for value in theme.format_values(grid.cells[grid.facet])]
    if len(rows) > MAX_FACETS:
        raise UsageError(
            f"{grid.facet} has {len(rows)} values, a picture has room for {MAX_FACETS} rows of panels; "
            "choose another --facet, or keep fewer values with --where"
        )
    panels = []
    for cells, heading in zip(rows, headings, strict=True):
        for shows, what, colour in (
            ("mean", f"{grid.column}, mean over seeds", _mean_colour(grid)),
            ("phase", "phase", _phase_colour(grid)),
        ):
            colour = colour if heading == headings[-1] else colour.legend(None)
            panels.append(_panel(grid, cells, shows=shows, colour=colour, heading=heading + what))
    return panels


def _mean_colour(grid: PhaseGrid) -> alt.Color:
    low = grid.chance
    return (
        alt.Color("mean:Q")
        .scale(scheme="viridis", domain=[low, 1], clamp=True)
        .legend(
            orient="bottom",
            direction="horizontal",
            title=f"{grid.column}, mean over seeds" + (f"; {low:g} is chance" if low else ""),
            gradientLength=260,
            gradientThickness=14,
            format=".1f",
        )
    )


def _phase_colour(grid: PhaseGrid) -> alt.Color:
    cases = "".join(f"datum.value == '{name}' ? '{name}: {sentence}' : " for name, sentence in PHASES.items())
    return (
        alt.Color("phase:N")
        .scale(domain=[*PHASES], range=[*PHASE_COLOURS.values()])
        .legend(
            orient="bottom",
            columns=1,
            title=f"phase, by {grid.metric} accuracy with threshold {grid.threshold:g}",
            labelExpr=f"{cases}datum.label",
            symbolType="square",
            symbolSize=220,
            symbolStrokeWidth=0,
        )
    )


def _panel(grid: PhaseGrid, cells: pl.DataFrame, *, shows: str, colour: alt.Color, heading: str) -> alt.LayerChart:
    """Return the cells, coloured by column `shows`, with the texts that go with it, and with marks for lost trials."""
    width, height = _CELL_WIDTH, grid.cell_height
    here, lost = pl.col(shows).is_not_null(), pl.col("loss") != ""
    below = max(len(text.splitlines()) for text in grid.cells[f"{shows}_below"])
    top = -(_NUMBER_HEIGHT + below * LINE_HEIGHT) / 2
    big: dict[str, Any] = {"fontSize": 15 if shows == "mean" else 12, "fontWeight": "bold"}
    small: dict[str, Any] = {"fontSize": 11, "lineBreak": "\n", "lineHeight": LINE_HEIGHT}
    symbol: dict[str, Any] = {"size": _POINT_SIZE, "opacity": 1}

    def chart(condition: pl.Expr) -> alt.Chart:
        return _chart(grid, cells.filter(condition))

    # Light text on the dark end of viridis only.
    dark = alt.datum.mean < grid.chance + 0.5 * (1 - grid.chance)
    ink = theme.text_colour(dark) if shows == "mean" else alt.value(theme.INK)
    return alt.LayerChart(
        layer=[
            chart(here).mark_rect(stroke="white", strokeWidth=2).encode(colour),
            chart(~here).mark_point(shape=_hatching(width - 4, height - 4), color=theme.FAINT, filled=False, **symbol),
            chart(lost).mark_point(
                shape=_corner(width - 2, height - 2, size=_CORNER), color=theme.ALARM, filled=True, **symbol
            ),
            chart(here).mark_text(dy=top, baseline="top", **big).encode(color=ink, text=f"{shows}_text:N"),
            chart(here)
            .mark_text(dy=top + _NUMBER_HEIGHT, baseline="top", **small)
            .encode(color=ink, text=f"{shows}_below:N"),
            chart(~here).mark_text(dy=-4, fontWeight="bold", color=theme.INK, **small).encode(text="absence:N"),
        ],
        width=width * len(grid.x_labels),
        height=height * len(grid.y_labels),
        title=alt.TitleParams(heading, fontSize=15, offset=8),
    )


def _chart(grid: PhaseGrid, cells: pl.DataFrame) -> alt.Chart:
    axes = [axis for axis in (grid.x, grid.y, grid.facet) if axis is not None]
    tooltip = [
        *(alt.Tooltip(f"{axis}:N") for axis in axes),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "sd", "lowest", "highest")),
        *(alt.Tooltip(f"{name}:Q") for name in ("n", "n_diverged", "n_failed", "n_stopped")),
        *(alt.Tooltip(f"{s}:Q", title=f"{s}_{grid.metric}", format=".3f") for s in ("train", "seen", "unseen")),
        alt.Tooltip("phase:N"),
    ]
    x = alt.X("column:N", title=theme.axis_title(grid.x)).scale(domain=grid.x_labels, padding=0)
    y = alt.Y("line:N", title=grid.y_title).scale(domain=grid.y_labels, padding=0)
    return alt.Chart(theme.inline(cells)).encode(
        x.axis(labelAngle=0, grid=False), y.axis(ticks=False, grid=False), tooltip=tooltip
    )


def _explain(trials: pl.DataFrame, shown: Sequence[str]) -> list[str]:
    """Return sentences: how many trials there are, how many were lost, which axes move with a shown one."""
    seeds = trials.group_by(shown).len()["len"].unique().sort().to_list()
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    noun = "seed" if seeds[-1] == 1 else "seeds"
    diverged = trials.filter(pl.col("status") == "diverged").height
    failed = trials.filter(pl.col("status").is_in(FAILED_STATUSES)).height
    cut = trials.filter(pl.col("status") == "stopped", ~has_outcome()).height
    lost = f"; {diverged} diverged, {failed} failed, {cut} cut short (red corner; hatched where a cell lost all seeds)"
    derived = {axis.name for axis in axes() if axis.derived}
    groups = axis_groups(trials, first=shown)
    return [
        f"{trials.height} trials, {count} {noun} in each cell{lost if diverged + failed + cut else ''}.",
        *theme.stopped_early(trials),
        *(f"{f} moves with {axis}." for axis in shown for f in groups.get(axis, []) if f not in derived),
    ]


def _corner(width: float, height: float, *, size: float) -> str:
    """Return the path of a triangle in the upper right corner of a rectangle around the origin."""
    return f"M{width / 2},{-height / 2}h{-size}l{size},{size}Z"


def _hatching(width: float, height: float) -> str:
    """Return the path of diagonals, clipped to a rectangle around the origin."""
    x, y, apart = width / 2, height / 2, 8
    shifts = range(int(-x - y) + apart, int(x + y), apart)
    ends = [(max(-x, shift - y), min(x, shift + y), shift) for shift in shifts]
    return "".join(f"M{a:.1f},{s - a:.1f}L{b:.1f},{s - b:.1f}" for a, b, s in ends)
