"""The picture of a contrast: a line a value, a panel a metric, full dots where the interval leaves out 0."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.contrasts import contrast
from lrsym.results.plots.contrast import plot_contrast
from tests.charts import marks, panels, rows, subtitle
from tests.results.analysis.test_contrasts import LAYOUTS, grid


def drawn(frame, *, metrics=("unseen_order",), by=None):
    found = contrast(frame, **LAYOUTS, metrics=metrics, by=by)
    return found.frame, plot_contrast(found, of="layouts_per_pair = 20", against="layouts_per_pair = 5", by=by)


@pytest.mark.slow
def test_every_row_is_a_dot_with_its_interval_a_panel_a_metric():
    frame, chart = drawn(grid(), metrics=("unseen_order", "seen_order"), by="n_pair_labels")
    assert [panel["title"]["text"] for panel in panels(chart)] == ["unseen_order", "seen_order"]
    shown = rows(chart.to_dict(), marks(panels(chart)[0], "point")[0])
    expected = frame.filter(metric="unseen_order")
    for name in ("n_pair_labels", "estimate", "low", "high"):
        assert [row[name] for row in shown] == expected[name].to_list()


@pytest.mark.slow
def test_a_dot_is_full_where_the_interval_leaves_out_zero():
    _, chart = drawn(grid(), metrics=("unseen_order", "seen_order"))
    shown = [rows(chart.to_dict(), marks(panel, "point")[0])[0] for panel in panels(chart)]
    assert [row["apart"] for row in shown] == [True, False]


def test_the_heading_says_what_is_compared_how_and_what_was_left_out():
    frame = grid().with_columns(
        status=pl.when((pl.col("seed") == 0) & (pl.col("n_pair_labels") == 5))
        .then(pl.lit("crashed"))
        .otherwise("status")
    )
    _, chart = drawn(frame)
    assert chart.to_dict()["title"]["text"] == "layouts_per_pair = 20 minus layouts_per_pair = 5"
    assert "Paired by seed, n_pair_labels; of each seed the mean over 2 to 3 cells." in subtitle(chart)
    assert "1 pair in which a trial failed, or was cut short" in subtitle(chart)


def test_more_lines_than_can_be_read_are_refused():
    with pytest.raises(UsageError, match="61 rows to draw"):
        drawn(grid(labels=range(2, 63), seeds=2), by="n_pair_labels")
