"""A search in one picture: how it went, which axes decide, and the objective along each of them."""

import math
import textwrap
from collections import Counter
from collections.abc import Sequence

import altair as alt
import polars as pl

from lrsym.results.analysis.search_frames import SearchedAxis, SearchFrames
from lrsym.results.plots import theme
from lrsym.results.plots.interaction import Chosen, shared, zoomed
from lrsym.results.plots.palette import VALUES, VALUES_DOWN
from lrsym.results.plots.sweep_rows import NothingToDrawError
from lrsym.vocabulary import SUGGESTION_OUTCOMES, by_name

_SHAPES = by_name(
    SUGGESTION_OUTCOMES,
    {
        "trained": ("circle", theme.LINE),
        "running": ("square", theme.MUTED),
        "failed": ("cross", theme.ALARM),
        "stopped": ("triangle-down", "#d1551b"),
        "repeated": ("diamond", "#2a9d7f"),
        "reused": ("triangle-up", theme.GREY_BAR),
    },
)
"""Shape and colour of each outcome."""

MAX_AXES = 8
"""Axes with a panel, the most important ones: more cannot be read."""

_WIDE, _NARROW, _HIGH, _SLICE = 600, 260, 240, 200  # pixels
_COLUMNS, _GAP, _LINE_STEP, _NAME = 4, 36, 112, 28  # panels in a row; pixels between them, of an axis; letters

_PADDING = 8
"""Pixels between a panel's edge and what lies at the end of an axis."""

_Layers = alt.LayerChart | alt.FacetChart


def plot_search(frames: SearchFrames, *, name: str, remedy: str = "train some") -> theme.Chart:
    """Return the history of a search, of several objectives its Pareto front, above what each axis decides.

    `name` is that of the search, `remedy` what to do where there is nothing to draw. Raises NothingToDrawError where no
    cell has an objective yet.
    """
    counts = Counter(frames.suggestions["outcome"])
    if frames.suggestions["objective"].null_count() == frames.suggestions.height:
        ended = ", ".join(f"{n} {outcome}" for outcome, n in counts.items()) or "none asked for"
        raise NothingToDrawError(
            f"nothing to draw: a picture of a search needs a cell with an objective, {name} has none ({ended}); "
            f"{remedy}"
        )
    shown = _shown_axes(frames)
    several = len(frames.objectives) > 1
    chosen = Chosen("outcome")
    top: theme.Chart = _front(frames, counts, chosen) if several else _history(frames, counts, chosen)
    parts: list[theme.Chart] = [zoomed(chosen.on(top)), chosen.on(_slices(frames, shown, chosen))]
    if len(frames.axes) > 1:
        parts = [alt.hconcat(parts[0], _importance(frames), spacing=_GAP), parts[1], _parallel(frames, shown)]
    with shared():
        chart = alt.vconcat(*parts, spacing=_GAP).resolve_scale(color="independent", shape="independent")
    sought = ", ".join(
        f"{'maximise' if up else 'minimise'} {words}"
        for words, up in zip(frames.objectives, frames.maximise, strict=True)
    )
    title = f"{name}: {sought}"
    subtitle = _explain(frames, counts, shown)
    return theme.finish(chart, title=title, subtitle=subtitle, width=_WIDE + _NARROW, frame=frames.suggestions)


def _shown_axes(frames: SearchFrames) -> list[SearchedAxis]:
    """Return the axes with a panel, the most important first."""
    shares = dict(frames.importance.group_by("axis").agg(pl.col("share").sum()).iter_rows())
    return sorted(frames.axes, key=lambda axis: -shares.get(axis.name, 0.0))[:MAX_AXES]


def _explain(frames: SearchFrames, counts: Counter[str], shown: Sequence[SearchedAxis]) -> list[str]:
    several, left_out = len(frames.objectives) > 1, len(frames.axes) - len(shown)
    lines = [f"{counts[o]} {o}: {sentence}." for o, sentence in SUGGESTION_OUTCOMES.items() if counts[o]]
    line = "Rings: the Pareto front" if several else "Line: the best so far"
    lines.append(f"{line} of the cells trained to the end.")
    if len(frames.axes) > 1:
        lines.append("Importance: share of an axis in what sets the best tenth of the cells apart (PED-ANOVA).")
        lines += frames.doubts()
    return lines + ([f"The {len(shown)} most important axes; {left_out} more are left out."] if left_out else [])


