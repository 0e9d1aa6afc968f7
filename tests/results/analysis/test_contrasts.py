"""Contrasts: pairs, their means within seeds, the interval over seeds, and what is left out."""

import itertools

import polars as pl
import pytest
from scipy import stats

from lrsym.errors import UsageError
from lrsym.results.analysis.contrasts import contrast, differences

LAYOUTS = {"of": {"layouts_per_pair": 20}, "against": {"layouts_per_pair": 5}}


def value(labels, layouts, seed):
    """Made-up accuracies: the difference of layouts depends on labels and on the seed, whose own share is large."""
    return 0.3 + 0.2 * (seed % 2) + (0.01 * labels * (1 + 0.1 * seed) if layouts == 20 else 0.0)


def grid(*, seeds=4, labels=(5, 8, 11), layouts=(1, 5, 20)):
    rows = [
        {
            "n_pair_labels": n, "n_heldout_labels": 5, "n_labels": n + 5, "layouts_per_pair": m, "seed": seed,
            "status": "done", "stop_rule": None, "unseen_order": value(n, m, seed), "seen_order": 0.5,
        }
        for n, m, seed in itertools.product(labels, layouts, range(seeds))
    ]  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"stop_rule": pl.String})


def only_row(found):
    assert found.frame.height == 1
    return found.frame.row(0, named=True)


def test_differences_are_averaged_over_cells_within_a_seed_and_seeds_are_the_replicates():
    row = only_row(contrast(grid(), **LAYOUTS, metrics=["unseen_order"]))
    by_seed = [sum(value(n, 20, s) - value(n, 5, s) for n in (5, 8, 11)) / 3 for s in range(4)]
    test = stats.ttest_1samp(by_seed, 0)
    interval = test.confidence_interval(0.95)
    assert row["estimate"] == pytest.approx(sum(by_seed) / 4)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    assert row["p"] == pytest.approx(test.pvalue)
    assert (row["n"], row["n_pairs"], row["fewest_cells"], row["most_cells"]) == (4, 12, 3, 3)


def test_of_one_cell_it_is_the_paired_t_test():
    frame = grid(labels=[5])
    row = only_row(contrast(frame, **LAYOUTS, metrics=["unseen_order"]))
    arms = [frame.filter(layouts_per_pair=m)["unseen_order"].to_list() for m in (20, 5)]
    assert row["p"] == pytest.approx(stats.ttest_rel(*arms).pvalue)


def test_exchanged_sides_have_the_opposite_sign():
    there, back = (
        only_row(
            contrast(grid(), of={"layouts_per_pair": a}, against={"layouts_per_pair": b}, metrics=["unseen_order"])
        )
        for a, b in ((20, 5), (5, 20))
    )
    assert (there["estimate"], there["low"]) == pytest.approx((-back["estimate"], -back["high"]))


def test_by_an_axis_each_of_its_values_has_a_row():
    found = contrast(grid(), **LAYOUTS, metrics=["unseen_order"], by="n_pair_labels").frame
    assert found["n_pair_labels"].to_list() == [5, 8, 11]
    assert found["estimate"].to_list() == pytest.approx([0.01 * n * 1.15 for n in (5, 8, 11)])
    assert found["most_cells"].to_list() == [1, 1, 1]


def test_holms_correction_is_for_all_rows():
    found = contrast(grid(), **LAYOUTS, metrics=["unseen_order"], by="n_pair_labels").frame
    assert found["holm"].to_list() == pytest.approx([3 * p for p in found["p"]])


def test_metrics_have_rows_of_their_own():
    found = contrast(grid(), **LAYOUTS, metrics=["unseen_order", "seen_order"]).frame
    assert found["metric"].to_list() == ["unseen_order", "seen_order"]
    assert found["estimate"][1] == 0


def test_axes_that_follow_the_contrasted_one_do_not_keep_trials_apart_and_are_told():
    found = contrast(grid(), of={"n_pair_labels": 11}, against={"n_pair_labels": 5}, metrics=["unseen_order"])
    assert (found.paired_by, found.followers) == (["layouts_per_pair"], ["n_labels"])
    assert only_row(found)["n_pairs"] == 12


