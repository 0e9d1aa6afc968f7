"""The phase plot: what a cell tells, what was lost, and where everything stands."""

import itertools

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.phase_diagram import plot_phase
from lrsym.vocabulary import METRICS, PHASES, SPLITS
from tests.charts import marks, rows


def trials(*, accuracy=0.75, seeds=2, **axes):
    rows = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    scores = {"train_order": 1.0, "seen_order": 1.0, "unseen_order": accuracy}
    frame = pl.DataFrame([{**row, "seed": s, "status": "done", **scores} for row in rows for s in range(seeds)])
    return frame.with_columns(stop_rule=pl.lit(None, dtype=pl.String))


def lose(frame, status, *where):
    """`frame` with the rows of `where` lost to `status`, without accuracies."""
    hit = pl.all_horizontal(where)
    accuracies = [pl.when(~hit).then(name).alias(name) for name in ("train_order", "seen_order", "unseen_order")]
    return frame.with_columns(*accuracies, status=pl.when(hit).then(pl.lit(status)).otherwise("status"))


def stop(frame, rule, *where):
    """`frame` with the rows of `where` stopped by `rule`."""
    hit = pl.all_horizontal(where)
    columns = {"status": "stopped", "stop_rule": rule}
    return frame.with_columns(pl.when(hit).then(pl.lit(value)).otherwise(c).alias(c) for c, value in columns.items())


@pytest.fixture(scope="module")
def two_cells():
    """The diagram of two cells that lost nothing."""
    return drawn(trials(n_heads=[1, 2]))


@pytest.fixture(scope="module")
def two_rows():
    """The diagram of three axes."""
    return drawn(trials(n_pair_labels=[5, 6], n_heads=[1, 2], weight_decay=[0.0, 0.2]))


def drawn(frame, **options):
    return plot_phase(frame, **options).to_dict()


def texts(spec, column):
    return [
        row[column] for m in marks(spec, "text") if m["encoding"]["text"]["field"] == column for row in rows(spec, m)
    ]


def subtitle(spec):
    return " ".join(spec["title"]["subtitle"])


def domains(spec, channel):
    scales = [m["encoding"][channel]["scale"] for m in marks(spec, "rect")]
    return [scale["domain"] for scale in scales]


@pytest.mark.slow
def test_a_cell_tells_its_mean_its_extremes_and_the_number_of_its_seeds():
    frame = trials(n_pair_labels=[5]).with_columns(unseen_order=pl.Series([0.5, 1.0]))
    chart = drawn(frame)
    assert texts(chart, "mean_text") == ["0.75"]
    assert texts(chart, "mean_below") == ["0.50\u20131.00\nn=2"]


@pytest.mark.slow
def test_the_right_panel_names_the_phase_of_each_cell():
    frame = trials(n_pair_labels=[5, 15]).with_columns(unseen_order=pl.col("n_pair_labels") / 15)
    assert texts(drawn(frame), "phase_text") == ["layouts", "relational"]


def test_the_legend_of_phases_has_all_four_in_order_even_where_one_occurs(two_cells):
    (colour,) = (m["encoding"]["color"] for m in marks(two_cells["vconcat"][0]["concat"][1], "rect"))
    assert colour["scale"]["domain"] == list(PHASES)
    assert all(sentence in colour["legend"]["labelExpr"] for sentence in PHASES.values())


def test_the_four_phases_have_colours_of_their_own(two_cells):
    (colour,) = (m["encoding"]["color"] for m in marks(two_cells["vconcat"][0]["concat"][1], "rect"))
    assert len({*colour["scale"]["range"]}) == 4


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "lowest"), [("unseen_order", 0.5), ("unseen_global", 0)])
def test_the_colours_of_means_run_from_chance_to_one_whatever_the_values(metric, lowest):
    frame = trials(n_heads=[1, 2]).with_columns(
        train_global=pl.lit(1.0), seen_global=pl.lit(1.0), unseen_global=pl.lit(0.75)
    )
    (colour,) = (m["encoding"]["color"] for m in marks(drawn(frame, metric=metric)["vconcat"][0]["concat"][0], "rect"))
    assert colour["scale"]["domain"] == [lowest, 1]
    assert colour["scale"]["clamp"] is True


@pytest.mark.slow
def test_values_ascend_to_the_right_and_upward_by_number_not_by_letter():
    chart = drawn(trials(n_pair_labels=[15, 5, 10], layouts_per_pair=[20, 1, 5]))
    assert domains(chart, "x") == [["5", "10", "15"]] * 2
    assert domains(chart, "y") == [["20", "5", "1"]] * 2


