"""A search goes on from its rows, whatever order packs end in and wherever it is cut off."""

import json
from collections import Counter

import pytest

from lrsym.results.store.forget import remove_rows
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.search.choosing import MAX_REPEATS
from lrsym.sweep.search.loop import SearchSource
from lrsym.vocabulary import SAMPLERS
from tests.sweep.search.made_up_search import run, search, told, write

SMALL_SPACE = '"optim.learning_rate" = [1e-4, 1e-3, 1e-2]\n"optim.weight_decay" = [0.0, 1.0]'


def asked(store):
    return [row for row in told(store) if row["origin"] == "asked"]


@pytest.mark.slow_after(1)
def test_every_cell_of_the_budget_is_trained_once_with_all_its_replicates(tmp_path):
    store = Store(tmp_path)
    packs = run(search(budget=11, replicates=3), store)
    trained = Counter(trial.trial_id for pack in packs for trial in pack.trials)
    assert set(trained.values()) == {1}
    assert sorted(trained) == sorted(trial_id for row in asked(store) for trial_id in row["trial_ids"])
    assert len({row["point"] for row in asked(store)}) == 11
    assert {row["state"] for row in told(store)} == {"complete"}


@pytest.mark.slow
def test_the_objective_of_a_cell_is_the_mean_over_its_replicates(tmp_path):
    store = Store(tmp_path)
    run(search(budget=3, replicates=3), store)
    values = dict(load_trials(tmp_path).select("trial_id", "unseen_order").collect().iter_rows())
    for row in asked(store):
        assert row["objective"] == [pytest.approx(sum(values[i] for i in row["trial_ids"]) / 3)]


SLOW = {"gp": pytest.mark.slow}


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [pytest.param(name, marks=SLOW.get(name, ())) for name in SAMPLERS])
def test_a_search_cut_off_anywhere_asks_what_it_would_have_asked(tmp_path, sampler):
    found, whole, cut = search(sampler=sampler, budget=20), Store(tmp_path / "whole"), Store(tmp_path / "cut")
    run(found, whole)
    for packs in (0, 1, 2, 3, 1):
        run(found, cut, packs=packs)
    run(found, cut)
    assert told(cut) == told(whole)
    assert len(asked(whole)) == 20


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_which_pack_of_a_batch_ends_first_changes_nothing(tmp_path, sampler):
    found, one, other = search(sampler=sampler, budget=16), Store(tmp_path / "one"), Store(tmp_path / "other")
    run(found, one)
    run(found, other, swap=True)
    assert told(one) == told(other)


@pytest.mark.slow
def test_workers_never_wait_for_a_batch_to_end(tmp_path):
    store, found = Store(tmp_path), search(budget=40)
    source = SearchSource(found, store, budget=40, pack_size=4, workers=2)
    slow, trained = source.next(), 0
    while (pack := source.next()) is not None:
        source.on_end(pack, write(store, pack.trials, pack.id))
        trained += len(pack)
    assert trained + len(slow) == 80


@pytest.mark.slow
def test_the_sampler_knows_all_batches_but_the_last(tmp_path):
    store = Store(tmp_path)
    run(search(budget=16), store, pack_size=4, workers=2)
    batches = {row["number"]: row["batch"] for row in told(store)}
    for row in told(store):
        assert {batches[number] for number in row["pending"]} == ({row["batch"] - 1} if row["batch"] else set())


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_draws_of_the_file_stay_and_a_larger_budget_adds_to_them(tmp_path, sampler):
    small, large = Store(tmp_path / "small"), Store(tmp_path / "large")
    run(search(sampler=sampler, budget=6), small, pack_size=2)
    run(search(sampler=sampler, budget=15), large, pack_size=8)
    assert [row["point"] for row in asked(small)] == [row["point"] for row in asked(large)][:6]


