"""What a sweep planned: cells by axis, and the cell of each trial."""

import pytest

from lrsym.errors import UsageError
from lrsym.reports.planned import Planned, part_of
from lrsym.sweep.spec.sweep_file import load, parse
from tests.pages import ROOT
from tests.reports.made_up import sweep


def test_every_trial_has_the_cell_that_has_its_axes():
    found = sweep()
    planned = Planned.of(found)
    for trial, (trial_id, cell) in zip(found.trials, planned.trials.iter_rows(), strict=True):
        values = planned.cells.row(cell, named=True)
        assert trial.trial_id == trial_id
        assert values["n_pair_labels"] == trial.scenes.n_pair_labels
        assert values["layouts_per_pair"] == trial.scenes.layouts_per_pair


def test_axes_come_in_the_order_of_the_file_and_their_values_ascend():
    planned = Planned.of(sweep(labels=(11, 5), layouts=(20, 3)))
    assert planned.axes == ("n_pair_labels", "layouts_per_pair")
    assert planned.values("n_pair_labels") == ["5", "11"]
    assert [planned.values("n_pair_labels")[place] for place in planned.places("n_pair_labels")] == [
        "11",
        "11",
        "5",
        "5",
    ]


def test_axes_that_move_together_are_one_and_the_follower_is_in_the_name():
    found = parse(
        'name = "zipped"\n[[zip]]\n"optim.learning_rate" = [0.001, 0.01]\n"optim.weight_decay" = [0.0, 0.1]\n',
        source="z",
    )
    planned = Planned.of(found)
    assert (planned.axes, planned.followers) == (("learning_rate",), ("weight_decay",))
    assert planned.names()[1] == "learning_rate 0.01, weight_decay 0.1"


def test_a_sweep_of_one_cell_has_one_without_axes():
    planned = Planned.of(load(ROOT / "sweeps/recipe.toml"))
    assert planned.axes == ()
    assert planned.names() == ["the one cell"]


def test_a_preset_that_varies_is_seen_in_the_axes_that_it_sets():
    found = parse('name = "presets"\n[grid]\n"model.preset" = ["simplified", "full"]\n', source="p")
    assert len({*Planned.of(found).names()}) == 2


@pytest.mark.parametrize(
    ("where", "cells", "seeds"),
    [
        ("layouts_per_pair = 20", 2, range(3)),
        ("seed > 0", 4, range(1, 3)),
        ("n_pair_labels = 8 and seed < 2 and d_model = 16", 2, range(2)),
        ("n_pair_labels < 99", 4, range(3)),
    ],
)
def test_a_condition_on_axes_keeps_cells_and_seeds(where, cells, seeds):
    found = part_of(sweep(), where)
    assert (len(found.cells), found.seeds) == (cells, seeds)
    assert {*found.trial_ids()} < {*sweep().trial_ids()} or where == "n_pair_labels < 99"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("seed = 0 or n_pair_labels = 5", "--where must keep the same seeds of each cell, one after the other"),
        ("seed <> 1", "--where must keep the same seeds"),
        ("status = 'done'", "known of trained trials alone"),
        ("seed = 9", "none of the 12 trials of made_up where seed = 9; there seed is 0, 1"),
    ],
)
def test_what_keeps_no_cells_is_refused(where, message):
    with pytest.raises(UsageError, match=message):
        part_of(sweep(), where)