def title(panel, side):
    """The title of an axis of the cells of a panel, on one line."""
    lines = marks(panel, "rect")[0]["encoding"][side]["title"]
    return lines if isinstance(lines, str) else " ".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("values", [[1, 2], [1, 2, 5, 10, 20, 40]])
def test_axis_titles_give_the_word_and_the_column(values):
    panel = drawn(trials(n_pair_labels=[5, 6], layouts_per_pair=values))["vconcat"][0]["concat"][0]
    assert [title(panel, side) for side in "xy"] == [
        "label diversity (n_pair_labels)",
        "layout diversity (layouts_per_pair)",
    ]


@pytest.mark.slow
def test_an_axis_without_a_word_is_titled_by_its_column_and_unit():
    panel = drawn(trials(warmup_steps=[0, 100]))["vconcat"][0]["concat"][0]
    assert title(panel, "x") == "warmup_steps (steps)"


def test_one_varied_axis_gives_one_row_of_cells(two_cells):
    assert domains(two_cells, "y") == [[""]] * 2


@pytest.mark.slow
def test_a_cell_that_lost_some_trials_is_marked_and_says_how_many():
    frame = lose(trials(n_heads=[1, 2], seeds=3), "diverged", pl.col("n_heads") == 2, pl.col("seed") > 0)
    spec = drawn(frame)
    assert texts(spec, "mean_below")[1] == "n=1\n2 diverged"
    assert texts(spec, "phase_below")[1] == "n=1\n2 diverged"
    corners = [m for m in marks(spec, "point") if m["mark"]["filled"]]
    assert [[row["n_heads"] for row in rows(spec, m)] for m in corners] == [[2], [2]]
    assert "2 diverged, 0 failed, 0 cut short" in subtitle(spec)


@pytest.mark.slow
def test_a_cell_that_lost_all_trials_is_hatched_and_counted_not_missing():
    frame = lose(trials(n_heads=[1, 2], seeds=3), "crashed", pl.col("n_heads") == 2)
    spec = drawn(frame)
    hatched = [m for m in marks(spec, "point") if not m["mark"]["filled"]]
    assert [[row["absence"] for row in rows(spec, m)] for m in hatched] == [["3 failed"], ["3 failed"]]
    assert texts(spec, "absence") == ["3 failed", "3 failed"]
    assert [[row["n_heads"] for row in rows(spec, m)] for m in marks(spec, "rect")] == [[1], [1]]


@pytest.mark.slow
def test_both_kinds_of_loss_are_told_apart():
    frame = lose(trials(n_heads=[1, 2], seeds=3), "crashed", pl.col("n_heads") == 2, pl.col("seed") == 0)
    frame = lose(frame, "diverged", pl.col("n_heads") == 2, pl.col("seed") == 1)
    assert texts(drawn(frame), "mean_below")[1] == "n=1\n1 diverged\n1 failed"


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "said"), [(1, "unseen_order, the one seed"), (2, "unseen_order, mean over seeds")])
def test_the_panel_of_one_seed_speaks_of_no_mean(seeds, said):
    (spec, *_) = drawn(trials(n_heads=[1, 2], seeds=seeds))["vconcat"][0]["concat"]
    assert spec["title"]["text"] == said
    assert marks(spec, "rect")[0]["encoding"]["color"]["legend"]["title"] == f"{said}; 0.5 is chance"


def test_a_sweep_without_losses_speaks_of_none(two_cells):
    assert "diverged" not in str(two_cells["title"])


@pytest.mark.slow
def test_a_third_axis_makes_a_row_of_panels_for_each_of_its_values(two_rows):
    headings = [panel["title"]["text"] for panel in two_rows["vconcat"][0]["concat"]]
    assert headings == [
        f"weight_decay = {decay}: {what}"
        for decay in ("0", "0.2")
        for what in ("unseen_order, mean over seeds", "phase")
    ]


def test_legends_are_drawn_once_for_all_rows_of_panels(two_rows):
    colours = [marks(panel, "rect")[0]["encoding"]["color"] for panel in two_rows["vconcat"][0]["concat"]]
    assert [colour["legend"] is None for colour in colours] == [True, True, False, False]


def test_more_axes_than_a_picture_has_are_refused_with_a_remedy():
    frame = trials(n_pair_labels=[5, 6], layouts_per_pair=[1, 2], weight_decay=[0.0, 0.2], n_heads=[1, 2])
    with pytest.raises(UsageError, match=r"weight_decay \(2 values.*--where"):
        plot_phase(frame)


def test_a_metric_without_any_value_is_refused():
    frame = trials(n_heads=[1, 2]).with_columns(single_order=pl.lit(None, dtype=pl.Float64))
    with pytest.raises(UsageError, match="no trial has a value of single_order"):
        plot_phase(frame, metric="single_order")


