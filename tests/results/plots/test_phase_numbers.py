"""The map of a column that is no accuracy: medians, never, one scale by ratio."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.phase_diagram import plot_phase
from lrsym.results.plots.phase_numbers import format_number, format_time
from tests.charts import marks, panels, subtitle
from tests.results.plots.test_phase_diagram import texts, trials


def timed(steps, **axes):
    """Trials that reach the threshold at the steps that the expression gives."""
    frame = trials(seeds=3, **axes).with_columns(seconds=pl.lit(2.5))
    return frame.with_columns(steps_to_unseen_order=steps.cast(pl.Int64))


STEPS = 100 * pl.col("n_heads") ** 3


@pytest.mark.slow
def test_a_cell_tells_its_median_its_range_and_how_many_never_get_there():
    steps = pl.when(pl.col("seed") < 2).then(STEPS + 10 * pl.col("seed"))
    chart = plot_phase(timed(steps, n_heads=[1, 20]), metric="steps_to_unseen_order")
    assert texts(chart.to_dict(), "median_text") == ["110", "800k"]
    assert texts(chart.to_dict(), "median_below") == ["100\u2013110\nn=3, 1 never", "800k\u2013800k\nn=3, 1 never"]


@pytest.mark.slow
def test_a_cell_where_most_never_get_there_is_hatched_with_their_share():
    steps = pl.when((pl.col("seed") == 0) | (pl.col("n_heads") == 1)).then(STEPS)
    spec = plot_phase(timed(steps, n_heads=[1, 2]), metric="steps_to_unseen_order").to_dict()
    assert texts(spec, "absence") == ["never\n2 of 3"]
    assert len(marks(spec, "rect")) == 1


def test_colours_run_by_ratio_over_the_medians_and_there_is_no_phase():
    chart = plot_phase(timed(STEPS, n_heads=[1, 2]), metric="steps_to_unseen_order")
    (panel,) = panels(chart)
    scale = marks(panel, "rect")[0]["encoding"]["color"]["scale"]
    assert (scale["type"], scale["domain"]) == ("log", [100, 800])


@pytest.mark.slow
def test_equal_medians_have_a_colour_too():
    chart = plot_phase(timed(STEPS, n_heads=[1, 2]), metric="seconds")
    assert texts(chart.to_dict(), "median_text") == ["2.5", "2.5"]


@pytest.mark.slow
def test_the_heading_says_what_the_column_is_and_how_never_counts():
    text = subtitle(plot_phase(timed(STEPS, n_heads=[1, 2]), metric="steps_to_unseen_order"))
    assert "First evaluated step with unseen_order at the threshold" in text
    assert "Never counts as later" in text
    assert "6 trials, 3 seeds in each cell." in text


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("steps_to_unseen_order", "no cell has a median of steps_to_unseen_order; 6 trials never reach it"),
        ("second", "did you mean seconds?"),
        ("seconds,pack_size", "a map shows one metric"),
    ],
)
def test_what_cannot_be_shown_is_told(metric, message):
    frame = timed(pl.lit(None), n_heads=[1, 2]).with_columns(pack_size=pl.lit(1))
    with pytest.raises(UsageError) as caught:
        plot_phase(frame, metric=metric)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0123, "0.0123"), (999, "999"), (999.6, "1k"), (1234, "1.23k"), (4.4e6, "4.4M"), (-2000, "-2k")],
)
def test_numbers_have_three_digits(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.5714, "0.571"), (12.34, "12.3"), (999.6, "1,000"), (12345, "12,345")])
def test_a_time_stays_in_seconds(seconds, text):
    assert format_time(seconds) == text


def legend_labels(chart):
    return marks(panels(chart)[0], "rect")[0]["encoding"]["color"]["legend"]["labelExpr"]


@pytest.mark.slow
def test_the_legend_of_seconds_has_no_letters_and_that_of_steps_none_for_small_values():
    frame = timed(STEPS, n_heads=[1, 2]).with_columns(seconds=pl.col("n_heads") / 4)
    shown = plot_phase(frame, metric="seconds")
    assert legend_labels(shown) == "format(datum.value, ',~g')"
    assert texts(shown.to_dict(), "median_text") == ["0.25", "0.5"]
    small = "datum.value < 1000 ? format(datum.value, '~g')"
    assert legend_labels(plot_phase(frame, metric="steps_to_unseen_order")).startswith(small)
