"""The map of a column of numbers that is no accuracy: the median of each cell, on a scale by ratio."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.cell_numbers import STEPS_TO, cell_medians
from lrsym.results.analysis.metrics import as_metrics, metric_columns
from lrsym.results.analysis.varied_axes import SWEEP, check_single_cells
from lrsym.results.plots import theme
from lrsym.results.plots.phase_grid import PhaseGrid, losses, with_texts
from lrsym.results.plots.phase_panel import Shown, panel

MAX_PANELS = 6
"""Panels that fit on a screen or a page."""

_UNITS = ((1e6, "M"), (1e3, "k"), (1.0, ""))
"""Letters for large counts, such as steps; a time stays in seconds."""

_LEGEND = "datum.value < 1000 ? format(datum.value, '~g') : format(datum.value, '~s')"
"""Labels of the legend of counts: small values have no letter."""


def plot_numbers(
    sweeps: Sequence[pl.DataFrame], *, metric: str, x: str, y: str | None, facet: str | None, explain: Sequence[str]
) -> theme.Chart:
    """Return the median of the column `metric` in each cell, a panel a facet value and sweep, all on one scale.

    `sweeps` are rows of the table trials, of each sweep those of its own; `explain` ends the heading. The scale is
    logarithmic where all medians are above 0. Raises UsageError for a column that there is none of, and where no cell
    has a median.
    """
    if len(as_metrics(metric)) > 1:
        raise UsageError(f"a map shows one metric, got {metric}; leave out all but one")
    names = [one[SWEEP][0] for one in sweeps] if len(sweeps) > 1 else [""]
    frames, by = [], [axis for axis in (facet, y, x) if axis is not None]
    for name, one in zip(names, sweeps, strict=True):
        check_single_cells(one, by=by)
        frames.append(cell_medians(one, by=by, metric=metric).with_columns(pl.lit(name).alias(SWEEP)))
    frame = pl.concat(frames)
    medians = frame["median"].drop_nulls()
    if medians.is_empty():
        never = int(frame["n_never"].sum())
        why = f"; {counted(never, 'trial')} never {'reaches' if never == 1 else 'reach'} it" if never else ""
        raise UsageError(f"no cell has a median of {metric}{why}; choose another --metric, or others with --where")
    grid = PhaseGrid(
        with_texts(frame, x, y, partial(_texts, number=format_time if _is_time(metric) else format_number)), x, y, facet
    )
    shown, rows = median_shown(metric, medians), grid.rows()
    if len(rows) * len(names) > MAX_PANELS:
        raise UsageError(
            f"{len(rows) * len(names)} panels to draw, a picture has room for {MAX_PANELS}; choose another --facet, "
            "keep fewer values with --where, or draw fewer sweeps"
        )
    panels = [
        panel(
            grid,
            cells.filter(pl.col(SWEEP) == name),
            shown,
            heading=f"{name}: {heading}" if name else heading.rstrip(": "),
        )
        for heading, cells in rows
        for name in names
    ]
    columns = len(names) if len(names) > 1 else min(2, len(panels))
    return theme.finish(
        alt.concat(*panels, columns=columns, spacing=36),
        title=f"{metric} by " + " and ".join(theme.axis_title(axis) for axis in (x, y) if axis),
        subtitle=[about_median(metric), *explain],
        width=columns * grid.width,
        frame=frame if len(sweeps) > 1 else frame.drop(SWEEP),
    )


def about_median(metric: str) -> str:
    """Return what the column is and what the numbers of a map of its medians are, in sentences."""
    column = metric_columns()[metric]
    never = (
        " Never counts as later than any step: where half or more of the seeds never get there, so does the median."
        if metric.startswith(STEPS_TO)
        else ""
    )
    return f"{column.sentence} Number: median over seeds; below: lowest to highest.{never}"


def median_shown(metric: str, medians: pl.Series) -> Shown:
    """Return how the column median is shown, by ratio where all `medians` are above 0."""
    low, high = (float(value) for value in medians.sort()[[0, -1]])
    by_ratio = low > 0 and high > low
    unit = metric_columns()[metric].unit
    colour = (
        alt.Color("median:Q")
        .scale(alt.Scale(type="log" if by_ratio else "linear", scheme="viridis", domain=[low, high]))
        .legend(
            orient="bottom",
            direction="horizontal",
            title=f"{metric}, median over seeds" + (f" [{unit}]" if unit else ""),
            gradientLength=260,
            gradientThickness=14,
            labelExpr="format(datum.value, ',~g')" if _is_time(metric) else _LEGEND,
            tickCount=4,
        )
    )
    middle = (low * high) ** 0.5 if by_ratio else (low + high) / 2
    counts = ("n", "n_never", "n_diverged", "n_failed", "n_stopped")
    tooltip = [
        *(alt.Tooltip(f"{name}:Q", format=",.4~g") for name in ("median", "lowest", "highest")),
        *(alt.Tooltip(f"{name}:Q") for name in counts),
    ]
    return Shown("median", colour, tooltip, dark=alt.datum.median < middle)


def _texts(cell: dict[str, Any], *, number: Callable[[float], str]) -> dict[str, str]:
    median, n, never, loss = cell["median"], cell["n"], cell["n_never"], losses(cell)
    spread = ""
    if n - never > 1:
        spread = f"{number(cell['lowest'])}{theme.EN_DASH}{number(cell['highest'])}"
    count = f"n={n}" + (f", {never} never" if never else "")
    share = f"never\n{never} of {n}" if never else ""
    return {
        "absence": "\n".join(text for text in (share, loss) if text) or "no value",
        "median_text": "" if median is None else number(median),
        "median_below": "\n".join(text for text in (spread, count, loss) if text),
    }


def format_number(value: float) -> str:
    """Return a number with three digits, thousands as k and millions as M."""
    rounded = float(f"{value:.3g}")
    size, letter = next(((size, letter) for size, letter in _UNITS if abs(rounded) >= size), _UNITS[-1])
    return f"{rounded / size:.3g}{letter}"


def format_time(value: float) -> str:
    """Return seconds with three digits, from a thousand on whole ones."""
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"


def _is_time(metric: str) -> bool:
    return metric_columns()[metric].unit == "s"
