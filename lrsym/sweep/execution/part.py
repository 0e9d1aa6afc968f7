"""A part of a sweep: a shard of it, the trials that meet a condition, those that failed, and of those so many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.store.query import filter_trials, none_meets
from lrsym.results.store.schema import TABLES, axis_columns
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.planning.shards import Shard
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep
from lrsym.toml_source import show
from lrsym.vocabulary import FAILED_STATUSES


@dataclass(frozen=True)
class Part:
    """Which trials of a sweep are meant: those of `shard`, all of them where it is None, for which the SQL condition
    `where` holds on their axes; where `retry` names statuses only those that ended so; of them the first `limit` that
    are not trained.

    Raises UsageError for a status that is no failure.
    """

    where: str | None = None
    limit: int | None = None
    shard: Shard | None = None
    retry: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for status in self.retry:
            if status not in FAILED_STATUSES:
                raise UsageError(
                    f"--retry must be one of {', '.join(FAILED_STATUSES)}, got {show(status)}; any other ending is a "
                    "result, which stays (lrsym forget removes it)"
                )

    @classmethod
    def of(
        cls,
        found: Sweep | Search,
        *,
        where: str | None = None,
        limit: int | None = None,
        shard: str | None = None,
        retry: str | Sequence[str] | None = None,
    ) -> Self:
        """Return the part of a grid, its shard given as I/N. Raises UsageError where one is asked of a search, which
        has failures alone."""
        asked = {"where": where, "limit": limit, "shard": shard}
        given = [f"--{name}" for name, value in asked.items() if value is not None]
        if isinstance(found, Search) and given:
            raise UsageError(
                f"{given[0]} is for grids, {found.name} is a search, which chooses its cells; use --budget"
            )
        statuses = (retry,) if isinstance(retry, str) else tuple(retry or ())
        return cls(where, limit, None if shard is None else Shard.parse(shard), statuses)

    @property
    def in_words(self) -> str:
        """What to say behind the name of the sweep."""
        return "" if self.shard is None else f", shard {self.shard}"

    def places(self, sweep: Sweep) -> list[int] | None:
        """Return the places of the trials of the shard that meet the condition, ascending; None where there is
        neither.

        Raises UsageError for what is no condition on axes, and where no trial of the sweep meets it.
        """
        meeting = None if self.where is None else self._meeting(sweep, self.where)
        if self.shard is None:
            return meeting
        share = self.shard.places(sweep)
        return share if meeting is None else sorted({*share}.intersection(meeting))

    @staticmethod
    def _meeting(sweep: Sweep, where: str) -> list[int]:
        table = TABLES["trials"].build(axis_values(trial) for trial in sweep.trials)
        axes = pl.DataFrame(table).select(axis_columns()).with_row_index("place")
        places = filter_trials(axes, where)["place"].to_list()
        if not places:
            raise UsageError(f"none of the {len(sweep):,} trials of {sweep.name} {none_meets(axes, where)}")
        return places


WHOLE = Part()
"""All of a sweep."""
