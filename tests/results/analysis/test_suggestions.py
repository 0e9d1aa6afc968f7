"""Which cells of a search are best, on suggestions that a person can rank."""

import polars as pl
import pytest

from lrsym.results.analysis.suggestions import candidate_cells, pareto_front, rank_cells, with_outcomes


def rows(*told):
    """Suggestions of two replicates each from (origin, state, trial_ids, objective)."""
    names = ("origin", "state", "trial_ids", "objective")
    schema = {
        "origin": pl.String,
        "state": pl.String,
        "trial_ids": pl.List(pl.String),
        "objective": pl.List(pl.Float64),
    }
    return pl.DataFrame([dict(zip(names, row, strict=True)) for row in told], schema).with_row_index("number")


def outcomes(suggestions, **ended):
    trials = pl.DataFrame(
        {"trial_id": [*ended], "status": [*ended.values()]}, {"trial_id": pl.String, "status": pl.String}
    )
    return with_outcomes(suggestions, trials, replicates=2)


def test_each_way_that_a_suggestion_ends_has_its_outcome():
    found = outcomes(
        rows(
            ("asked", "complete", ["a", "b"], [0.5]),
            ("asked", "running", ["c", "d"], None),
            ("asked", "failed", ["e", "f"], None),
            ("asked", "complete", ["g", "h"], [0.5]),
            ("repeated", "complete", ["a", "b"], [0.5]),
            ("reused", "complete", ["i"], [0.5]),
        ),
        a="done", b="done", c="done", e="diverged", f="diverged", g="stopped", h="stopped", i="done",
    )  # fmt: skip
    assert found["outcome"].to_list() == ["trained", "running", "failed", "stopped", "repeated", "reused"]
    assert found["final"].to_list() == [True, False, False, False, True, False]
    assert found["n_diverged"].to_list() == [0, 0, 2, 0, 0, 0]
    assert found["n_stopped"].to_list() == [0, 0, 0, 2, 0, 0]


def test_a_cell_counts_once_with_all_its_replicates_and_as_what_it_was_trained_by():
    found = outcomes(
        rows(
            ("reused", "complete", ["a", "b"], [0.1]),
            ("reused", "complete", ["c"], [0.9]),
            ("repeated", "complete", ["d", "e"], [0.2]),
            ("asked", "complete", ["d", "e"], [0.2]),
            ("asked", "failed", ["f", "g"], None),
        )
    )
    cells = candidate_cells(found, replicates=2)
    assert cells.select("number", "origin").rows() == [(0, "reused"), (3, "asked")]


def cells(*objectives, stopped=()):
    frame = pl.DataFrame({"objective": [list(one) for one in objectives]}).with_row_index("number")
    return frame.with_columns(n_stopped=pl.Series([int(i in stopped) for i in range(frame.height)], dtype=pl.Int64))


@pytest.mark.parametrize(("maximise", "order"), [(True, [1, 3, 0, 2]), (False, [2, 0, 1, 3])])
def test_equal_cells_share_a_rank_and_stand_in_the_order_of_asking(maximise, order):
    ranked = rank_cells(cells([0.5], [0.9], [0.1], [0.9]), maximise=[maximise])
    assert ranked["number"].to_list() == order
    assert ranked["rank"].to_list() == ([1, 1, 3, 4] if maximise else [1, 2, 3, 3])


def test_means_that_differ_by_the_rounding_of_their_sums_are_equal():
    ranked = rank_cells(cells([0.3], [0.1 + 0.2], [0.4]), maximise=[True])
    assert ranked.select("number", "rank").rows() == [(2, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("maximise", [True, False])
def test_a_stopped_cell_has_no_rank_and_never_stands_above_one_trained_to_the_end(maximise):
    ranked = rank_cells(cells([0.9], [0.5], [0.1], stopped=(0, 2)), maximise=[maximise])
    assert ranked["rank"].to_list() == [1, None, None]
    assert ranked["number"].to_list() == ([1, 0, 2] if maximise else [1, 2, 0])


def test_of_several_objectives_the_front_alone_is_left_by_the_first_of_them():
    ranked = rank_cells(cells([1, 5], [3, 7], [2, 6], [2, 8], [0, 4]), maximise=[True, False])
    assert ranked["objective"].to_list() == [[3, 7], [2, 6], [1, 5], [0, 4]]
    assert ranked["rank"].to_list() == [None] * 4


def test_the_front_is_what_pairwise_comparison_says():
    values = [[a * 7 % 5, a * 3 % 4, a * 5 % 6] for a in range(24)]
    signs = (1, -1, 1)
    best = [
        not any(
            all(s * o >= s * v for s, o, v in zip(signs, other, one, strict=True)) and other != one for other in values
        )
        for one in values
    ]
    assert pareto_front(pl.Series(values), maximise=[True, False, True]).to_list() == best
    assert 0 < sum(best) < 24


def test_no_cells_have_no_front():
    assert pareto_front(pl.Series([], dtype=pl.List(pl.Float64)), maximise=[True, True]).to_list() == []
