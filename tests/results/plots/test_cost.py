"""The picture of cost: hours by outcome, seconds of a trial."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.cost import plot_cost
from tests.charts import marks, panels, rows, subtitle
from tests.results.plots.test_phase_diagram import lose, trials


def timed(**axes):
    return trials(**axes).with_columns(seconds=pl.lit(1800.0))


def test_the_hours_are_named_in_all_and_by_outcome():
    chart = plot_cost(lose(timed(n_heads=[1, 2]), "crashed", pl.col("n_heads") == 2, pl.col("seed") == 1))
    assert chart.to_dict()["title"]["text"] == "What 4 trials took: 2 hours of a worker"
    bars = rows(chart.to_dict(), marks(panels(chart)[0], "bar")[0])
    assert [(row["value"], row["outcome"], row["hours"]) for row in bars] == [
        ("1", "done", 1.0), ("2", "done", 0.5), ("2", "failed", 0.5)
    ]  # fmt: skip


def test_the_axis_is_the_first_varied_one_unless_another_is_given():
    frame = timed(n_pair_labels=[5, 6], n_heads=[1, 2])
    for by, values in ((None, ["6", "5"]), ("n_heads", ["2", "1"])):
        encoding = marks(panels(plot_cost(frame, by=by))[0], "bar")[0]["encoding"]
        assert encoding["y"]["scale"]["domain"] == values


def test_where_no_trial_is_done_there_are_hours_alone():
    chart = plot_cost(timed(n_heads=[1, 2]).with_columns(status=pl.lit("diverged")))
    assert len(panels(chart)) == 1
    assert "No done trial tells its seconds, so there is no panel of what one takes." in subtitle(chart)
    assert "Left" not in subtitle(chart)
    assert "Right" not in subtitle(chart)


def test_trials_that_tell_no_time_are_counted_apart_from_those_whose_hours_are_drawn():
    frame = lose(timed(n_heads=[1, 2]), "timeout", pl.col("n_heads") == 2, pl.col("seed") == 1)
    chart = plot_cost(frame.with_columns(seconds=pl.when(pl.col("status") == "done").then("seconds")))
    assert chart.to_dict()["title"]["text"] == "What 3 trials took: 1.5 hours of a worker"
    assert "1 of 4 trials tell no time and have no part in the hours (1 timeout)." in subtitle(chart)


def test_trials_without_seconds_are_refused():
    with pytest.raises(UsageError, match="none of 4 trials tells its seconds"):
        plot_cost(timed(n_heads=[1, 2]).with_columns(seconds=pl.lit(None, dtype=pl.Float64)))
