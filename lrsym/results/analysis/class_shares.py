"""How the seeds of each cell fall into paths or phases, and the probability of each phase with its interval."""

from collections.abc import Sequence
from functools import cache

import polars as pl

from lrsym.results.analysis.aggregate import Frame, replicate_value, with_trial_ids
from lrsym.results.analysis.intervals import Estimate, estimate_mean
from lrsym.results.analysis.phases import NESTED, phase_of_means, split_and_metric
from lrsym.results.analysis.varied_axes import check_axes, check_single_cells
from lrsym.vocabulary import PATHS, PHASE_METRIC, PHASE_THRESHOLD, PHASES


def path_shares(trials: Frame, *, x: str, y: str | None = None, facet: str | None = None) -> pl.DataFrame:
    """Return one row for each cell, ascending: its axes, n_trials, n, by path the number of trials on it, trial_ids.

    `trials` are rows of the table of that name; n counts those that have a path. Raises UsageError if more axes vary
    than those given.
    """
    return _counts(trials.lazy().collect(), "path", [*PATHS], by=[axis for axis in (facet, y, x) if axis is not None])


def phase_shares(
    trials: Frame,
    *,
    x: str,
    y: str | None = None,
    facet: str | None = None,
    metric: str = PHASE_METRIC,
    threshold: float = PHASE_THRESHOLD,
) -> pl.DataFrame:
    """Return one row for each cell, ascending: its axes, n_trials, n, by phase the number of seeds in it, trial_ids.

    Each seed has a phase of its own, by its accuracies in the metric of `metric`; n counts those that have one. So a
    cell whose mean is in one phase may have seeds in others. Raises UsageError as `phases`.
    """
    accuracy = split_and_metric(metric)[1]
    own = {split: replicate_value(f"{split}_{accuracy}") for split in NESTED}
    table = trials.lazy().with_columns(**own).with_columns(phase=phase_of_means(threshold)).collect()
    return _counts(table, "phase", [*PHASES], by=[axis for axis in (facet, y, x) if axis is not None])


def phase_probabilities(
    trials: Frame,
    *,
    x: str,
    y: str | None = None,
    facet: str | None = None,
    metric: str = PHASE_METRIC,
    threshold: float = PHASE_THRESHOLD,
) -> pl.DataFrame:
    """Return a row for each cell and phase: the cell's axes, phase, count, n, probability, low and high.

    probability is the share of the cell's seeds in that phase, low and high are Wilson's 95 % interval of it: how often
    a further seed will end there. All three are null where no seed has a phase. Raises UsageError as `phases`.
    """
    cells = phase_shares(trials, x=x, y=y, facet=facet, metric=metric, threshold=threshold)
    by = [axis for axis in (facet, y, x) if axis is not None]
    rows = cells.unpivot([*PHASES], index=[*by, "n"], variable_name="phase", value_name="count")
    order = pl.col("phase").cast(pl.Enum([*PHASES]))
    rows = rows.select(*by, "phase", "count", "n").sort(*by, order, nulls_last=True)
    found = [share(count, n) for count, n in rows.select("count", "n").iter_rows()]
    return rows.with_columns(
        pl.Series("probability", [one.mean for one in found], dtype=pl.Float64),
        pl.Series("low", [one.low for one in found], dtype=pl.Float64),
        pl.Series("high", [one.high for one in found], dtype=pl.Float64),
    )


@cache
def share(count: int, n: int) -> Estimate:
    """Return the share `count` of `n`, with Wilson's interval."""
    return estimate_mean([1.0] * count + [0.0] * (n - count), interval="wilson")


def _counts(table: pl.DataFrame, column: str, names: Sequence[str], *, by: list[str]) -> pl.DataFrame:
    """Return one row for each cell, ascending: `by`, n_trials, n with a value of `column`, how many of each name."""
    check_axes(by)
    check_single_cells(table, by=by)
    value = pl.col(column)
    counts = {name: (value == name).sum().cast(pl.Int64) for name in names}
    cells = table.group_by(by).agg(n_trials=pl.len().cast(pl.Int64), n=value.count().cast(pl.Int64), **counts).sort(by)
    return with_trial_ids(cells, table, by=by)
