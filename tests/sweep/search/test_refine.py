"""Refinement: what it trains next, by the same rows the same, within its budget, and only trials of the file."""

import itertools
from collections import Counter

import numpy as np
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.surface import Surface, fit_surface, to_accuracy
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.lease import Lease
from lrsym.sweep.execution.shared_packs import SharedPacks
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.plan import make_plan
from lrsym.sweep.search.next_cells import coarse_start, farthest, next_cells
from lrsym.sweep.search.refine import Refinement, RefinementSource
from lrsym.sweep.spec.sweep_file import parse

FILE = """
name = "plane"
replicates = 3
[grid]
"scenes.n_pair_labels" = [5, 6, 7, 8, 9, 10, 11]
"scenes.layouts_per_pair" = [1, 2, 5, 10, 20]
"""
PLANE = np.stack(np.meshgrid(np.arange(7), np.arange(5), indexing="ij"), -1).reshape(-1, 2).astype(float)


@pytest.fixture(scope="module")
def sweep():
    return parse(FILE, source="plane.toml")


def outcome(trial, *, status="done", value="plane"):
    """A row: the accuracy rises with both axes and crosses 0.9 between, by seed a little sooner or later."""
    x, y = trial.scenes.n_pair_labels - 5, [1, 2, 5, 10, 20].index(trial.scenes.layouts_per_pair)
    order = float(to_accuracy(x + y - 5 + 2.2 + 0.3 * (trial.seed - 1))) if value == "plane" else value
    order = order if status == "done" else None
    return axis_values(trial) | {"status": status, "unseen_order": order}


def write(store, pack, **options):
    rows = [outcome(trial, **options) for trial in pack.trials]
    store.write(pack.id, {"trials": TABLES["trials"].build(rows)})
    return Counter(row["status"] for row in rows)


def source_of(sweep, store, *, budget=40, pack_size=4, **options):
    source = RefinementSource(Refinement(sweep, "unseen_order", 0.9, budget=budget, **options), store)
    source.pack_size = pack_size
    return source


def run(source, store, *, at_once=2, packs=10**6, **options):
    """Train packs, `at_once` at a time; return the trials of each pack, in the order in which they were given out."""
    running, given = [], []
    while len(given) < packs or running:
        while len(running) < at_once and len(given) < packs and (pack := source.next()) is not None:
            running.append(pack)
            given.append(pack.trial_ids)
        if not running:
            break
        pack = running.pop(0)
        source.on_end(pack, write(store, pack, **options))
    return given


def test_a_coarse_start_leaves_no_cell_more_than_two_steps_from_one_that_is_trained():
    cells = coarse_start(PLANE, replicates=1)
    away = PLANE[:, None] - PLANE[cells][None]
    assert len(cells) == 9  # a fourth of 35
    assert np.sqrt((away**2).sum(axis=2)).min(axis=1).max() <= 2


def test_a_coarse_start_repeats_some_cells_but_not_where_the_file_has_one_replicate():
    assert max(Counter(coarse_start(PLANE, replicates=2)).values()) == 2
    assert max(Counter(coarse_start(PLANE, replicates=1)).values()) == 1


def test_the_farthest_cell_of_a_row_tried_at_one_end_is_the_other_end():
    assert farthest(np.arange(7.0)[:, None], [1]) == (6, 5.0)


def test_the_next_cell_is_the_one_whose_interval_reaches_furthest_over_the_level():
    ranks = np.arange(9.0)[:, None]
    tried = [0, 2, 4, 6, 8, 0, 2, 4, 6]
    surface = fit_surface(ranks, tried, [to_accuracy(ranks[cell, 0] - 5.0) for cell in tried])
    reach = 1.96 * surface.sd - abs(surface.mean)
    assert next_cells(ranks, tried, surface, level=0.0, n=1, replicates=3) == [int(reach.argmax())]


def peaked(n, *, at):
    """A surface of `n` cells that are known equally well and apart from each other, at the level in one of them."""
    mean = np.where(np.arange(n) == at, 0.0, 9.0)
    return Surface(mean, np.eye(n), 1.0, lambda positions: (mean, mean))


