"""The picture of a claim: for every part and arm the replicates, the mean with its interval, and the claimed range."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from lrsym.claims.claim import Part
from lrsym.claims.judging import JudgedArm, JudgedClaim, JudgedPart
from lrsym.claims.report import format_estimate, format_range
from lrsym.results.plots import theme
from lrsym.vocabulary import VERDICTS, by_name

COLOURS = by_name(
    VERDICTS, {"supported": "#1f8a70", "refuted": theme.ALARM, "undecided": "#6b7280", "untestable": "#a16207"}
)
"""Of the verdicts, here and on the page."""

_RANGE, _RANGE_EDGE = "#dcefe9", "#7fbfae"
_WIDTH, _ROW = 600, 54  # pixels
_DOTS_FROM, _DOTS_TO, _MEAN_AT = 0.50, 0.86, 0.26  # shares of a row's height, from its top
_GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, modulo one, spread evenly however many there are."""


def plot_claim(judged: JudgedClaim) -> theme.Chart:
    """Return a panel for each part of the claim, a row in it for each arm."""
    panels = [_panel(judged.arms, number) for number in range(len(judged.claim.part))]
    return theme.style(alt.concat(*panels, columns=1, spacing=26), padding=8)


def axis_ends(part: Part, judged: Sequence[JudgedPart]) -> tuple[float, float]:
    """Return the ends of the axis: shares keep their full scale, other numbers the range of all that is drawn."""
    drawn = [x for one in judged for x in (*one.values, one.estimate.low, one.estimate.high) if x is not None]
    shown = drawn + [x for x in (part.at_least, part.at_most) if x is not None]
    low, high = min(shown), max(shown)
    if low >= 0 and 0.25 < high <= 1:
        return 0.0, 1.0
    margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def _panel(arms: Sequence[JudgedArm], number: int) -> alt.LayerChart:
    parts = [arm.parts[number] for arm in arms]
    part = parts[0].part
    ends = axis_ends(part, parts)
    x = alt.X("value:Q", title=None).scale(domain=ends, nice=False, clamp=True).axis(grid=True, tickCount=6)
    y = alt.Y("place:Q", title=None, axis=None).scale(domain=[len(arms), 0], nice=False)
    rows = [_row(place, arm.name, judged) for place, (arm, judged) in enumerate(zip(arms, parts, strict=True))]
    dots = [dot for place, judged in enumerate(parts) for dot in _dots(place, judged)]
    heading = alt.TitleParams(
        part.name, subtitle=f"claimed: {format_range(part)}", fontSize=15, subtitleFontSize=13, offset=8
    )
    return alt.LayerChart(
        layer=[
            *_range(part, ends),
            alt.Chart(theme.inline(dots)).mark_circle(size=34, color=theme.INK, opacity=0.45).encode(x, y),
            *_means(rows, x, y),
        ],
        width=_WIDTH,
        height=_ROW * len(arms),
        title=heading,
    )


def _row(place: int, arm: str, judged: JudgedPart) -> dict[str, Any]:
    estimate = judged.inner or judged.estimate
    text = f"{format_estimate(judged)} \u00b7 n = {estimate.n}" + (" \u00b7 too few" if judged.too_few else "")
    return {
        "arm": arm, "place": place + _MEAN_AT, "value": estimate.mean, "low": estimate.low, "high": estimate.high,
        "text": text, "colour": COLOURS[judged.verdict],
    }  # fmt: skip


def _dots(place: int, judged: JudgedPart) -> list[dict[str, float]]:
    """Return the replicates of one row, spread over its lower part so that equal ones stay apart."""
    depth = _DOTS_TO - _DOTS_FROM
    return [
        {"value": value, "place": place + _DOTS_FROM + depth * (i * _GOLDEN % 1)}
        for i, value in enumerate(judged.values)
    ]


def _range(part: Part, ends: tuple[float, float]) -> list[alt.Chart]:
    """Return the claimed range as an area to the end of the axis where it is open, and a line at each end it has."""
    low = ends[0] if part.at_least is None else part.at_least
    high = ends[1] if part.at_most is None else part.at_most
    area = alt.Chart(alt.InlineData(values=[{"low": low, "high": high}])).mark_rect(color=_RANGE)
    edges = [edge for edge in (part.at_least, part.at_most) if edge is not None]
    lines = alt.Chart(alt.InlineData(values=[{"edge": edge} for edge in edges]))
    return [
        area.encode(x="low:Q", x2="high:Q"),
        lines.mark_rule(color=_RANGE_EDGE, strokeWidth=1.5, strokeDash=[5, 4]).encode(x="edge:Q"),
    ]


def _means(rows: Sequence[dict[str, Any]], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return interval and mean of every row, its arm to the left and its figures to the right."""
    colour = alt.Color("colour:N", scale=None)
    base = alt.Chart(theme.inline(rows)).encode(y, colour)
    inside = base.transform_filter("isValid(datum.value)")
    return [
        inside.mark_rule(strokeWidth=5, strokeCap="round").encode(x="low:Q", x2="high:Q"),
        inside.mark_point(
            shape="diamond", size=150, filled=True, stroke=theme.PAPER, strokeWidth=1.5, opacity=1
        ).encode(x),
        base.mark_text(align="left", fontSize=13, fontWeight="bold").encode(x=alt.value(_WIDTH + 14), text="text:N"),
        base.mark_text(align="right", fontSize=13).encode(x=alt.value(-12), text="arm:N", color=alt.value(theme.INK)),
    ]
