"""Cells with their phase, in numbers that a person can compute."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lrsym.errors import UsageError
from lrsym.results.analysis.phases import phases, split_and_metric


def one_cell(train, seen, unseen, **columns):
    accuracies = {"train_order": train, "seen_order": seen, "unseen_order": unseen}
    floats = {name: pl.Float64 for name in accuracies}
    height = len(unseen)
    rows = {
        "n_pair_labels": [5] * height,
        "status": ["done"] * height,
        "stop_rule": [None] * height,
        "seed": range(height),
        **accuracies,
    }
    return pl.DataFrame({**rows, **columns}, schema_overrides=floats)


def phase_of(trials, **options):
    (phase,) = phases(trials, x="n_pair_labels", **options)["phase"]
    return phase


@pytest.mark.parametrize(
    ("train", "seen", "unseen", "phase"),
    [
        (0.89, 0.2, 0.2, "confusion"),
        (0.9, 0.89, 0.2, "memorisation"),
        (0.9, 0.9, 0.89, "layout generalisation"),
        (0.9, 0.9, 0.9, "relational generalisation"),
        # Nested: unseen pairs may score higher because their set of captions is smaller.
        (0.8, 0.95, 0.95, "confusion"),
        (0.95, 0.8, 0.95, "memorisation"),
        # All layouts are trained: there are no held-out ones.
        (0.95, None, 0.95, "relational generalisation"),
        (0.95, None, 0.5, "memorisation"),
        (0.5, None, 0.95, "confusion"),
        # No pair is unseen.
        (0.95, 0.95, None, "layout generalisation"),
        (0.95, 0.5, None, "memorisation"),
        (0.95, None, None, "memorisation"),
    ],
)
def test_the_first_accuracy_that_misses_the_threshold_gives_the_phase(train, seen, unseen, phase):
    assert phase_of(one_cell([train], [seen], [unseen])) == phase


def test_the_threshold_is_a_parameter():
    trials = one_cell([1.0], [0.75], [0.625])
    assert [phase_of(trials, threshold=t) for t in (0.6, 0.7, 0.8)] == [
        "relational generalisation",
        "layout generalisation",
        "memorisation",
    ]


def test_a_mean_of_exactly_the_threshold_reaches_it_in_spite_of_rounding():
    values = [0.73, 0.67, 0.7]
    frame = phases(one_cell(values, values, values), x="n_pair_labels", threshold=0.7)
    assert frame["mean"][0] < 0.7
    assert frame["phase"][0] == "relational generalisation"


def test_the_phase_is_read_in_the_metric_that_is_drawn():
    trials = one_cell([1.0], [1.0], [1.0], train_global=[1.0], seen_global=[0.5], unseen_global=[0.5])
    assert phase_of(trials, metric="unseen_global") == "memorisation"


def test_the_phase_does_not_depend_on_the_split_that_is_drawn():
    trials = one_cell([1.0], [1.0], [0.5])
    assert phase_of(trials, metric="train_order") == phase_of(trials, metric="unseen_order") == "layout generalisation"


def test_a_cell_that_finished_no_trial_has_no_phase():
    assert phase_of(one_cell([None], [None], [None], status=["crashed"])) is None


def test_a_cell_whose_axis_is_absent_has_a_phase_too():
    trials = pl.concat([one_cell([1.0], [1.0], [1.0], steps=[steps]) for steps in (10, None)], how="vertical_relaxed")
    assert phases(trials, x="steps")["phase"].to_list() == ["relational generalisation"] * 2


def test_each_cell_is_a_row_with_its_summary_its_accuracies_and_its_phase():
    trials = pl.DataFrame(
        {
            "n_pair_labels": [5, 5, 15, 15],
            "layouts_per_pair": [1, 1, 1, 1],
            "seed": [0, 1, 0, 1],
            "status": ["done", "done", "done", "diverged"],
            "stop_rule": [None] * 4,
            "train_order": [1.0, 1.0, 1.0, None],
            "seen_order": [0.5, 1.0, 1.0, None],
            "unseen_order": [0.25, 0.75, 1.0, None],
        }
    )
    wanted = pl.DataFrame(
        {
            "layouts_per_pair": [1, 1],
            "n_pair_labels": [5, 15],
            "n": [2, 1],
            "mean": [0.5, 1.0],
            "sd": [0.125**0.5, None],
            "lowest": [0.25, 1.0],
            "highest": [0.75, 1.0],
            "n_failed": [0, 0],
            "n_diverged": [0, 1],
            "n_stopped": [0, 0],
            "n_censored": [0, 0],
            "train": [1.0, 1.0],
            "seen": [0.75, 1.0],
            "unseen": [0.5, 1.0],
            "phase": ["memorisation", "relational generalisation"],
        }
    )
    assert_frame_equal(phases(trials, x="n_pair_labels", y="layouts_per_pair"), wanted)


def grid(**axes):
    frame = pl.DataFrame({"status": ["done"], "train_order": [1.0], "seen_order": [1.0], "unseen_order": [1.0]})
    for name, values in axes.items():
        frame = frame.join(pl.DataFrame({name: values}), how="cross")
    return frame


def test_trials_of_a_cell_may_differ_in_their_seed_alone():
    trials = grid(n_pair_labels=[5, 15], weight_decay=[0.0, 0.2], seed=[0, 1])
    with pytest.raises(UsageError, match=r"weight_decay \(2 values, 0.0 to 0.2\).*--where weight_decay=0.0"):
        phases(trials, x="n_pair_labels")


def test_a_mistyped_metric_is_told_the_one_that_is_meant():
    with pytest.raises(UsageError, match=r"got unseen_ordr; did you mean unseen_order\? splits: train"):
        split_and_metric("unseen_ordr")


def test_a_metric_without_a_split_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match=r"got order; splits: train, single, seen, unseen"):
        phases(grid(seed=[0]), x="n_pair_labels", metric="order")
