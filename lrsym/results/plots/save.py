"""Write pictures: HTML that needs no network, PNG, SVG and Vega-Lite JSON, each complete or not at all."""

import hashlib
import html
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from lrsym.errors import UsageError
from lrsym.results.plots.embedding import drawing_scripts, in_script
from lrsym.results.plots.interaction import MOUSE
from lrsym.results.plots.palette import MUTED, PAPER, recoloured
from lrsym.results.plots.theme import THEME, Chart, frame_of, in_theme
from lrsym.results.store.atomic import write_atomically

Spec = dict[str, Any]
"""A chart as Vega-Lite says it: what `to_dict` of altair gives, which takes as long as a drawing."""

FRAME = ".parquet"
"""The ending of the frame that a picture is drawn from."""

PNG_SCALE = 2
"""Pixels of the image for each pixel of the chart: sharp on displays of double density."""

MAX_NAME = 120
"""Letters of a picture's name: file systems take 255 bytes, with an ending and what a temporary file adds."""

_VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""The version that altair writes."""

_OPERATORS = {"<": " lt ", ">": " gt ", "=": " eq ", "!": " not "}


def save(chart: Chart, stem: Path) -> list[Path]:
    """Write `chart` to files beside each other, .html, .png, .svg, .vl.json and, of its frame, .parquet; return them.

    `stem` is the path without these endings. Raises UsageError where it cannot be written.
    """
    spec = to_spec(chart)
    svg = spec_as_svg(spec)
    contents = {
        ".html": as_html(spec),
        ".png": svg_as_png(svg),
        ".svg": svg.encode(),
        ".vl.json": _as_json(spec),
        **_frame(chart),
    }
    return [write_file(stem.with_name(stem.name + ending), content) for ending, content in contents.items()]


def save_as(chart: Chart, path: Path, *, theme: str = "light") -> list[Path]:
    """Write `chart` in a `theme` to `path`, in the format that its suffix names, or without one in each of FORMATS.

    Return the paths. Raises UsageError for another suffix, for what is no chart, and where it cannot be written.
    """
    if not isinstance(chart, alt.TopLevelMixin):
        raise UsageError(f"chart must be a chart of altair, got {type(chart).__name__}; draw one with lrsym.plot_phase")
    if path.suffix == FRAME:
        if not (frame := _frame(chart)):
            raise UsageError(
                f"{path}: the chart has no frame, as it was put together or changed; save one that was drawn"
            )
        return [write_file(path, frame[FRAME])]
    spec = to_spec(in_theme(chart, theme))
    if path.suffix in FORMATS:
        return [write_file(path, FORMATS[path.suffix](spec))]
    if re.fullmatch(r"\.[A-Za-z]\w{0,7}", path.suffix):
        known = ", ".join([*FORMATS, FRAME])
        raise UsageError(f"{path}: a picture is written as {known}, got {path.suffix}; choose one of them")
    contents = {**{suffix: encode(spec) for suffix, encode in FORMATS.items()}, **_frame(chart)}
    return [write_file(path.with_name(path.name + suffix), content) for suffix, content in contents.items()]


def _frame(chart: Chart) -> dict[str, bytes]:
    """Return the frame of `chart` as Parquet by its ending; nothing where it has none."""
    if (frame := frame_of(chart)) is None:
        return {}
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return {FRAME: buffer.getvalue()}


def to_spec(chart: Chart) -> Spec:
    """Return what `chart` says, its rows within, however many: altair refuses more than 5,000 in a frame."""
    with alt.data_transformers.enable("default"), alt.data_transformers.disable_max_rows():
        return _renumbered(chart.to_dict(), {})


_NUMBERED = re.compile(r"(view|zoom|chosen)_\d+")
"""Names that altair, and `interaction`, count on from picture to picture; no expression speaks of them."""


def _renumbered(part: Any, names: dict[str, str]) -> Any:
    """Return a part of a specification whose views and selections are numbered as they come in it.

    `names` has the new name of each. Data, and names that a user gave, are left alone.
    """
    if isinstance(part, list):
        return [_renumbered(one, names) for one in part]
    if not isinstance(part, dict):
        return part

    def named(name: Any) -> Any:
        found = _NUMBERED.fullmatch(name) if isinstance(name, str) else None
        return names.setdefault(name, f"{found[1]}_{len(names) + 1}") if found else _renumbered(name, names)

    made = {}
    for key, one in part.items():
        if key in ("name", "param"):
            made[key] = named(one)
        elif key == "views":
            made[key] = [named(view) for view in one]
        else:
            made[key] = one if key in ("data", "datasets") else _renumbered(one, names)
    return made


def as_html(spec: Spec) -> bytes:
    """Return the picture as a page that needs no network."""
    title, paper, values = html.escape(_title(spec)), _paper(spec), in_script(spec)
    hint = f'<p id="hint">{html.escape(told)}</p>\n' if (told := _hint(spec)) else ""
    ink = recoloured(MUTED, "light" if paper == PAPER else "dark")
    page = _PAGE.format(title=title, paper=paper, ink=ink, hint=hint, scripts=drawing_scripts(), spec=values)
    return page.encode()


def _hint(spec: Spec) -> str:
    """Return what the mouse does on the picture, in sentences; empty where it does nothing but tell numbers."""
    bound = [param.get("bind") for param in spec.get("params", [])]  # of charts of others a dict, too
    return " ".join(sentence for bind, sentence in MOUSE.items() if bind in bound)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ background: {paper}; }}
#picture.vega-embed {{ display: flex; width: 100%; }}
#picture details, #picture summary {{ position: relative; }}
#hint {{ color: {ink}; font: 13px Helvetica, Arial, sans-serif; margin: 0 16px; }}
</style>
</head>
<body>
<div id="picture"></div>
{hint}<script>{scripts}</script>
<script>
const spec = {spec};
vegaEmbed("#picture", spec, {{"mode": "vega-lite"}}).catch(console.error);
</script>
</body>
</html>
"""


