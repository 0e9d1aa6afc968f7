"""Charts in a notebook: a renderer of altair whose output has all its scripts, so that it needs no network."""

import uuid
from typing import Any

import altair as alt

from lrsym.results.plots.embedding import drawing_scripts, in_script

_PAGE = """<div id="{div}"></div>
<script>(function () {{
{scripts}
window.vegaEmbed("#{div}", {spec}, {options}).catch(console.error);
}})();</script>"""
"""The scripts stand in a function: they declare names that a second chart on the page must not meet."""


def show_offline(spec: dict[str, Any], **metadata: Any) -> dict[str, str]:
    """Return the chart of `spec` as HTML; `metadata` are options of the renderer, of which `embed_options` counts."""
    options = {"mode": "vega-lite", **(metadata.get("embed_options") or {})}
    page = _PAGE.format(
        div=f"lrsym-{uuid.uuid4().hex}", scripts=drawing_scripts(), spec=in_script(spec), options=in_script(options)
    )
    return {"text/html": page}


def register() -> None:
    """Make altair show charts by `show_offline`, unless the user has chosen another renderer than the default."""
    alt.renderers.register("lrsym", show_offline)  # pyright: ignore[reportArgumentType]  a plain function will do
    if alt.renderers.active == "default":
        alt.renderers.enable("lrsym")
