"""The boundary of an accuracy: where along one axis half of the seeds reach a level, for each value of another one.

Of one boundary the shares of seeds stand beside it with the curves through them, of several their distances.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.boundary import Boundary, find_boundary
from lrsym.results.analysis.boundary_line import NOT_MONOTONE
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.analysis.varied_axes import SWEEP
from lrsym.results.plots import theme
from lrsym.results.plots.boundary_distance import distance_panel, unit_of
from lrsym.results.plots.boundary_rows import Rows, add_rows
from lrsym.results.plots.palette import SHADES
from lrsym.vocabulary import METRICS, PHASE_METRIC, PHASE_THRESHOLD, SPLITS

MAX_LINES, MAX_COLOURS = 40, 6
"""Rows of a panel, over all colours, and colours, that a reader can still tell apart."""

_WIDTH, _MARGIN = 400, 170  # pixels


def plot_boundary(
    trials: Frame,
    *,
    metric: str = PHASE_METRIC,
    level: float = PHASE_THRESHOLD,
    x: str | None = None,
    by: str | None = None,
    color: str | None = None,
    prefer: Sequence[str] = (),
) -> theme.Chart:
    """Return where along `x` half of the seeds reach `level` in `metric`, a row for each `by`, a colour each `color`.

    `trials` is the table of that name; axes not given are the first varied ones, those in `prefer` before others; with
    a column `sweep` each sweep has a colour. Beside one boundary stand the shares of seeds with their curves, beside
    several how far each lies from the first. Raises UsageError as `find_boundary`, and for more than can be read.
    """
    trials = trials.lazy().collect()
    found = find_boundary(trials, x=x, by=by, color=color, metric=metric, level=level, prefer=prefer)
    theme.check_limit("lines", len(found.lines), limit=MAX_LINES, varied=found.keys)
    rows = Rows(found, width=_WIDTH)
    if len(rows.groups) > MAX_COLOURS:
        raise UsageError(
            f"{found.color} has {len(rows.groups)} values, a picture has room for {MAX_COLOURS} colours; choose "
            "another --color, or keep fewer values with --where"
        )
    lines = found.frame()
    frame = add_rows(lines, rows)
    several = len(rows.groups) > 1
    beside = distance_panel(found, rows) if several else _shares(found, rows)
    return theme.finish(
        alt.concat(_boundary(found, rows, frame), beside, columns=2, spacing=30).resolve_scale(color="independent"),
        title=f"Where half of the seeds reach {level:g} in {metric}",
        subtitle=[*_explain(found, frame, several=several), *theme.stopped_early(trials)],
        width=2 * (_WIDTH + _MARGIN),
        frame=lines,
    )


def _boundary(found: Boundary, rows: Rows, frame: pl.DataFrame) -> alt.LayerChart:
    """Return the panel of the boundary: a row a line, with what it says at its end."""
    crossed = frame.drop_nulls("at").with_columns(
        # Only neighbouring rows are joined.
        run=pl.col("row").round() - pl.int_range(pl.len()).over("group")
    )
    hue = rows.hue()
    tooltip = [
        *(alt.Tooltip(f"{name}:N") for name in (*found.keys, "direction")),
        *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("at", "low", "high", "isotonic", "slope", "width")),
        *(alt.Tooltip(f"{name}:Q") for name in ("n_seeds", "n")),
        alt.Tooltip("told:N"),
    ]

    def chart(part: pl.DataFrame, column: str) -> alt.Chart:
        return alt.Chart(theme.inline(part)).encode(rows.x(f"{column}:Q"), rows.y(), tooltip=tooltip)

    first, last = rows.x_values[0], rows.x_values[-1]
    bounded = pl.any_horizontal(pl.col("at", "low", "high").is_not_null())
    intervals = frame.filter(bounded, pl.col("n_seeds") > 1).with_columns(
        drawn_low=pl.col("low").fill_null(first), drawn_high=pl.col("high").fill_null(last)
    )
    marks: dict[str, Any] = {"filled": False, "strokeWidth": 1.6, "opacity": 1}
    return alt.LayerChart(
        layer=[
            *([] if len(rows.groups) > 1 else [_cells(found, rows)]),
            chart(crossed, "at")
            .mark_line(strokeWidth=1.5, opacity=0.5)
            .encode(color=hue, order="row:Q", detail="run:N"),
            chart(intervals, "drawn_low").mark_rule(strokeWidth=3).encode(color=hue, x2="drawn_high:Q"),
            chart(crossed, "at").mark_point(filled=True, size=90, opacity=1).encode(color=hue),
            chart(frame.drop_nulls("isotonic"), "isotonic")
            .mark_point(shape="diamond", size=130, **marks)
            .encode(color=hue),
            alt.Chart(theme.inline(frame))
            .mark_text(align="left", dx=8, fontSize=11, lineBreak="\n")
            .encode(rows.y(), color=hue, x=alt.value(_WIDTH), text="short:N"),
        ],
        width=_WIDTH,
        height=rows.height,
        title=alt.TitleParams("boundary", fontSize=15, offset=8),
    )


def _cells(found: Boundary, rows: Rows) -> alt.Chart:
    """Return a square for each cell, the darker the more of its seeds reach the level."""
    cells = add_rows(found.cells(), rows)
    scale = alt.Scale(domain=[0, 1], range=[*SHADES])
    legend = alt.Legend(
        orient="bottom", direction="horizontal", title="share of seeds that reach the level", format=".0%",
        gradientLength=200, gradientThickness=12,
    )  # fmt: skip
    tooltip = [
        *(alt.Tooltip(f"{name}:N") for name in (*found.keys, found.x)),
        *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("share", "low", "high", "logistic", "isotonic")),
        alt.Tooltip("n:Q"),
    ]
    squares = alt.Chart(theme.inline(cells)).mark_point(shape="square", filled=True, size=420, opacity=1)
    colour = alt.Color("share:Q", scale=scale, legend=legend)
    return squares.encode(rows.x(f"{found.x}:Q"), rows.y(), colour, tooltip=tooltip)


def _shares(found: Boundary, rows: Rows) -> alt.LayerChart:
    """Return the panel of the shares of seeds along the axis, with the logistic curve of each line."""
    cells = add_rows(found.cells(), rows)
    curves = [found.curve(line).with_columns(pl.lit(rows.label(line.key)).alias("row_label")) for line in found.lines]
    labels = [rows.label(line.key) for line in found.lines]
    hue = alt.value(theme.LINE)
    if found.by:
        hue = theme.axis_colour("row_label:N", found.by, labels).legend(orient="bottom", columns=8, symbolType="stroke")
    y = alt.Y("share:Q", title="share of seeds that reach the level").scale(domain=[0, 1]).axis(format=".0%")
    base = alt.Chart(theme.inline(cells)).encode(rows.x(f"{found.x}:Q"), y)
    bars = [base.mark_rule().encode(alt.Y("low:Q"), y2="high:Q", color=hue)] if len(labels) == 1 else []
    tooltip = [
        *(alt.Tooltip(f"{name}:N") for name in (*found.keys, found.x)),
        alt.Tooltip("share:Q"),
        alt.Tooltip("n:Q"),
    ]
    return alt.LayerChart(
        layer=[
            theme.dashed_rule(theme.MUTED, told="half of the seeds").encode(y=alt.datum(0.5)),
            alt.Chart(theme.inline(pl.concat(curves)))
            .mark_line(strokeWidth=2)
            .encode(rows.x(f"{found.x}:Q"), y, color=hue),
            *bars,
            base.mark_point(filled=True, size=60, opacity=1).encode(color=hue, tooltip=tooltip),
        ],
        width=_WIDTH,
        height=rows.height,
        title=alt.TitleParams("shares, and the logistic curve", fontSize=15, offset=8),
    )


def _explain(found: Boundary, frame: pl.DataFrame, *, several: bool) -> list[str]:
    split, accuracy = split_and_metric(found.metric)
    along = f"log2 {found.x}" if found.by_ratio else found.x
    seeds = theme.seed_count(frame["n_seeds"])
    who = "sweep" if found.color == SWEEP else found.color
    distances = (
        f" Right: how far each {who} lies from the first, in {unit_of(found)}, paired by seed; full where the interval "
        "leaves out 0."
        if several
        else ""
    )
    lost = {name.removeprefix("n_"): int(frame[name].sum()) for name in ("n_diverged", "n_failed", "n_without")}
    told = ", ".join(f"{n} {'without a value' if name == 'without' else name}" for name, n in lost.items() if n)
    uneven = frame.filter(pl.col("monotone_p") < NOT_MONOTONE).height
    return [
        f"{split}: {SPLITS[split]}.",
        f"{accuracy}: {METRICS[accuracy]}.",
        f"Dot: half of the seeds, by a logistic curve along {along}; bar: its 95 % interval (profile likelihood, "
        f"{seeds} a line); diamond: by the best monotone line.{distances}",
        *(
            [f"Not monotone: {uneven} of {frame.height} lines go up and down; one boundary is not all of them."]
            * bool(uneven)
        ),
        *([f"Left out: {told}."] if told else []),
    ]
