"""Charts in a notebook: a renderer of altair whose output has all its scripts, so that it needs no network."""

import json
import uuid
from typing import Any

import altair as alt

_PAGE = """<div id="{div}"></div>
<script>(function () {{
{scripts}
window.vegaEmbed("#{div}", {spec}, {options}).catch(console.error);
}})();</script>"""
"""The scripts stand in a function: they declare names that a second chart on the page must not meet."""


def show_offline(spec: dict[str, Any], **metadata: Any) -> dict[str, str]:
    """Return the chart of `spec` as HTML; `metadata` are options of the renderer, of which `embed_options` counts."""
    import vl_convert

    options = {"mode": "vega-lite", **(metadata.get("embed_options") or {})}
    texts = [json.dumps(value).replace("</", "<\\/") for value in (spec, options)]
    scripts = vl_convert.javascript_bundle()  # pyright: ignore[reportCallIssue]  its default is not declared
    page = _PAGE.format(div=f"lrsym-{uuid.uuid4().hex}", scripts=scripts, spec=texts[0], options=texts[1])
    return {"text/html": page}


def register() -> None:
    """Make altair show charts by `show_offline`, unless the user has chosen another renderer than the default."""
    alt.renderers.register("lrsym", show_offline)  # pyright: ignore[reportArgumentType]  a plain function will do
    if alt.renderers.active == "default":
        alt.renderers.enable("lrsym")
