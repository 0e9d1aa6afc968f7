"""What a sweep planned: its cells by their axes, and the cell of each trial."""

from dataclasses import dataclass, replace

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.varied_axes import axis_groups
from lrsym.results.plots import theme
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.part import Part
from lrsym.sweep.spec.sweep import Sweep

CELL = "cell"
"""The column with the number of a cell, from 0 in the order of the sweep."""


@dataclass(frozen=True)
class Planned:
    """The cells of a sweep, whether trained or not.

    `cells` has a row for each with its values on the varied axes, `trials` the columns trial_id and cell. `axes` are
    those that tell cells apart, in the order of the sweep; `followers` move with one of them.
    """

    cells: pl.DataFrame
    trials: pl.DataFrame
    axes: tuple[str, ...]
    followers: tuple[str, ...]

    @classmethod
    def of(cls, sweep: Sweep) -> "Planned":
        """Return those of `sweep`."""
        cells = _cell_table(sweep)
        groups = axis_groups(cells)
        order = [key.rpartition(".")[2] for key in sweep.varied]
        axes = sorted(groups, key=lambda axis: order.index(axis) if axis in order else len(order))
        numbers = [number for number in range(len(sweep.cells)) for _ in sweep.seeds]
        trials = pl.DataFrame({"trial_id": sweep.trial_ids(), CELL: numbers})
        return cls(cells, trials, tuple(axes), tuple(name for names in groups.values() for name in names))

    def values(self, axis: str) -> list[str]:
        """Return the values of `axis` as text, ascending."""
        return theme.format_values(self.cells[axis])

    def places(self, axis: str) -> list[int]:
        """Return for each cell which of `values` it has."""
        place = {text: number for number, text in enumerate(self.values(axis))}
        return [place[theme.format_value(value)] for value in self.cells[axis]]

    def names(self) -> list[str]:
        """Return what each cell is called: its axes and their followers with their values."""
        shown = self.cells.select(*self.axes, *self.followers)
        if not shown.columns:
            return ["the one cell"] * self.cells.height
        return [theme.format_cell(row) for row in shown.iter_rows(named=True)]


def _cell_table(sweep: Sweep) -> pl.DataFrame:
    """Return a row for each cell with the axes that the sweep varies, or with all where it varies what is no axis."""
    keys = [key.split(".") for key in sweep.varied]
    if all(hasattr(getattr(sweep.cells[0], section), axis) for section, axis in keys):
        values = {axis: [getattr(getattr(cell, section), axis) for cell in sweep.cells] for section, axis in keys}
        frame = pl.DataFrame(values, strict=False)
        return frame if keys else pl.DataFrame({"n_pair_labels": [sweep.cells[0].scenes.n_pair_labels]})
    rows = ({**axis_values(cell.trial(sweep.seeds[0])), "seed": None} for cell in sweep.cells)
    return pl.DataFrame(rows, infer_schema_length=None).drop("trial_id", "seed")


def part_of(sweep: Sweep, where: str) -> Sweep:
    """Return the cells and seeds of `sweep` that meet `where`, an SQL condition on axes, as a sweep.

    Raises UsageError for what is no such condition, where none is left, and where cells would differ in their seeds.
    """
    places = Part(where=where).places(sweep)
    assert places is not None
    cells, seeds = ({place // sweep.replicates for place in places}, {place % sweep.replicates for place in places})
    first, last = min(seeds), max(seeds)
    if len(cells) * (last - first + 1) != len(places):
        raise UsageError(
            f"--where must keep the same seeds of each cell, one after the other; {where!r} keeps "
            f"{len(places)} trials of {len(cells)} cells of {sweep.name}; write it of axes alone"
        )
    kept = tuple(sweep.cells[number] for number in sorted(cells))
    return replace(sweep, cells=kept, seeds=sweep.seeds[first : last + 1])
