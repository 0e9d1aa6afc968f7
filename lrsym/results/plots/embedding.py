"""What stands in the script of a page: the libraries that draw, and values as JSON; nothing in them ends the script."""

import contextlib
import hashlib
import json
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lrsym.results.store.atomic import write_atomically


@cache
def drawing_scripts() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs no network.

    To put them together takes some seconds, so they are kept in the user's cache.
    """
    kept = None
    with contextlib.suppress(RuntimeError):  # no home
        kept = cache_folder() / f"vega-{version('vl-convert-python')}.js"
    if kept and (scripts := _read_kept(kept)):
        return scripts
    import vl_convert

    bundle = vl_convert.javascript_bundle()  # pyright: ignore[reportCallIssue]  its default is not declared
    scripts = bundle.replace("</script", "<\\/script")
    if kept:
        with contextlib.suppress(OSError):  # a home that cannot be written
            write_atomically(kept, f"{_digest(scripts)}\n{scripts}".encode())
    return scripts


def cache_folder() -> Path:
    """Return where lrsym keeps what it can make again; nothing is lost with it. Raise RuntimeError without a home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "lrsym"


def _read_kept(path: Path) -> str | None:
    """Return the scripts that are kept at `path`; None where there are none, or others than were written."""
    try:
        digest, _, scripts = path.read_text("utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return scripts if digest == _digest(scripts) else None


def _digest(scripts: str) -> str:
    return f"// sha256 {hashlib.sha256(scripts.encode()).hexdigest()}"


def in_script(value: Any) -> str:
    """Return `value` as JSON for a script; outside of texts JSON has no letter that could end it."""
    return json.dumps(value).replace("<", "\\u003c")
