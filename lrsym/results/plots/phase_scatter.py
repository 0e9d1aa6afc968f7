"""The phase diagram of scattered cells, as a search leaves them: each a point at its numbers."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.cell_numbers import cell_medians
from lrsym.results.analysis.lines import is_geometric
from lrsym.results.analysis.phases import phases_by
from lrsym.results.analysis.varied_axes import SWEEP
from lrsym.results.plots import theme
from lrsym.results.plots.interaction import zoomed
from lrsym.results.plots.phase_grid import losses
from lrsym.results.plots.phase_numbers import about_median, median_shown
from lrsym.results.plots.phase_panel import Shown, cell_tooltip
from lrsym.results.plots.phase_shown import about_accuracy, has_phases, mean_shown, phase_shown, require_outcomes
from lrsym.vocabulary import is_accuracy

SCATTER_MARKS = "red ring; a cross where a cell lost all seeds"
"""How cells are drawn that lost trials."""

MAX_PANELS = 8
"""Panels that fit on a screen or a page, two in a row."""

_WIDTH, _HEIGHT, _PADDING = 360, 300, 14
"""Pixels of a panel, and between its edges and the outermost points."""

_POINT, _RING, _CROSS = 110, 260, 140
"""Sizes of a cell's point, of the ring around one that lost trials, of the cross for one that lost all."""


def plot_scattered(
    sweeps: Sequence[pl.DataFrame],
    *,
    metric: str,
    threshold: float,
    axes: Sequence[str],
    facet: str | None,
    title: str,
    explain: Sequence[str],
) -> theme.Chart:
    """Return each cell as a point at the first two of `axes`, coloured by its mean of `metric`, and by its phase.

    `axes` are all that tell cells apart; each value of `facet`, one of them, and each of `sweeps` has panels of its
    own. Of a column that is no accuracy the median is shown. `title` heads the picture, `explain` ends its heading.
    Raises UsageError as `plot_phase`.
    """
    frames = []
    for one in sweeps:
        if is_accuracy(metric):
            cells = phases_by(one, by=axes, metric=metric, threshold=threshold)
        else:
            cells = cell_medians(one, by=axes, metric=metric)
        name = one[SWEEP][0] if len(sweeps) > 1 else ""
        frames.append(cells.with_columns(pl.lit(name).alias(SWEEP)))
    cells = pl.concat(frames)
    cells = cells.with_columns(pl.Series("loss", [losses(cell) for cell in cells.iter_rows(named=True)], pl.String))
    panels = [
        _panel(cells, part, axes, one, heading=", ".join(text for text in (*heading, what) if text))
        for heading, part in _parts(cells, facet)
        for what, one in _shown(cells, metric, threshold)
    ]
    if len(panels) > MAX_PANELS:
        raise UsageError(
            f"{len(panels)} panels to draw, a picture has room for {MAX_PANELS}; choose another --facet, keep fewer "
            "values with --where, or draw fewer sweeps"
        )
    others = [axis for axis in axes[2:] if axis != facet]
    told = f" {' and '.join(others)} {'vary' if len(others) > 1 else 'varies'} among them, too." if others else ""
    if nowhere := cells.filter(pl.any_horizontal(pl.col(*axes[:2]).is_null())).height:
        told += f" {counted(nowhere, 'cell')} without a value of {' or '.join(axes[:2])}: not drawn."
    chart = zoomed(alt.concat(*panels, columns=2, spacing=36).resolve_scale(color="independent"))
    about = about_accuracy(metric) if is_accuracy(metric) else [about_median(metric)]
    subtitle = [*about, *explain, f"Each point is a cell, as they are too scattered for a grid.{told}"]
    frame = cells.drop("loss", *([] if len(sweeps) > 1 else [SWEEP]))
    return theme.finish(chart, title=title, subtitle=subtitle, width=2 * _WIDTH, frame=frame)


def _shown(cells: pl.DataFrame, metric: str, threshold: float) -> list[tuple[str, Shown]]:
    """Return what the panels show, each with its heading."""
    if not is_accuracy(metric):
        medians = cells["median"].drop_nulls()
        if medians.is_empty():
            raise UsageError(f"no cell has a median of {metric}; choose another --metric, or others with --where")
        return [("", median_shown(metric, medians))]
    require_outcomes(cells, metric)
    mean = f"{metric}, {'the one seed' if cells['n'].max() == 1 else 'mean over seeds'}"
    phase = [("phase", phase_shown(metric, threshold))] if has_phases(cells) else []
    return [(mean, mean_shown(metric, mean, means=cells["mean"])), *phase]


def _parts(cells: pl.DataFrame, facet: str | None) -> list[tuple[list[str], pl.DataFrame]]:
    """Return the cells of each sweep and value of `facet`, with what to write in front of their headings."""
    by = [SWEEP, *([facet] if facet else [])]
    return [
        ([part[SWEEP][0], f"{facet} = {theme.format_value(part[facet][0])}" if facet else ""], part)
        for part in cells.partition_by(by, maintain_order=True)
    ]


def _panel(
    cells: pl.DataFrame, part: pl.DataFrame, axes: Sequence[str], shown: Shown, *, heading: str
) -> alt.LayerChart:
    """Return the panel of `part`, some of all `cells`, whose scales all panels share."""
    here, lost = pl.col(shown.name).is_not_null(), pl.col("loss") != ""
    x, y = (_placing(cells, axis, pixels=pixels) for axis, pixels in zip(axes[:2], (_WIDTH, _HEIGHT), strict=True))
    tooltip = cell_tooltip(part, axes, shown)

    def chart(condition: pl.Expr, size: int, **mark: Any) -> alt.Chart:
        points = alt.Chart(theme.inline(part.filter(condition))).mark_point(size=size, opacity=1, clip=True, **mark)
        return points.encode(alt.X(**x), alt.Y(**y), tooltip=tooltip)

    layers = [
        chart(~here, _CROSS, shape="cross", angle=45, color=theme.ALARM, filled=True),
        chart(here & lost, _RING, color=theme.ALARM, filled=False, strokeWidth=2),
        chart(here, _POINT, filled=True, stroke=theme.MUTED, strokeWidth=0.8).encode(shown.colour),
    ]
    title = alt.TitleParams(heading, fontSize=15, offset=8)
    return alt.LayerChart(layer=layers, width=_WIDTH, height=_HEIGHT, title=title)


def _placing(cells: pl.DataFrame, axis: str, *, pixels: int) -> dict[str, Any]:
    """Return the encoding that places cells along an axis: numbers by distance or by ratio, words side by side."""
    values, title = cells[axis], theme.fitting_title(axis, pixels=pixels)
    if not values.dtype.is_numeric():
        return {"shorthand": f"{axis}:N", "title": title}
    scale: dict[str, Any] = {"type": "log"} if is_geometric(values.drop_nulls().to_list()) else {"zero": False}
    ends: list[Any] = [values.min(), values.max()]
    return {
        "shorthand": f"{axis}:Q",
        "title": title,
        "scale": alt.Scale(domain=ends, nice=False, padding=_PADDING, **scale),
        "axis": alt.Axis(grid=True, tickCount=5, format=".6~g"),
    }