def _paper(spec: Spec) -> str:
    """Return the background of the picture."""
    return spec.get("background") or spec.get("config", {}).get("background") or THEME["background"]


def _title(spec: Spec) -> str:
    """Return the title of the picture on one line; a name for it where it has none."""
    title = spec.get("title")
    text = title.get("text") if isinstance(title, dict) else title
    lines = text if isinstance(text, list) else [text]
    return " ".join(line for line in lines if isinstance(line, str)) or "lrsym"


def as_svg(chart: Chart) -> str:
    """Return the picture as an SVG document."""
    return spec_as_svg(to_spec(chart))


def spec_as_svg(spec: Spec) -> str:
    """Return what a picture says as an SVG document."""
    return vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE)


def as_png(spec: Spec) -> bytes:
    """Return the picture as PNG, with PNG_SCALE pixels for each of the chart."""
    return svg_as_png(spec_as_svg(spec))


def svg_as_png(svg: str) -> bytes:
    """Return a picture that is drawn already as `as_png` does."""
    return vl_convert.svg_to_png(svg, scale=PNG_SCALE)


def _as_json(spec: Spec) -> bytes:
    return json.dumps(spec, indent=2, sort_keys=True, ensure_ascii=False).encode()


FORMATS: Mapping[str, Callable[[Spec], bytes]] = {
    ".html": as_html,
    ".png": as_png,
    ".svg": lambda spec: spec_as_svg(spec).encode(),
    ".json": _as_json,
}
"""What writes a picture, by the suffix of its file."""


def write_file(path: Path, content: bytes) -> Path:
    """Write `content` to `path`, all of it or nothing, and return `path`. Raises UsageError where that cannot be."""
    try:
        write_atomically(path, content)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def prove_file(path: Path) -> None:
    """Raise UsageError, as `write_file`, where no file can be written at `path`; what lies there is left alone."""
    proof = path.with_name(f".{path.name}.proof")
    try:
        write_atomically(proof, b"")
        proof.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written: {error.strerror}; name another place with --out")


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