@pytest.mark.slow
def test_a_larger_budget_goes_on_and_the_same_one_trains_nothing(tmp_path):
    store, found = Store(tmp_path), search(budget=6)
    run(found, store)
    before = told(store)
    assert run(found, store) == []
    assert len(run(found, store, budget=10)) > 0
    assert told(store)[: len(before)] == before
    assert len(asked(store)) == 10


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "qmc", "random"])
def test_a_space_with_fewer_cells_than_the_budget_is_trained_whole_and_ends_the_search(tmp_path, sampler):
    store = Store(tmp_path)
    run(search(SMALL_SPACE, sampler=sampler, budget=50), store)
    assert len({row["point"] for row in asked(store)}) == len(asked(store)) == 6
    repeated = [row for row in told(store) if row["origin"] == "repeated"]
    first = {row["point"]: row["objective"] for row in asked(store)}
    assert all(row["objective"] == first[row["point"]] for row in repeated)


@pytest.mark.slow
def test_at_most_so_many_repeated_cells_stand_in_a_row(tmp_path):
    store = Store(tmp_path)
    run(search(SMALL_SPACE, budget=50), store)
    origins = "".join("r" if row["origin"] == "repeated" else "a" for row in told(store))
    assert max(map(len, origins.split("a"))) <= MAX_REPEATS + 1


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", pytest.param("tpe", marks=pytest.mark.slow)])
def test_a_continuous_space_is_never_at_its_end(tmp_path, sampler):
    """Even if another search has trained all that a sampler asks for first: the first points of a seed are the same."""
    store, space = Store(tmp_path), '"optim.learning_rate" = { low = 1e-4, high = 1e-2, log = true }'
    run(search(space, sampler="random", budget=2 * MAX_REPEATS), store)
    packs = run(search(space, sampler=sampler, budget=9, keys="reuse = false", replicates=1), store)
    assert len({trial.trial_id for pack in packs for trial in pack.trials}) == 9


@pytest.mark.slow
def test_cells_that_are_finished_are_answered_from_their_rows_and_cost_no_budget(tmp_path):
    store, found = Store(tmp_path), search(SMALL_SPACE, budget=4, keys="reuse = false")
    points = [{"optim.learning_rate": rate, "optim.weight_decay": 0.0} for rate in (1e-4, 1e-3, 1e-2)]
    write(store, found.sweep(points).trials, "of_a_grid")
    packs = run(found, store)
    assert {trial.optim.weight_decay for pack in packs for trial in pack.trials} == {1.0}
    assert len(asked(store)) == 3
    done = [row for row in told(store) if json.loads(row["point"])["optim.weight_decay"] == 0.0]
    assert done
    assert {row["state"] for row in done} == {"complete"}


def grid(found, store, *, part="of_a_grid", rates=(2e-4, 5e-3), seeds=2):
    points = [{**found.space.corner, "optim.learning_rate": rate} for rate in rates]
    trials = [trial for trial in found.sweep(points).trials if trial.seed < seeds]
    write(store, trials, part)
    return points


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_finished_trials_in_the_space_are_told_before_the_first_ask_and_only_then(tmp_path, sampler):
    store, found = Store(tmp_path), search(sampler=sampler, budget=8)
    points = grid(found, store)
    grid(search(base='"optim.beta1" = 0.8'), store, part="elsewhere")
    run(found, store, packs=1)
    grid(found, store, part="later", rates=[7e-3])
    run(found, store)
    reused = [row for row in told(store) if row["origin"] == "reused"]
    assert [row["number"] for row in reused] == [-2, -1]
    assert [json.loads(row["point"]) for row in reused] in (points, points[::-1])
    assert {len(row["trial_ids"]) for row in reused} == {2}


def test_finished_trials_beyond_the_space_are_not_told(tmp_path):
    store, found = Store(tmp_path), search()
    within, _ = grid(found, store, rates=(2e-4, 5e-2))
    run(found, store, packs=0)
    assert [json.loads(row["point"]) for row in told(store) if row["origin"] == "reused"] == [within]


def test_a_value_written_as_a_whole_number_finds_the_rows_of_the_real_one(tmp_path):
    store, found = Store(tmp_path), search('"optim.weight_decay" = [0, 1]\n"optim.learning_rate" = [1e-3, 1e-2]')
    grid(found, store, rates=[1e-3])
    run(found, store, packs=0)
    assert [row["origin"] for row in told(store)][:1] == ["reused"]


