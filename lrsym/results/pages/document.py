"""A document of sections, text and drawings, as HTML that needs no network and as one PNG."""

import html
import io
import re
import textwrap
from dataclasses import dataclass

import vl_convert

from lrsym.results.plots import theme

_MARGIN, _WIDTH = 28, 1220
"""In pixels, as all sizes here."""

_LINE, _PARAGRAPH, _HEADING = 20, 4, 46

_CHARACTER = 7.0
"""Mean width of a character of the text."""

_FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"

_STYLE = f"""
body {{ margin: 0 auto; max-width: {_WIDTH}px; padding: {_MARGIN}px; color: {theme.INK}; background: white;
  font: 15px/1.45 {_FONT} }}
h1 {{ font-size: 26px; margin: 0 0 8px }}
h2 {{ font-size: 20px; margin: 36px 0 6px }}
p {{ margin: 4px 0; color: {theme.MUTED} }}
figure {{ margin: 12px 0 0; overflow-x: auto }}
"""


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, and a drawing (SVG) where there is one."""

    heading: str
    text: list[str]
    drawing: str | None = None


def as_svg(chart: theme.Drawn) -> str:
    """The drawing of a chart."""
    drawn = io.StringIO()
    chart.save(drawn, format="svg")
    return drawn.getvalue()


def as_html(title: str, sections: list[Section]) -> str:
    """The document as one file without references to others."""
    parts = []
    for number, section in enumerate(sections):
        text = "".join(f"<p>{html.escape(paragraph)}</p>\n" for paragraph in section.text)
        figure = f"<figure>{_own_names(section.drawing, number)}</figure>\n" if section.drawing else ""
        parts.append(f"<section>\n<h2>{html.escape(section.heading)}</h2>\n{text}{figure}</section>\n")
    named = html.escape(title)
    head = f'<head><meta charset="utf-8"><title>{named}</title><style>{_STYLE}</style></head>'
    return f'<!doctype html>\n<html lang="en">{head}\n<body><h1>{named}</h1>\n{"".join(parts)}</body></html>\n'


def as_png(title: str, sections: list[Section]) -> bytes:
    """The same document as a picture, at scale 1.5."""
    y, width = _MARGIN + 20.0, float(_WIDTH)
    parts = [_text(title, y, size=26, colour=theme.INK, weight="bold")]
    for number, section in enumerate(sections):
        y += _HEADING
        parts.append(_text(section.heading, y, size=20, colour=theme.INK, weight="bold"))
        for paragraph in section.text:
            y += _PARAGRAPH
            for line in textwrap.wrap(paragraph, int(_WIDTH / _CHARACTER)):
                y += _LINE
                parts.append(_text(line, y, size=15, colour=theme.MUTED))
        if section.drawing:
            y += 16
            wide, high = _size(section.drawing)
            parts.append(_own_names(section.drawing, number).replace("<svg ", f'<svg x="{_MARGIN}" y="{y}" ', 1))
            y, width = y + high, max(width, wide)
    size = f'width="{width + 2 * _MARGIN:g}" height="{y + _MARGIN:g}"'
    page = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><rect {size} fill="white"/>{"".join(parts)}</svg>'
    return vl_convert.svg_to_png(page, scale=1.5)


def _text(line: str, y: float, *, size: int, colour: str, weight: str = "normal") -> str:
    style = f'font-family="{_FONT}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{_MARGIN}" y="{y}" {style}>{html.escape(line)}</text>'


def _size(drawing: str) -> tuple[float, float]:
    """Width and height of a drawing."""
    width, height = (re.search(rf'<svg[^>]* {side}="([\d.]+)"', drawing) for side in ("width", "height"))
    assert width is not None
    assert height is not None
    return float(width[1]), float(height[1])


def _own_names(drawing: str, number: int) -> str:
    """The drawing with names that no other one in the document has: clips and gradients are found by them."""
    named = re.sub(r'\bid="', f'id="s{number}-', drawing)
    return re.sub(r"url\((['\"]?)#", rf"url(\1#s{number}-", named).replace('href="#', f'href="#s{number}-')
