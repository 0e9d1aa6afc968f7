"""The page about one trial as one PNG, laid out as a column of text and drawings. All sizes are in pixels."""

import html
import re
import textwrap
from collections.abc import Sequence

import vl_convert

from lrsym.explain.sections import Section
from lrsym.results.pages.render import svg_address
from lrsym.results.plots.palette import INK, MUTED, PAPER, colour_in
from lrsym.results.plots.save import Spec, spec_as_svg
from lrsym.results.plots.theme import FONT

SCALE = 1.5
"""Pixels of the PNG for each pixel of the page: sharp text, and a file of about a megabyte."""

_MARGIN, _WIDTH = 28, 1220
_LINE, _TITLE_LINE, _PARAGRAPH, _HEADING, _ABOVE_DRAWING = 20, 32, 4, 46, 16

_CHARACTER, _TITLE_CHARACTER = 7.0, 13.5
"""Mean width of a character of the text, and of the title."""


def render_image(
    title: str, sentence: str, sections: Sequence[Section], specs: Sequence[Spec | None], *, theme: str = "light"
) -> bytes:
    """Return the page in a `theme` as PNG, at SCALE; `specs` has the chart of each section, or None."""
    ink, muted, paper = (colour_in(theme, colour) for colour in (INK, MUTED, PAPER))
    y, width = _MARGIN - 12.0, float(_WIDTH)
    elements = list[str]()
    for line in textwrap.wrap(title, int(_WIDTH / _TITLE_CHARACTER)):
        y += _TITLE_LINE
        elements.append(_text(line, y, size=26, colour=ink, weight="bold"))
    for line in textwrap.wrap(sentence, int(_WIDTH / _CHARACTER)):
        y += _LINE + _PARAGRAPH
        elements.append(_text(line, y, size=15, colour=muted))
    for section, spec in zip(sections, specs, strict=True):
        y += _HEADING
        elements.append(_text(section.heading, y, size=20, colour=ink, weight="bold"))
        for paragraph in section.text:
            y += _PARAGRAPH
            for line in textwrap.wrap(paragraph, int(_WIDTH / _CHARACTER)):
                y += _LINE
                elements.append(_text(line, y, size=15, colour=muted))
        if spec is not None:
            y += _ABOVE_DRAWING
            drawing = spec_as_svg(spec)
            drawn_width, height = _size(drawing)
            size = f'width="{drawn_width:g}" height="{height:g}"'
            elements.append(f'<image x="{_MARGIN}" y="{y:g}" {size} href="{svg_address(drawing)}"/>')
            y, width = y + height, max(width, drawn_width)
    size = f'width="{width + 2 * _MARGIN:g}" height="{y + _MARGIN:g}"'
    page = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><rect {size} fill="{paper}"/>{"".join(elements)}</svg>'
    return vl_convert.svg_to_png(page, scale=SCALE)


def _text(line: str, y: float, *, size: int, colour: str, weight: str = "normal") -> str:
    style = f'font-family="{FONT}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{_MARGIN}" y="{y}" {style}>{html.escape(line)}</text>'


def _size(drawing: str) -> tuple[float, float]:
    """Return width and height of a drawing (SVG)."""
    width, height = (re.search(rf'<svg[^>]* {side}="([\d.]+)"', drawing) for side in ("width", "height"))
    assert width is not None
    assert height is not None
    return float(width[1]), float(height[1])
