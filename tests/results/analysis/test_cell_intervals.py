"""Intervals of all cells at once, held to those of one cell."""

import math

import numpy as np
import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.cell_intervals import cell_intervals
from lrsym.results.analysis.intervals import estimate_mean, has_value_apart, interval_of, resolution_of
from lrsym.results.analysis.lines import lines

FAR = 0.05


def cells_of(metric):
    """Made-up cells of every kind: wide and narrow, of equal values, at the ends, of one value and of none."""
    rng, cells = np.random.default_rng(0), []
    for n in (1, 2, 3, 5, 20):
        for low, high in ((0, 1), (0.9, 1), (0.5, 0.5005)):
            cells += [rng.uniform(low, high, n).tolist() for _ in range(5)]
        cells += [[0.0] * n, [1.0] * n, [0.3] * n, [1.0] * (n - 1) + [0.2], [0.5] * (n - 1) + [0.55]]
    cells += [[], [math.nan, 0.4, 0.5], [math.inf, 0.4, 0.5]]
    return cells if interval_of(metric) == "logit" else [[100 * v - 20 for v in cell] for cell in cells]


@pytest.mark.parametrize("metric", ["unseen_order", "single_inset", "seconds"])
def test_every_cell_has_the_interval_that_it_has_alone(metric):
    cells = cells_of(metric)
    rows = [(number, value) for number, cell in enumerate(cells) for value in cell or [None]]
    trials = pl.DataFrame(rows, schema={"n_pair_labels": pl.Int64, metric: pl.Float64}, orient="row")
    trials = trials.with_columns(status=pl.lit("done"), stop_rule=pl.lit(None, dtype=pl.String))
    found = cell_intervals(trials, by=["n_pair_labels"], metric=metric, interval=interval_of(metric), far=FAR).sort(
        "n_pair_labels"
    )
    assert found.height == len(cells) > 100
    for cell, row in zip(cells, found.iter_rows(named=True), strict=True):
        values = [value for value in cell if math.isfinite(value)]
        alone = estimate_mean(values, interval=interval_of(metric), resolution=resolution_of(metric))
        assert (row["low"] is None) == (alone.low is None)
        if alone.low is not None:
            assert [row["low"], row["high"]] == pytest.approx([alone.low, alone.high], rel=1e-9, abs=1e-12), values
        assert row["apart"] == has_value_apart(values, at_least=FAR), values


def test_an_accuracy_outside_of_0_to_1_is_refused():
    trials = pl.DataFrame({"n_heads": [1], "unseen_order": [1.5], "status": ["done"], "stop_rule": [None]})
    with pytest.raises(UsageError, match=r"interval logit takes accuracies, 0 to 1, got 1\.5; use interval t"):
        cell_intervals(trials, by=["n_heads"], metric="unseen_order", interval="logit")


def test_a_range_is_drawn_of_values_that_no_accuracy_can_have():
    trials = pl.DataFrame(
        {"n_heads": [1, 1], "unseen_order": [0.5, 1.5], "status": ["done"] * 2, "stop_rule": [None] * 2}
    )
    row = lines(trials, by=["n_heads"], metrics=["unseen_order"], band="range").row(0, named=True)
    assert (row["low"], row["high"]) == (0.5, 1.5)
