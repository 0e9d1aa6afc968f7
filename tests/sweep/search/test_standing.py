"""What is left of a search: cells to train, trials that are given up, cells to come; and that its packs are those."""

import pytest

from lrsym.cli.status import ask_again
from lrsym.results.store.store import Store
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.planning.plan import MAX_FAILED_RUNS
from lrsym.sweep.search.search_status import search_status
from lrsym.sweep.search.standing import standing
from lrsym.vocabulary import FAILED_STATUSES
from tests.sweep.search.made_up_search import run, search, told, write

SMALL_SPACE = '"optim.learning_rate" = [1e-4, 1e-3, 1e-2]\n"optim.weight_decay" = [0.0, 1.0]'


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def left(found, store, **options):
    return standing(found, store, **{"budget": found.budget, **options})


def fail(store, trials, *, runs, status="crashed"):
    """Write that so many runs have tried `trials` in vain."""
    store.write(f"failed-{runs}", status_rows(trials, status=status, message="lost", run_id="r", attempts=[runs] * 2))


def trials_of(packs):
    return {trial.trial_id for pack in packs for trial in pack.trials}


@pytest.fixture
def failed(store):
    """A search of 4 cells that failed before it had one: its file, and the trials of its first two cells."""
    found = search(budget=4, replicates=2)
    run(found, store, packs=0)
    first = [pack.trials for pack in run(found, store, packs=1, status=lambda trial: "crashed")]
    return found, first[0][:2]


@pytest.mark.parametrize("runs", [MAX_FAILED_RUNS - 1, MAX_FAILED_RUNS])
def test_trials_that_many_runs_tried_in_vain_are_given_up(store, failed, runs):
    found, lost = failed
    fail(store, lost, runs=runs)
    before = left(found, store)
    given_up = {"crashed": 2} if runs == MAX_FAILED_RUNS else {}
    assert (before.given_up, before.left) == (given_up, 3 if given_up else 4)
    packs = run(found, store)
    assert trials_of(packs).isdisjoint(trial.trial_id for trial in lost) == bool(given_up)
    after = left(found, store)
    assert (after.given_up, after.left, after.done) == (given_up, 0, before.left)


@pytest.mark.slow
def test_what_is_given_up_is_trained_where_it_is_asked_for_and_nothing_else(store, failed):
    found, lost = failed
    fail(store, lost, runs=MAX_FAILED_RUNS, status="timeout")
    assert left(found, store, retry=("out_of_memory",)).left == 0
    assert (left(found, store, retry=("timeout",)).left, left(found, store, retry=("timeout",)).given_up) == (1, {})
    assert trials_of(run(found, store, retry=("timeout",))) == {trial.trial_id for trial in lost}
    assert (left(found, store).left, left(found, store).given_up) == (3, {})


@pytest.mark.slow
@pytest.mark.parametrize("status", FAILED_STATUSES)
def test_a_search_whose_cells_have_all_ended_is_over_also_where_trials_failed(store, status):
    found = search(budget=2)
    run(found, store, packs=0)
    assert search_status(found, store).left == 2
    run(found, store, status=lambda trial: status)
    assert (search_status(found, store).left, ask_again(found, store.root)[2]) == (0, True)


def test_a_space_with_fewer_cells_than_the_budget_has_so_many_to_come(store):
    found = search(SMALL_SPACE, sampler="random", budget=50)
    assert (left(found, store).to_come, left(found, store).cells) == (6, 6)
    assert search_status(found, store).to_come == 6
    run(found, store)
    assert (left(found, store).left, left(found, store).cells, left(found, store).done) == (0, 6, 6)
    assert ask_again(found, store.root)[2]


def test_a_space_that_is_trained_whole_is_written_about_no_more(store):
    found = search(SMALL_SPACE, sampler="random", budget=50)
    run(found, store)
    before = told(store)
    assert run(found, store) == []
    assert told(store) == before


@pytest.mark.slow
def test_points_that_no_trial_can_be_do_not_count_as_cells_to_come(store):
    found = search('"model.n_heads" = { low = 1, high = 16 }', sampler="random", budget=12)
    assert left(found, store).to_come == 5  # 1, 2, 4, 8 and 16 divide the width
    run(found, store)
    assert left(found, store).left == 0


@pytest.mark.slow
def test_cells_that_others_have_trained_are_not_to_come(store):
    found = search(SMALL_SPACE, budget=6, keys="reuse = false")
    points = [{"optim.learning_rate": rate, "optim.weight_decay": 0.0} for rate in (1e-4, 1e-3, 1e-2)]
    write(store, found.sweep(points).trials, "of_a_grid")
    assert left(found, store).to_come == 3
    run(found, store)
    assert (left(found, store).left, left(found, store).cells) == (0, 3)


def test_a_continuous_space_has_as_many_cells_to_come_as_the_budget(store):
    assert left(search(budget=70), store).to_come == 70
