"""Read results from Python: tables, SQL, and what `lrsym status`, `lrsym best` and `lrsym claims` tell."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from lrsym.api.arguments import AnySweep, as_folder, as_grid, as_sweep, as_trained_folder, check_sides
from lrsym.errors import UsageError
from lrsym.results.store.schema import TABLES, axis_columns
from lrsym.sweep.spec.search import Objective, Search
from lrsym.toml_source import show, suggest
from lrsym.vocabulary import PHASE_METRIC

if TYPE_CHECKING:
    from lrsym.claims.judging import JudgedClaim
    from lrsym.results.analysis.contrasts import Contrast
    from lrsym.sweep.execution.sweep_status import SweepStatus
    from lrsym.sweep.search.best import Best
    from lrsym.sweep.search.search_status import SearchStatus


def load(
    results: str | Path = "results", table: str = "trials", *, trial_ids: Iterable[str] | None = None
) -> pl.LazyFrame:
    """Return any table of the folder `results`, only rows of `trial_ids` where given; see docs/columns.md.

    Of imported trials these are trials and curves. Raise UsageError for a table that does not exist, and where the
    folder holds no results.
    """
    from lrsym.results.store.filesystem import open_filesystem
    from lrsym.results.store.imported import FOLDERS, is_imported, load_imported
    from lrsym.results.store.store import load

    if not isinstance(table, str) or table not in TABLES:
        hint = suggest(str(table), TABLES) or "choose one of them"
        raise UsageError(f"table must be one of {', '.join(TABLES)}, got {show(table)}; {hint}")
    if trial_ids is None and table in FOLDERS and is_imported(open_filesystem(as_folder(results))):
        return load_imported(as_folder(results), table)
    try:
        root = as_trained_folder(results)
    except UsageError as error:
        if isinstance(results, str) and results in TABLES:
            remedy = f'the folder comes first: lrsym.load("results", "{results}")'
            raise UsageError(f"{error}; {results} is a table, {remedy}") from None
        raise
    return load(root, table, trial_ids=trial_ids)


def load_trials(results: str | Path = "results", *, trial_ids: Iterable[str] | None = None) -> pl.LazyFrame:
    """Return the table `trials` of the folder `results`, one row for each trial; as `load`."""
    return load(results, "trials", trial_ids=trial_ids)


def trials_frame(sweep: AnySweep, results: str | Path = "results") -> pl.LazyFrame:
    """Return the rows that the folder `results` has of a sweep, or of the cells that a search has chosen; as `load`."""
    root = as_trained_folder(results)
    return load(root, "trials", trial_ids=as_grid(sweep, root).trial_ids())


def query(results: str | Path, sql: str, *, trial_ids: Iterable[str] | None = None) -> pl.DataFrame:
    """Return what `sql`, a SELECT in polars' dialect, gives over the tables of the folder `results`.

    With `trial_ids` the tables hold these trials alone; the table runs stays whole. Raise UsageError where there are
    no results, where polars refuses the query, and for any statement that gives no table.
    """
    from lrsym.results.store.filesystem import open_filesystem
    from lrsym.results.store.imported import is_imported
    from lrsym.results.store.query import query

    root = as_folder(results)
    if not is_imported(open_filesystem(root)):
        root = as_trained_folder(results)
    return query(root, sql, trial_ids=None if trial_ids is None else [*trial_ids])


def status(
    sweep: AnySweep, results: str | Path = "results", *, shard: str | None = None
) -> "SweepStatus | SearchStatus":
    """Return how far a sweep, a shard of it such as "3/8", or a search is in the folder `results`, which need not exist
    yet."""
    from lrsym.results.store.store import Store
    from lrsym.sweep.execution.part import Part

    found, root = as_sweep(sweep), as_folder(results)
    part = Part.of(found, shard=shard)
    if isinstance(found, Search):
        from lrsym.sweep.search.search_status import search_status

        return search_status(found, Store(root))
    from lrsym.sweep.execution.sweep_status import sweep_status

    return sweep_status(found, root, part=part)


def best(
    sweep: AnySweep, results: str | Path = "results", *, n: int = 5, metric: str | None = None, minimise: bool = False
) -> "Best":
    """Return the at most `n` best cells of a search, or of a grid by the mean of the column `metric`.

    Raise UsageError where no cell has a value yet.
    """
    from lrsym.results.store.store import Store
    from lrsym.sweep.search.best import best_of_grid, best_of_search

    found, store = as_sweep(sweep), Store(as_folder(results))
    if isinstance(found, Search):
        if metric is not None or minimise:
            sought = ", ".join(objective.words for objective in found.objectives)
            given = "--minimise" if metric is None else f"--metric {metric}"
            raise UsageError(f"a search says itself what is sought ({sought}), got {given}; leave it out")
        return best_of_search(found, store, n=n)
    if metric is None:
        example = found.command("best", store.root, metric=PHASE_METRIC)
        raise UsageError(
            f"{found.name} is a grid, which seeks nothing by itself, got no --metric; write for example {example}"
        )
    if metric in axis_columns():
        raise UsageError(f"--metric is an outcome, got the axis {metric}; write for example --metric {PHASE_METRIC}")
    return best_of_grid(found, store, Objective(metric, not minimise), n=n)


NO_SIDE: Mapping[str, Any] = MappingProxyType({})
"""Stands for a side of a contrast that is not given."""


def contrast(
    trials: AnySweep | pl.DataFrame | pl.LazyFrame,
    *,
    of: Mapping[str, Any] = NO_SIDE,
    against: Mapping[str, Any] = NO_SIDE,
    per_doubling: str | None = None,
    metric: str | Sequence[str] = PHASE_METRIC,
    by: str | None = None,
    results: str | Path = "results",
    where: str | None = None,
) -> pl.DataFrame:
    """Return each `metric` at the values `of` of axes minus those at `against`, for each value of the axis `by`.

    In place of both `per_doubling` names an axis: how much the metric rises with each doubling of it, by a line along
    its binary logarithm.

    `trials` are rows of that table, or a sweep, whose rows are read from the folder `results`. Trials are paired by
    seed and every other axis, and averaged over cells within a seed; low and high are the 95 % interval over seeds, p
    is that of the paired t test, holm after Holm's correction for all rows. Raise UsageError where there is no pair.
    """
    found = contrast_whole(
        trials, of=of, against=against, per_doubling=per_doubling, metric=metric, by=by, results=results, where=where
    )
    return found.frame


def contrast_whole(
    trials: AnySweep | pl.DataFrame | pl.LazyFrame,
    *,
    of: Mapping[str, Any],
    against: Mapping[str, Any],
    per_doubling: str | None,
    metric: str | Sequence[str],
    by: str | None,
    results: str | Path,
    where: str | None,
) -> "Contrast":
    """Return what `contrast` does with what pairs agree in and what moves with the axes."""
    from lrsym.api.rows import trials_of
    from lrsym.results.analysis import contrasts, doublings
    from lrsym.results.analysis.metrics import as_metrics

    check_sides(of=of, against=against)
    if per_doubling is not None and (of or against):
        raise UsageError(
            f"--per-doubling {per_doubling} stands in place of --of and --against, got both; leave one out"
        )
    metrics, (rows, _) = as_metrics(metric), trials_of(trials, results, where)
    if per_doubling is not None:
        return doublings.per_doubling(rows, axis=per_doubling.rpartition(".")[2], metrics=metrics, by=by)
    return contrasts.contrast(rows, of=of, against=against, metrics=metrics, by=by)


def seeds_until(
    trials: AnySweep | pl.DataFrame | pl.LazyFrame,
    *,
    until: float,
    metric: str = PHASE_METRIC,
    results: str | Path = "results",
    where: str | None = None,
) -> pl.DataFrame:
    """Return how many seeds each cell takes until the 95 % interval of the mean of `metric` has the half-width `until`.

    A row a cell: its axes, n, mean, half_width, n_needed, n_more, the seconds of a trial, and unknown, why its spread
    is not known. `trials`, `results` and `where` as of `contrast`. Raise UsageError where there are no rows.
    """
    from lrsym.api.rows import trials_of
    from lrsym.results.analysis import replicates
    from lrsym.results.analysis.metrics import as_metrics

    if len(names := as_metrics(metric)) > 1:
        raise UsageError(f"--until is about one metric, got {metric}; leave out all but {names[0]}")
    rows, _ = trials_of(trials, results, where)
    return replicates.seeds_until(rows, metric=names[0], half_width=until)


def claims(file: str | Path, results: str | Path = "results", *, ids: Iterable[str] = ()) -> "list[JudgedClaim]":
    """Return what the rows in the folder `results` say about the claims of `file`, all of them or those with `ids`.

    Nothing is trained: `run_sweep` trains the sweeps that a file of claims names. Raise UsageError for a mistake in
    the file.
    """
    from lrsym.claims.check import check
    from lrsym.claims.judging import judge_claims

    return judge_claims(check(Path(file), [ids] if isinstance(ids, str) else ids), as_trained_folder(results))