@pytest.mark.slow
def test_the_heading_explains_split_metric_and_number_of_trials():
    text = subtitle(drawn(trials(n_pair_labels=list(range(5, 16)), seeds=3)))
    assert all(part in text for part in (SPLITS["unseen"], METRICS["order"], "33 trials, 3 seeds in each cell"))


@pytest.mark.slow
def test_an_axis_that_moves_with_a_shown_one_is_named():
    frame = trials(d_model=[8, 16]).with_columns(n_heads=pl.col("d_model") // 4)
    assert "n_heads moves with d_model." in subtitle(drawn(frame))


@pytest.mark.slow
def test_trials_that_a_search_stopped_are_lost_to_the_mean_and_decided_ones_are_not():
    frame = stop(trials(n_heads=[1, 2], seeds=3), "asha", pl.col("n_heads") == 2, pl.col("seed") > 0)
    spec = drawn(stop(frame, "decided", pl.col("n_heads") == 1, pl.col("seed") == 0))
    assert [text.splitlines()[1:] for text in texts(spec, "mean_below")[:2]] == [["n=3"], ["2 cut short"]]
    assert "2 cut short (red corner" in subtitle(spec)
    assert "3 of 6 trials were stopped early (2 asha, 1 decided)." in subtitle(spec)


def test_a_picture_of_trials_that_ran_to_their_end_says_nothing_of_stopping(two_cells):
    assert "stopped" not in subtitle(two_cells)


@pytest.fixture(scope="module")
def side_by_side():
    """The diagram of two sweeps, of which the second has a value of the axis that the first has not."""
    first = trials(n_heads=[1, 2]).with_columns(sweep=pl.lit("first"))
    return drawn(pl.concat([first, trials(n_heads=[2, 4], accuracy=0.95).with_columns(sweep=pl.lit("second"))]))


@pytest.mark.slow
def test_sweeps_stand_side_by_side_means_above_phases(side_by_side):
    picture = side_by_side["vconcat"][0]
    assert picture["columns"] == 2
    assert [panel["title"]["text"] for panel in picture["concat"]] == [
        "first: unseen_order, mean over seeds",
        "second: unseen_order, mean over seeds",
        "first: phase",
        "second: phase",
    ]


def test_sweeps_side_by_side_have_one_scale_and_the_same_places(side_by_side):
    assert domains(side_by_side, "x") == [["1", "2", "4"]] * 4
    means = side_by_side["vconcat"][0]["concat"][:2]
    colours = [marks(panel, "rect")[0]["encoding"]["color"] for panel in means]
    assert colours[0]["scale"] == colours[1]["scale"]
    assert [colour["legend"] is None for colour in colours] == [True, False]
    assert [[row["n_heads"] for row in rows(side_by_side, marks(panel, "rect")[0])] for panel in means] == [
        [1, 2],
        [2, 4],
    ]


@pytest.mark.slow
def test_each_value_of_a_column_has_a_column_of_panels_and_the_facet_rows():
    frame = trials(n_pair_labels=[5, 6], layouts_per_pair=[1, 2], n_heads=[1, 2], vision_blocks=[1, 2, 3])
    spec = drawn(frame, x="n_pair_labels", y="layouts_per_pair", facet="n_heads", column="vision_blocks")
    grid = spec["vconcat"][0]
    assert grid["columns"] == 3
    titles = [panel["title"]["text"] for panel in grid["concat"]]
    assert len(titles) == 3 * 2 * 2
    assert titles[:3] == [f"vision_blocks = {n}: n_heads = 1: unseen_order, mean over seeds" for n in (1, 2, 3)]
    assert titles[-1] == "vision_blocks = 3: n_heads = 2: phase"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "n_head"}, "no axis n_head; did you mean n_heads"),
        ({"column": "n_pair_labels", "x": "n_pair_labels"}, "axes must differ"),
    ],
)
def test_a_column_that_cannot_be_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        drawn(trials(n_heads=[1, 2]), **options)


def test_sweeps_side_by_side_take_no_column():
    with pytest.raises(UsageError, match="several sweeps have a column of panels each, got the column n_heads"):
        drawn(trials(n_heads=[1, 2]).with_columns(sweep=pl.lit("first")), column="n_heads")


@pytest.mark.slow
def test_what_lies_well_below_chance_has_colours_of_its_own():
    below = [*domains(drawn(trials(accuracy=0.3, n_pair_labels=[5, 6])), "color")]
    about = [*domains(drawn(trials(accuracy=0.46, n_pair_labels=[5, 6])), "color")]
    assert pytest.approx(below[0]) == [0, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert about[0] == [0.5, 1]