def test_every_third_cell_is_the_farthest_from_all_tried():
    ranks, tried = np.arange(30.0)[:, None], [0, 1, 2, 3, 4, 5]
    chosen = next_cells(ranks, tried, peaked(30, at=3), level=0.0, n=6, replicates=9)
    assert chosen == [3, 3, 29, 3, 3, 17]


def test_a_batch_counts_its_own_cells_as_known():
    ranks, mean = np.arange(5.0)[:, None], np.array([9.0, 9.0, 0.0, 0.1, 9.0])
    surface = Surface(mean, np.eye(5), 1.0, lambda positions: (mean, mean))
    assert next_cells(ranks, [0, 2, 4], surface, level=0.0, n=2, replicates=9) == [2, 3]


def test_no_cell_gets_more_than_its_replicates_and_none_is_left_out_for_want_of_choice():
    ranks = np.arange(4.0)[:, None]
    surface = fit_surface(ranks, [0, 3], [0.1, 0.9])
    chosen = next_cells(ranks, [0, 3], surface, level=0.0, n=100, replicates=2)
    assert Counter([0, 3, *chosen]) == {cell: 2 for cell in range(4)}


@pytest.mark.slow
def test_the_budget_is_the_number_of_trials_in_the_end_those_that_were_there_included(sweep, tmp_path):
    store = Store(str(tmp_path))
    run(source_of(sweep, store), store, packs=3)
    before = len(store.statuses())
    assert 0 < before < 40
    run(source_of(sweep, store, budget=40), store)
    assert len(store.statuses()) == 40
    assert source_of(sweep, store, budget=40).exhausted


@pytest.mark.slow
def test_it_trains_only_trials_of_the_file_each_once_and_ends_with_all_of_them(sweep, tmp_path):
    store = Store(str(tmp_path))
    given = [name for pack in run(source_of(sweep, store, budget=1000, pack_size=24), store) for name in pack]
    assert sorted(given) == sorted(sweep.trial_ids())


def test_the_same_rows_give_the_same_next_pack_after_a_restart(sweep, tmp_path):
    store = Store(str(tmp_path))
    source = source_of(sweep, store)
    run(source, store, at_once=1, packs=6)
    restarted = source_of(sweep, store)
    assert restarted.next().trial_ids == source.next().trial_ids


def test_what_is_in_training_is_not_given_out_again(sweep, tmp_path):
    source = source_of(sweep, Store(str(tmp_path)))
    given = [name for _ in range(9) for name in source.next().trial_ids]
    assert len(given) == len({*given})


