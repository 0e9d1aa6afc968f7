"""What is exported: the tables of a sweep's trials, of all trials of a folder, or of imported ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lrsym.config.messages import axes_set_by
from lrsym.errors import UsageError, first_line
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.imported import FOLDERS, is_imported, load_imported, read_sources, refuse_imported
from lrsym.results.store.place import require_results
from lrsym.results.store.query import filter_trials, none_meets
from lrsym.results.store.schema import TABLES, axis_columns
from lrsym.results.store.store import load, read_again
from lrsym.sweep.spec.sweep import Sweep


@dataclass(frozen=True)
class Selection:
    """Tables to export, all but empty ones; which columns of trials are parameters, metrics, and axes that vary.

    Columns of imported trials have the names that their tool gave them, whatever ours mean.
    """

    name: str
    root: str
    tables: Mapping[str, pl.DataFrame]
    parameters: Sequence[str]
    metrics: Sequence[str]
    varied: Sequence[str] = ()
    is_imported: bool = False

    @property
    def trials(self) -> pl.DataFrame:
        """The table trials."""
        return self.tables["trials"]


def select(root: str, sweep: Sweep | None = None, *, where: str | None = None) -> Selection:
    """Return what the folder `root` has of the trials of `sweep`, of all trials where it is None, that meet `where`.

    Raises UsageError where there is nothing, where `where` is no condition, and where imported trials are asked for by
    a sweep.
    """
    files = open_filesystem(root)
    if is_imported(files):
        if sweep is not None:
            refuse_imported(files)
        return _select_imported(root, where)
    require_results(root)
    return read_again(lambda: _select(root, sweep, where))


def _select(root: str, sweep: Sweep | None, where: str | None) -> Selection:
    trials = load(root, "trials", trial_ids=None if sweep is None else sweep.trial_ids()).collect()
    if trials.is_empty() and sweep is not None:
        raise UsageError(f"no trial of {sweep.name} in {root}; train first: {sweep.command('sweep', root)}")
    _require_some(trials, root, "train a sweep first")
    if where is not None:
        there, trials = trials, filter_trials(trials, where)
        if trials.is_empty():
            raise UsageError(f"no trial in {root} {none_meets(there, where)}")
    ids = None if sweep is None and where is None else trials["trial_id"]
    tables = {"trials": trials.sort("trial_id")}
    for name in {*TABLES} - {"trials"}:
        rows = load(root, name, trial_ids=ids).collect()
        if name == "runs":
            rows = rows.join(trials.select("run_id").unique(), on="run_id", how="semi")
        elif name != "suggestions":  # a sweep may have written since the trials were read
            rows = rows.join(trials.select("trial_id"), on="trial_id", how="semi")
        if rows.height:
            tables[name] = rows.sort(TABLES[name].key)
    ordered = {name: tables[name] for name in TABLES if name in tables}
    numbers = [name for name, kind in trials.schema.items() if kind.is_numeric() and name not in axis_columns()]
    if sweep is None:
        return Selection(_name_of(root), root, ordered, axis_columns(), numbers)
    varied = [name for key in sweep.varied for name in _columns_set_by(key, trials)]
    return Selection(sweep.name, root, ordered, axis_columns(), numbers, varied)


def _select_imported(root: str, where: str | None) -> Selection:
    trials, curves = (load_imported(root, name).collect() for name in FOLDERS)
    _require_some(trials, root, "import some first")
    if where is not None:
        there = trials
        try:
            trials = trials.filter(pl.sql_expr(where))
        except pl.exceptions.PolarsError as error:
            columns = ", ".join(trials.columns)
            raise UsageError(
                f"where {where!r} is no condition on the imported trials: {first_line(error)}; columns are {columns}"
            ) from None
        if trials.is_empty():
            raise UsageError(f"no trial in {root} {none_meets(there, where)}")
    curves = curves.join(trials.select("trial_id"), on="trial_id", how="semi")
    tables = {"trials": trials.sort("trial_id"), "curves": curves.sort("trial_id", "metric", "step")}
    sources = [*read_sources(open_filesystem(root)).values()]
    parameters = dict.fromkeys(name for source in sources for name in source.parameters)
    metrics = ["seconds", *dict.fromkeys(name for source in sources for name in source.metrics)]
    ordered = {name: rows for name, rows in tables.items() if rows.height}
    return Selection(_name_of(root), root, ordered, [*parameters], metrics, is_imported=True)


def _columns_set_by(key: str, trials: pl.DataFrame) -> list[str]:
    """Return the columns of what `key` of a sweep file sets; of those of a preset the ones that differ in `trials`."""
    columns = [axis.rpartition(".")[2] for axis in axes_set_by(key)]
    return columns if len(columns) == 1 else [name for name in columns if trials[name].n_unique() > 1]


def _require_some(trials: pl.DataFrame, root: str, remedy: str) -> None:
    if trials.is_empty():
        raise UsageError(f"no trial in {root}; {remedy}")


def _name_of(root: str) -> str:
    return Path(root.rstrip("/")).absolute().name or "results"
