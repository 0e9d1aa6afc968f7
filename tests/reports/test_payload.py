"""What the page carries: the numbers of the rows, complete, compressed, and harmless."""

import base64
import gzip
import json

import pytest

from lrsym.reports import payload
from lrsym.reports.details import read_details
from lrsym.reports.payload import encode, essential, sweep_parts
from tests.reports.made_up import STEPS, accuracy, read, sweep, write


@pytest.fixture
def carried(tmp_path):
    """A sweep of which the last cell is not trained, and what the page carries of it."""
    found = sweep()
    write(tmp_path, found.trials[:9], message=lambda trial: "</script>" if trial.seed else None)
    planned, trials = read(tmp_path, found)
    shown = read_details(str(tmp_path), trials, accuracy="order")
    return found, sweep_parts(planned, trials, shown, metric="unseen_order", threshold=0.9, seeds=found.seeds)


def test_what_is_carried_comes_out_as_it_went_in_and_has_no_letter_that_html_knows():
    value = {"text": "</script><b>", "numbers": [1, 0.5, None]}
    letters = encode(value)
    assert json.loads(gzip.decompress(base64.b64decode(letters))) == value
    assert not {*letters} & {*"<>&\"'"}


def test_the_same_rows_make_the_same_page(carried):
    assert encode(carried[1]) == encode(carried[1])


def test_every_planned_cell_has_its_place_and_its_name(carried):
    _, data = carried
    data = data["map"]
    across, upward = data["axes"]
    assert (across["name"], across["values"], across["at"]) == ("n_pair_labels", ["5", "8"], [0, 0, 1, 1])
    assert upward["at"] == [0, 1, 0, 1]
    assert data["cells"][3] == "n_pair_labels 8, layouts_per_pair 20"
    assert data["counts"]["n_missing"] == [0, 0, 0, 3]
    assert data["means"]["unseen_order"]["cell"] == [0, 1, 2]


def test_series_are_lists_by_cell(carried):
    found, data = carried
    curves = data["seed_curves"]
    row = next(
        i
        for i, (cell, seed, split) in enumerate(zip(curves["cell"], curves["seed"], curves["split"], strict=True))
        if (cell, seed, split) == (1, 2, "unseen")
    )
    assert curves["step"][row] == [*STEPS]
    assert curves["value"][row][-1] == pytest.approx(accuracy(found.trials[5]), rel=1e-3)
    assert curves["cell"] == sorted(curves["cell"])
    assert {*data["ablations"]["term"][0]} >= {"none", "EP", "VP"}


def test_rows_of_trials_are_whole_but_for_what_no_row_has(carried):
    _, data = carried
    trials = data["trials"]
    assert len(trials["trial_id"]) == 9
    assert trials["d_model"] == [16]  # the same in every row
    assert trials["finished_at"][0].startswith("2026-01-02")
    assert "stop_rule" not in trials


def test_rows_of_too_many_trials_are_not_encoded(carried, monkeypatch, tmp_path):
    found, _ = carried
    monkeypatch.setattr(payload, "MAX_TRIALS", 8)
    planned, trials = read(tmp_path, found)
    shown = read_details(str(tmp_path), trials, accuracy="order")
    data = sweep_parts(planned, trials, shown, metric="unseen_order", threshold=0.9, seeds=found.seeds)
    assert data["trials"] is None


def test_the_columns_that_the_page_shows_are_the_essential_ones(carried, tmp_path):
    found, data = carried
    kept = essential(data["trials"], read(tmp_path, found)[0], metric="unseen_order")
    assert {*kept} == {
        "trial_id", "cell", "seed", "status", "message", "n_pair_labels", "layouts_per_pair", "train_order",
        "seen_order", "unseen_order", "path", "seconds",
    }  # fmt: skip
