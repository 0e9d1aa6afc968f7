"""Planning a sweep and choosing its packs in one call, as the verbs and a notebook do."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lrsym.results.store.live import write_live
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.driver import clear_leftovers, plan_and_choose
from lrsym.sweep.execution.grid_stop_rules import Decided
from lrsym.sweep.execution.lease import Holder
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.sweep_file import load
from tests.small_trials import write_checkpoint, write_sweep


@pytest.fixture
def sweep(tmp_path):
    """A sweep of 8 trials that is too short for a pilot."""
    return load(write_sweep(tmp_path, steps=5))


def chosen(sweep, root, *, want_cost):
    settings = Settings(engine="local", device="cpu", workers=1, pack_size=4, timeout=None)
    return plan_and_choose(sweep, Store(root), settings, want_cost=want_cost, on_message=pytest.fail)


def test_what_the_store_holds_is_not_planned_again(sweep, tmp_path):
    rows = status_rows(sweep.trials[:3], status="diverged", message="loss is nan", run_id="r")
    Store(tmp_path / "r").write("a", rows)
    plan = chosen(sweep, tmp_path / "r", want_cost=False).plan
    assert sum(len(pack) for pack in plan.packs) == 5
    assert (plan.new, plan.done) == (5, 3)


def test_the_packs_of_a_sweep_that_asks_for_a_stop_rule_carry_it(sweep, tmp_path):
    asking = replace(sweep, stop="decided")
    assert {pack.stop for pack in chosen(asking, tmp_path / "r", want_cost=True).plan.packs} == {Decided()}
    assert {pack.stop for pack in chosen(sweep, tmp_path / "r", want_cost=True).plan.packs} == {None}


def test_asking_for_the_cost_makes_no_folder_and_going_to_train_does(sweep, tmp_path):
    chosen(sweep, tmp_path / "r", want_cost=True)
    assert not (tmp_path / "r").exists()
    chosen(sweep, tmp_path / "r", want_cost=False)
    assert (tmp_path / "r").is_dir()


def test_a_folder_that_cannot_be_made_is_an_error_before_training(sweep, tmp_path):
    (tmp_path / "file").write_text("a file where a folder must be")
    with pytest.raises(OSError, match="file"):
        chosen(sweep, tmp_path / "file" / "r", want_cost=False)


def test_leftovers_that_cannot_be_removed_do_not_end_a_sweep(sweep, tmp_path, monkeypatch):
    store = Store(tmp_path / "r")
    store.write("a", status_rows(sweep.trials[:1], status="done", message=None, run_id="r"))
    write_checkpoint(tmp_path / "r", sweep.trials[:1], step=3, steps=6)
    rows = [{**axis_values(sweep.trials[0]), "status": "training", "trained_steps": 1}]
    write_live(store.files, "p", trials=rows, curves=[])
    gone = {"run_id": "x", "holder": vars(Holder("h", "b", 7, "1")), "heartbeat": 0.0, "alone": None, "trial_ids": []}
    store.files.put("leases/x.json", json.dumps(gone).encode())
    (tmp_path / "r/trials/.a.0123.tmp").touch()
    os.utime(tmp_path / "r/trials/.a.0123.tmp", (0, 0))
    tried = []

    def refuse(path, **_):
        tried.append(path.parent.name)
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    clear_leftovers(store)
    assert sorted(tried) == ["checkpoints", "leases", "live", "trials"]


@pytest.mark.parametrize("n_done", [7, 8])
def test_what_a_run_left_behind_that_was_killed_after_its_last_row_goes_when_nothing_is_left_to_train(
    sweep, tmp_path, n_done
):
    store = Store(tmp_path / "r")
    store.write("a", status_rows(sweep.trials[:n_done], status="diverged", message="loss is nan", run_id="r"))
    gone, alive = replace(Holder.this_process(), pid=2**22 + 1), Holder.this_process()
    for name, holder in (("gone", gone), ("alive", alive)):
        claim = {"run_id": name, "holder": vars(holder), "heartbeat": time.time(), "alone": None, "trial_ids": []}
        store.files.put(f"leases/{name}.json", json.dumps(claim).encode())
    write_live(store.files, "p", trials=[], curves=[])
    chosen(sweep, store.root, want_cost=True)
    assert len(store.files.list("leases")) == 2
    chosen(sweep, store.root, want_cost=False)
    left = ["leases/alive.json"] if n_done == 8 else ["leases/alive.json", "leases/gone.json"]
    assert store.files.list("leases") == left
    assert store.files.list("live") == ([] if n_done == 8 else ["live/p.parquet"])
