"""The verb `lrsym watch`, and `lrsym status --watch`: a sweep while it runs, on a local page or in the terminal."""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import RESULTS, File, Results, Set, load_sweep
from lrsym.cli.output import as_text, message
from lrsym.cli.streams import drop_rest
from lrsym.errors import UsageError
from lrsym.vocabulary import PHASE_METRIC

if TYPE_CHECKING:
    from lrsym.sweep.spec.sweep import Sweep

MAX_DIAGRAM_ROWS = 24

Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Port of the page on this machine; 0, the default, is any that is free.")
]
Every = Annotated[float | None, typer.Option(help="Seconds between two looks, by default 5.", show_default=False)]

PICTURES = {"phase": f"Mean of {PHASE_METRIC} and phase, so far", "curves": "Learning curves, so far"}


def watch(file: File, set_: Set = None, results: Results = RESULTS, port: Port = 0, every: Every = None) -> None:
    """Show a sweep while it runs on a page of this machine, with its phase diagram and curves filling up."""
    from lrsym.results.pages.watch_page import WatchServer

    seconds = check_every(every)
    name = ", ".join([load_sweep(file, results, set_).name, *(set_ or [])])

    def state() -> dict[str, Any]:
        from lrsym.cli.status import progress_in_words

        sweep, (lines, over) = load_sweep(file, results, set_), progress_in_words(file, set_, results)
        pictures = {kind: _picture(kind, sweep, results) for kind in PICTURES}
        return {"lines": lines, "over": over, "pictures": pictures, "at": f"{datetime.now(UTC):%H:%M:%S} UTC"}

    with WatchServer(state, title=name, pictures=PICTURES, seconds=seconds, port=port) as server:
        message(f"{name} is shown at {server.address} until Ctrl-C")
        server.serve_forever()


def _picture(kind: str, sweep: "Sweep", results: str) -> dict[str, Any]:
    """Return the specification of a picture, or in words why there is none."""
    from lrsym.results.plots.draw import draw

    try:
        return {"spec": draw(kind, sweep, results, live=True).to_dict()}
    except UsageError as error:
        return {"spec": None, "words": str(error)}


def repeat(ask: Callable[[], tuple[Sequence[str], bool]], *, every: float) -> None:
    """Print what `ask` gives every so many seconds, on a terminal in place of the last, until it says it is over."""
    while True:
        lines, over = ask()
        clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else ""
        try:
            print(clear + "\n".join(lines), flush=True)
        except OSError:  # its reader has seen enough
            drop_rest(sys.stdout)
            return
        if over:
            return
        time.sleep(every)


def check_every(every: float | None) -> float:
    """Return the seconds to wait; raises UsageError unless `every` is a number of them."""
    if every is None:
        return 5.0
    if not 0.1 <= every <= 86_400:
        raise UsageError(f"--every must be from 0.1 to 86,400 seconds, got {every:g}; write for example --every 5")
    return every


def diagram_in_words(file: Path, changes: list[str] | None, results: str) -> list[str]:
    """Return the phase diagram so far in letters; nothing where there is no row yet, or it has no room."""
    from lrsym.results.analysis.diagram import text_diagram
    from lrsym.results.plots.draw import read_trials

    try:
        sweep = load_sweep(file, results, changes)
        rows = read_trials(sweep, results, live=True)
        table = text_diagram(rows, prefer=[key.rpartition(".")[2] for key in sweep.varied])
    except UsageError:
        return []
    if table.height > MAX_DIAGRAM_ROWS:
        return []
    return [f"{PHASE_METRIC} so far, mean and seeds:", as_text(table)]
