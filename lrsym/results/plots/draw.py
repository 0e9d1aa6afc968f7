"""A picture of one sweep by its kind: the rows it needs, read from the store, and the drawing."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import polars as pl

from lrsym.errors import UsageError, first_line
from lrsym.results.analysis.aggregate import varied_axes
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.plots import panels as plots
from lrsym.results.plots import theme
from lrsym.results.store.schema import TABLES, axis_columns
from lrsym.results.store.store import load
from lrsym.vocabulary import METRICS

_TABLE = {"phase": "trials", "curves": "curves", "ablation": "ablations", "profile": "terms"}


def check_picture(kind: str, *, where: str | None, metric: str | None) -> None:
    """Nothing; UsageError for what no rows could make drawable."""
    if where is not None:
        _meeting(TABLES["trials"].empty, where)
    if kind == "phase" and metric is not None:
        split_and_metric(metric)
    if kind == "curves" and metric is not None and metric not in (*METRICS, "loss"):
        raise UsageError(f"metric must be one of {', '.join(METRICS)}, loss, got {metric}; choose one of them")


def draw(
    kind: str, root: Path, *, trial_ids: Sequence[str], varied: Sequence[str], where: str | None, metric: str | None
) -> theme.Drawn | None:
    """The picture of the trials with `trial_ids` that meet `where`, None where the store has no rows for it.

    `varied` are the axes of the sweep in its order. Raises UsageError where the rows do not fit into one picture.
    """
    rows = rows_to_draw(root, _TABLE[kind], trial_ids=trial_ids, where=where)
    if rows.is_empty():
        return None
    if kind == "phase":
        x, y = first_axes(rows, varied=varied)
        chart = plots.plot_phase(rows, metric=metric or "unseen_order", x=x, y=y)
    elif kind == "curves":
        chart = plots.plot_curves(rows, metric=metric or "order")
    elif kind == "ablation":
        chart = plots.plot_ablation(rows)
    else:
        chart = plots.plot_profile(rows)
    return chart if where is None else only_where(chart, where)


def only_where(chart: theme.Drawn, where: str) -> theme.Drawn:
    """`chart`, its heading telling the condition that its trials meet."""
    assert isinstance(chart.title, alt.TitleParams)
    chart.title.subtitle.append(f"Only trials with {where}.")
    return chart


def rows_to_draw(root: Path, table: str, *, trial_ids: Sequence[str], where: str | None) -> pl.DataFrame:
    """Rows of `table` with the axes of their trials, of the trials with `trial_ids` that meet `where`."""
    rows = load(root, "trials", trial_ids=trial_ids).collect()
    if where is not None:
        rows = _meeting(rows, where)
    if table != "trials":
        axes = rows.lazy().select("trial_id", *axis_columns())
        rows = load(root, table, trial_ids=trial_ids).join(axes, on="trial_id").collect()
    return rows


def first_axes(
    frame: pl.DataFrame, *, varied: Sequence[str], x: str | None = None, y: str | None = None, facet: str | None = None
) -> tuple[str | None, str | None]:
    """x and y, where None the first of `varied`, in its order, that still vary in `frame` and are not in use."""
    given = [axis for axis in (x, y, facet) if axis]
    free = [name for name in varied if name in varied_axes(frame, first=given) and name not in given]
    if x is None and free:
        x = free.pop(0)
    if y is None and free:
        y = free.pop(0)
    return x, y


def _meeting(trials: pl.DataFrame, where: str) -> pl.DataFrame:
    try:
        return trials.filter(pl.sql_expr(where))
    except pl.exceptions.PolarsError as error:
        why, columns = first_line(error), ", ".join(axis_columns())
        raise UsageError(f"where {where!r} is no condition on the table trials: {why}; axes are {columns}") from None