@pytest.mark.slow
def test_reused_cells_change_what_is_asked_unless_the_file_forbids_it(tmp_path):
    def asks(name, **words):
        store, found = Store(tmp_path / name), search(sampler="tpe", budget=16, **words)
        if name != "alone":
            grid(found, store, rates=[x * 1e-4 for x in range(2, 16)])
        run(found, store)
        return [row["point"] for row in asked(store)]

    alone = asks("alone")
    assert asks("beside") != alone
    assert asks("forbidden", keys="reuse = false") == alone


@pytest.mark.slow
def test_heads_that_do_not_divide_the_width_move_to_the_nearest_that_do(tmp_path):
    space = '"model.n_heads" = { low = 1, high = 16 }\n"optim.weight_decay" = { low = 0.0, high = 1.0 }'
    store = Store(tmp_path)
    packs = run(search(space, sampler="random", budget=20), store)
    assert {trial.model.n_heads for pack in packs for trial in pack.trials} <= {1, 2, 4, 8, 16}
    moved = [row for row in told(store) if row["asked_point"]]
    assert moved
    for row in moved:
        wanted, got = json.loads(row["asked_point"]), json.loads(row["point"])
        assert wanted["optim.weight_decay"] == got["optim.weight_decay"]
        heads = wanted["model.n_heads"]
        assert abs(got["model.n_heads"] - heads) == min(abs(fits - heads) for fits in (1, 2, 4, 8, 16))


@pytest.mark.slow
def test_a_cell_with_a_diverged_replicate_is_a_failure_and_stays_one(tmp_path):
    def status(trial):
        return "diverged" if trial.seed == 1 and trial.optim.learning_rate > 1e-3 else "done"

    store, found = Store(tmp_path), search(budget=10)
    run(found, store, status=status)
    high = {row["point"]: json.loads(row["point"])["optim.learning_rate"] > 1e-3 for row in asked(store)}
    assert {*high.values()} == {True, False}
    for row in asked(store):
        assert (row["state"], row["objective"] is None) == (
            ("failed", True) if high[row["point"]] else ("complete", False)
        )
    assert run(found, store) == []


@pytest.mark.slow
def test_what_failed_is_tried_again_by_the_next_run_and_then_told(tmp_path):
    store, found = Store(tmp_path), search(budget=6)
    run(found, store, status=lambda trial: "crashed" if trial.seed == 0 else "done")
    assert {row["state"] for row in asked(store)} == {"running"}
    points = [row["point"] for row in asked(store)]
    again = run(found, store)
    assert {trial.seed for pack in again for trial in pack.trials} == {0}
    assert [(row["point"], row["state"]) for row in asked(store)] == [(point, "complete") for point in points]


def without(store, row):
    """The store after `lrsym forget` of the trials of a suggestion, and what that leaves of its row."""
    remove_rows(store, row["trial_ids"])
    return told(store)[row["number"]]["state"]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2", "qmc"])
def test_a_search_goes_on_after_an_outcome_that_later_batches_knew_was_forgotten(tmp_path, sampler):
    found, whole, cut = search(sampler=sampler, budget=40), Store(tmp_path / "whole"), Store(tmp_path / "cut")
    run(found, whole)
    run(found, cut, packs=12)
    forgotten = told(cut)[2]
    assert without(cut, forgotten) == "running"
    source, packs = SearchSource(found, cut, budget=40, pack_size=4, workers=2), []
    while (pack := source.next()) is not None and len(packs) < 4:  # a worker is free, and the others train
        packs.append(pack)
    assert forgotten["trial_ids"] in [[*pack.trial_ids] for pack in packs]
    for pack in packs:
        source.on_end(pack, write(cut, pack.trials, pack.part))
    run(found, cut)
    assert sampler == "tpe" or told(cut) == told(whole)
    assert len(asked(cut)) == 40


@pytest.mark.slow
def test_a_search_whose_forgotten_trials_fail_ends_without_asking_for_more(tmp_path):
    found, store = search(sampler="nsga2", budget=40), Store(tmp_path)
    run(found, store, packs=12)
    before, lost = told(store), told(store)[2]["trial_ids"]
    remove_rows(store, lost)
    run(found, store, status=lambda trial: "crashed" if trial.trial_id in lost else "done")
    assert [row["number"] for row in told(store)] == [row["number"] for row in before]
    run(found, store)
    assert len(asked(store)) == 40


