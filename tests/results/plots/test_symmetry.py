"""The picture of left-right symmetry: four panels, what the heading says of sizes, and what is refused."""

import numpy as np
import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.symmetry import plot_symmetry
from tests.charts import marks, panels, rows, subtitle

COVERAGE = (0.1, 0.2, 0.5)


def tables(sizes=(5, 10), *, n=6, coverage=COVERAGE, orders=0.9):
    """Trials that break the symmetry and order from coverage 0.2 on, and their terms."""
    rng, trials, terms = np.random.default_rng(0), [], []
    for size in sizes:
        for x in coverage:
            for seed in range(n):
                name, broken = f"{size}-{x}-{seed}", x >= 0.2
                trials.append(
                    {"trial_id": name, "status": "done", "stop_rule": None, "seed": seed, "n_pair_labels": size,
                     "coverage": x, "unseen_order": orders if broken else 0.5}
                )  # fmt: skip
                m = float(rng.choice([-2.0, 2.0]) if broken else rng.normal())
                terms.append({"trial_id": name, "encoder": "vision", "head": 0, "term": "EP+PP+BP", "slope": m})
    return pl.DataFrame(trials, schema_overrides={"stop_rule": pl.String}), pl.DataFrame(terms)


def draw(*tables, **options):
    trials, terms = tables
    return plot_symmetry(trials, beside=terms, **{"x": "coverage", "color": "n_pair_labels", **options})


@pytest.mark.slow
def test_each_moment_has_a_panel_with_a_line_for_each_size():
    chart = draw(*tables())
    assert [panel["title"]["text"] for panel in panels(chart)] == [
        "share of seeds with m above 0", "|m|, mean over seeds (logit/pixel)", "susceptibility of |m|",
        "Binder's cumulant U",
    ]  # fmt: skip
    spec = chart.to_dict()
    (line,) = marks(panels(chart)[3], "line")
    found = {(row["hue"], row["coverage"]): row["binder"] for row in rows(spec, line)}
    assert {*found} == {(size, x) for size in ("5", "10") for x in COVERAGE}
    assert found["10", 0.5] == pytest.approx(2 / 3)


@pytest.mark.slow
def test_the_heading_says_where_sizes_cross_and_which_model_is_preferred():
    text = subtitle(draw(*tables()))
    assert "U of the larger of two sizes becomes the higher one along coverage: of 5 and 10 at" in text
    assert "AIC of" in text
    assert "Preferred: neither: no difference between sizes." in text  # both order from the same coverage on
    assert "6 seeds in each cell" in text


@pytest.mark.slow
def test_one_size_is_drawn_without_a_word_on_sizes():
    trials, terms = tables(sizes=(5,))
    text = subtitle(plot_symmetry(trials, beside=terms, x="coverage"))
    assert "AIC" not in text
    assert "times the variance" not in text


@pytest.mark.slow
def test_of_few_seeds_the_heading_says_what_u_is_without_any_order():
    assert "Of 2 seeds U is 0.50 in the mean where m is normal" in subtitle(draw(*tables(n=2)))
    assert "where m is normal" not in subtitle(draw(*tables()))


@pytest.mark.slow
def test_trials_without_terms_are_counted():
    trials, terms = tables()
    text = subtitle(draw(trials, terms.filter(pl.col("trial_id") != "5-0.1-0")))
    assert "1 of 36 trials have none." in text


@pytest.mark.slow
def test_an_axis_of_words_is_drawn_side_by_side():
    trials, terms = tables(sizes=(5,), coverage=(0.2, 0.5))
    words = trials.with_columns(
        pair_orders=pl.when(pl.col("coverage") < 0.3).then(pl.lit("one")).otherwise(pl.lit("both")),
        coverage=pl.lit(1.0),
    )
    chart = plot_symmetry(words, beside=terms, x="pair_orders")
    (line,) = marks(panels(chart)[0], "line")
    assert line["encoding"]["x"]["type"] == "nominal"


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["coverage", "n_pair_labels"])
def test_an_axis_that_some_trials_lack_is_drawn_side_by_side_and_no_size(missing):
    trials, terms = tables()
    chart = draw(trials.with_columns(pl.col(missing).replace(trials[missing][0], None)), terms)
    (line,) = marks(panels(chart)[0], "line")
    domain = line["encoding"]["x" if missing == "coverage" else "color"]["scale"]["domain"]
    assert domain == (["0.2", "0.5", "absent"] if missing == "coverage" else ["10", "absent"])
    assert ("times the variance" in subtitle(chart)) == (missing == "coverage")


@pytest.mark.slow
def test_words_along_x_have_no_crossing():
    trials, terms = tables()
    words = pl.when(pl.col("coverage") < 0.2).then(pl.lit("one")).when(pl.col("coverage") < 0.3).then(pl.lit("two"))
    text = subtitle(draw(trials.with_columns(coverage=words.otherwise(pl.lit("three"))), terms))
    assert "becomes the" not in text
    assert "AIC" not in text


@pytest.mark.slow
def test_where_order_is_lost_along_x_the_heading_says_that_the_larger_size_becomes_the_lower_one():
    trials, terms = tables()
    text = subtitle(draw(trials.with_columns(coverage=0.6 - pl.col("coverage")), terms))
    assert "U of the larger of two sizes becomes the lower one along coverage: of 5 and 10 at" in text
    assert "Preferred: neither: no difference between sizes." in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": "nope"}, "there is no axis nope"),
        ({"x": "coverage", "color": "coverage"}, "axes must differ"),
        ({"x": "n_labels", "color": "n_heads"}, r"these axes vary: n_pair_labels \(2 values.*--x, --color"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_remedy(options, message):
    trials, terms = tables()
    with pytest.raises(UsageError, match=message):
        draw(trials.with_columns(n_labels=pl.lit(20), n_heads=pl.lit(4)), terms, **options)


def test_without_any_slope_the_remedy_is_told():
    trials, terms = tables()
    with pytest.raises(UsageError, match=r"none of 36 trials has a slope.*layer_norm none or post"):
        draw(trials, terms.clear())
