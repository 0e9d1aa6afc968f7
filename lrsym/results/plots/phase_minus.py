"""The map of a difference: in each cell how far one sweep lies above another, paired by seed, with its interval."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.contrasts import differences, lost_in_words
from lrsym.results.analysis.metrics import as_metrics
from lrsym.results.analysis.varied_axes import check_single_cells, choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.phase_grid import PhaseGrid, with_texts
from lrsym.results.plots.phase_numbers import MAX_PANELS
from lrsym.results.plots.phase_panel import Shown, panel
from lrsym.vocabulary import PHASE_METRIC

_CELL_WIDTH = 96  # pixels: of an interval with its signs
_MINUS = "\u2212"
_LOST = {"n_diverged": "diverged", "n_failed": "failed", "n_without": "without value"}
"""What became of pairs that have no difference, by the column that counts them."""


def plot_minus(
    left: Frame,
    right: Frame,
    *,
    names: tuple[str, str],
    metric: str = PHASE_METRIC,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    prefer: Sequence[str] = (),
) -> theme.Chart:
    """Return `metric` in `left` minus that in `right`, rows of two sweeps called `names`, a panel a facet value.

    Axes as of `plot_phase`, chosen from `left`. Trials are paired by seed within a cell. A frame marks cells whose 95 %
    interval leaves out 0; cells of one sweep alone are left out, and counted. Raises UsageError where no cell has a
    pair.
    """
    if len(as_metrics(metric)) > 1:
        raise UsageError(f"a map shows one metric, got {metric}; leave out all but one")
    left, right = left.lazy().collect(), right.lazy().collect()
    x, y, facet = choose_axes(left, x=x, y=y, facet=facet, prefer=prefer)
    by = [axis for axis in (facet, y, x) if axis is not None]
    for side in (left, right):
        check_single_cells(side, by=by)
    frame = differences(left, right, by=by, metric=metric)
    known = frame.drop_nulls("estimate")
    if known.is_empty():
        lost = lost_in_words(lambda name: frame[name].sum())
        raise UsageError(
            f"no trial of {names[0]} has a partner in {names[1]} that agrees in seed, {' and '.join(by)}: {lost}; "
            "choose sweeps that share cells and seeds"
        )
    grid = PhaseGrid(with_texts(frame.filter(_is_drawn()), x, y, _texts), x, y, facet, cell_width=_CELL_WIDTH)
    rows, most = grid.rows(), float(str(known["estimate"].abs().max()))
    if len(rows) > MAX_PANELS:
        raise UsageError(
            f"{len(rows)} panels to draw, a picture has room for {MAX_PANELS}; choose another --facet, or keep fewer "
            "values with --where"
        )
    shown = _shown(metric, most or 1.0)
    panels = [panel(grid, cells, shown, heading=heading.rstrip(": ")) for heading, cells in rows]
    columns = min(2, len(panels))
    return theme.finish(
        alt.concat(*panels, columns=columns, spacing=36),
        title=f"{metric}: {names[0]} minus {names[1]}",
        subtitle=_explain(frame),
        width=columns * grid.width,
        frame=frame,
    )


def _explain(frame: pl.DataFrame) -> list[str]:
    asked, drawn = frame.drop_nulls("p"), frame.filter(_is_drawn())
    apart = asked.filter(~_holds_zero()).height
    corrected = asked.filter(pl.col("holm") < 0.05).height
    lost = lost_in_words(lambda name: frame[name].sum())
    framed = [
        f"Framed: the interval leaves out 0, in {apart} of {asked.height} cells; one in twenty would without any "
        f"difference. After Holm's correction for all cells {corrected} are left."
    ]
    without = drawn.drop_nulls("no_interval").group_by("no_interval").len().sort("no_interval")
    return [
        "Number: mean over seeds of the paired differences; below: its 95 % interval, and the seeds that are paired.",
        *(framed if asked.height else []),
        *(f"No interval in {n} of {drawn.height} cells: {why}." for why, n in without.iter_rows()),
        *([f"Left out: {lost}."] if lost else []),
    ]


def _is_drawn() -> pl.Expr:
    return pl.sum_horizontal("n_pairs", *_LOST) > 0


def _holds_zero() -> pl.Expr:
    return (pl.col("low") <= 0) & (pl.col("high") >= 0)


def _shown(metric: str, most: float) -> Shown:
    colour = (
        alt.Color("estimate:Q")
        .scale(scheme="blueorange", domain=[-most, most])
        .legend(
            orient="bottom",
            direction="horizontal",
            title=f"difference in {metric}",
            gradientLength=260,
            gradientThickness=14,
            format="+.2~g",
            tickCount=5,
        )
    )
    tooltip = [
        *(alt.Tooltip(f"{name}:Q", format="+.3~g") for name in ("estimate", "low", "high")),
        *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("n", "p", "holm")),
        *(alt.Tooltip(f"{name}:Q", title=what) for name, what in _LOST.items()),
    ]
    dark = (alt.datum.estimate > 0.75 * most) | (alt.datum.estimate < -0.75 * most)
    return Shown("estimate", colour, tooltip, dark=dark, framed=~_holds_zero())


def _texts(cell: dict[str, Any]) -> dict[str, str]:
    low, high, n = cell["low"], cell["high"], cell["n"]
    interval = "" if low is None else f"[{_signed(low)}, {_signed(high)}]"
    count = f"n={n}" if interval or not n else f"n={n}, no interval"
    return {
        "absence": "\n".join(f"{cell[name]} {what}" for name, what in _LOST.items() if cell[name]),
        "estimate_text": "" if cell["estimate"] is None else _signed(cell["estimate"]),
        "estimate_below": "\n".join(text for text in (interval, count) if text),
    }


def _signed(value: float) -> str:
    """Return a difference with its sign, two decimals of small ones and three digits of large ones."""
    text = f"{value:+.2f}" if abs(value) < 10 else f"{value:+.3g}"
    return text.replace("-", _MINUS)
