"""A picture of rows of the table trials, or of a sweep whose rows are read from a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lrsym.api.arguments import as_trained_folder
from lrsym.api.rows import Rows, chosen, stored
from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.plots import draw
from lrsym.results.plots.theme import Chart
from lrsym.results.store.schema import TABLES, axis_columns
from lrsym.results.store.store import load
from lrsym.vocabulary import PHASE_METRIC, PICTURES


def draw_any(
    kind: str,
    trials: Rows,
    results: str | Path,
    where: str | None,
    *,
    prefer: Sequence[str] = (),
    live: bool = False,
    **options: Any,
) -> Chart:
    """Return a picture of what `trials`, a sweep or rows, have in the table that pictures of `kind` show.

    `prefer` are axes that come first where `options` name none; without them those of a sweep do, in its order.
    """
    if not isinstance(trials, pl.DataFrame | pl.LazyFrame):
        grid, root = stored(trials, results)
        return draw.draw(kind, grid, root, where=where, live=live, prefer=prefer, **options)
    if live:
        raise UsageError("live shows a sweep while it runs, got rows; give a sweep, or leave it out")
    require_known(trials, options)
    plot, table, second = draw.PLOTS[kind], PICTURES[kind], draw.BESIDE.get(kind)
    if table == "trials" and not second:
        return plot(chosen(trials, where), prefer=prefer, **options)
    rows = trials.lazy().collect()
    if not _are_of_trials(rows):
        if second:
            raise UsageError(f"it is drawn of the tables {table} and {second}; give a sweep, or rows of trials")
        return plot(rows, **options)
    trained, root = chosen(rows, where), as_trained_folder(results)
    if second:
        options["beside"] = load(root, second, trial_ids=trained["trial_id"])
    if table == "trials":
        return plot(trained, prefer=prefer, **options)
    axes = trained.lazy().select("trial_id", *(name for name in axis_columns() if name in trained.columns))
    shown = load(root, table, trial_ids=trained["trial_id"]).join(axes, on="trial_id").collect()
    if shown.is_empty():
        raise UsageError(f"the {trained.height} trials have no rows of the table {table} in {root}; check results")
    return plot(shown, **options)


def require_known(rows: Frame, options: Mapping[str, Any]) -> None:
    """Raise UsageError where one of `options` is a column of `rows` that is none of lrsym's, as imported ones are."""
    known = {column.name for column in TABLES["trials"].columns}
    foreign = {*rows.lazy().collect_schema().names()} - known
    for name, value in options.items():
        for column in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else ():
            if column in foreign:
                raise UsageError(
                    f"pictures know lrsym's axes and metrics, got {name} {column}, a column of these rows; "
                    f'rename it to one, such as rows.rename({{"{column}": "{_EXAMPLES.get(name, "learning_rate")}"}}), '
                    "or draw the rows with altair itself"
                )


_EXAMPLES = {"metric": PHASE_METRIC, "y": "weight_decay", "color": "weight_decay", "facet": "d_model"}
"""What a column of others may be called in a picture, by the argument that names it."""


def _are_of_trials(rows: pl.DataFrame) -> bool:
    if "trial_id" not in rows.columns:
        raise UsageError("rows must have the column trial_id, as those of lrsym.load_trials; give these, or a sweep")
    return "status" in rows.columns
