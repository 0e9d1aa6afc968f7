"""The panel of distances of boundaries: how far each lies from the first, a row a value of the axis `by`."""

import altair as alt
import polars as pl

from lrsym.results.analysis.boundary import Boundary
from lrsym.results.plots import theme
from lrsym.results.plots.boundary_rows import Rows


def distance_panel(found: Boundary, rows: Rows) -> alt.LayerChart:
    """Return the panel of `found.differences()`, in the rows and colours of the boundaries."""
    frame = found.differences()
    records = frame.to_dicts()
    groups = [theme.format_value(record["of"]) for record in records]
    frame = frame.with_columns(
        pl.Series("group", groups, dtype=pl.String),
        pl.Series("row", [rows.row(record, group) for record, group in zip(records, groups, strict=True)]),
        pl.Series("short", [_short(record, several=frame.height > 1) for record in records], dtype=pl.String),
        apart=((pl.col("low") > 0) | (pl.col("high") < 0)).fill_null(value=False),
    )
    known = frame.drop_nulls("estimate")
    ends = [abs(value) for name in ("estimate", "low", "high") for value in frame[name].drop_nulls()]
    reach = 1.1 * max(ends, default=1.0) or 1.0
    drawn = frame.drop_nulls("p").with_columns(
        low=pl.col("low").fill_null(-reach), high=pl.col("high").fill_null(reach)
    )
    title = f"distance from {theme.format_value(frame['against'][0])} ({unit_of(found)})"
    hue, y = rows.hue(legend=False), rows.y().title(None)
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    tooltip = [
        *(alt.Tooltip(f"{name}:N") for name in ("of", "against", *([found.by] if found.by else []))),
        *(alt.Tooltip(f"{name}:Q", format="+.3~g") for name in ("estimate", "low", "high")),
        *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("n", "n_shared", "p", "holm")),
        alt.Tooltip("told:N"),
    ]

    def chart(part: pl.DataFrame, column: str) -> alt.Chart:
        x = alt.X(f"{column}:Q", title=title, scale=scale).axis(grid=True, format="+.3~f", tickCount=5)
        return alt.Chart(theme.inline(part)).encode(x, y, tooltip=tooltip)

    return alt.LayerChart(
        layer=[
            theme.dashed_rule(theme.MUTED, told="no distance").encode(x=alt.datum(0)),
            chart(drawn, "low").mark_rule(strokeWidth=2.5).encode(color=hue, x2="high:Q"),
            chart(known, "estimate").mark_point(size=80, strokeWidth=2, opacity=1, fill=theme.PAPER).encode(color=hue),
            chart(known.filter("apart"), "estimate").mark_point(size=80, filled=True, opacity=1).encode(color=hue),
            alt.Chart(theme.inline(frame))
            .mark_text(align="left", dx=8, fontSize=11)
            .encode(y, color=hue, x=alt.value(rows.width), text="short:N"),
        ],
        width=rows.width,
        height=rows.height,
        title=alt.TitleParams("distance", fontSize=15, offset=8),
    )


def unit_of(found: Boundary) -> str:
    """Return what distances along the axis are counted in."""
    return f"doublings of {found.x}" if found.by_ratio else found.x


def _short(record: dict[str, object], *, several: bool) -> str:
    """Return what is written at the end of a row: the level, after Holm's correction where there are several rows."""
    if record["p"] is None:
        return str(record["told"])
    level = f"{'holm' if several else 'p'} {record['holm']:.2g}"
    return level if record["estimate"] is None else f"{record['estimate']:+.2f}, {level}"
