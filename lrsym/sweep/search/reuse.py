"""Finished trials of any sweep that lie in the space of a search: what a sampler can learn before it is asked."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from lrsym.config.axes import axes
from lrsym.results.store.store import Store, read_again
from lrsym.sweep.search.objective import objective_values
from lrsym.sweep.search.suggestions import Suggestion
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_space import Point, RefusedError
from lrsym.vocabulary import LEARNING_SAMPLERS


def reused(store: Store, search: Search, *, budget: int) -> list[Suggestion]:
    """Return a suggestion for each cell with finished trials under seeds of `search`, numbered from -n to -1.

    Their order does not depend on when they were trained. Cells without an objective are left out: what failed once
    tells a sampler nothing.
    """
    if not search.reuse or search.sampler not in LEARNING_SAMPLERS:
        return []
    found: dict[str, tuple[Point, list[dict[str, Any]]]] = {}
    for point, row in _candidates(store, search):
        try:
            cell = search.space.cell(point)
        except RefusedError:
            continue
        identity, own = cell.trial_ids([search.seeds.start, row["seed"]])
        if own == row["trial_id"]:
            found.setdefault(identity, (point, []))[1].append(row)
    told = []
    for _, (point, rows) in sorted(found.items()):
        rows.sort(key=lambda row: row["seed"])
        objective = objective_values(search.objectives, pl.DataFrame(rows, schema=_schema(store)))
        if objective is not None:
            told.append((dict(point), tuple(row["trial_id"] for row in rows), objective))
    return [
        Suggestion(i - len(told), None, "reused", point, point, ids, budget).with_outcome(objective)
        for i, (point, ids, objective) in enumerate(told)
    ]


def _candidates(store: Store, search: Search) -> Iterator[tuple[Point, dict[str, Any]]]:
    """Yield the point and the row of finished trials that may lie in the space; whether they do, identity tells."""
    fixed = search.space.cell(search.space.corner).trial(search.seeds.start).values()
    columns = {axis.key: axis.name for axis in axes()}
    # A derived axis may follow one of the space; a preset stands for several axes.
    free = {*search.space.keys, "seed", *(axis.key for axis in axes() if axis.derived or axis.section == "model")}
    same = [
        pl.col(columns[key]).eq_missing(pl.lit(value, dtype=_schema(store)[columns[key]]))
        for key, value in fixed.items()
        if key not in free
    ]
    mine = pl.col("seed").is_between(search.seeds.start, search.seeds.stop - 1)
    rows = read_again(lambda: store.scan("trials").filter(pl.col("status") == "done", mine, *same).collect())
    for row in rows.iter_rows(named=True):
        point = {axis.key: row.get(columns.get(axis.key, "")) for axis in search.space.axes}
        if all(axis.has(point[axis.key]) for axis in search.space.axes):
            yield point, row


def _schema(store: Store) -> pl.Schema:
    return store.scan("trials").collect_schema()
