"""A sweep as cells x seeds: its trials are made when they are asked for."""

import dataclasses
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.config.trial import Trial
from lrsym.sweep.spec import cells
from lrsym.sweep.spec.sweep_file import parse

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


def test_the_identities_are_those_of_the_trials_in_their_order():
    assert SWEEP.trial_ids() == [trial.trial_id for trial in TRIALS]


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
        SWEEP.seeds = range(5)  # pyright: ignore[reportAttributeAccessIssue]
