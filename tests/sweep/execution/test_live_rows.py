"""What a pack shows while it trains is what its rows then say, and is gone when it has them."""

import polars as pl
import pytest

from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.live import read_live
from lrsym.results.store.store import Store, load
from lrsym.sweep.execution.live_rows import LiveFile
from lrsym.sweep.execution.pace import Pace
from lrsym.sweep.execution.task import TrainTask
from lrsym.sweep.execution.train_pack import run_pack
from tests.fitted import CPU
from tests.small_trials import pack_of, small

PACK = tuple(small(seed=seed, optim__steps=12, eval__points=4) for seed in range(2))


def always():
    return Pace(interval=0, max_overhead=1e9)


class Watched(LiveFile):
    """Keeps what could be read after each write."""

    def __init__(self, root):
        super().__init__(open_filesystem(str(root)), pack_of(*PACK), pace=always())
        self.seen = []

    def write_if_due(self, so_far):
        super().write_if_due(so_far)
        self.seen.append(read_live(self._files, [t.trial_id for t in PACK]))


@pytest.mark.slow
def test_each_evaluation_shows_the_curves_up_to_there_and_the_last_accuracies(tmp_path):
    watched = Watched(tmp_path)
    tables = run_pack(PACK, run_id="r", device=CPU, live=watched).tables
    curves = pl.from_arrow(tables["curves"])
    steps = [*PACK[0].evaluation_steps][:-1]
    assert [{*live.trials["trained_steps"]} for live in watched.seen] == [{step} for step in steps]
    key = ["trial_id", "step", "split", "metric"]
    for step, live in zip(steps, watched.seen, strict=True):
        assert live.curves.sort(key).equals(curves.filter(pl.col("step") <= step).sort(key))
        at = curves.filter(step=step, split="unseen", metric="order").select("trial_id", "value")
        assert {*live.trials.select("trial_id", "unseen_order").iter_rows()} == {*at.iter_rows()}
        assert {*live.trials["status"]} == {"training"}


@pytest.mark.parametrize("timeout", [None, 0.0])
def test_nothing_is_left_of_it_once_the_pack_has_rows(tmp_path, timeout):
    root, pack = str(tmp_path / "r"), pack_of(*PACK)
    LiveFile(open_filesystem(root), pack, pace=always()).write_if_due(lambda: ([], []))
    task = TrainTask(root, "r", "cpu", 1, timeout)
    outcome = task(pack, lambda completed: None)
    if timeout is not None:
        task.record_failure(pack, outcome, [1] * len(pack))
    assert Store(root).files.list("live") == []
    assert load(root, "trials").collect().height == 2


@pytest.mark.slow
def test_a_disk_that_takes_nothing_does_not_disturb_the_training(tmp_path):
    (tmp_path / "r").touch()
    watched = LiveFile(open_filesystem(str(tmp_path)), pack_of(*PACK), pace=always())
    (tmp_path / "live").touch()
    assert run_pack(PACK, run_id="r", device=CPU, live=watched).tables["trials"].num_rows == 2


def test_it_is_written_no_more_often_than_it_may(tmp_path):
    now, calls = [0.0], []

    def act():
        calls.append(now[0])
        now[0] += 0.5

    pace = Pace(interval=5, max_overhead=0.01, clock=lambda: now[0])
    for second in range(200):
        now[0] = max(now[0], float(second))
        pace.do_if_due(act)
    assert calls == [5, 56, 107, 158]  # what takes half a second is due after fifty more


def test_a_pack_that_is_split_shows_nothing_any_more(tmp_path):
    root, pack = str(tmp_path / "r"), pack_of(*PACK)
    LiveFile(open_filesystem(root), pack, pace=always()).write_if_due(lambda: ([], []))
    TrainTask(root, "r", "cpu", 1).discard_checkpoint(pack)
    assert Store(root).files.list("live") == []
