"""Stop rules of searches: which cells end, judged by the mean over their replicates."""

import itertools
import math
import pickle

import numpy as np
import pytest
from scipy import stats

from lrsym.errors import UsageError
from lrsym.sweep.execution.grid_stop_rules import GRID_RULES
from lrsym.sweep.search import search_stop_rules
from lrsym.sweep.search.search_stop_rules import SEARCH_RULES, make_rule, rungs, signed_rank_p
from lrsym.vocabulary import STOP_RULES
from tests.small_trials import small

STEPS = (10, 20, 37, 60, 111, 200, 333, 500, 999)


def rule(name, history=(), *, minimise=False, replicates=1):
    return make_rule(name, history, split="unseen", metric="order", minimise=minimise, replicates=replicates)


def cell_of(*means, until=9):
    """The history of cells of one replicate, each at one value all along."""
    return [[[mean]] * until for mean in means]


def stops(stop_rule, cells, *, evaluation, width=1, shuffled=False):
    """Which cells of a pack end at an evaluation; `cells` are the values of their replicates, the same all along."""
    members = [(number, seed, value) for number, cell in enumerate(cells) for seed, value in enumerate(cell)]
    if shuffled:
        members = members[::-1]
    trials = [small(seed=seed, optim__weight_decay=number / 10) for number, seed, _ in members]
    points = [[{("unseen", "order"): value}] * (1 if math.isnan(value) else evaluation + 1) for _, _, value in members]
    training = [i for i, (_, _, value) in enumerate(members) if not math.isnan(value)]
    ended = stop_rule.members_to_stop(points, trials=trials, steps=STEPS, training=training)
    assert {*ended} <= {*training}
    return sorted({members[member][0] for member in ended})


def test_a_rung_is_the_first_evaluation_at_or_after_a_third_of_the_steps(monkeypatch):
    assert rungs(STEPS) == (6,)
    assert rungs((1, 500)) == (1,)
    monkeypatch.setattr(search_stop_rules, "RUNGS", 3)
    assert rungs(STEPS) == (2, 4, 6)


def test_asha_lets_the_best_third_of_all_that_entered_a_rung_go_on():
    earlier = cell_of(0.5, 0.6, 0.7, 0.8)
    assert stops(rule("asha", earlier), [[0.9], [0.65]], evaluation=6) == [1]
    assert stops(rule("asha", earlier), [[0.81], [0.79]], evaluation=6) == [1]


def test_asha_judges_at_its_rung_alone():
    for evaluation in (0, 2, 4, 5, 7):
        assert stops(rule("asha", cell_of(0.5, 0.6, 0.7)), [[0.1]], evaluation=evaluation) == []


def test_asha_counts_only_cells_that_reached_the_rung():
    assert stops(rule("asha", cell_of(0.9, 0.9)), [[0.1]], evaluation=6) == [0]
    assert stops(rule("asha", cell_of(0.9, 0.9, until=6)), [[0.1]], evaluation=6) == []


def test_asha_stops_nobody_before_three_have_entered():
    assert stops(rule("asha", cell_of(0.9)), [[0.1]], evaluation=6) == []
    assert stops(rule("asha", cell_of(0.9)), [[0.1], [0.2]], evaluation=6) == [0, 1]


def test_cells_of_a_pack_enter_a_rung_together_in_whatever_order():
    cells = [[0.9], [0.1], [0.5]]
    assert stops(rule("asha"), cells, evaluation=6) == [1, 2]
    assert stops(rule("asha"), cells, evaluation=6, shuffled=True) == [1, 2]


def test_a_cell_is_judged_by_the_mean_over_its_replicates():
    cells = [[1.0, 0.0], [0.6, 0.6], [0.1, 0.1]]
    assert stops(rule("asha", replicates=2), cells, evaluation=6) == [0, 2]


@pytest.mark.parametrize("name", ["asha", "median"])
def test_a_cell_with_a_diverged_replicate_is_worse_than_any_other(name):
    earlier = cell_of(*[0.1] * 5)
    assert stops(rule(name, earlier, replicates=2), [[0.9, math.nan], [0.2, 0.2]], evaluation=6) == [0]


def test_a_history_of_diverged_cells_is_no_reference():
    assert stops(rule("asha", cell_of(*[math.nan] * 5)), [[0.1]], evaluation=6) == []


