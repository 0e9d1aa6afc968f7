"""What stands in the script of a page: the libraries that draw, and values as JSON; nothing in them ends the script."""

import json
from typing import Any


def drawing_scripts() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs no network."""
    import vl_convert

    scripts = vl_convert.javascript_bundle()  # pyright: ignore[reportCallIssue]  its default is not declared
    return scripts.replace("</script", "<\\/script")


def in_script(value: Any) -> str:
    """Return `value` as JSON for a script."""
    return escaped(json.dumps(value))


def escaped(text: str) -> str:
    """Return JSON as it may stand in a script; outside of texts JSON has no such letter."""
    return text.replace("<", "\\u003c")
