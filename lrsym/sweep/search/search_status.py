"""How far a search is: its cells by state, its trials by status, and the best so far."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lrsym.results.analysis.suggestions import candidate_cells, rank_cells
from lrsym.results.store.store import Store
from lrsym.sweep.execution.sweep_status import SweepStatus, sweep_status
from lrsym.sweep.search.run import searched_sweep
from lrsym.sweep.search.standing import standing
from lrsym.sweep.search.suggestions import read_outcomes
from lrsym.sweep.spec.search import Search
from lrsym.vocabulary import SUGGESTION_STATES


@dataclass(frozen=True)
class SearchStatus:
    """Where a search stands: how many of the `budget` cells were asked for, by their state, and their trials.

    `to_come` cells are still to be asked for, `left` are those and the ones without an outcome in which no trial has
    failed. `repeated` and `reused` count suggestions that were answered from rows. `best` is the objective of the best
    cell that was trained to the end, None before there is one; with several objectives, one of the Pareto front.
    """

    budget: int
    cells: Mapping[str, int]
    repeated: int
    reused: int
    best: tuple[float, ...] | None
    trials: SweepStatus | None
    to_come: int
    left: int

    @property
    def begun(self) -> bool:
        """Whether a cell has been asked for."""
        return self.trials is not None


def search_status(search: Search, store: Store) -> SearchStatus:
    """Return where `search` stands in `store`, which need not exist yet."""
    suggestions = read_outcomes(search, store)
    origins = dict(suggestions.group_by("origin").len().iter_rows())
    asked = suggestions.filter(pl.col("origin") == "asked")
    begun = (suggestions["number"] >= 0).any()
    states = dict(asked.group_by("state").len().iter_rows())
    final = candidate_cells(suggestions, replicates=search.replicates).filter("final")
    ranked = rank_cells(final, maximise=[objective.maximise for objective in search.objectives])
    budget = max([search.budget, *suggestions["budget"].tail(1)])
    where = standing(search, store, budget=budget)
    to_come = where.to_come * search.replicates
    return SearchStatus(
        budget=budget,
        cells={state: states.get(state, 0) for state in SUGGESTION_STATES},
        repeated=origins.get("repeated", 0),
        reused=origins.get("reused", 0),
        best=None if ranked.is_empty() else tuple(ranked["objective"][0]),
        trials=sweep_status(searched_sweep(search, store), store.root, n_to_come=to_come) if begun else None,
        to_come=where.to_come,
        left=where.left - where.failed,
    )
