"""The map: means with intervals, losses and phases by cell, from numbers that a person can compute."""

import pytest

from lrsym.reports import cells
from lrsym.reports.cells import MAX_MEANS, cell_counts, cell_means, cell_phases, fewer_metrics, map_metrics
from lrsym.results.analysis.intervals import estimate_mean
from tests.reports.made_up import accuracy, read, sweep, value, write


@pytest.fixture
def partly(tmp_path):
    """A sweep of 4 cells and 3 seeds: in the first one seed diverged and one crashed, the last is missing."""
    found = sweep()
    lost = {found.trials[1].trial_id: "diverged", found.trials[2].trial_id: "crashed"}
    write(tmp_path, found.trials[:9], status=lambda trial: lost.get(trial.trial_id, "done"))
    return found, *read(tmp_path, found)


def test_the_mean_of_a_cell_has_the_interval_of_its_seeds(partly):
    found, _, trials = partly
    frame = cell_means(trials, metrics=["unseen_order"])
    expected = estimate_mean([accuracy(trial) for trial in found.trials[3:6]], interval="logit")
    row = frame.filter(cell=1).row(0, named=True)
    assert (row["n"], row["mean"], row["low"], row["high"]) == pytest.approx(
        (3, expected.mean, expected.low, expected.high)
    )


def test_what_became_of_the_seeds_of_every_planned_cell_is_counted(partly):
    found, planned, trials = partly
    counts = cell_counts(trials, planned, replicates=found.replicates)
    assert counts["cell"].to_list() == [0, 1, 2, 3]
    assert counts["n_trials"].to_list() == [3, 3, 3, 0]
    assert counts["n_missing"].to_list() == [0, 0, 0, 3]
    assert (value(counts, "n_diverged", cell=0), value(counts, "n_failed", cell=0)) == (1, 1)
    assert (value(counts, "ep", cell=2), value(counts, "none", cell=2)) == (0, 3)
    assert value(counts, "ep", cell=1) == 3


def test_phases_are_those_of_the_metric_and_the_threshold(partly):
    *_, trials = partly
    named = {threshold: cell_phases(trials, accuracy="order", threshold=threshold) for threshold in (0.5, 0.99)}
    assert {*named[0.5]["phase"]} == {"relational generalisation"}
    assert {*named[0.99]["phase"]} == {"memorisation"}


def test_a_page_offers_the_accuracies_that_there_are_and_the_one_asked_for_first(partly):
    *_, trials = partly
    assert map_metrics(trials, metric="seen_order", n_cells=4) == ["seen_order", "unseen_order", "train_order"]


def test_of_very_many_cells_the_metric_asked_for_alone_has_a_map(partly):
    *_, trials = partly
    assert map_metrics(trials, metric="seen_order", n_cells=MAX_MEANS + 1) == ["seen_order"]


def test_of_very_many_trials_the_map_shows_fewer_outcomes_and_says_so(partly, monkeypatch):
    *_, trials = partly
    assert fewer_metrics(trials, metric="seen_order", n_cells=4) == []
    monkeypatch.setattr(cells, "MAX_VALUES", 2 * trials.height)
    assert map_metrics(trials, metric="seen_order", n_cells=4) == ["seen_order", "unseen_order"]
    told = "The map shows 2 of 3 outcomes: --metric chooses the first."
    assert fewer_metrics(trials, metric="seen_order", n_cells=4) == [told]
