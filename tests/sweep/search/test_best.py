"""The best cells of searches and grids, on made-up rows."""

import tomllib

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.search.best import best_of_grid, best_of_search
from lrsym.sweep.search.run import searched_sweep
from lrsym.sweep.search.suggestions import Suggestion, SuggestionLog
from lrsym.sweep.spec.search import Objective
from lrsym.sweep.spec.sweep_file import parse
from tests.sweep.search.made_up_search import accuracy, run, search, write

GRID = """
name = "grid"
replicates = 2
[base]
"model.d_model" = 16
[grid]
"scenes.layouts_per_pair" = [1, 10, 20, 30]
"optim.learning_rate" = [1e-3, 1e-2]
"""

UNSEEN = Objective("unseen_order", maximise=True)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def logit(shares):
    return (shares / (1 - shares)).log()


def mean(sweep, number):
    seeds = [accuracy(sweep.cells[number].trial(seed)) for seed in sweep.seeds]
    return sum(seeds) / len(seeds)


@pytest.mark.slow
def test_the_best_of_a_search_are_its_cells_by_their_mean_with_the_interval_of_the_replicates(store):
    found = search(budget=12)
    run(found, store)
    best = best_of_search(found, store, n=3)
    sweep = searched_sweep(found, store)
    expected = sorted((mean(sweep, i) for i in range(len(sweep.cells))), reverse=True)[:3]
    assert [cell.objective[0] for cell in best.cells] == pytest.approx(expected)
    assert (best.n_cells, best.n_without, [cell.rank for cell in best.cells]) == (12, 0, [1, 2, 3])
    values = load_trials(store.root, trial_ids=best.cells[0].trial_ids).collect()["unseen_order"]
    half = 12.7062 * logit(values).std() / 2**0.5  # Student's t for two values, on logits as for every accuracy
    (estimate,) = best.cells[0].estimates
    ends = [logit(pl.Series([end]))[0] for end in (estimate.low, estimate.high)]
    assert ends == pytest.approx([logit(pl.Series([values.mean()]))[0] + sign * half for sign in (-1, 1)], rel=1e-5)


@pytest.mark.parametrize("kind", ["search", "grid"])
def test_the_lines_to_paste_train_the_same_cell_and_the_fresh_seeds_are_new(store, kind):
    if kind == "search":
        found = search(budget=6)
        run(found, store)
        best = best_of_search(found, store, n=1)
    else:
        grid = parse(GRID, source="grid.toml")
        write(store, grid.trials, "all")
        best = best_of_grid(grid, store, UNSEEN, n=1)
    base = "\n".join(best.cells[0].base)
    pasted = f'name = "again"\nreplicates = 2\n[base]\n"model.d_model" = 16\n{base}\n'
    assert tuple(parse(pasted, source="again.toml").trial_ids()) == best.cells[0].trial_ids
    fresh = parse(f"{pasted}[seed]\nfirst = {best.fresh_seed}", source="again.toml").trial_ids()
    assert not {*fresh} & {*load_trials(store.root).collect()["trial_id"]}


@pytest.mark.parametrize("line", ['"model.preset" = ["simplified", "full"]', '"model.init" = ["pytorch", "clip"]'])
def test_a_preset_of_a_grid_is_pasted_as_the_axes_that_it_sets(store, line):
    text = GRID.partition("[grid]")[0] + f"[grid]\n{line}"
    write(store, parse(text, source="grid.toml").trials, "all")
    (cell, *_) = best_of_grid(parse(text, source="grid.toml"), store, UNSEEN, n=1).cells
    base = "\n".join(cell.base)
    pasted = f'name = "again"\nreplicates = 2\n[base]\n"model.d_model" = 16\n{base}\n'
    assert tuple(parse(pasted, source="again.toml").trial_ids()) == cell.trial_ids


def test_cells_of_other_sweeps_count_where_all_replicates_are_there(store):
    space = '"scenes.layouts_per_pair" = [1, 10, 20, 30]\n"optim.learning_rate" = [1e-3, 1e-2]'
    grid = parse(GRID, source="grid.toml")
    whole = [trial for trial in grid.trials if trial.scenes.layouts_per_pair == 20]
    half = [trial for trial in grid.trials if trial.scenes.layouts_per_pair == 10 and trial.seed == 0]
    write(store, [*whole, *half], "grid")
    found = search(space, budget=1)
    run(found, store)
    best = best_of_search(found, store, n=10)
    assert sorted(cell.origin for cell in best.cells) == ["asked", "reused", "reused"]
    assert (best.cells[0].origin, best.cells[0].point["scenes.layouts_per_pair"]) == ("reused", 20)


