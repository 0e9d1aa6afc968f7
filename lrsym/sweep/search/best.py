"""The best cells of a search, or of a grid by one column: what they reached, with its interval, and where they lie."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lrsym.config.messages import axes_set_by
from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import replicate_value, shares_value
from lrsym.results.analysis.intervals import Estimate, estimate_mean, interval_of, resolution_of
from lrsym.results.analysis.suggestions import candidate_cells, rank_cells
from lrsym.results.store.place import name_place
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.search.objective import wrong_column
from lrsym.sweep.search.suggestions import read_outcomes
from lrsym.sweep.spec.search import Objective, Search
from lrsym.sweep.spec.search_space import Point
from lrsym.sweep.spec.sweep import Sweep, command


@dataclass(frozen=True)
class BestCell:
    """A cell among the best. `objective` is what the sampler was told; of a grid, the mean of its column.

    `estimates` has the mean over replicates and its 95 % interval (`interval_of`) for each objective that is a column,
    None for SQL and for a cell that a rule stopped (n_stopped > 0): that has no final value, and no rank. `n` counts
    the replicates behind the objective. `point` has its values on the axes of the search, or on those that vary.
    """

    rank: int | None
    origin: str | None
    objective: tuple[float, ...]
    estimates: tuple[Estimate | None, ...]
    n: int
    n_diverged: int
    n_stopped: int
    point: Point
    trial_ids: tuple[str, ...]

    @property
    def base(self) -> list[str]:
        """The lines that fix its point under `[base]` of a sweep file."""
        return [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in self.point.items() if value is not None]


@dataclass(frozen=True)
class Best:
    """The best `cells` of the `n_cells` that have all their replicates and a value; `n_without` have none.

    With several objectives they are of the Pareto front, which has `n_front` cells (None with one objective).
    `n_tied` cells share the first rank, whether or not they are among `cells`; None where there is no rank.
    `fresh_seed` is the first seed that no replicate had.
    """

    objectives: tuple[Objective, ...]
    cells: tuple[BestCell, ...]
    n_cells: int
    n_without: int
    n_front: int | None
    n_tied: int | None
    replicates: int
    fresh_seed: int


def best_of_search(search: Search, store: Store, *, n: int) -> Best:
    """Return the at most `n` best cells of `search` by the objective as it was told to the sampler.

    Raises UsageError where no cell has an objective and all its replicates.
    """
    suggestions = read_outcomes(search, store)
    cells = candidate_cells(suggestions, replicates=search.replicates)
    first = pl.col("trial_ids").list.first()
    without = suggestions.filter(pl.col("state") == "failed").select(first).n_unique()
    if cells.is_empty():
        chosen = suggestions.filter(pl.col("origin") != "reused").select(first).n_unique()
        raise _no_best(search.source.name, search.source.changes, store.root, n_chosen=chosen, n_without=without)
    points = {row["number"]: json.loads(row["point"]) for row in cells.iter_rows(named=True)}
    return _best(cells, points.__getitem__, search.objectives, store, n=n, n_without=without, seeds=search.seeds)


def best_of_grid(sweep: Sweep, store: Store, objective: Objective, *, n: int) -> Best:
    """Return the at most `n` best cells of `sweep` by the mean of a column over all their replicates.

    `objective` names a column of numbers of the table trials. Raises UsageError where it does not, and where no cell
    has a value under every seed.
    """
    if message := wrong_column(objective.sql):
        raise UsageError(f"--metric must give one number for each trial, {message}")
    frame = _grid_cells(sweep, store, objective.sql)
    cells = frame.filter(pl.col("n_values") == sweep.replicates)
    without = frame.filter(pl.col("n_trained") == sweep.replicates).height - cells.height
    if cells.is_empty():
        begun = frame.filter(pl.col("n_trained") > 0).height
        raise _no_best(sweep.source, sweep.changes, store.root, n_chosen=begun, n_without=without)
    keys = [*dict.fromkeys(name for key in sweep.varied for name in axes_set_by(key))]

    def point(number: int) -> Point:
        values = sweep.cells[number].trial(sweep.seeds.start).values()
        return {key: values[key] for key in keys}

    return _best(cells, point, (objective,), store, n=n, n_without=without, seeds=sweep.seeds)


def _grid_cells(sweep: Sweep, store: Store, column: str) -> pl.DataFrame:
    """Return a row for each cell, as those of `candidate_cells`; n_values and n_trained count its trials."""
    ids = pl.Series(sweep.trial_ids(), dtype=pl.String)
    status = pl.col("status")
    rows = load_trials(store.root, trial_ids=ids).select("trial_id", "status", value=replicate_value(column))
    number = pl.int_range(pl.len(), dtype=pl.Int64) // sweep.replicates
    return (
        ids.to_frame("trial_ids")
        .lazy()
        .with_columns(number=number, origin=pl.lit(None, dtype=pl.String), n_stopped=pl.lit(0, dtype=pl.Int64))
        .join(rows, left_on="trial_ids", right_on="trial_id", how="left", maintain_order="left")
        .group_by("number", "origin", "n_stopped", maintain_order=True)
        .agg(
            "trial_ids",
            objective=pl.col("value").mean(),
            n_values=pl.col("value").count(),
            n_trained=status.count(),
            n_diverged=(status == "diverged").sum(),
        )
        .with_columns(pl.concat_list("objective").alias("objective"))
        .collect()
    )


def _best(
    cells: pl.DataFrame,
    point: Callable[[int], Point],
    objectives: Sequence[Objective],
    store: Store,
    *,
    n: int,
    n_without: int,
    seeds: range,
) -> Best:
    """Return the first `n` of `cells`, ranked; `point` gives the values of one by its number."""
    ranked = rank_cells(cells, maximise=[objective.maximise for objective in objectives])
    shown = ranked.head(n)
    trials = load_trials(store.root, trial_ids=shown["trial_ids"].explode()).collect()
    best = tuple(_cell(row, point(row["number"]), objectives, trials) for row in shown.iter_rows(named=True))
    n_front = ranked.height if len(objectives) > 1 else None
    n_tied = ranked.filter(pl.col("rank") == 1).height or None
    return Best(tuple(objectives), best, cells.height, n_without, n_front, n_tied, len(seeds), seeds.stop)


def _cell(row: dict[str, Any], point: Point, objectives: Sequence[Objective], trials: pl.DataFrame) -> BestCell:
    rows = trials.filter(pl.col("trial_id").is_in(row["trial_ids"]))
    estimates = tuple(None if row["n_stopped"] else _estimate(objective, rows) for objective in objectives)
    told = rows.filter(pl.col("status").is_in(["done", "stopped"])).height
    n = min((estimate.n for estimate in estimates if estimate is not None), default=told)
    return BestCell(
        row["rank"], row["origin"], tuple(row["objective"]), estimates, n, row["n_diverged"], row["n_stopped"], point,
        tuple(row["trial_ids"]),
    )  # fmt: skip


def _estimate(objective: Objective, rows: pl.DataFrame) -> Estimate | None:
    if not objective.is_column:
        return None
    column = objective.sql
    known = rows.select(value=replicate_value(column), shared=shares_value(column, rows.columns)).drop_nulls("value")
    estimate = estimate_mean(known["value"], interval=interval_of(column), resolution=resolution_of(column))
    return Estimate(estimate.n, estimate.mean) if known["shared"].any() else estimate


def _no_best(file: str, changes: Sequence[str], root: str, *, n_chosen: int, n_without: int) -> UsageError:
    look, train = (command(verb, file, root, changes=changes) for verb in ("status", "sweep"))
    if not n_chosen:
        return UsageError(f"there is no best yet: {file} has no trained cell in {name_place(root)}; train: {train}")
    left = n_chosen - n_without
    counts = {"diverged, failed or never got there": n_without, "not finished": left}
    why = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    return UsageError(
        f"a cell counts with a value under every seed, none of the {n_chosen} begun of {file} in {root} has one: "
        f"{why}; see {look}{f', go on: {train}' if left else ''}"
    )
