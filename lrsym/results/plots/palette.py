"""The colours of pictures and pages in two themes: light ones, and what stands in the place of each in the dark one.

A picture is drawn in the light colours, then every one of them is replaced (`recoloured`), so that drawing knows of one
theme. A colour that is not in DARK is the same in both: fields whose text says what they are, and scales of fields.
What must differ in the dark differs in the light too, if by one step of a channel. Hues are those of Okabe and Ito, or
are told apart by lightness as well, for readers who do not see all hues. Contrast: https://www.w3.org/TR/WCAG22/.
"""

from collections.abc import Mapping
from typing import Any

from lrsym.errors import UsageError

THEMES = ("light", "dark")

PAPER, INK, MUTED, FAINT, ALARM = "#ffffff", "#1f2430", "#5b6270", "#d5d8de", "#c1121f"
"""What all stands on, text, text and axes of less weight, frames and hatches, and chance, losses and failures."""

ON_LIGHT, ON_DARK = "#171a23", "white"
"""Of a text on a light and on a dark field, in both themes."""

LINE = "#2f7fc1"
"""Of a line that no value tells from others."""

BAR, GREY_BAR = "#8ec6eb", "#9aa3b2"

GRID = "#eceef1"
"""Of the lines between coloured fields, and of those behind marks."""

SHADES = ("#e9edf2", "#2f7fc2")
"""From none to all: a scale behind marks."""

UNTRIED = "#f4f5f7"
"""Of a cell that was not trained."""

LINES = {"name": "viridis", "extent": [0, 0.88]}
"""The scale of lines along an axis; its end that is too near to the paper is left out."""

VALUES, VALUES_DOWN = {"name": "viridis", "extent": [0, 0.9]}, {"name": "viridis", "extent": [0.9, 0]}
"""Of marks by a value, and of those where less is better."""

HEADS = "dark2"

SOFT, EDGE, TROUBLE, GAP = "#f6f7f9", "#e3e5ea", "#fde8e8", "#9a3412"
"""Of pages: what cards stand on, their edges, what is wrong, and what is missing."""

DARK: Mapping[str, str] = {
    PAPER: "#161a22",
    INK: "#eceff4",
    MUTED: "#a9b1c0",
    FAINT: "#5a6272",
    ALARM: "#ff6b6b",
    LINE: "#5aa5e0",
    BAR: "#2f6ea6",
    GREY_BAR: "#6f788a",
    GRID: "#2b313d",
    SHADES[0]: "#262c38",
    SHADES[1]: "#2b659a",
    UNTRIED: "#232934",
    HEADS: "set2",
    SOFT: "#0e1117",
    EDGE: "#333a47",
    TROUBLE: "#4a1d22",
    GAP: "#f0a37f",
    "#6a2c91": "#b184e0",  # the path of values, a boundary
    "#c8553d": "#e98069",  # a boundary
    "#6b7280": "#9aa3b5",  # the split train, undecided
    "#8c6d1f": "#c9a23a",  # the split uncovered
    "#1f8a70": "#35b898",  # supported
    "#a16207": "#d69a3a",  # untestable
    "#dcefe9": "#1d3a34",  # a claimed range
    "#1f5fa8": "#4a8ad0",  # the term EE
    "#4b5563": "#9aa3b6",  # attention
}
"""What stands in the dark theme in the place of a light colour, or of a scheme of Vega."""

_DARK_SCALES = [(LINES, [0.35, 1]), (VALUES, [0.3, 1]), (VALUES_DOWN, [1, 0.3])]


def check_theme(name: str) -> str:
    """Return `name`. Raise UsageError where it is no theme."""
    if name not in THEMES:
        raise UsageError(f"theme must be one of {', '.join(THEMES)}, got {name}; choose one of them")
    return name


def colour_in(theme: str, light: str) -> str:
    """Return what stands for a `light` colour in `theme`."""
    return DARK.get(light, light) if theme == "dark" else light


def recoloured(spec: Any, theme: str) -> Any:
    """Return `spec`, a chart or a part of one as JSON holds it, with the colours of `theme` in place of light ones."""
    if theme == "light":
        return spec
    if isinstance(spec, dict):
        extent = next((extent for scale, extent in _DARK_SCALES if spec == scale), None)
        return {**spec, "extent": extent} if extent else {key: recoloured(one, theme) for key, one in spec.items()}
    if isinstance(spec, list | tuple):
        return [recoloured(one, theme) for one in spec]
    return colour_in(theme, spec) if isinstance(spec, str) else spec


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours by the WCAG: 1 where they are the same, 21 of black and white."""
    low, high = sorted(_luminance(colour) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def is_dark(field: str) -> bool:
    """Return whether light text reads better on `field` than dark text does."""
    return contrast(field, PAPER) > contrast(field, ON_LIGHT)


def page_colours(theme: str) -> dict[str, str]:
    """Return the colours of a page by their names in its style."""
    light = {
        "ink": INK, "muted": MUTED, "line": EDGE, "soft": SOFT, "paper": PAPER, "alarm": ALARM, "focus": LINE,
        "trouble": TROUBLE, "gap": GAP, "button": GREY_BAR,
    }  # fmt: skip
    on_mark = ON_DARK if theme == "light" else ON_LIGHT
    return {**recoloured(light, theme), "on-light": ON_LIGHT, "on-mark": on_mark}


def _luminance(colour: str) -> float:
    shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