@pytest.mark.slow
def test_a_cell_that_was_answered_from_rows_is_trained_where_they_were_removed(tmp_path):
    store, found = Store(tmp_path), search(SMALL_SPACE, budget=4, keys="reuse = false")
    points = [{"optim.learning_rate": rate, "optim.weight_decay": 0.0} for rate in (1e-4, 1e-3, 1e-2)]
    write(store, found.sweep(points).trials, "of_a_grid")
    run(found, store)
    answered = next(row for row in told(store) if row["origin"] == "repeated")
    assert without(store, answered) == "running"
    packs = run(found, store)
    assert answered["trial_ids"] == [trial.trial_id for pack in packs for trial in pack.trials]
    assert {row["state"] for row in told(store)} == {"complete"}


@pytest.mark.slow
def test_packs_hold_whole_cells_of_one_shape(tmp_path):
    space = '"model.n_heads" = [1, 2]\n"optim.learning_rate" = { low = 1e-4, high = 1e-2, log = true }'
    packs = run(search(space, budget=12, replicates=3), Store(tmp_path), pack_size=8)
    for pack in packs:
        assert len({trial.model.n_heads for trial in pack.trials}) == 1
        assert len(pack) in (3, 6)
        assert set(Counter(trial.optim.learning_rate for trial in pack.trials).values()) == {3}


@pytest.mark.slow
def test_a_pack_of_more_replicates_than_its_size_still_holds_a_whole_cell(tmp_path):
    packs = run(search(budget=4, replicates=5), Store(tmp_path), pack_size=2)
    assert [len(pack) for pack in packs] == [5] * 4


def stopped_high(trial):
    return "stopped" if trial.optim.learning_rate > 1e-3 else "done"


@pytest.mark.slow
def test_a_stopped_cell_is_told_with_its_last_mean_and_is_not_trained_again(tmp_path):
    store, found = Store(tmp_path), search(budget=8, keys='stop = "asha"')
    run(found, store, status=stopped_high)
    values = dict(load_trials(tmp_path).select("trial_id", "unseen_order").collect().iter_rows())
    stopped = [row for row in asked(store) if len(row["intermediate"]) == 1]
    assert 0 < len(stopped) < 8
    for row in asked(store):
        assert row["objective"] == [pytest.approx(sum(values[i] for i in row["trial_ids"]) / 2)]
    assert run(found, store) == []


@pytest.mark.slow
def test_a_rule_knows_what_the_sampler_knew_and_the_same_after_a_restart(tmp_path):
    store, found = Store(tmp_path), search(budget=16, keys='stop = "asha"')
    packs = {pack.id: pack.stop for pack in run(found, store, packs=5, status=stopped_high)}
    source = SearchSource(found, store, budget=16, pack_size=4, workers=2)
    curves = {row["number"]: row["intermediate"] for row in told(store)}
    batch_of = {trial_id: row for row in asked(store) for trial_id in row["trial_ids"]}
    again = source.next()
    for pack, rule in [*((None, rule) for rule in packs.values()), (again, again.stop)]:
        assert rule.name == "asha"
        if pack is not None:
            row = batch_of[pack.trials[0].trial_id]
            known = [n for n in range(row["number"]) if n not in row["pending"] and n in curves]
            first = min(r["number"] for r in asked(store) if r["batch"] == row["batch"])
            assert [list(map(list, curve)) for curve in rule.history] == [curves[n] for n in known if n < first]


@pytest.mark.slow
def test_cells_that_another_search_has_stopped_are_trained(tmp_path):
    store, text = Store(tmp_path), 'stop = "asha"\nreuse = false'
    first = search(SMALL_SPACE, budget=6, keys=text)
    run(first, store, status=lambda trial: "stopped")
    packs = run(search(SMALL_SPACE, budget=6, keys=text + "\nseed = 1"), store)
    assert sum(map(len, packs)) == 12


@pytest.mark.slow
def test_searches_that_stop_go_on_where_they_were_cut_off(tmp_path):
    found, whole, cut = search(budget=16, keys='stop = "median"'), Store(tmp_path / "whole"), Store(tmp_path / "cut")
    run(found, whole)
    for packs in (1, 2, 3):
        run(found, cut, packs=packs)
    run(found, cut)
    assert told(cut) == told(whole)
