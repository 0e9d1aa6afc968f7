"""The space of a search: which points it has, which of them a trial can be, and what a search is known by."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_space import Choice, Interval, Point, RefusedError, SearchSpace, SpaceAxis
from lrsym.sweep.spec.sweep_file import parse_any

TEXT = """
name = "one"
replicates = 2
[seed]
first = 3
[base]
"optim.steps" = 50
[search]
budget = 9
maximise = "unseen_order"
[search.space]
"optim.learning_rate" = { low = 1e-4, high = 1e-2, log = true }
"optim.weight_decay" = [0, 0.5]
"model.n_heads" = [1, 2, 4, 8]
[[exclude]]
"optim.weight_decay" = 0
"model.n_heads" = 2
"""


def read(text: str) -> Search:
    found = parse_any(text, source="s.toml")
    assert isinstance(found, Search)
    return found


# The nearest point, against a search through all of them

N_HEADS = st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True).map(
    lambda values: Choice("model.n_heads", tuple(values))
)
N_LAYOUTS = st.builds(
    lambda low, n, log: Interval("scenes.layouts_per_pair", low, low + n, log),
    st.integers(1, 48), st.integers(0, 9), st.booleans(),
)  # fmt: skip
SCHEDULES = st.just(Choice("eval.schedule", ("log", "linear")))


@st.composite
def spaces(draw: st.DrawFn) -> tuple[SearchSpace, dict[str, Any]]:
    """A small space, of whose points some are refused, and one of its points."""
    axes: list[SpaceAxis] = [draw(SCHEDULES), draw(N_HEADS), draw(N_LAYOUTS)]
    excluded: list[Point] = []
    for _ in range(draw(st.integers(0, 2))):
        axis = draw(st.sampled_from(axes))
        excluded.append({axis.key: draw(st.sampled_from(values(axis)))})
    space = SearchSpace({"model.d_model": 24}, tuple(axes), tuple(excluded))
    return space, {axis.key: draw(st.sampled_from(values(axis))) for axis in axes}


def values(axis: SpaceAxis) -> list[Any]:
    return [*axis.values] if isinstance(axis, Choice) else [*range(int(axis.low), int(axis.high) + 1)]


def valid_points(space: SearchSpace) -> list[dict[str, Any]]:
    points = []
    for row in itertools.product(*map(values, space.axes)):
        point = dict(zip(space.keys, row, strict=True))
        try:
            space.cell(point)
        except RefusedError:
            continue
        points.append(point)
    return points


def distance(space: SearchSpace, a: Point, b: Point) -> float:
    return sum(next(far for far, value in axis.around(a[axis.key]) if value == b[axis.key]) for axis in space.axes)


@pytest.mark.slow
@given(drawn=spaces())
def test_the_nearest_point_is_one_that_a_trial_can_be_and_none_is_nearer(drawn: tuple[SearchSpace, dict[str, Any]]):
    (space, wanted), valid = drawn, valid_points(drawn[0])
    found = space.nearest(wanted)
    if not valid:
        assert found is None
        return
    assert found in valid
    assert distance(space, wanted, found) == pytest.approx(min(distance(space, wanted, point) for point in valid))


@given(drawn=spaces())
def test_a_point_that_a_trial_can_be_is_its_own_nearest(drawn: tuple[SearchSpace, dict[str, Any]]):
    space, _ = drawn
    assert all(space.nearest(point) == point for point in valid_points(space))


@given(drawn=spaces())
def test_around_a_point_lies_every_point_once_and_the_nearest_first(drawn: tuple[SearchSpace, dict[str, Any]]):
    space, start = drawn
    points = [tuple(point.values()) for point in space.around(start)]
    assert sorted(points) == sorted(itertools.product(*map(values, space.axes)))
    far = [distance(space, start, point) for point in space.around(start)]
    assert far == pytest.approx(sorted(far))


def test_numbers_of_a_list_are_as_far_apart_as_their_places_and_words_all_alike():
    assert Choice("model.n_heads", (1, 2, 8)).around(1) == [(0.0, 1), (0.5, 2), (1.0, 8)]
    assert Choice("scenes.captions", ("left", "both", "above")).around("both") == [
        (0.0, "both"), (1.0, "left"), (1.0, "above"),
    ]  # fmt: skip


def test_a_range_on_a_log_scale_measures_ratios():
    near = dict((value, far) for far, value in Interval("model.n_heads", 1, 16, log=True).around(4))
    assert [near[1], near[2], near[8], near[16]] == pytest.approx([0.5, 0.25, 0.25, 0.5])


def test_a_continuous_value_is_never_moved():
    space = SearchSpace({}, (Interval("optim.beta1", 0.1, 0.9), Choice("model.n_heads", (3, 4))))
    assert space.nearest({"optim.beta1": 0.123, "model.n_heads": 3}) == {"optim.beta1": 0.123, "model.n_heads": 4}


# What a search is known by

SAME = {
    "name": ('name = "one"', 'name = "two"'),
    "budget": ("budget = 9", "budget = 90"),
    "comment": ("[base]", "# Question: which?\n[base]"),
    "order of axes": (
        '"optim.weight_decay" = [0, 0.5]\n"model.n_heads" = [1, 2, 4, 8]',
        '"model.n_heads" = [1, 2, 4, 8]\n"optim.weight_decay" = [0, 0.5]',
    ),
    "order of an exclude": (
        '"optim.weight_decay" = 0\n"model.n_heads" = 2', '"model.n_heads" = 2\n"optim.weight_decay" = 0',
    ),
    "dots for quotes": ('"optim.steps" = 50', "optim.steps = 50"),
    "a nested axis": ('"model.n_heads" = [1, 2, 4, 8]', "model = { n_heads = [1, 2, 4, 8] }"),
    "another form of a number": ("low = 1e-4", "low = 0.0001"),
    "whole numbers for real ones": ("[0, 0.5]", "[0.0, 0.5]"),
    "whole numbers in an exclude": ('"optim.weight_decay" = 0\n', '"optim.weight_decay" = 0.0\n'),
    "a default written out": ("[base]", '[base]\n"model.d_model" = 128'),
    "a sampler written out": ("budget = 9", 'budget = 9\nsampler = "tpe"\nstop = "none"\nseed = 0\nreuse = true'),
    "blanks around an objective": ('"unseen_order"', '" unseen_order "'),
    "a list of one objective": ('"unseen_order"', '["unseen_order"]'),
}  # fmt: skip

OTHER = {
    "base": ('"optim.steps" = 50', '"optim.steps" = 51'),
    "another base": ("[base]", '[base]\n"model.d_model" = 66'),
    "a base that differs from what it is derived from elsewhere": (
        "[base]", '[base]\n"model.embedding_scale" = 11.0',
    ),
    "low": ("low = 1e-4", "low = 2e-4"),
    "high": ("high = 1e-2", "high = 2e-2"),
    "scale": (", log = true", ""),
    "a value": ("[0, 0.5]", "[0, 0.4]"),
    "a further value": ("[0, 0.5]", "[0, 0.5, 1.0]"),
    "an axis more": ("[search.space]", '[search.space]\n"optim.beta1" = [0.8, 0.9]'),
    "an axis less": ('"model.n_heads" = [1, 2, 4, 8]\n[[exclude]]\n"optim.weight_decay" = 0\n"model.n_heads" = 2', ""),
    "exclude": ('"model.n_heads" = 2\n', '"model.n_heads" = 4\n'),
    "objective": ("unseen_order", "unseen_inset"),
    "direction": ("maximise", "minimise"),
    "a further objective": ('"unseen_order"', '["unseen_order", "seen_order"]'),
    "sampler": ("budget = 9", 'budget = 9\nsampler = "random"'),
    "seed": ("budget = 9", "budget = 9\nseed = 1"),
    "stop": ("budget = 9", 'budget = 9\nstop = "asha"'),
    "reuse": ("budget = 9", "budget = 9\nreuse = false"),
    "replicates": ("replicates = 2", "replicates = 3"),
    "first seed": ("first = 3", "first = 4"),
}  # fmt: skip


def changed(old: str, new: str) -> Search:
    assert old in TEXT
    return read(TEXT.replace(old, new))


@pytest.mark.parametrize("change", SAME.values(), ids=SAME.keys())
def test_what_asks_for_the_same_cells_is_the_same_search(change: tuple[str, str]):
    assert changed(*change).key == read(TEXT).key


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER.keys())
def test_what_asks_for_other_cells_is_another_search(change: tuple[str, str]):
    assert changed(*change).key != read(TEXT).key


def test_a_value_that_others_follow_at_one_end_of_the_space_alone_makes_another_search():
    def key(base: str) -> str:
        return read(
            f'name = "s"\n[base]\n{base}\n[search]\nbudget = 9\nmaximise = "seconds"\n'
            '[search.space]\n"model.d_model" = [16, 64]\n"optim.beta1" = { low = 0.1, high = 0.9 }'
        ).key

    assert key("") == key('"model.embedding_scale" = "sqrt_d_model"') != key('"model.embedding_scale" = 4')
