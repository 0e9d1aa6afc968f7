"""The picture of a contrast: each difference with its interval, a panel a metric, a line a value of an axis."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.results.analysis.contrasts import Contrast, lost_in_words
from lrsym.results.analysis.metrics import metric_columns
from lrsym.results.plots import theme
from lrsym.vocabulary import is_accuracy

MAX_ROWS = 60
"""Lines, over all panels, that fit on a screen or a page."""

_WIDTH, _ROW, _COLUMNS = 330, 26, 2  # pixels; panels side by side


def plot_contrast(found: Contrast, *, of: str, against: str, by: str | None = None) -> theme.Chart:
    """Return the rows of `found`, differences between what `of` and `against` name, for each value of the axis `by`.

    A dot is full where the 95 % interval leaves out 0. Raises UsageError for more rows than can be read.
    """
    frame = found.frame
    metrics = frame["metric"].unique(maintain_order=True).to_list()
    theme.check_limit("rows", frame.height, limit=MAX_ROWS, varied=[by] if by else metrics)
    texts = [theme.format_value(value) for value in frame[by]] if by else [""] * frame.height
    rows = frame.with_columns(
        pl.Series("line", texts),
        pl.Series("told", [_describe(row, several=frame.height > 1) for row in frame.iter_rows(named=True)]),
        apart=((pl.col("low") > 0) | (pl.col("high") < 0)).fill_null(value=False),
    )
    lines = [*dict.fromkeys(texts)][::-1]
    panels = [_panel(rows.filter(metric=metric), metric, lines, by=by) for metric in metrics]
    columns = min(_COLUMNS, len(panels))
    return theme.finish(
        alt.concat(*panels, columns=columns, spacing=30),
        title=f"{of} minus {against}",
        subtitle=_explain(found),
        width=columns * (_WIDTH + 180),
        frame=found.frame,
    )


def _panel(rows: pl.DataFrame, metric: str, lines: Sequence[str], *, by: str | None) -> alt.LayerChart:
    y = alt.Y("line:N", title=None).scale(domain=lines)
    base = alt.Chart(theme.inline(rows)).encode(y.axis(ticks=False, grid=False))
    numbers = [alt.Tooltip(f"{name}:Q", format="+.3~g") for name in ("estimate", "low", "high")]
    tooltip = [*numbers, "n:Q", "n_pairs:Q", *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("p", "holm"))]
    fill = alt.when(alt.datum.apart).then(alt.value(theme.LINE)).otherwise(alt.value(theme.PAPER))
    unit = "" if is_accuracy(metric) else metric_columns()[metric].unit
    title = f"difference ({unit})" if unit else "difference"
    x = alt.X("estimate:Q", title=title).axis(grid=True, format="+,.6~g", tickCount=5)
    return alt.LayerChart(
        layer=[
            theme.dashed_rule(theme.MUTED, told="no difference").encode(x=alt.datum(0)),
            base.mark_rule(strokeWidth=2.5, color=theme.LINE).encode(x="low:Q", x2="high:Q", tooltip=tooltip),
            base.mark_point(filled=True, size=70, stroke=theme.LINE, strokeWidth=2, opacity=1).encode(
                x, fill=fill, tooltip=tooltip
            ),
            base.mark_text(align="left", dx=8, fontSize=12, color=theme.MUTED).encode(
                x=alt.value(_WIDTH), text="told:N"
            ),
        ],
        width=_WIDTH,
        height=max(2, len(lines)) * _ROW,
        # What the lines are stands above them: beside a few of them its name has no room.
        title=alt.TitleParams(metric, fontSize=15, offset=8, subtitle=[f"by {theme.axis_title(by)}"] if by else []),
    )


def _describe(row: dict[str, Any], *, several: bool) -> str:
    """Return the seeds of a row, and its level: after Holm's correction where there are several rows."""
    if row["p"] is None:
        return f"n={row['n']}, no interval" if row["n"] < 2 else f"n={row['n']}: {row['no_interval']}"
    return f"n={row['n']}, {'holm' if several else 'p'} {row['holm']:.2g}"


def _explain(found: Contrast) -> list[str]:
    frame = found.frame
    most, few = frame["most_cells"].max(), frame["fewest_cells"].min()
    cells = f"; of each seed the mean over {few if few == most else f'{few} to {most}'} cells" if most != 1 else ""
    lost = lost_in_words(lambda name: frame[name].max())
    correction = " holm: its p after Holm's correction for all lines." if frame.height > 1 else ""
    return [
        f"Paired by {', '.join(['seed', *found.paired_by])}{cells}.",
        f"Dot: mean difference, full where its 95 % interval (line) leaves out 0. p: paired t test.{correction}",
        *([f"Also different between the two: {', '.join(found.followers)}."] if found.followers else []),
        *([f"Left out, of a line at most: {lost}."] if lost else []),
    ]
