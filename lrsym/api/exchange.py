"""Rows for other tools and trials of theirs, from Python, as `lrsym export` and `lrsym import`."""

from pathlib import Path
from typing import TYPE_CHECKING

from lrsym.api.arguments import AnySweep, as_folder, as_grid
from lrsym.errors import UsageError

if TYPE_CHECKING:
    from lrsym.exchange.outcome import Exported
    from lrsym.exchange.trials_of_others import Imported


def export(
    sweep: AnySweep | None = None,
    out: str | Path | None = None,
    *,
    to: str,
    results: str | Path = "results",
    where: str | None = None,
) -> "Exported":
    """Write the trials of a sweep, or all in the folder `results`, for another tool; return place, counts and rows.

    `to` is csv, duckdb, mlflow, tensorboard or wandb-offline; `out` a folder, of duckdb a file, of mlflow a SQLite file
    or the address of a tracking store, by default in the folder exports of the results; `where` an SQL condition.
    Again, it writes what has changed and nothing twice. Raise UsageError where there are no trials, where the tool is
    missing, and for what is there already and was not written by an export.
    """
    from lrsym.exchange import export as exporting
    from lrsym.exchange.selection import select

    exporting.check_target(to)
    if out is not None and not (isinstance(out, str | Path) and str(out).strip()):
        raise UsageError(
            f"--out must name a file or a folder, got {out or 'nothing'}; leave it out for RESULTS/exports"
        )
    root = as_folder(results)
    found = None if sweep is None else as_grid(sweep, root)
    return exporting.export(select(root, found, where=where), to, None if out is None else str(out))


def import_trials(source: str | Path, results: str | Path, *, study: str | None = None) -> "Imported":
    """Take the trials of another tool into the folder `results`, which is theirs alone; return how many.

    `source` is the URL of an Optuna storage, with the name of the `study` where it has several, or the folder of a Ray
    Tune experiment. `load`, `query` and `export` then read them. Raise UsageError where it is neither, and for a folder
    of trials that lrsym trained.
    """
    from lrsym.exchange.importing import import_trials

    if not isinstance(source, str | Path):
        raise UsageError(f"source must be a URL or a folder, got {source!r}")
    return import_trials(str(source), as_folder(results), study=study)
