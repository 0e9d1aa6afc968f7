"""The picture of a boundary: where its line runs, what its band covers, and what was trained when."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.surface import to_accuracy
from lrsym.results.plots.contours import Plane, level_lines, level_strips
from lrsym.results.plots.refined import plot_refined
from tests.charts import marks, panels, rows, subtitle


def cells_of(**axes):
    frame = pl.DataFrame({"one": [0]})
    for name, values in axes.items():
        frame = frame.join(pl.DataFrame({name: values}), how="cross")
    return frame.drop("one")


def trained(cells, logits, *, skip=()):
    """One done trial for each cell but those skipped, which ended in the order of the cells."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    frame = cells.with_columns(
        trial_id=pl.Series([f"{i:02}" for i in range(len(cells))]), status=pl.lit("done"),
        stop_rule=pl.lit(None, dtype=pl.String),
        unseen_order=pl.Series(to_accuracy(np.array(logits, dtype=float))),
        finished_at=pl.Series([began + timedelta(minutes=i) for i in range(len(cells))]),
    )  # fmt: skip
    return frame.filter(~pl.int_range(pl.len()).is_in([*skip]))


CELLS = cells_of(n_pair_labels=[5, 6, 7, 8, 9], layouts_per_pair=[1, 2, 5])
RAMP = [2.2 + 2 * (labels - 6.5) for labels, _ in CELLS.rows()]


def plane_of(away, within=0.0):
    away = np.array(away, dtype=float)
    return Plane(
        np.arange(away.shape[1], dtype=float), np.arange(away.shape[0], dtype=float), away, np.full(away.shape, within)
    )


def test_the_line_runs_where_straight_lines_between_points_meet_the_level():
    ends = {(s[x], s[y]) for s in level_lines(plane_of([[-1, 3], [-1, 3]])) for x, y in (("x", "y"), ("x2", "y2"))}
    assert {x for x, _ in ends} == {0.25}
    assert {0.0, 1.0} <= {y for _, y in ends}


def test_there_is_no_line_where_all_is_on_one_side():
    assert level_lines(plane_of([[1, 2], [3, 4]])) == []


def test_the_band_covers_what_is_within_its_interval_of_the_level():
    (strip,) = level_strips(plane_of([[-2, 5], [2, 5]], within=1.0))
    assert (strip["y"], strip["y2"]) == (0.25, 0.75)  # from -1 to 1 on the way from -2 to 2


@pytest.mark.slow
def test_the_line_of_a_ramp_stands_upright_between_the_cells_on_its_two_sides():
    spec = plot_refined(trained(CELLS, RAMP), cells=CELLS).to_dict()
    xs = [row["x"] for layer in marks(spec, "rule") for row in rows(spec, layer)]
    assert np.mean(xs) == pytest.approx(1.5, abs=0.2)  # between 6 and 7, the second and third value


@pytest.mark.slow
def test_the_right_panels_cells_tell_how_many_trials_they_have_and_when_the_first_ended():
    frame = trained(CELLS, RAMP, skip=[3])
    spec = plot_refined(frame, cells=CELLS).to_dict()
    cells = [row for layer in marks(spec, "rect") for row in rows(spec, layer) if row.get("first") is not None]
    assert {row["first"] for row in cells} == {*range(1, 15)}
    assert {row["n"] for row in cells} == {1}


@pytest.mark.slow
def test_cells_that_were_not_trained_are_drawn_by_what_is_expected():
    spec = plot_refined(trained(CELLS, RAMP, skip=[3]), cells=CELLS).to_dict()
    shown = [row for layer in marks(spec, "rect") for row in rows(spec, layer) if row.get("mean_text")]
    assert {(row["n_pair_labels"], row["layouts_per_pair"]) for row in shown} == {*CELLS.rows()}


@pytest.mark.slow
def test_trials_that_are_not_done_are_not_counted():
    frame = trained(CELLS, RAMP).with_columns(
        status=pl.when(pl.col("trial_id") < "05").then(pl.lit("stopped")).otherwise("status")
    )
    assert "10 trials in 10 of 15 cells" in subtitle(plot_refined(frame, cells=CELLS))


@pytest.mark.slow
def test_a_third_axis_has_a_row_of_panels_for_each_value():
    cells = cells_of(n_pair_labels=[5, 6, 7], layouts_per_pair=[1, 2], d_model=[16, 32])
    chart = plot_refined(trained(cells, [labels - 4 for labels, *_ in cells.rows()]), cells=cells)
    assert len(panels(chart)) == 4


def test_a_fourth_axis_is_refused_with_the_condition_that_holds_it():
    cells = cells_of(n_pair_labels=[5, 6], layouts_per_pair=[1, 2], d_model=[16, 32], steps=[1, 2])
    with pytest.raises(UsageError, match="a boundary is drawn over three axes at most"):
        plot_refined(trained(cells, range(16)), cells=cells)


@pytest.mark.slow
def test_one_axis_makes_a_row_of_cells():
    cells = cells_of(n_pair_labels=[5, 6, 7, 8])
    chart = plot_refined(trained(cells, [0, 1, 3, 4]), cells=cells)
    assert len(panels(chart)) == 2
