"""A part of a sweep: the trials that meet a condition on their axes, and of those so many."""

from dataclasses import dataclass
from typing import Self

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.store.query import filter_trials
from lrsym.results.store.schema import TABLES, axis_columns
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep


@dataclass(frozen=True)
class Part:
    """Which trials of a sweep are meant: those for which the SQL condition `where` holds on their axes, all where it is
    None; of them the first `limit` that are not trained. Raises UsageError for a limit that is no number of trials."""

    where: str | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and (isinstance(self.limit, bool) or self.limit < 1):
            raise UsageError(f"--limit must be a number of trials from 1 on, got {self.limit}; leave it out for all")

    @classmethod
    def of(cls, found: Sweep | Search, *, where: str | None, limit: int | None) -> Self:
        """Return the part of a grid. Raises UsageError where one is asked of a search."""
        if isinstance(found, Search) and (where is not None or limit is not None):
            given = "--limit" if where is None else "--where"
            raise UsageError(f"{given} is for grids, {found.name} is a search, which chooses its cells; use --budget")
        return cls(where, limit)

    def places(self, sweep: Sweep) -> list[int] | None:
        """Return the places of the trials that meet the condition; None where there is none.

        Raises UsageError for what is no condition on axes, and where no trial meets it.
        """
        if self.where is None:
            return None
        table = TABLES["trials"].build(axis_values(trial) for trial in sweep.trials)
        axes = pl.DataFrame(table).select(axis_columns()).with_row_index("place")
        places = filter_trials(axes, self.where)["place"].to_list()
        if not places:
            raise UsageError(
                f"--where {self.where!r} leaves none of the {len(sweep):,} trials of {sweep.name}; widen it"
            )
        return places


WHOLE = Part()
"""All of a sweep."""
