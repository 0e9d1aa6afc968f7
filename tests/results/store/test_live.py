"""Evaluations of packs in training, as those who look on read them."""

import json

import pytest

from lrsym.results.store.digest import part_bytes
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.live import live_file, read_live, remove_stale_live, write_live
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.rows import status_rows
from tests.small_trials import small

TRIALS = [small(seed=seed) for seed in range(4)]
IDS = [trial.trial_id for trial in TRIALS]


@pytest.fixture
def files(tmp_path):
    return open_filesystem(str(tmp_path))


def show(files, name, trials, *, step, value=0.5):
    """The file of a pack of `trials` after `step` steps."""
    write_live(
        files,
        name,
        trials=[{**axis_values(t), "status": "training", "trained_steps": step, "unseen_order": value} for t in trials],
        curves=[
            {"trial_id": t.trial_id, "step": s, "split": "unseen", "metric": "order", "value": value}
            for t in trials
            for s in range(1, step + 1)
        ],
    )


def test_what_is_written_is_read_by_trial(files):
    show(files, "a", TRIALS[:2], step=3)
    show(files, "b", TRIALS[2:], step=5)
    live = read_live(files, IDS[1:])
    assert dict(live.trials.select("trial_id", "trained_steps").iter_rows()) == {IDS[1]: 3, IDS[2]: 5, IDS[3]: 5}
    assert dict(live.curves.group_by("trial_id").len().iter_rows()) == {IDS[1]: 3, IDS[2]: 5, IDS[3]: 5}
    assert live.trials["seed"].to_list() == [1, 2, 3]


def test_trials_with_a_result_are_not_in_training_and_those_that_failed_may_be_again(files, tmp_path):
    show(files, "a", TRIALS[:3], step=3)
    for trial, status in zip(TRIALS, ("done", "diverged", "timeout"), strict=False):
        Store(str(tmp_path)).write(status, status_rows([trial], status=status, message=None, run_id="r"))
    assert read_live(files, IDS).trials["trial_id"].to_list() == [IDS[2]]


def test_of_a_trial_in_two_packs_what_has_come_furthest_counts_with_its_curve(files):
    show(files, "whole", TRIALS[:2], step=3, value=0.1)
    show(files, "half", TRIALS[:1], step=4, value=0.2)
    live = read_live(files, IDS)
    assert dict(live.trials.select("trial_id", "unseen_order").iter_rows()) == {IDS[0]: 0.2, IDS[1]: 0.1}
    assert {*live.curves.select("trial_id", "value").unique().iter_rows()} == {(IDS[0], 0.2), (IDS[1], 0.1)}


def test_members_that_have_ended_are_told_from_those_in_training(files):
    rows = [{**axis_values(TRIALS[0]), "status": "diverged", "trained_steps": 2}]
    rows += [{**axis_values(TRIALS[1]), "status": "training", "trained_steps": 3}]
    write_live(files, "a", trials=rows, curves=[])
    assert read_live(files, IDS).training["trial_id"].to_list() == [IDS[1]]


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1"])
def test_files_that_are_none_of_ours_are_passed_over_and_stay(files, content):
    files.put(live_file("foreign"), content)
    show(files, "a", TRIALS, step=1)
    assert read_live(files, IDS).trials.height == 4
    remove_stale_live(files)
    assert len(files.list("live")) == 2


def test_a_file_with_a_changed_bit_is_passed_over(files):
    show(files, "a", TRIALS[:1], step=1)
    content = files.get(live_file("a"))
    places = [content.index(words) + len(words) for words in (b'"trained_steps": ', b'"unseen_order": 0.', b"unseen")]
    for place in [*places, 5, len(content) - 5]:
        damaged = bytearray(content)
        damaged[place] ^= 1
        files.put(live_file("a"), damaged)
        assert read_live(files, IDS).trials.is_empty()


ANY = [None, True, -1, 0.5, float("inf"), 10**30, "", "x", [], [[]], [None], [5], {}, {"a": 1}]


@pytest.mark.parametrize("value", ANY)
def test_rows_that_hold_anything_are_read_or_passed_over(files, value):
    row = {"trial_id": IDS[0], "trained_steps": 1}
    for rows in (value, [value], *([{**row, key: value}] for key in (*row, "seed", "status", "finished_at", "terms"))):
        table = TABLES["curves"].build([]).replace_schema_metadata({b"lrsym_live": json.dumps(rows)})
        files.put(live_file("a"), part_bytes(table))
        assert read_live(files, IDS).trials.height <= 1
        remove_stale_live(files)


def test_what_cannot_be_removed_stays(files, tmp_path, monkeypatch):
    show(files, "ended", TRIALS[:1], step=3)
    Store(str(tmp_path)).write("p", status_rows(TRIALS[:1], status="done", message=None, run_id="r"))
    monkeypatch.setattr(type(files), "delete", lambda *_: (_ for _ in ()).throw(PermissionError(1, "no")))
    remove_stale_live(files)
    assert files.list("live") == [live_file("ended")]


def test_files_of_packs_that_have_their_rows_are_removed(files, tmp_path):
    show(files, "ended", TRIALS[:2], step=3)
    show(files, "half ended", TRIALS[1:3], step=3)
    Store(str(tmp_path)).write("p", status_rows(TRIALS[:2], status="done", message=None, run_id="r"))
    remove_stale_live(files)
    assert files.list("live") == [live_file("half ended")]


def test_without_a_folder_nothing_is_in_training(tmp_path):
    live = read_live(open_filesystem(str(tmp_path / "nowhere")), IDS)
    assert live.trials.is_empty()
    assert live.curves.is_empty()
    assert {"unseen_order", "seed", "status"} <= {*live.trials.columns}
