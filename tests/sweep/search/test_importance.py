"""What the picture of a search is drawn from: which axis decides, and its frames."""

import itertools
from dataclasses import replace

import pytest

from lrsym.results.store.store import Store
from lrsym.sweep.search.best import best_of_search
from lrsym.sweep.search.importance import importance, search_frames
from lrsym.sweep.search.suggestions import Suggestion
from lrsym.sweep.spec.search import Objective
from tests.sweep.search.made_up_search import run, search


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.mark.parametrize(("maximise", "first"), [(True, "weight_decay"), (False, "learning_rate")])
def test_the_axis_that_sets_the_best_cells_apart_is_the_most_important_one(maximise, first):
    """The highest values lie at one end of the one axis, the lowest at one end of the other."""
    space = '"optim.weight_decay" = { low = 0.0, high = 0.9 }\n"optim.learning_rate" = { low = 1.0, high = 1.9 }'
    found = replace(search(space), objectives=(Objective("unseen_order", maximise),))
    log = []
    for number, (one, other) in enumerate(itertools.product(range(10), range(10))):
        point = {"optim.weight_decay": one / 10, "optim.learning_rate": 1 + other / 10}
        value = -1.0 if other == 9 else 1.0 if one >= 8 else 0.0
        log.append(Suggestion(number, 0, "asked", point, point, (str(number),), 100).with_outcome((value,)))
    shares = importance(found, log)
    assert (shares["axis"][0], shares.height) == (first, 2)
    assert shares["share"][0] > 0.8
    assert shares["share"].sum() == pytest.approx(1)


@pytest.mark.slow
def test_the_frames_of_a_search_have_its_axes_and_every_suggestion(store):
    found = search(budget=5)
    run(found, store)
    frames = search_frames(found, store)
    assert [(axis.name, axis.log) for axis in frames.axes] == [
        ("learning_rate", True), ("weight_decay", False), ("layouts_per_pair", False),
    ]  # fmt: skip
    assert frames.history().height == 5
    assert frames.history()["best"][-1] == best_of_search(found, store, n=1).cells[0].objective[0]