@pytest.mark.parametrize("twenty", [20, 20.0, "20", "2e1"])
@pytest.mark.parametrize("axis", ["layouts_per_pair", "scenes.layouts_per_pair"])
def test_a_value_may_be_its_text_and_an_axis_its_key(axis, twenty):
    found = contrast(grid(), of={axis: twenty}, against={axis: "5"}, metrics=["unseen_order"])
    assert only_row(found)["n_pairs"] == 12


def test_several_axes_may_differ_at_once():
    found = contrast(
        grid(),
        of={"layouts_per_pair": 20, "n_pair_labels": 11},
        against={"layouts_per_pair": 5, "n_pair_labels": 5},
        metrics=["unseen_order"],
    )
    assert (found.paired_by, only_row(found)["n_pairs"]) == ([], 4)


def marked(frame, *, labels, layouts, seed, **changes):
    here = (pl.col("n_pair_labels") == labels) & (pl.col("layouts_per_pair") == layouts) & (pl.col("seed") == seed)
    return frame.with_columns(
        pl.when(here).then(pl.lit(to)).otherwise(name).alias(name) for name, to in changes.items()
    )


def test_what_is_left_out_is_counted_by_its_reason():
    frame = grid().filter(
        ~((pl.col("n_pair_labels") == 5) & (pl.col("layouts_per_pair") == 20) & (pl.col("seed") == 0))
    )
    frame = marked(frame, labels=8, layouts=5, seed=1, status="diverged")
    frame = marked(frame, labels=8, layouts=20, seed=2, status="crashed", unseen_order=None)
    frame = marked(frame, labels=11, layouts=5, seed=3, unseen_order=float("nan"))
    row = only_row(contrast(frame, **LAYOUTS, metrics=["unseen_order"]))
    assert [row[f"n_{what}"] for what in ("unpaired", "diverged", "failed", "without", "pairs")] == [1, 1, 1, 1, 8]
    assert (row["n"], row["fewest_cells"], row["most_cells"]) == (4, 2, 2)


def test_a_row_of_one_seed_among_others_has_no_interval():
    frame = grid().filter((pl.col("n_pair_labels") != 5) | (pl.col("seed") == 0))
    found = contrast(frame, **LAYOUTS, metrics=["unseen_order"], by="n_pair_labels").frame
    assert found["n"].to_list() == [1, 4, 4]
    assert found.row(0, named=True) | {"low": None, "p": None, "holm": None} == found.row(0, named=True)
    assert found["holm"][1] == pytest.approx(2 * found["p"][1])


def test_a_value_that_is_absent_can_be_contrasted():
    frame = grid(layouts=[5, 20]).rename({"layouts_per_pair": "epochs"})
    frame = frame.with_columns(pl.when(pl.col("epochs") == 20).then("epochs").alias("epochs"))
    row = only_row(contrast(frame, of={"epochs": 20}, against={"epochs": "absent"}, metrics=["unseen_order"]))
    assert row["n_pairs"] == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": {"layout_per_pair": 20}}, r"no axis layout_per_pair; did you mean layouts_per_pair\?"),
        ({"of": {"seed": 1}}, "axes other than seed, got seed"),
        ({"of": {"layouts_per_pair": 21}}, r"--of: no trial has layouts_per_pair = 21; values: 1, 5, 20"),
        ({"against": {"layouts_per_pair": "many"}}, "--against: layouts_per_pair must be a number, got many"),
        ({"against": {"n_pair_labels": 5}}, "must name the same axes, got layouts_per_pair and n_pair_labels"),
        ({"of": {}}, "--of must name an axis and its value, got none"),
        ({"by": "layouts_per_pair"}, "--by must be another axis"),
        ({"by": "n_pair_label"}, "did you mean n_pair_labels"),
        ({"of": {"layouts_per_pair": 5}}, "--of and --against must differ, got layouts_per_pair = 5 in both"),
    ],
)
def test_what_cannot_be_contrasted_is_told(options, message):
    with pytest.raises(UsageError, match=message):
        contrast(grid(), **{**LAYOUTS, **options}, metrics=["unseen_order"])


def test_values_that_are_there_but_never_together_are_told():
    frame = grid().filter((pl.col("layouts_per_pair") != 20) | (pl.col("n_pair_labels") == 8))
    with pytest.raises(UsageError, match="--of: no trial has layouts_per_pair = 20, n_pair_labels = 5 together"):
        contrast(
            frame,
            of={"layouts_per_pair": 20, "n_pair_labels": 5},
            against={"layouts_per_pair": 5, "n_pair_labels": 8},
            metrics=["unseen_order"],
        )


