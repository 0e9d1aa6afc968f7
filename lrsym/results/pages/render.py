"""Render HTML pages that need no network: templates with one base, pictures inside the page."""

import base64
from functools import cache
from typing import Any

import jinja2

from lrsym.results.plots.palette import page_colours


def render(template: str, *, theme: str = "light", **values: Any) -> str:
    """Return the page that `template`, by its path in the package, makes of `values` in a `theme`; all text is escaped.

    A template extends `results/pages/base.html`, which wants a `title`. A value that is missing is an error.
    """
    return _environment().get_template(template).render(theme=theme, colours_of_page=page_colours(theme), **values)


def svg_address(svg: str) -> str:
    """Return a drawing as the address of an image: inside an <img> the names in one SVG do not meet another's."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("lrsym", package_path="."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
