"""The verb `lrsym watch`, and `lrsym status --watch`: a sweep while it runs, on a local page or in the terminal."""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from lrsym.cli.options import RESULTS, File, Results, Set, Theme, number
from lrsym.cli.output import as_lines, message
from lrsym.cli.streams import drop_rest
from lrsym.cli.table_text import as_text
from lrsym.errors import UsageError
from lrsym.vocabulary import PHASE_METRIC

if TYPE_CHECKING:
    from lrsym.results.plots.sweep_rows import SweepRows
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep import Sweep

MAX_DIAGRAM_ROWS = 24

EVERY_SECONDS = 5.0
"""Between two looks."""

Port = Annotated[int, number("port", help="Port of the page on this machine; 0 is any that is free.")]
Every = Annotated[float, number("every", help="Seconds between two looks.")]

PICTURES = {"phase": f"Mean of {PHASE_METRIC} and phase, so far", "curves": "Learning curves, so far"}
SEARCH_PICTURES = {"search": "The search, so far", "phase": PICTURES["phase"]}
"""What the page of a sweep shows, and that of a search, by the kind of picture."""


def watch(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    port: Port = 0,
    every: Every = EVERY_SECONDS,
    theme: Theme = "light",
) -> None:
    """Show a sweep while it runs on a page of this machine, with its phase diagram and curves filling up."""
    from lrsym.api.arguments import as_sweep
    from lrsym.cli.status import ask_again
    from lrsym.results.pages.watch_page import WatchServer
    from lrsym.sweep.spec.search import Search

    found = as_sweep(file, set_ or ())
    name = ", ".join([_grid(found, results).name, *(set_ or [])])
    kinds = SEARCH_PICTURES if isinstance(found, Search) else PICTURES

    def state() -> dict[str, Any]:
        _, lines, over = ask_again(found, results)
        rows = _rows(found, results)
        pictures = {kind: _picture(kind, found, rows, theme) for kind in kinds}
        return {"lines": lines, "over": over, "pictures": pictures, "at": f"{datetime.now(UTC):%H:%M:%S} UTC"}

    with WatchServer(state, title=name, pictures=kinds, seconds=every, port=port, theme=theme) as server:
        message(f"{name} is shown at {server.address} until Ctrl-C")
        server.serve_forever()


def _grid(found: "Sweep | Search", results: str) -> "Sweep":
    from lrsym.api.arguments import as_grid

    return as_grid(found, results)


def _rows(found: "Sweep | Search", results: str) -> "SweepRows":
    """Return what all that is drawn at one look is drawn from."""
    from lrsym.results.plots.sweep_rows import SweepRows

    return SweepRows(_grid(found, results), results, is_live=True)


def _picture(kind: str, found: "Sweep | Search", rows: "SweepRows", theme: str) -> dict[str, Any]:
    """Return the specification of a picture in a theme, or in words why there is none."""
    from lrsym.api.pictures import plot_search
    from lrsym.results.plots.draw import draw_rows
    from lrsym.results.plots.save import to_spec
    from lrsym.results.plots.theme import in_theme

    try:
        if kind == "search":
            return {"spec": to_spec(plot_search(found, results=rows.root, theme=theme))}
        return {"spec": to_spec(in_theme(draw_rows(kind, rows), theme))}
    except UsageError as error:
        return {"spec": None, "words": str(error)}


def repeat(ask: Callable[[], tuple[Sequence[str], bool]], *, every: float) -> None:
    """Print what `ask` gives every so many seconds, on a terminal in place of the last, until it says it is over."""
    while True:
        lines, over = ask()
        clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else ""
        try:
            print(clear + as_lines(lines), flush=True)
        except OSError:  # its reader has seen enough
            drop_rest(sys.stdout)
            return
        if over:
            return
        time.sleep(every)


def diagram_in_words(found: "Sweep | Search", results: str) -> list[str]:
    """Return the phase diagram so far in letters; nothing where there is no row yet, or it has no room."""
    from lrsym.results.analysis.diagram import text_diagram

    try:
        rows = _rows(found, results)
        table = text_diagram(rows.require(), prefer=rows.prefer)
    except UsageError:
        return []
    if table.height > MAX_DIAGRAM_ROWS:
        return []
    return [f"{PHASE_METRIC} so far, mean and seeds:", as_text(table)]
