"""A sweep as cells x seeds: its trials are made when they are asked for."""

import dataclasses
import gc
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.config.trial import Trial
from lrsym.sweep.spec import cells
from lrsym.sweep.spec.sweep_file import parse
from tests.config.test_trial import plain_id

EXCLUDED = """\
name = "s"
replicates = 3
[seed]
first = 7
[grid]
"optim.beta1" = [0.1, 0.2, 0.3]
"model.d_model" = [64, 128]
[[zip]]
"optim.steps" = [5, 6]
"eval.points" = [1, 2]
[[exclude]]
"optim.beta1" = 0.2
"optim.steps" = 6
"""
SWEEP = parse(EXCLUDED, source="s.toml")
TRIALS = [cell.trial(seed) for cell in SWEEP.cells for seed in SWEEP.seeds]


def test_the_length_of_a_sweep_is_its_number_of_trials():
    assert len(SWEEP) == len(SWEEP.trials) == len(SWEEP.cells) * SWEEP.replicates == 10 * 3


def test_the_trials_are_the_replicates_of_each_cell_side_by_side():
    assert list(SWEEP.trials) == TRIALS
    assert [trial.seed for trial in SWEEP.trials[:4]] == [7, 8, 9, 7]


@given(index=st.integers(-30, 29))
def test_a_trial_by_its_index_is_that_of_the_iteration(index: int):
    assert SWEEP.trials[index] == TRIALS[index]


@given(index=st.slices(30))
def test_a_slice_of_trials_is_a_tuple_of_them(index: slice):
    assert SWEEP.trials[index] == tuple(TRIALS[index])


@given(index=st.slices(10))
def test_a_slice_of_cells_is_a_tuple_of_those_of_the_iteration(index: slice):
    assert SWEEP.cells[index] == tuple([*SWEEP.cells][index])


@pytest.mark.parametrize("index", [30, -31])
def test_an_index_beyond_the_trials_is_an_index_error(index: int):
    with pytest.raises(IndexError):
        SWEEP.trials[index]


SOME_AXES = {
    "scenes.n_pair_labels": [5, 6], "scenes.coverage": [0.5, 1.0], "scenes.captions": ["left", "both"],
    "model.preset": ["simplified", "full"], "model.d_model": [64, 128], "model.dropout": [0.1, 0.0, 0.2],
    "model.init": ["small", "pytorch", "clip"],
    "optim.epochs": [1, 2], "optim.weight_decay": [0.0, 1], "optim.batch_size": [64, 65, 128],
    "optim.replacement": [True, False], "eval.points": [3, 4], "eval.threshold": [0.8, 0.9],
}  # fmt: skip


@pytest.mark.slow
@given(grid=st.lists(st.sampled_from([*SOME_AXES]), max_size=4, unique=True), first=st.integers(0, 2**63 - 2))
def test_identities_and_shapes_are_those_of_trials_made_one_by_one(grid: list[str], first: int):
    lines = [f'"{key}" = {json.dumps(SOME_AXES[key])}' for key in grid]
    head = ['name = "s"', "replicates = 2", "[seed]", f"first = {first}", "[grid]"]
    sweep = parse("\n".join(head + lines), source="s.toml")
    cells = [dict(zip(grid, values, strict=True)) for values in itertools.product(*map(SOME_AXES.get, grid))]
    trials = [Trial.from_axes({**cell, "seed": seed}) for cell in cells for seed in (first, first + 1)]
    assert list(sweep.trials) == trials
    assert sweep.trial_ids() == [plain_id(trial) for trial in trials]
    shapes = [trial.static_shape for trial in trials[::2]]
    assert list(sweep.shape_numbers()) == [list(dict.fromkeys(shapes)).index(shape) for shape in shapes]


def test_no_trial_is_kept():
    sweep = parse('name = "s"\nreplicates = 50\n[grid]\n"optim.beta1" = [0.1, 0.2]', source="s.toml")
    before = sum(type(thing) is Trial for thing in gc.get_objects())
    assert sum(1 for _ in sweep.trials) == len(sweep.trial_ids()) == 100
    assert sum(type(thing) is Trial for thing in gc.get_objects()) == before


def test_a_section_that_is_no_longer_kept_is_made_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cells, "KEPT_SECTIONS", 1)
    assert parse(EXCLUDED, source="s.toml") == SWEEP


def test_sweeps_of_other_cells_are_not_equal():
    assert parse(EXCLUDED.replace("0.3", "0.4"), source="s.toml") != SWEEP


def test_a_sweep_names_itself_and_its_size_and_no_trials():
    assert repr(SWEEP) == "Sweep(name='s', cells=10, replicates=3, trials=30)"


def test_a_sweep_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SWEEP.seeds = range(5)  # pyright: ignore[reportAttributeAccessIssue]  to assign is the test
