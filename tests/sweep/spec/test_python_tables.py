"""Sweeps from Python: those of a file of the same content, with messages that name the key."""

import numpy as np
import polars as pl
import pytest

from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.sweep.spec.sweep import Sweep
from lrsym.sweep.spec.sweep_file import parse, parse_any

FILE = """
name = "mine"
replicates = 3
stop = "decided"
[seed]
first = 7
[base]
"optim.steps" = 200
[grid]
"scenes.n_pair_labels" = [5, 8]
[[zip]]
"optim.batch_size" = [10, 20]
"optim.learning_rate" = [0.01, 0.02]
[[exclude]]
"scenes.n_pair_labels" = 5
"optim.batch_size" = 20
"""

TABLES = {
    "base": {"optim.steps": 200},
    "grid": {"scenes.n_pair_labels": [5, 8]},
    "zip": {"optim.batch_size": [10, 20], "optim.learning_rate": [0.01, 0.02]},
    "exclude": {"scenes.n_pair_labels": 5, "optim.batch_size": 20},
    "replicates": 3,
    "first_seed": 7,
    "stop": "decided",
}


def test_the_same_content_gives_the_same_sweep():
    from_file, made = parse(FILE, source="mine.toml"), Sweep.grid("mine", **TABLES)
    assert made.trial_ids() == from_file.trial_ids()
    assert (made.name, made.varied, made.seeds, made.stop) == ("mine", from_file.varied, range(7, 10), "decided")
    assert [*made.cells] == [*from_file.cells]


@pytest.mark.parametrize(
    "values",
    [(5, 8), range(5, 9, 3), np.array([5, 8]), pl.Series([5, 8]), [np.int64(5), np.int32(8)]],
    ids=["tuple", "range", "array", "series", "scalars"],
)
def test_values_may_come_in_whatever_holds_them(values):
    made = Sweep.grid("mine", **{**TABLES, "grid": {"scenes.n_pair_labels": values}})
    assert made.trial_ids() == Sweep.grid("mine", **TABLES).trial_ids()


@pytest.mark.parametrize(
    "values",
    [[np.float32(0.1)], np.array([0.5, 0.1], dtype=np.float32), pl.Series([0.1], dtype=pl.Float32), (np.float16(0.1),)],
    ids=["scalar", "array", "series", "half"],
)
def test_a_number_of_fewer_bits_that_would_be_another_trial_is_refused(values):
    with pytest.raises(UsageError, match=r'learning_rate"\]: numbers of an axis are those of 64 bits, got'):
        Sweep.grid("mine", grid={"optim.learning_rate": values})


def test_a_number_of_fewer_bits_that_is_the_same_in_64_is_taken():
    narrow, wide = (
        Sweep.grid("mine", grid={"optim.learning_rate": values})
        for values in (np.array([0.5, 0.25], dtype=np.float32), [0.5, 0.25])
    )
    assert narrow.trial_ids() == wide.trial_ids()


def test_a_search_of_the_same_content_is_the_same_search():
    text = (
        'name = "seek"\nreplicates = 2\n[base]\n"optim.steps" = 200\n[search]\nbudget = 5\nmaximise = "unseen_order"\n'
        'seed = 3\n[search.space]\n"optim.learning_rate" = { low = 1e-4, high = 1e-2, log = true }\n'
    )
    made = Sweep.search(
        "seek", base={"optim.steps": 200}, replicates=2, budget=5, maximise="unseen_order", seed=3,
        space={"optim.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
    )  # fmt: skip
    assert made.key == parse_any(text, source="seek.toml").key


def test_trials_make_the_sweep_that_they_came_from():
    sweep = Sweep.grid("mine", **{**TABLES, "stop": None})
    again = Sweep.of(sweep.trials, name="again")
    assert again.trial_ids() == sweep.trial_ids()
    assert {*sweep.varied} <= {*again.varied}


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"base": {"optim.step": 1}}, 'base["optim.step"]', "did you mean optim.steps?"),
        ({"base": {"optim": {"steps": -1}}}, 'base["optim.steps"]', "must be a whole number >= 1"),
        ({"base": {"optim.steps": [1, 2]}}, 'base["optim.steps"]', "move the list to grid to vary it"),
        ({"base": {"optim.steps": None}}, 'base["optim.steps"]', "takes no None"),
        ({"base": {"optim.steps": object()}}, 'base["optim.steps"]', "must be a whole number"),
        ({"base": {1: 2}}, "base", "keys are texts"),
        ({"base": 5}, "base", "must be a dict of axes"),
        ({"base": {"seed": 5}}, 'base["seed"]', "write replicates = 5, and first_seed=0"),
        ({"grid": {"optim.warmup_steps": 3}}, 'grid["optim.warmup_steps"]', "takes a list in grid, got 3"),
        ({"grid": {"optim.warmup_steps": []}}, 'grid["optim.warmup_steps"]', "empty list in grid"),
        ({"grid": {"optim.steps": [6]}}, 'grid["optim.steps"]', 'already in base (base["optim.steps"])'),
        ({"grid": {"scenes.n_pair_labels": [5, 5]}, "exclude": ()}, 'grid["scenes.n_pair_labels"]', "same trial"),
        ({"zip": [{"optim.batch_size": [1, 2]}, 5]}, "zip[1]", "must be a dict of axes"),
        ({"zip": {"optim.batch_size": [2], "optim.epochs": [1, 2]}}, 'zip[0]["optim.epochs"]', "one length"),
        ({"exclude": {"optim.steps": 1}}, 'exclude[0]["optim.steps"]', "is not varied, so exclude cannot use it"),
        ({"replicates": 0}, "replicates", "must be a whole number >= 1"),
        ({"replicates": "2"}, "replicates", "must be a whole number >= 1"),
        ({"first_seed": -1}, "first_seed", "must be a whole number >= 0"),
        ({"stop": "asha"}, "stop", "one of none, decided"),
    ],
)
def test_a_mistake_names_the_argument_and_the_key(changes, place, message):
    with pytest.raises(UsageError) as found:
        Sweep.grid("mine", **{**TABLES, **changes})
    text = str(found.value)
    assert text.startswith(f"Sweep.grid: {place}: ")
    assert message in text
    assert "\n" not in text
    assert "[[" not in text


@pytest.mark.parametrize("name", ["", "a b", "../x", None, 5])
def test_a_name_that_is_no_file_name_is_refused(name):
    with pytest.raises(UsageError, match=r"Sweep\.grid: name: name must be text that is safe as a file name"):
        Sweep.grid(name)


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ([], "a sweep has 1 to 2,000,000 trials, got 0"),
        ([5], r"trials\[0\]: must be a Trial, got 5"),
        (5, r"trials\[0\]: must be a Trial, got 5"),
        ([Trial(), Trial()], r"trials\[0\]: stands twice"),
        ([Trial(seed=0), Trial.from_axes({"optim.steps": 5, "seed": 1})], "got 0 and 1; make a sweep for each"),
        ([Trial(seed=0), Trial(seed=1), Trial(seed=5)], "evenly spaced, got 0, 1, 5; make a sweep for each"),
    ],
)
def test_trials_that_make_no_sweep_are_refused(trials, message):
    with pytest.raises(UsageError, match=message):
        Sweep.of(trials, name="mine")


def test_a_sweep_shows_short_and_as_a_table():
    sweep = Sweep.grid("mine", **TABLES)
    assert repr(sweep) == "Sweep(name='mine', cells=3, replicates=3, trials=9)"
    page = sweep._repr_html_()
    assert "9 = 3 cells x 3 replicates" in page
    assert "scenes.n_pair_labels" in page
    assert "5, 8" in page