def test_where_no_two_trials_make_a_pair_the_axes_that_keep_them_apart_are_named():
    frame = grid().filter((pl.col("layouts_per_pair") == 20) == (pl.col("n_pair_labels") > 5))
    with pytest.raises(
        UsageError, match=r"no trial with layouts_per_pair = 20 has a partner .*no value of n_pair_labels"
    ):
        contrast(frame, **LAYOUTS, metrics=["unseen_order"])


def test_other_seeds_on_the_other_side_make_no_pair():
    frame = grid().filter((pl.col("layouts_per_pair") == 20) == (pl.col("seed") > 1))
    with pytest.raises(UsageError, match="they share no value of seed"):
        contrast(frame, **LAYOUTS, metrics=["unseen_order"])


def test_one_seed_has_no_interval_and_is_told_with_its_difference():
    with pytest.raises(
        UsageError, match=r"takes two seeds or more .*unseen_order differs by 0\.08 in seed 0; train more"
    ):
        contrast(grid(seeds=1), **LAYOUTS, metrics=["unseen_order"])


def test_where_all_diverged_there_is_no_contrast():
    frame = grid().with_columns(status=pl.lit("diverged"))
    with pytest.raises(UsageError, match="no pair has a value of unseen_order: 12 pairs in which a trial diverged"):
        contrast(frame, **LAYOUTS, metrics=["unseen_order"])


def test_the_same_trial_twice_is_refused():
    with pytest.raises(UsageError, match="agree in seed and all axes; give each trial once"):
        contrast(pl.concat([grid(), grid()]), **LAYOUTS, metrics=["unseen_order"])


def test_differences_by_cell_of_two_tables_are_the_contrast_by_that_axis():
    frame = grid()
    sides = (frame.filter(layouts_per_pair=m).drop("layouts_per_pair") for m in (20, 5))
    found = differences(*sides, by=["n_pair_labels"], metric="unseen_order")
    expected = contrast(frame, **LAYOUTS, metrics=["unseen_order"], by="n_pair_labels").frame
    assert found.to_dicts() == expected.drop("metric").to_dicts()


def test_accuracies_that_differ_by_as_much_in_all_seeds_are_known_to_a_scene_and_not_for_certain():
    row = only_row(contrast(grid(seeds=2), **LAYOUTS, metrics=["seen_order"]))
    assert (row["estimate"], row["p"], row["no_interval"]) == (0, 1, None)
    assert 0.003 < row["high"] == -row["low"] < 0.005
    apart = only_row(
        contrast(
            grid(seeds=1).vstack(grid(seeds=1).with_columns(seed=pl.lit(7, pl.Int64))),
            **LAYOUTS,
            metrics=["unseen_order"],
        )
    )
    assert 0 < apart["p"] < apart["holm"] + 1e-12


def test_other_numbers_that_differ_by_as_much_in_all_seeds_have_no_interval_and_no_p():
    frame = grid().with_columns(steps_to_unseen_order=pl.col("layouts_per_pair") * 10)
    found = contrast(frame, **LAYOUTS, metrics=["steps_to_unseen_order", "unseen_order"])
    equal, other = found.frame.iter_rows(named=True)
    assert (equal["estimate"], equal["n"], equal["low"], equal["p"], equal["holm"]) == (150, 4, None, None, None)
    assert equal["no_interval"] == "equal in all seeds, which tells no spread"
    assert other["holm"] == other["p"]  # Holm's correction is for those rows that have a level


@pytest.mark.parametrize(("size", "has_interval"), [(1, True), (8, False)])
def test_seconds_of_trials_of_one_pack_are_no_replicates(size, has_interval):
    frame = grid().with_columns(seconds=pl.col("unseen_order") * 10, pack_size=pl.lit(size))
    row = only_row(contrast(frame, **LAYOUTS, metrics=["seconds"]))
    assert (row["low"] is not None, row["p"] is not None) == (has_interval, has_interval)
    assert row["no_interval"] == (None if has_interval else "trials of a pack share its time")