def _history(frames: SearchFrames, counts: Counter[str], chosen: Chosen) -> _Layers:
    history = frames.history()
    known, unknown = history.filter(pl.col("value").is_not_null()), history.filter(pl.col("value").is_null())
    x = alt.X("number:Q", title="suggestion").scale(nice=False, padding=_PADDING).axis(grid=False, tickMinStep=1)
    y = alt.Y("value:Q", title=_short(frames.objectives[0]), scale=_scale(known["value"])).axis(grid=True)
    best = alt.Chart(theme.inline(history.drop_nulls("best"))).mark_line(
        interpolate="step-after", color=theme.INK, strokeWidth=1.5, clip=True
    )
    marks = _marks(counts, legend=True)
    layers = [best.encode(x, alt.Y("best:Q")), _points(known, x, y, marks, chosen)]
    if not unknown.is_empty():  # at the foot of the panel, as they have no value
        layers.append(_points(unknown, x, alt.YValue(_HIGH - 6), marks, chosen))
    return alt.layer(*layers).properties(width=_WIDE, height=_HIGH, title=_heading("how it went"))


def _front(frames: SearchFrames, counts: Counter[str], chosen: Chosen) -> _Layers:
    frame, n = frames.front(), len(frames.objectives)
    x = alt.X("value_1:Q", title=_short(frames.objectives[0]), scale=_scale(frame["value_1"])).axis(grid=True)
    y = alt.Y("value_2:Q", title=_short(frames.objectives[1]), scale=_scale(frame["value_2"])).axis(grid=True)
    on_front = alt.Chart(theme.inline(frame.filter("front")))
    line = on_front.mark_line(color=theme.INK, strokeWidth=1.5, clip=True).encode(x, y, order="value_1:Q")
    rings = on_front.mark_point(shape="circle", size=150, color=theme.INK, strokeWidth=1.8, clip=True).encode(x, y)
    known = Counter({outcome: counts[outcome] for outcome in {*frame["outcome"]}})
    marks = _marks(known, legend=True)
    if n > 2:
        marks = [marks[0], _value_colour("value_3", frames.objectives[2], reverse=not frames.maximise[2])]
    values = [alt.Tooltip(f"value_{i + 1}:Q", title=words) for i, words in enumerate(frames.objectives)]
    # With three the line through the front would be a zigzag: the third is not on the plane.
    layers = [*([] if n > 2 else [line]), _points(frame, x, y, marks, chosen, tooltip=values), rings]
    return alt.layer(*layers).properties(width=_WIDE, height=_HIGH, title=_heading("Pareto front"))


def _importance(frames: SearchFrames) -> alt.ConcatChart | alt.Chart:
    def bars(words: str) -> alt.Chart:
        frame = frames.importance.filter(pl.col("objective") == words).head(MAX_AXES)
        height = _HIGH / len(frames.objectives) - (len(frames.objectives) - 1) * _GAP
        return (
            alt.Chart(theme.inline(frame))
            .mark_bar(color=theme.BAR)
            .encode(
                alt.X("share:Q", title=None).scale(domain=[0, 1]).axis(format="%", tickCount=4),
                alt.Y("axis:N", title=None, sort=[*frame["axis"]]).axis(ticks=False),
                tooltip=["axis:N", alt.Tooltip("share:Q", format=".3f")],
            )
            .properties(width=_NARROW, height=max(height, 60), title=_heading(f"importance for {_short(words)}"))
        )

    return alt.concat(*map(bars, frames.objectives), columns=1)


def _slices(frames: SearchFrames, shown: Sequence[SearchedAxis], chosen: Chosen) -> alt.ConcatChart:
    slices, marks = frames.slices(), _marks(Counter(frames.suggestions["outcome"]), legend=False)

    def panel(words: str, axis: SearchedAxis, *, first: bool) -> alt.Chart | alt.LayerChart:
        frame = slices.filter(pl.col("objective") == words, pl.col("axis") == axis.name)
        y = alt.Y("value:Q", title=_short(words) if first else None, scale=_scale(frame["value"]))
        y = y.axis(grid=True, tickCount=5)
        chart = _points(frame, _x(axis), y, marks, chosen, tooltip=["word:N", "x:Q"])
        return chart.properties(width=_SLICE, height=_SLICE * 0.85)

    return alt.concat(
        *(panel(w, axis, first=i % _COLUMNS == 0) for w in frames.objectives for i, axis in enumerate(shown)),
        columns=min(_COLUMNS, len(shown)),
        spacing=24,
    )


