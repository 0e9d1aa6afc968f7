"""Hours and seconds by the value of an axis, by hand."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.costs import hours_by_outcome, seconds_of_trials

TRIALS = pl.DataFrame(
    {
        "n_heads": [1, 1, 1, 2, 2, 2],
        "status": ["done", "done", "diverged", "done", "crashed", "timeout"],
        "seconds": [3600.0, 1800.0, 900.0, 7200.0, 360.0, None],
    }
)


def test_hours_add_up_by_outcome_and_failures_count_together():
    rows = hours_by_outcome(TRIALS, by="n_heads").rows()
    assert rows == [
        (1, "done", 1.5, 2),
        (1, "diverged", 0.25, 1),
        (2, "done", 2.0, 1),
        (2, "failed", pytest.approx(0.1), 2),
    ]


def test_seconds_are_those_of_done_trials():
    assert seconds_of_trials(TRIALS, by="n_heads").rows() == [
        (1, 2700.0, 1800.0, 3600.0, 2),
        (2, 7200.0, 7200.0, 7200.0, 1),
    ]


def test_what_is_no_axis_is_refused():
    with pytest.raises(UsageError, match="no axis heads"):
        hours_by_outcome(TRIALS, by="heads")
