"""The probability of each phase in each cell: its seeds by the phase of their own, with the commonest in numbers."""

from collections.abc import Sequence
from typing import Any

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import Frame, lost_all
from lrsym.results.analysis.class_shares import phase_shares, share
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.analysis.varied_axes import choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.phase_shown import PHASE_COLOURS
from lrsym.results.plots.share_grid import ShareGrid
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD, PHASES

_CELL = (72, 66)  # pixels: two lines of text on two fifths of it


def plot_probabilities(
    trials: Frame,
    *,
    metric: str = PHASE_METRIC,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    threshold: float = PHASE_THRESHOLD,
    prefer: Sequence[str] = (),
) -> theme.Chart:
    """Return each cell filled by the shares of its seeds in each phase at `threshold`, a panel for each `facet` value.

    `trials` is the table of that name; axes not given are the first varied ones, those in `prefer` before others. Each
    cell says the share of its commonest phase with Wilson's 95 % interval. Raises UsageError if no seed has a phase, or
    if more axes vary than a picture has room for.
    """
    accuracy = split_and_metric(metric)[1]
    table = trials.lazy().collect()
    if table.is_empty():
        raise UsageError("there are no trials to draw; train a sweep first, or load the folder that has its rows")
    x, y, facet = choose_axes(table, x=x, y=y, facet=facet, prefer=prefer)
    cells = phase_shares(table, x=x, y=y, facet=facet, metric=metric, threshold=threshold)
    if not cells["n"].sum():
        lost = lost_all(table)
        raise UsageError(
            f"none of {table.height} trials has a phase, which takes a value of train_{accuracy}"
            + (f": {lost}; choose others with --where" if lost else "; choose another --metric")
        )
    legend = {name: f"{name}: {sentence}" for name, sentence in PHASES.items()}
    grid = ShareGrid(
        cells, x, y, facet, kind="phase", colours=PHASE_COLOURS, legend=legend, text=_text, strip=_commonest, cell=_CELL
    )
    without = table.height - int(cells["n"].sum())
    return theme.finish(
        grid.chart(),
        title=f"Probability of each phase, by {accuracy} accuracy",
        subtitle=[
            f"Each seed has a phase of its own at threshold {threshold:g}; a cell is filled by its seeds' shares. "
            "Number: the share of its commonest phase, on its colour where that has room, with its 95 % interval "
            "(Wilson): how often a further seed ends there.",
            f"{counted(table.height, 'trial')}, {theme.seed_count(cells['n'])} with a phase in each cell"
            + (f"; {counted(without, 'trial', 'have')} none." if without else "."),
            *theme.stopped_early(table),
        ],
        width=grid.width,
        frame=cells,
    )


def _commonest(cell: dict[str, Any]) -> str:
    """Return the commonest phase of a cell, the first of several."""
    return max(PHASES, key=lambda name: cell[name])


def _text(cell: dict[str, Any]) -> str:
    """Return the share of the commonest phase of a cell with its interval, in percent."""
    if not cell["n"]:
        return "no outcome"
    found = share(cell[_commonest(cell)], cell["n"])
    mean, low, high = (f"{100 * (value or 0.0):.0f}" for value in (found.mean, found.low, found.high))
    return f"{mean} %\n{low}{theme.EN_DASH}{high}"