@pytest.mark.slow
def test_most_trials_beyond_the_coarse_start_lie_near_the_boundary(sweep, tmp_path):
    store = Store(str(tmp_path))
    source = source_of(sweep, store, budget=45)
    given = [name for pack in run(source, store) for name in pack]
    places = [sweep.trial_ids().index(name) // 3 for name in given][len(coarse_start(PLANE, replicates=3)) :]
    away = abs(PLANE.sum(axis=1) - 5)
    assert np.mean(away[places] <= 1) > 1.3 * np.mean(away <= 1)
    assert source.boundary.sides() != ["undecided"] * 35


@pytest.mark.slow
def test_it_ends_before_its_budget_where_few_enough_cells_are_undecided(sweep, tmp_path):
    store = Store(str(tmp_path))
    source = source_of(sweep, store, budget=105, undecided=0.5)
    run(source, store)
    assert source.n_trials < 105
    assert source.boundary.sides().count("undecided") <= 0.5 * 35


def test_lost_trials_count_as_tried_and_say_nothing(sweep, tmp_path):
    store = Store(str(tmp_path))
    source = source_of(sweep, store)
    run(source, store, packs=4)
    known = len(source.values)
    pack = source.next()
    source.on_end(pack, write(store, pack, status="diverged"))
    assert len(source.values) == known
    assert not {*pack.trial_ids} & {name for _ in range(5) for name in source.next().trial_ids}


def test_what_was_given_up_counts_as_tried_and_what_was_begun_is_no_result_of_before(sweep, tmp_path):
    store = Store(str(tmp_path))
    hopeless, failed = (Pack(tuple(sweep.trials[start : start + 4])) for start in (0, 4))
    for pack, attempts in ((hopeless, 5), (failed, 4)):
        rows = [outcome(trial, status="crashed") | {"attempts": attempts} for trial in pack.trials]
        store.write(pack.id, {"trials": TABLES["trials"].build(rows)})
    source = source_of(sweep, store, budget=105)
    assert (source.n_there, source.given_up, source.left) == (0, {"crashed": 4}, 101)
    given = [name for pack in run(source, store) for name in pack]
    assert sorted(given) == sorted({*sweep.trial_ids()} - {*hopeless.trial_ids})
    assert source_of(sweep, store, budget=105).n_there == 101


@pytest.mark.slow
def test_a_metric_without_a_value_anywhere_ends_the_run_with_a_sentence(sweep, tmp_path):
    store = Store(str(tmp_path))
    with pytest.raises(UsageError, match="no trial has a value of unseen_order; choose another --metric"):
        run(source_of(sweep, store), store, value=None)


def test_packs_hold_one_shape_whatever_was_chosen_together(tmp_path):
    text = FILE.replace('"scenes.layouts_per_pair" = [1, 2, 5, 10, 20]', '"model.d_model" = [16, 32, 64]')
    mixed, store = parse(text, source="mixed.toml"), Store(str(tmp_path))
    source = source_of(mixed, store, pack_size=6)
    assert {len({trial.static_shape for trial in source.next().trials}) for _ in range(8)} == {1}


def test_packs_have_the_stop_rule_of_the_file(tmp_path):
    text = FILE.replace("replicates = 3", 'replicates = 3\nstop = "decided"')
    pack = source_of(parse(text, source="stops.toml"), Store(str(tmp_path))).next()
    assert pack.stop.name == "decided"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"metric": "unseen_luck"}, "metric must be a split and a metric"),
        ({"level": 1.0}, "--level must be above 0 and below 1, got 1"),
        ({"level": float("nan")}, "--level must be above 0 and below 1, got nan"),
        ({"budget": 0}, "--budget must be at least 14, the trials of a coarse start, got 0"),
        ({"undecided": 1.0}, "--interval must be at least 0 and below 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(sweep, changes, why):
    with pytest.raises(UsageError, match=why):
        Refinement(**({"sweep": sweep, "metric": "unseen_order", "level": 0.9, "budget": 40} | changes))


def test_a_sample_of_a_plan_is_spread_over_the_sweep(sweep):
    plan = make_plan(sweep, {}, workers=1, device="cpu", pack_size=8).sample(10)
    cells = {trial.scenes.n_pair_labels for pack in plan.packs for trial in pack.trials}
    assert plan.pending == 10
    assert len(cells) >= 5


@pytest.mark.slow
def test_stopped_trials_of_a_sample_are_counted_once(sweep):
    plan = make_plan(sweep, dict.fromkeys(sweep.trial_ids(), "stopped"), workers=1, device="cpu").sample(4)
    assert plan.pending == plan.packs.n_trials


def test_a_refinement_learns_from_what_another_sweep_trains_and_trains_the_rest(sweep, tmp_path):
    store = Store(tmp_path)
    source, twin = source_of(sweep, store, budget=15), source_of(sweep, store, budget=15)
    theirs = twin.next().trials[:2]
    with Lease(store.files, "here", alone=source.alone) as here, Lease(store.files, "other") as other:
        with pytest.raises(UsageError, match=r"refinement .* of unseen_order at 0.9 is being run"):
            source_of(sweep, store, budget=15)
        other.claim(trial.trial_id for trial in theirs)
        packs = SharedPacks(source, here, store, on_elsewhere=lambda *_: None, clock=itertools.count().__next__)
        while (pack := packs.next()) is not None:
            assert {*theirs}.isdisjoint(pack.trials)
            packs.on_end(pack, write(store, pack))
        assert len(source.values) == 15 - len(theirs)
        write(store, Pack(theirs))
    while packs.next():
        pass
    assert packs.exhausted
    assert (packs.elsewhere, len(source.values)) == (len(theirs), 15)
