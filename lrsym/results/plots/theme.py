"""What all pictures share: the theme, readable names, headings, and how much fits into one picture."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.config.axes import axes
from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import ended_otherwise
from lrsym.results.analysis.varied_axes import format_value
from lrsym.results.plots import notebook, palette
from lrsym.results.plots.palette import GRID, INK, LINES, MUTED, ON_DARK, ON_LIGHT, PAPER, check_theme, recoloured

Chart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.ConcatChart | alt.HConcatChart | alt.VConcatChart

ALARM, BAR, FAINT, GREY_BAR, LINE = palette.ALARM, palette.BAR, palette.FAINT, palette.GREY_BAR, palette.LINE

EN_DASH = "\u2013"

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

_TITLE_CHARACTER = 10.0
"""The same of the title's."""

_FRAME = "_lrsym_frame"
"""The attribute of a chart that has its frame."""

MIN_PANEL_HEIGHT = 156
"""Pixels of a panel that holds half a title of y."""

_AXIS_CHARACTER = 8
"""Pixels of a letter of such a title."""

MIN_HEADING_CHARACTERS = 64
"""Lines of the heading get at least as long, so that a narrow picture keeps a low heading."""

_SIGNATURE_CHARACTERS = 110
"""Lines that say where a picture comes from get as long."""

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"

THEME: dict[str, Any] = {
    "background": PAPER,
    "font": FONT,
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
        "gridColor": GRID,
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
    """Return what the axis of a picture is called: a readable name with the column, or the column with its unit."""
    units = {axis.name: axis.unit for axis in axes()}
    return _TITLES.get(name) or (f"{name} ({units[name]})" if units.get(name) else name)


def fitting_title(name: str, *, pixels: float) -> str | list[str]:
    """Return `axis_title`, in lines, the first broken before the bracket, where a panel has fewer `pixels` for it."""
    title, room = axis_title(name), int(pixels / _AXIS_CHARACTER)
    if len(title) <= room:
        return title
    return [
        line
        for part in title.replace(" (", "\n(").splitlines()
        for line in textwrap.wrap(part, room, break_long_words=False)
    ]


def format_values(values: pl.Series) -> list[str]:
    """Return the distinct values of an axis as text, ascending."""
    return [format_value(value) for value in values.unique().sort(nulls_last=True)]


def format_cell(values: Mapping[str, object]) -> str:
    """Return the name of a cell: its axes with their values; empty where there is none."""
    return ", ".join(f"{name} {format_value(value)}" for name, value in values.items())


def inline(rows: pl.DataFrame | Iterable[Mapping[str, Any]]) -> alt.InlineData:
    """Return `rows` as data of a chart, in their order and without a limit on their number.

    They are put in when the data stand: altair would hold every value to the schema of all data, a third of a second
    for a thousand rows. And as a tuple: it copies lists with every chart that is put beside another.
    """
    data = alt.InlineData(values=[])
    data["values"] = tuple(rows.to_dicts() if isinstance(rows, pl.DataFrame) else rows)
    return data


@alt.theme.register("lrsym", enable=alt.theme.active == "default")
def _theme() -> alt.theme.ThemeConfig:
    """Return the config that altair adds to a chart when it is shown or saved, so that charts can be put together.

    It is in force from the import on, unless another theme than altair's default has been chosen.
    """
    return alt.theme.ThemeConfig(config=THEME)  # pyright: ignore[reportArgumentType]  wider types than altair's


notebook.register()


def style(chart: Any, **settings: Any) -> Any:
    """Return `chart`, which stands alone, with the theme; `settings` replace entries of it."""
    return chart.configure(**{**THEME, **settings})


def in_theme(chart: Any, name: str) -> Any:
    """Return `chart` in the theme of that name, light or dark. Raise UsageError for another.

    A dark chart carries its config, so it can no longer be put beside others: `save` darkens what is put together.
    """
    if check_theme(name) == "light":
        return chart
    spec = recoloured(chart.to_dict(), name)
    spec["config"] = {**recoloured(THEME, name), **spec.get("config", {})}
    return _with_frame(type(chart).from_dict(spec, validate=False), frame_of(chart))


def finish(chart: Chart, *, title: str, subtitle: list[str], width: int, frame: pl.DataFrame | None = None) -> Chart:
    """Return `chart` with the title and the lines of `subtitle`, wrapped to about `width` pixels, and its `frame`.

    The frame is what the picture is drawn from; `frame_of` gives it back.

    It carries no config, and stands in a column of one with colours of its own, so that `|` and `&` put pictures beside
    and below each other: altair would take the panels of a grid apart.
    """
    columns = max(MIN_HEADING_CHARACTERS, int(width / _CHARACTER))
    lines = [piece for line in subtitle for piece in _wrap(line, columns)]
    title_lines = _wrap(title, int(columns * _CHARACTER / _TITLE_CHARACTER))
    # The heading is set apart from titles that panels of the chart may have of their own.
    column = alt.vconcat(chart).resolve_scale(color="independent", shape="independent")
    heading = alt.TitleParams(title_lines if len(title_lines) > 1 else title, subtitle=lines)
    return _with_frame(column.properties(title=heading), frame)


def frame_of(chart: Chart) -> pl.DataFrame | None:
    """Return the frame of a picture that `finish` has made; None of others, and where a chart was changed since."""
    return vars(chart).get(_FRAME)


def _with_frame(chart: Any, frame: pl.DataFrame | None) -> Any:
    object.__setattr__(chart, _FRAME, frame)  # beside what altair writes out
    return chart


def _wrap(text: str, width: int) -> list[str]:
    """Return `text` in lines of `width` letters at most; a number stays with its %."""
    return [line.replace("\xa0", " ") for line in textwrap.wrap(text.replace(" %", "\xa0%"), width)]


def sign(chart: Chart, lines: list[str]) -> Chart:
    """Return `chart`, which `finish` has made, with small lines below it that say where it comes from."""
    assert isinstance(chart, alt.VConcatChart)
    wrapped = [piece for line in lines for piece in textwrap.wrap(line, _SIGNATURE_CHARACTERS)]
    text = alt.Chart(alt.InlineData(values=[{}])).mark_text(
        align="left", baseline="top", color=MUTED, fontSize=10, lineHeight=13, text=wrapped
    )
    signature = text.encode(x=alt.value(0), y=alt.value(0)).properties(width=1, height=13 * len(wrapped))
    signed = chart.copy(deep=False)
    signed.vconcat = [*chart.vconcat, signature]
    return _with_frame(signed, frame_of(chart))


def trials_told(columns: Iterable[str]) -> list[alt.Tooltip]:
    """Return what the mouse tells of the trials of a mark, whose rows have `columns`; nothing where they name none."""
    return [alt.Tooltip("trial_ids:N", title="trials")] if "trial_ids" in {*columns} else []


def dashed_rule(colour: str, *, told: str) -> alt.Chart:
    """Return a dashed line to be encoded with the x or the y where it stands; what it is is `told` under the mouse."""
    line = alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=colour, strokeDash=[5, 4], strokeWidth=1.5)
    return line.encode(tooltip=alt.value(told))


