"""What all pictures share: the theme, readable names, headings, and files that open without a network."""

import io
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

from lrsym.config.axes import axes
from lrsym.errors import UsageError
from lrsym.results.store.atomic import write_atomically

Chart = alt.TopLevelMixin
Drawn = alt.Chart | alt.LayerChart | alt.FacetChart | alt.ConcatChart

CHANCE = {"order": 0.5}
"""Accuracy of guessing, for the metrics whose chance level does not depend on the sweep."""

EN_DASH = "\u2013"

SYMBOL_IN_PIXELS = 4
"""The size at which Vega draws one unit of a symbol's path as one pixel."""

INK, MUTED, FAINT, ALARM = "#1f2430", "#5b6270", "#d5d8de", "#c1121f"

_TITLES = {
    "n_pair_labels": "label diversity (n_pair_labels)",
    "layouts_per_pair": "layout diversity (layouts_per_pair)",
    "positions_per_label": "single-object scenes per label (positions_per_label)",
    "n_heldout_labels": "held-out labels (n_heldout_labels)",
    "learning_rate": "learning rate (learning_rate)",
    "weight_decay": "weight decay (weight_decay)",
}

_CHARACTER = 6.6
"""Mean width in pixels of a character of the subtitle's font."""

_FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"

THEME: dict[str, Any] = {
    "background": "white",
    "font": _FONT,
    "padding": 16,
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "color": INK,
        "fontSize": 20,
        "subtitleColor": MUTED,
        "subtitleFontSize": 13,
        "subtitleLineHeight": 17,
        "offset": 16,
        "subtitlePadding": 6,
    },
    "axis": {
        "domainColor": MUTED,
        "gridColor": "#eceef1",
        "labelColor": INK,
        "labelFontSize": 13,
        "labelLimit": 0,
        "tickColor": MUTED,
        "titleColor": INK,
        "titleFontSize": 14,
        "titleFontWeight": "bold",
        "titleLimit": 0,
        "titlePadding": 10,
    },
    "legend": {
        "labelColor": INK,
        "labelFontSize": 13,
        "labelLimit": 0,
        "titleColor": INK,
        "titleFontSize": 13,
        "titleLimit": 0,
    },
    "header": {"labelColor": INK, "labelFontSize": 14, "labelFontWeight": "bold", "labelLimit": 0, "title": None},
}


def axis_title(name: str) -> str:
    """What the axis of a picture is called: a readable name with the column, or the column with its unit."""
    units = {axis.name: axis.unit for axis in axes()}
    return _TITLES.get(name) or (f"{name} ({units[name]})" if units.get(name) else name)


def label(value: object) -> str:
    """A value of an axis as text, numbers in their shortest form."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "absent" if value is None else str(value)


def labels(values: pl.Series) -> list[str]:
    """The distinct values of an axis as text, ascending."""
    return [label(value) for value in values.unique().sort(nulls_last=True)]


def cell_label(values: Mapping[str, object]) -> str:
    """The name of a cell: its axes with their values; empty where there is none."""
    return ", ".join(f"{name} {label(value)}" for name, value in values.items())


def inline(frame: pl.DataFrame) -> alt.InlineData:
    """The rows of `frame` as data of a chart, in their order and without a limit on their number."""
    return alt.InlineData(values=frame.to_dicts())


def finish(chart: Drawn, *, title: str, subtitle: list[str], width: int) -> Drawn:
    """`chart` with the theme, the title, and the lines of `subtitle` wrapped to about `width` pixels."""
    columns = max(64, int(width / _CHARACTER))
    lines = [part for line in subtitle for part in textwrap.wrap(line, columns)]
    # The heading is set apart from titles that parts of the chart may have of their own.
    return chart.properties(title=alt.TitleParams(title, subtitle=lines)).configure(**THEME)


def corner(width: float, height: float, *, size: float) -> str:
    """The path of a triangle in the upper right corner of a rectangle around the origin."""
    return f"M{width / 2},{-height / 2}h{-size}l{size},{size}Z"


def hatching(width: float, height: float) -> str:
    """The path of diagonals, clipped to a rectangle around the origin."""
    x, y, apart = width / 2, height / 2, 8
    shifts = range(int(-x - y) + apart, int(x + y), apart)
    ends = [(max(-x, shift - y), min(x, shift + y), shift) for shift in shifts]
    return "".join(f"M{a:.1f},{s - a:.1f}L{b:.1f},{s - b:.1f}" for a, b, s in ends)


def as_svg(chart: Chart) -> str:
    """The picture as an SVG document."""
    picture = io.StringIO()
    chart.save(picture, format="svg")
    return picture.getvalue()


def save(chart: Chart, path_stem: Path) -> list[Path]:
    """The files written beside each other: .html that needs no network, .png at scale 2, and .vl.json.

    Each one appears under its name only when it is complete. Raises UsageError where it cannot be written.
    """
    picture = io.BytesIO()
    chart.save(picture, format="png", scale_factor=2)
    contents = {
        ".html": chart.to_html(inline=True).encode(),
        ".png": picture.getvalue(),
        ".vl.json": chart.to_json().encode(),
    }
    return [write_whole(path_stem.with_name(path_stem.name + ending), content) for ending, content in contents.items()]


def write_whole(path: Path, content: bytes) -> Path:
    """`path`, which appears with all of `content` or not at all; UsageError where it cannot be written."""
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; choose a folder you may write to") from error
    return path
