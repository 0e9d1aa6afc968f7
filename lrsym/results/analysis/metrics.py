"""What can be averaged over trials: the columns of the table trials that hold numbers and are no axes."""

from collections.abc import Sequence
from functools import cache

from lrsym.errors import UsageError
from lrsym.results.store.schema import TABLES, Column, axis_columns
from lrsym.toml_source import suggest


@cache
def metric_columns() -> dict[str, Column]:
    """Return those columns by name."""
    table = TABLES["trials"]
    numbers = {name for name, kind in table.empty.schema.items() if kind.is_numeric()} - {*axis_columns()}
    return {column.name: column for column in table.columns if column.name in numbers}


def as_metrics(metric: str | Sequence[str]) -> list[str]:
    """Return the metrics in `metric`, a list or a text with commas.

    Raises UsageError for one that is no such column, and for one that is there twice.
    """
    names = [name.strip() for name in (metric.split(",") if isinstance(metric, str) else metric)]
    for name in names:
        if name not in metric_columns():
            hint = suggest(name, metric_columns()) or "write for example unseen_order; `lrsym columns` lists them"
            rule = "metric must be a column of numbers of the table trials, which is no axis"
            raise UsageError(f"{rule}, got {name or 'nothing'}; {hint}")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"metrics must differ, got {twice} twice; leave one out")
    if not names:
        raise UsageError("metric must name a column of the table trials, got none; write for example unseen_order")
    return names