@pytest.mark.parametrize("name", ["asha", "median"])
def test_what_is_minimised_is_better_when_it_is_smaller(name):
    earlier = cell_of(0.4, 0.4, 0.4, 0.4, 0.4)
    assert stops(rule(name, earlier, minimise=True), [[0.9], [0.1]], evaluation=6) == [0]


def test_median_needs_five_earlier_cells_and_a_tenth_of_the_steps():
    five = cell_of(0.1, 0.2, 0.5, 0.8, 0.9)
    assert stops(rule("median", five), [[0.49], [0.51]], evaluation=4) == [0]
    assert stops(rule("median", five), [[0.49]], evaluation=3) == []
    assert stops(rule("median", five[:4]), [[0.0]], evaluation=4) == []


FIVE = [[[0.5, 0.6, 0.7, 0.8, 0.9]] * 9]


def test_wilcoxon_stops_a_cell_that_is_below_the_best_in_every_seed():
    below, mixed = [0.4, 0.5, 0.6, 0.7, 0.8], [0.6, 0.1, 0.1, 0.1, 0.1]
    assert stops(rule("wilcoxon", FIVE, replicates=5), [below, mixed], evaluation=4) == [0]


def test_wilcoxon_compares_with_the_cell_whose_last_mean_is_best():
    worse = [[[0.0] * 5] * 9]
    assert stops(rule("wilcoxon", [*worse, *FIVE, *worse], replicates=5), [[0.4] * 5], evaluation=4) == [0]


@pytest.mark.parametrize(("name", "history"), [("asha", FIVE * 5), ("median", FIVE * 5), ("wilcoxon", FIVE)])
def test_a_cell_of_which_the_pack_has_not_all_replicates_goes_on(name, history):
    ends = rule(name, history, replicates=5)
    assert stops(ends, [[0.0] * 5, [0.0] * 4, [0.0]], evaluation=6) == [0]


def test_a_part_of_a_cell_is_no_reference_for_others_of_its_pack():
    ends = rule("asha", cell_of(0.9), replicates=2)
    assert stops(ends, [[0.1, 0.1], [0.9]], evaluation=6) == []  # two cells have entered, of three
    assert stops(ends, [[0.1, 0.1], [0.9, 0.9]], evaluation=6) == [0]


def test_wilcoxon_with_four_replicates_is_refused():
    with pytest.raises(UsageError, match=r"at least 5 replicates, got 4: fewer can never stop anything.*0\.0625"):
        rule("wilcoxon", replicates=4)
    assert signed_rank_p([-1, -2, -3, -4]) == 1 / 16


def test_an_unknown_rule_is_refused_and_none_is_no_rule():
    with pytest.raises(UsageError, match="none, asha, median, wilcoxon, got hyperband"):
        rule("hyperband")
    assert rule("none") is None


@pytest.mark.parametrize("n", range(1, 9))
def test_p_is_that_of_scipy_where_no_two_sizes_are_equal(n):
    rng = np.random.default_rng(n)
    for _ in range(5):
        differences = rng.normal(size=n)
        wanted = stats.wilcoxon(differences, alternative="less", method="exact").pvalue
        assert signed_rank_p([*differences]) == pytest.approx(wanted)


@pytest.mark.parametrize("differences", [(-1, -1, 2, -3, 3), (0, -2, -2, 1, 0, -5), (0, 0), (-math.inf, 1, -2, 2)])
def test_p_with_equal_sizes_is_the_share_of_signs_that_are_as_extreme(differences):
    kept = [abs(d) for d in differences if d]
    ranks = stats.rankdata(kept)
    signs = [*itertools.product((0, 1), repeat=len(kept))]
    observed = sum(rank for rank, d in zip(ranks, (d for d in differences if d), strict=True) if d > 0)
    wanted = sum(np.dot(ranks, s) <= observed for s in signs) / len(signs)
    assert signed_rank_p(differences) == pytest.approx(wanted)


@pytest.mark.parametrize("name", ["asha", "median", "wilcoxon"])
def test_a_rule_survives_pickling(name):
    made = rule(name, FIVE, replicates=5)
    assert pickle.loads(pickle.dumps(made)) == made


def test_every_rule_of_the_vocabulary_belongs_to_grids_or_to_searches():
    assert {*STOP_RULES} == {*GRID_RULES, *SEARCH_RULES}
    assert all(rule.name == name for name, rule in GRID_RULES.items())