def _x(axis: SearchedAxis) -> alt.X:
    title = theme.fitting_title(axis.name, pixels=_SLICE)
    if axis.values is not None:
        words = [theme.format_value(value) for value in axis.values]
        return alt.X("word:N", title=title, sort=words).scale(domain=words).axis(labelAngle=0, grid=False)
    x = alt.X("x:Q", title=title)
    if not axis.log:
        return x.scale(domain=[axis.low, axis.high], nice=False, padding=_PADDING).axis(grid=False, tickCount=4)
    powers = [10.0**power for power in range(math.ceil(math.log10(axis.low)), math.floor(math.log10(axis.high)) + 1)]
    ticks = alt.Axis(grid=False, format="~g", values=powers if len(powers) > 1 else alt.Undefined)
    return x.scale(type="log", domain=[axis.low, axis.high], nice=False, padding=_PADDING).axis(ticks)


def _parallel(frames: SearchFrames, shown: Sequence[SearchedAxis]) -> _Layers:
    names = [*(axis.name for axis in shown), *frames.objectives]
    on_shown = pl.col("axis").is_in(names)
    x = alt.X("axis:N", sort=names, title=None).scale(domain=names)
    x = x.axis(
        labelAngle=0,
        orient="top",
        grid=True,
        domain=False,
        ticks=False,
        labelPadding=12,
        labelExpr=f"slice(datum.label, 0, {_NAME})",
    )
    y = alt.Y("place:Q", title=None).scale(domain=[-0.03, 1.03]).axis(None)
    lines = alt.Chart(theme.inline(frames.lines().filter(on_shown))).mark_line(strokeWidth=1.4, opacity=0.75)
    colour = _value_colour("value", frames.objectives[0], reverse=not frames.maximise[0])
    tooltip = ["number:Q", "axis:N", "text:N", alt.Tooltip("value:Q", title=frames.objectives[0])]
    texts = alt.Chart(theme.inline(frames.ticks().filter(on_shown))).mark_text(
        align="left", dx=5, fontSize=12, color=theme.INK, stroke=theme.PAPER, strokeWidth=3, strokeOpacity=0.8
    )
    ink = texts.mark_text(align="left", dx=5, fontSize=12, color=theme.INK)
    return alt.layer(
        lines.encode(x, y, colour, detail="number:N", tooltip=tooltip),
        texts.encode(x, y, text="text:N"),
        ink.encode(x, y, text="text:N"),
    ).properties(width=max(_WIDE + _NARROW + _GAP, _LINE_STEP * len(names)), height=_HIGH)


def _value_colour(field: str, title: str, *, reverse: bool) -> alt.Color:
    scheme = VALUES_DOWN if reverse else VALUES
    return alt.Color(f"{field}:Q", title=_short(title)).scale(scheme=alt.SchemeParams(**scheme))


def _marks(counts: Counter[str], *, legend: bool) -> list[alt.Shape | alt.Color]:
    """Return the encodings that tell outcomes apart by shape and by colour."""
    present = [outcome for outcome in SUGGESTION_OUTCOMES if counts[outcome]]
    shapes, colours = zip(*(_SHAPES[outcome] for outcome in present), strict=True)
    shape, colour = alt.Shape("outcome:N", title=None), alt.Color("outcome:N", title=None)
    shape, colour = shape.scale(domain=present, range=[*shapes]), colour.scale(domain=present, range=[*colours])
    if not legend:
        return [shape.legend(None), colour.legend(None)]
    return [shape.legend(orient="bottom"), colour.legend(orient="bottom")]


def _points(
    frame: pl.DataFrame,
    x: alt.X,
    y: alt.Y | alt.YValue,
    marks: list[alt.Shape | alt.Color],
    chosen: Chosen,
    *,
    tooltip: Sequence = (),
) -> alt.Chart:
    value = ["value:Q"] if "value" in frame.columns else []
    detail = ["number:Q", "outcome:N", *value, *tooltip, *theme.trials_told(frame.columns)]
    chart = alt.Chart(theme.inline(frame)).mark_point(filled=True, size=55, clip=True)
    return chart.encode(x, y, *marks, opacity=chosen.opacity(0.8), tooltip=detail)


def _scale(values: pl.Series) -> alt.Scale:
    """Return the scale of an objective. Equal values get room around them: else their tick is a rounded number."""
    low, high = min(values), max(values)
    room = abs(low) / 2 or 1
    return alt.Scale(domain=[low - room, low + room]) if low == high else alt.Scale(zero=False, padding=_PADDING)


def _heading(text: str) -> alt.TitleParams:
    return alt.TitleParams(text, fontSize=15, offset=8)


def _short(words: str) -> str:
    return textwrap.shorten(words, _NAME, placeholder="...") if " " in words else words[:_NAME]
