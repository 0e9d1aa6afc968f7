"""The effect per doubling of an axis, against numpy and scipy."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from lrsym.errors import UsageError
from lrsym.results.analysis.doublings import per_doubling

LAYOUTS = (1, 2, 5, 20)


def trials(*, layouts=LAYOUTS, labels=(5, 8), seeds=4, **columns):
    """Rows whose order rises with the logarithm of layouts, by a slope of its own in each cell and seed."""
    rng = np.random.default_rng(0)
    rows = [
        {"layouts_per_pair": n, "n_pair_labels": label, "seed": seed, "status": "done", "stop_rule": None,
         "unseen_order": 0.5 + 0.02 * seed * np.log2(n) + 0.001 * label * rng.normal(), "seconds": 1.0}
        for label in labels for seed in range(seeds) for n in layouts
    ]  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"stop_rule": pl.String}).with_columns(**columns)


def slopes(frame):
    """The slope of each seed, mean over its cells, by numpy."""
    return [
        np.mean(
            [
                np.polyfit(np.log2(cell["layouts_per_pair"].to_numpy()), cell["unseen_order"].to_numpy(), 1)[0]
                for cell in frame.filter(seed=seed).partition_by("n_pair_labels")
            ]
        )
        for seed in sorted({*frame["seed"]})
    ]


def test_the_estimate_is_the_mean_slope_over_seeds_with_the_interval_of_student():
    found = per_doubling(trials(), axis="layouts_per_pair", metrics=["unseen_order"])
    (row,), expected = found.frame.to_dicts(), slopes(trials())
    low, high = stats.t.interval(0.95, 3, np.mean(expected), stats.sem(expected))
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx((np.mean(expected), low, high))
    assert row["p"] == pytest.approx(stats.ttest_1samp(expected, 0).pvalue)
    assert (row["n"], row["n_pairs"], row["most_cells"]) == (4, 8, 2)
    assert found.paired_by == ["n_pair_labels"]


def test_each_value_of_another_axis_has_its_row():
    frame = per_doubling(trials(), axis="layouts_per_pair", metrics=["unseen_order"], by="n_pair_labels").frame
    each = [np.mean(slopes(trials().filter(n_pair_labels=label))) for label in (5, 8)]
    assert frame["estimate"].to_list() == pytest.approx(each)
    assert frame["n_pairs"].to_list() == [4, 4]


def test_a_line_that_lost_a_trial_is_left_out_and_counted():
    lost = (pl.col("seed") == 0) & (pl.col("n_pair_labels") == 5) & (pl.col("layouts_per_pair") == 2)
    status = pl.when(lost).then(pl.lit("diverged")).otherwise(pl.lit("done"))
    (row,) = per_doubling(trials(status=status), axis="layouts_per_pair", metrics=["unseen_order"]).frame.to_dicts()
    assert (row["n"], row["n_pairs"], row["n_diverged"]) == (4, 7, 1)


def test_the_time_that_a_pack_shares_has_no_interval():
    (row,) = per_doubling(trials(pack_size=8), axis="layouts_per_pair", metrics=["seconds"]).frame.to_dicts()
    assert (row["low"], row["no_interval"]) == (None, "trials of a pack share its time")


@pytest.mark.parametrize(
    ("frame", "axis", "message"),
    [
        (trials(layouts=(2,)), "layouts_per_pair", "two numbers or more, all above 0, layouts_per_pair has 2"),
        (trials(weight_decay=pl.col("seed") % 2 * 0.1), "weight_decay", r"weight_decay has 0\.0, 0\.1"),
        (trials(), "n_heads", "all above 0, n_heads has none"),
        (trials(), "layouts", "no axis layouts; did you mean layouts_per_pair"),
        (trials(seeds=1), "layouts_per_pair", "takes two seeds or more"),
    ],
)
def test_what_has_no_doublings_is_refused(frame, axis, message):
    with pytest.raises(UsageError, match=message):
        per_doubling(frame, axis=axis, metrics=["unseen_order"])


def test_a_line_that_lacks_a_value_is_left_out_and_a_null_on_the_axis_is_no_value():
    lacking = trials().filter(~((pl.col("seed") == 0) & (pl.col("layouts_per_pair") == 20)))
    (row,) = per_doubling(lacking, axis="layouts_per_pair", metrics=["unseen_order"]).frame.to_dicts()
    assert (row["n"], row["n_pairs"], row["n_unpaired"]) == (3, 6, 2)
    empty = trials().with_columns(layouts_per_pair=pl.when(pl.col("layouts_per_pair") < 20).then("layouts_per_pair"))
    (row,) = per_doubling(empty, axis="layouts_per_pair", metrics=["unseen_order"]).frame.to_dicts()
    assert row["estimate"] == pytest.approx(
        np.mean(slopes(trials(layouts=LAYOUTS).filter(pl.col("layouts_per_pair") < 20)))
    )
