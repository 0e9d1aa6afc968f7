"""The map of mechanisms: for each cell of two axes the shares of its seeds that read order by which path."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import Frame, has_outcome, lost_all
from lrsym.results.analysis.class_shares import path_shares
from lrsym.results.analysis.varied_axes import choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.share_grid import ShareGrid
from lrsym.vocabulary import AT_CHANCE, ORDERED, PATHS, by_name

PATH_COLOURS = by_name(
    PATHS, {"value": "#6a2c91", "ep": "#e8894a", "pp": "#3b8ac9", "mixed": "#f2cf63", "none": "#dfe2e7"}
)
"""Told apart by lightness as well as by hue, for readers who do not see all hues."""

_LEGEND = by_name(
    PATHS,
    {
        "value": "value: the position in the values (VP)",
        "ep": "ep: the position-key terms of the scores, EP above all",
        "pp": "pp: the position-key terms of the scores, PP above all",
        "mixed": "mixed: EP and PP alike, or scores and values",
        "none": "none: order not learned",
    },
)

_REASONS = {
    "not trained to the end": ~has_outcome(),
    "with rotary positions, whose scores are no sum of terms": pl.col("positions") == "rotary",
    "with a norm before the first attention, whose scores are no sum of terms": pl.col("layer_norm") == "pre",
    "with fewer than two labels held out": pl.col("n_heldout_labels") < 2,
}
"""Why a trial has no path, by the columns that tell it; the first that is true of it is told."""

_CELL = (54, 42)  # pixels


def plot_mechanism(
    trials: Frame, *, x: str | None = None, y: str | None = None, facet: str | None = None, prefer: Sequence[str] = ()
) -> theme.Chart:
    """Return each cell filled by the shares of its seeds on each path, a panel for each value of `facet`.

    `trials` is the table of that name; axes not given are the first varied ones, those in `prefer` before others. A
    cell is as full as it has seeds beside the cell with most, and says their number where it is not full. Raises
    UsageError if no trial has a path, or if more axes vary than a picture has room for.
    """
    table = trials.lazy().collect()
    if "path" not in table.columns:
        raise UsageError("rows have no column path; give a sweep, or rows of the table trials with all their columns")
    if table["path"].is_null().all():
        if lost := lost_all(table):
            raise UsageError(f"none of {table.height} trials has a path: {lost}; choose others with --where")
        raise UsageError(
            f"none of {table.height} trials has a path, which the table ablations tells: it has score terms where the "
            "first block reads token + position embeddings itself (model.layer_norm none or post, model.positions "
            "learned), and unseen pairs where two or more labels are held out; choose such trials"
        )
    x, y, facet = choose_axes(table, x=x, y=y, facet=facet, prefer=prefer)
    cells = path_shares(table, x=x, y=y, facet=facet)
    most = cells["n"].max()

    def text(cell: dict[str, Any]) -> str:
        return "" if cell["n"] == most else f"n={cell['n']}" if cell["n"] else "no path"

    grid = ShareGrid(cells, x, y, facet, kind="path", colours=PATH_COLOURS, legend=_LEGEND, text=text, cell=_CELL)
    return theme.finish(
        grid.chart(),
        title="How order on unseen pairs is read",
        subtitle=[*_explain(table, cells), *theme.stopped_early(table)],
        width=grid.width,
        frame=cells,
    )


def _explain(trials: pl.DataFrame, cells: pl.DataFrame) -> list[str]:
    """Return sentences: what a full cell is, the rule in short, how many trials there are and why some have no path."""
    without, most = trials.filter(pl.col("path").is_null()), cells["n"].max()
    seeds = f"{most} seed{'' if most == 1 else 's'}"
    return [
        f"A full cell is {seeds}, each on one path. Ordered: above {ORDERED}; at chance: below "
        f"{AT_CHANCE}. Scores: at chance without EP+PP+BP, ordered without VP; values: the other way round.",
        f"{counted(trials.height, 'trial')}{''.join(_without_path(without))}.",
    ]


def _without_path(trials: pl.DataFrame) -> Iterator[str]:
    """Yield how many trials have no path, then the reasons that their columns tell, each with its trials."""
    if trials.is_empty():
        return
    yield f", {trials.height:,} without a path"
    told = ": "
    for reason, has_it in _REASONS.items():
        if {*has_it.meta.root_names()} <= {*trials.columns} and (n := trials.filter(has_it).height):
            yield f"{told}{n:,} {reason}"
            trials, told = trials.filter(~has_it), ", "