@pytest.mark.slow
def test_a_cell_that_a_rule_stopped_has_no_interval_and_stands_last_whatever_was_told(store):
    found = search(budget=4, replicates=2)
    run(found, store)
    first = best_of_search(found, store, n=1).cells[0]
    trials = load_trials(store.root).collect()
    rows = trials.lazy().filter(pl.col("trial_id").is_in(list(first.trial_ids))).with_columns(status=pl.lit("stopped"))
    others = trials.filter(~pl.col("trial_id").is_in(list(first.trial_ids)))
    for name in store.files.list("trials", suffix=".parquet"):
        store.files.delete(name)
    store.write("all", {"trials": pl.concat([others, rows.collect()]).to_arrow()})
    best = best_of_search(found, store, n=4)
    assert best.cells[-1].trial_ids == first.trial_ids
    assert (best.cells[-1].rank, best.cells[-1].estimates, best.cells[-1].n_stopped) == (None, (None,), 2)
    assert best.cells[-1].objective == first.objective


@pytest.mark.slow
def test_sql_has_its_value_and_no_interval(store):
    found = search(budget=4, keys='minimise = "avg(seed)"')
    run(found, store)
    cell = best_of_search(found, store, n=1).cells[0]
    assert (cell.objective[1], cell.estimates[1], cell.n, cell.rank) == (0.5, None, 2, None)


def test_a_grid_is_ranked_by_its_complete_cells_both_ways(store):
    grid = parse(GRID, source="grid.toml")
    lost = grid.trials[0].trial_id
    write(store, grid.trials[:12], "some", status=lambda trial: "diverged" if trial.trial_id == lost else "done")
    means = {i: mean(grid, i) for i in range(1, 6)}
    for maximise in (True, False):
        best = best_of_grid(grid, store, Objective("unseen_order", maximise), n=9)
        expected = sorted(means.values(), reverse=maximise)
        assert [cell.objective[0] for cell in best.cells] == pytest.approx(expected)
        assert (best.n_cells, best.n_without) == (5, 1)


def test_cells_that_share_the_first_rank_are_counted_whether_they_are_shown_or_not(store):
    grid = parse(GRID, source="grid.toml")
    write(store, grid.trials, "all")
    assert best_of_grid(grid, store, UNSEEN, n=2).n_tied == 1
    best = best_of_grid(grid, store, Objective("learning_rate", maximise=False), n=2)
    assert ([cell.rank for cell in best.cells], best.n_tied, best.n_cells) == ([1, 1], 4, 8)


def test_the_interval_of_single_objects_knows_that_they_are_counted_in_coarser_steps(store):
    grid = parse(GRID, source="grid.toml")
    rows = [{**axis_values(trial), "status": "done", "single_inset": 1.0} for trial in grid.trials]
    store.write("all", {"trials": TABLES["trials"].build(rows)})
    (cell,) = best_of_grid(grid, store, Objective("single_inset", maximise=True), n=1).cells
    assert cell.estimates == (estimate_mean([1.0, 1.0], interval="logit", resolution=1 / 50),)


@pytest.mark.parametrize("metric", ["unseen_ordr", "status", "kind", "nothing_like_it"])
def test_a_metric_that_is_no_column_of_numbers_is_refused(store, metric):
    with pytest.raises(UsageError, match=rf"--metric must give .* \"{metric}\" is no column of numbers in "):
        best_of_grid(parse(GRID, source="grid.toml"), store, Objective(metric, maximise=True), n=1)


def test_where_nothing_is_trained_or_all_failed_the_message_says_which(store):
    found, grid = search(budget=3), parse(GRID, source="grid.toml")
    for ask in (lambda: best_of_search(found, store, n=1), lambda: best_of_grid(grid, store, UNSEEN, n=1)):
        with pytest.raises(UsageError, match=r"has no trained cell in .*; train: lrsym sweep"):
            ask()
    run(found, store, status=lambda trial: "diverged")
    with pytest.raises(UsageError, match=r"none of the 3 begun .* has one: 3 diverged, failed or never got there; see"):
        best_of_search(found, store, n=1)


def test_a_cell_that_was_suggested_again_and_has_no_value_counts_once(store):
    found = search('"optim.weight_decay" = [0.0, 1.0]')
    points = [{"optim.weight_decay": decay} for decay in (0.0, 1.0, 0.0, 0.0, 1.0)]
    asked = [
        Suggestion(i, 0, "asked" if i < 2 else "repeated", p, p, tuple(found.space.cell(p).trial_ids(found.seeds)), 2)
        for i, p in enumerate(points)
    ]
    SuggestionLog(store, found).ask([suggestion.with_outcome(None) for suggestion in asked])
    with pytest.raises(UsageError, match=r"none of the 2 begun .* has one: 2 diverged, failed or never got there; see"):
        best_of_search(found, store, n=1)


def test_lines_to_paste_are_toml_for_every_kind_of_value():
    from lrsym.sweep.search.best import BestCell

    point = {"model.layer_norm": "pre", "optim.replacement": False, "optim.learning_rate": 1e-05, "model.n_heads": 4}
    cell = BestCell(1, "asked", (0.5,), (None,), 2, 0, 0, {**point, "optim.epochs": None}, ("a", "b"))
    assert tomllib.loads("\n".join(cell.base)) == point
