"""What a search has asked for and what came of it: rows of the table suggestions, from which it goes on."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import polars as pl

from lrsym.results.analysis.suggestions import with_outcomes
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials, read_again
from lrsym.sweep.spec.search import Search


@dataclass(frozen=True)
class Suggestion:
    """A cell that a search chose, and how it stands; the columns of the table suggestions.

    `asked` is what the sampler had asked for, `point` the nearest that a trial can be. `intermediate` has a tuple for
    each evaluation, with a value for each replicate.
    """

    number: int
    batch: int | None
    origin: str
    point: dict[str, Any]
    asked: dict[str, Any]
    trial_ids: tuple[str, ...]
    budget: int
    state: str = "running"
    objective: tuple[float, ...] | None = None
    intermediate: tuple[tuple[float, ...], ...] | None = None
    pending: tuple[int, ...] = ()
    asked_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def known(self) -> bool:
        """Whether its outcome is known."""
        return self.state != "running"

    def with_outcome(
        self, objective: tuple[float, ...] | None, intermediate: tuple[tuple[float, ...], ...] | None = None
    ) -> "Suggestion":
        """Return it with its outcome; `objective` None is a failure."""
        state = "failed" if objective is None else "complete"
        return replace(self, state=state, objective=objective, intermediate=intermediate, finished_at=datetime.now(UTC))


def read_outcomes(search: Search, store: Store) -> pl.DataFrame:
    """Return the rows of `search` in the table suggestions, by number, with what became of each (`with_outcomes`)."""
    rows = _rows(search, store)
    trials = load_trials(store.root, trial_ids=rows["trial_ids"].explode(empty_as_null=False))
    return with_outcomes(rows, trials, replicates=search.replicates)


_WRITTEN = ["point", "trial_ids", "pending"]
"""Columns that every suggestion has: a row without is none that a search wrote."""


def _rows(search: Search, store: Store) -> pl.DataFrame:
    def read() -> pl.DataFrame:
        rows = store.scan("suggestions").filter(pl.col("search") == search.key)
        return rows.drop_nulls(_WRITTEN).sort("number").collect()

    return read_again(read)


class SuggestionLog:
    """The suggestions of one search in the store, by number."""

    def __init__(self, store: Store, search: Search) -> None:
        self._store, self._search = store, search
        rows = _rows(search, store)
        self._by_number = {row["number"]: _from_row(row) for row in rows.iter_rows(named=True)}

    @property
    def all(self) -> Sequence[Suggestion]:
        """Every suggestion, in the order of their numbers."""
        return tuple(self._by_number.values())

    def ask(self, suggestions: Sequence[Suggestion]) -> None:
        """Write new suggestions, in the order of their numbers: all of them appear at once. Raises OSError."""
        if suggestions:
            self._write(f"{suggestions[0].number:07d}", suggestions)

    def record_outcomes(self, suggestions: Iterable[Suggestion]) -> None:
        """Write suggestions whose outcome is known. Raises OSError."""
        for suggestion in suggestions:
            self._write(f"{suggestion.number:07d}-outcome", [suggestion])

    def _write(self, part: str, suggestions: Sequence[Suggestion]) -> None:
        table = TABLES["suggestions"].build(self._row(suggestion) for suggestion in suggestions)
        self._store.write(f"search-{self._search.key}-{part}", {"suggestions": table})
        self._by_number |= {suggestion.number: suggestion for suggestion in suggestions}

    def _row(self, s: Suggestion) -> dict[str, object]:
        return {
            "search": self._search.key, "sweep": self._search.name, "number": s.number, "batch": s.batch,
            "origin": s.origin, "state": s.state, "point": json.dumps(s.point), "trial_ids": s.trial_ids,
            "asked_point": None if s.asked == s.point else json.dumps(s.asked), "objective": s.objective,
            "intermediate": s.intermediate, "pending": s.pending, "budget": s.budget, "asked_at": s.asked_at,
            "finished_at": s.finished_at,
        }  # fmt: skip


def _from_row(row: dict[str, Any]) -> Suggestion:
    point = json.loads(row["point"])
    return Suggestion(
        row["number"], row["batch"], row["origin"], point,
        asked=json.loads(row["asked_point"]) if row["asked_point"] else point,
        trial_ids=tuple(row["trial_ids"]), budget=row["budget"], state=row["state"],
        objective=None if row["objective"] is None else tuple(row["objective"]),
        intermediate=None if row["intermediate"] is None else tuple(map(tuple, row["intermediate"])),
        pending=tuple(row["pending"]), asked_at=row["asked_at"], finished_at=row["finished_at"],
    )  # fmt: skip
