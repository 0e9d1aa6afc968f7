"""Write pictures: HTML that needs no network, PNG, SVG and Vega-Lite JSON, each complete or not at all."""

import hashlib
import html
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import altair as alt

from lrsym.errors import UsageError
from lrsym.results.plots.embedding import escaped
from lrsym.results.plots.theme import THEME, Chart, in_theme
from lrsym.results.store.atomic import write_atomically

PNG_SCALE = 2
"""Pixels of the image for each pixel of the chart: sharp on displays of double density."""

MAX_NAME = 120
"""Letters of a picture's name: file systems take 255 bytes, with an ending and what a temporary file adds."""

_OPERATORS = {"<": " lt ", ">": " gt ", "=": " eq ", "!": " not "}


def save(chart: Chart, stem: Path) -> list[Path]:
    """Write `chart` to files beside each other, .html, .png and .vl.json; return their paths.

    `stem` is the path without these endings. Raises UsageError where it cannot be written.
    """
    contents = {".html": as_html(chart), ".png": as_png(chart), ".vl.json": chart.to_json().encode()}
    return [write_file(stem.with_name(stem.name + ending), content) for ending, content in contents.items()]


def save_as(chart: Chart, path: Path, *, theme: str = "light") -> list[Path]:
    """Write `chart` in a `theme` to `path`, in the format that its suffix names, or without one in each of FORMATS.

    Return the paths. Raises UsageError for another suffix, for what is no chart, and where it cannot be written.
    """
    if not isinstance(chart, alt.TopLevelMixin):
        raise UsageError(f"chart must be a chart of altair, got {type(chart).__name__}; draw one with lrsym.plot_phase")
    chart = in_theme(chart, theme)
    if path.suffix in FORMATS:
        return [write_file(path, FORMATS[path.suffix](chart))]
    if re.fullmatch(r"\.[A-Za-z]\w{0,4}", path.suffix):
        raise UsageError(f"{path}: a picture is written as {', '.join(FORMATS)}, got {path.suffix}; choose one of them")
    contents = {suffix: encode(chart) for suffix, encode in FORMATS.items()}
    return [write_file(path.with_name(path.name + suffix), content) for suffix, content in contents.items()]


def as_html(chart: Chart) -> bytes:
    """Return the picture as a page that needs no network."""
    head, marker, rest = chart.to_html(inline=True).rpartition("const spec = ")
    spec, end, tail = rest.partition("\n")
    assert marker, "altair writes its pages otherwise"
    head = head.replace("<html>", '<html lang="en">', 1).replace(
        "<head>",
        f"<head>\n  <title>{_title(chart)}</title>\n  <style>body {{ background: {_paper(chart)}; }}</style>",
        1,
    )
    return "".join((head, marker, escaped(spec), end, tail)).encode()


def _paper(chart: Chart) -> str:
    """Return the background of `chart`."""
    spec = chart.to_dict()
    return spec.get("background") or spec.get("config", {}).get("background") or THEME["background"]


def _title(chart: Chart) -> str:
    """Return the title of `chart` on one line, escaped; that of a picture where it has none."""
    title = chart.title.text if isinstance(chart.title, alt.TitleParams) else chart.title
    lines = title if isinstance(title, list) else [title]
    return html.escape(" ".join(line for line in lines if isinstance(line, str))) or "lrsym"


def as_svg(chart: Chart) -> str:
    """Return the picture as an SVG document."""
    text = io.StringIO()
    chart.save(text, format="svg")
    return text.getvalue()


def as_png(chart: Chart) -> bytes:
    """Return the picture as PNG, with PNG_SCALE pixels for each of the chart."""
    image = io.BytesIO()
    chart.save(image, format="png", scale_factor=PNG_SCALE)
    return image.getvalue()


FORMATS: Mapping[str, Callable[[Chart], bytes]] = {
    ".html": as_html,
    ".png": as_png,
    ".svg": lambda chart: as_svg(chart).encode(),
    ".json": lambda chart: chart.to_json().encode(),
}
"""What writes a picture, by the suffix of its file."""


def write_file(path: Path, content: bytes) -> Path:
    """Write `content` to `path`, all of it or nothing, and return `path`. Raises UsageError where that cannot be."""
    try:
        write_atomically(path, content)
    except OSError as error:
        remedy = "name a place you may write to, which --out does for pictures and pages"
        raise UsageError(f"{path} cannot be written: {error.strerror}; {remedy}") from error
    return path


def picture_name(
    sweep: str,
    kind: str,
    *,
    options: Mapping[str, object] | None = None,
    where: str | None = None,
    changes: Sequence[str] = (),
) -> str:
    """Return the file name, without ending, of a picture of a sweep; what makes another picture makes another name.

    `options` are those given, by name; None is left out. Operators in the condition `where`, and in `changes` to the
    file, become words. A name that is too long, or in which letters were lost, ends in a hash of all of it.
    """
    given = [f"{name} {value}" for name, value in (options or {}).items() if value is not None]
    texts = [*given, *changes, *([] if where is None else [where])]
    name, words = f"{sweep}-{kind}", ["".join(_OPERATORS.get(letter, letter) for letter in text) for text in texts]
    full = "-".join([name, *(re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-") for text in words)])
    if len(full) <= MAX_NAME and all(re.fullmatch(r"[A-Za-z0-9_. ]*", text) for text in words):
        return full
    return f"{full[: MAX_NAME - 9].rstrip('-')}-{hashlib.sha256(json.dumps([name, *texts]).encode()).hexdigest()[:8]}"