def axis_colour(field: str, axis: str, values: list[str]) -> alt.Color:
    """Return the colours of lines, from dark to light, for the `values` of an axis, which are texts in `field`."""
    colour = alt.Color(field, title=axis_title(axis)).scale(domain=values, scheme=alt.SchemeParams(**LINES))
    return colour.legend(symbolType="stroke", symbolStrokeWidth=4, symbolOpacity=1)


def log_ticks(steps: Sequence[int]) -> list[int]:
    """Return each power of ten and its threefold within the range of `steps`; both its ends where none lies there.

    Of no steps there are none.
    """
    if not steps:
        return []
    marks = [digit * 10**power for power in range(len(str(max(steps)))) for digit in (1, 3)]
    return [mark for mark in marks if min(steps) <= mark <= max(steps)] or sorted({min(steps), max(steps)})


def text_colour(dark: Any) -> Any:
    """Return the colour of a text on a field: white where the condition `dark` holds of the field, else dark."""
    return alt.when(dark).then(alt.value(ON_DARK)).otherwise(alt.value(ON_LIGHT))


def seed_count(counts: pl.Series) -> str:
    """Return how many seeds lie behind the means of a picture, in words: `20 seeds` or `3 to 5 seeds`."""
    few, many = counts.unique().sort()[[0, -1]]
    return f"{few if few == many else f'{few} to {many}'} seed{'' if many == 1 else 's'}"


def stopped_early(trials: pl.DataFrame) -> list[str]:
    """Return how many of `trials`, rows of the table of that name, a rule stopped, as a sentence; none where none."""
    rules = trials["stop_rule"].drop_nulls()
    if rules.is_empty():
        return []
    by_rule = ", ".join(f"{n} {rule}" for rule, n in rules.value_counts().sort("stop_rule").iter_rows())
    return [f"{len(rules)} of {trials.height} trials were stopped early ({by_rule})."]


def not_at_end(trials: pl.DataFrame) -> list[str]:
    """Return how many of `trials` diverged or failed, as a sentence; none where none did."""
    lost = ended_otherwise(trials.filter(pl.col("status") != "stopped"))
    return [f"Of {counted(trials.height, 'trial')} {lost}."] if lost else []


def check_limit(what: str, number: int, *, limit: int, varied: Sequence[str]) -> None:
    """Raise UsageError if there are more than `limit` of `what` to draw because the axes `varied` vary."""
    if number > limit:
        raise UsageError(
            f"{number} {what} to draw, a picture has room for {limit}; these axes vary: {', '.join(varied)}; "
            "hold some of them fixed with --where"
        )
