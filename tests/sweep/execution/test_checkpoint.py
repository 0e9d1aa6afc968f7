"""A pack that is stopped at any moment goes on from its checkpoint and gives the rows it would have given."""

import io
import itertools

import pytest
from rich.console import Console

from lrsym.results.store.store import Store
from lrsym.sweep.execution import checkpoint
from lrsym.sweep.execution.checkpoint import Keeper, started, sweep_up
from lrsym.sweep.execution.progress import Display
from lrsym.sweep.execution.task import Job, Progress, execute, record_dead_worker
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.sweep.planning.plan import make_plan, pack_id
from tests.small_trials import CPU, small

KINDS = {
    "with replacement": {},
    "epochs": {"optim__replacement": False},
    "dropout": {"model__dropout": 0.2},
    "settings of their own": {"optim__weight_decay": 0.0},
    "autoregressive": {"model__kind": "autoregressive"},
}


def pack(**changes):
    """Two trials of 150 steps, more than a chunk of batches."""
    shared = {"optim__steps": 150, "eval__points": 6, **changes}
    return (small(seed=0, **shared), small(seed=1, **{**shared, "optim__weight_decay": 0.3}))


class StoppedError(BaseException):
    """Stands for a kill: nothing in the product catches it."""


def stop_after(n):
    """A report that ends the training at its `n`-th evaluation."""
    calls = itertools.count(1)

    def report(fraction):
        if next(calls) == n:
            raise StoppedError

    return report


def rows(tables):
    return {
        name: t.drop_columns([c for c in ("seconds", "finished_at") if c in t.column_names])
        for name, t in tables.items()
    }


@pytest.fixture
def at_each_step(monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_pack_gives_the_rows_it_would_have_given(tmp_path, at_each_step, kind):
    trials = pack(**KINDS[kind])
    whole = run_pack(trials, run_id="r", device=CPU)
    with pytest.raises(StoppedError):
        run_pack(trials, run_id="r", device=CPU, report=stop_after(3), keeper=Keeper(tmp_path, trials))
    heard = []
    found = run_pack(trials, run_id="r", device=CPU, report=heard.append, keeper=Keeper(tmp_path, trials))
    assert rows(found) == rows(whole)
    assert 0 < heard[0] < heard[-1] == 1.0
    assert heard[0] * 150 % 64 not in (0, 1)  # in the middle of a chunk of batches


def test_seconds_of_a_pack_that_went_on_count_both_parts(tmp_path, at_each_step):
    trials = pack()
    keeper = Keeper(tmp_path, trials)
    with pytest.raises(StoppedError):
        run_pack(trials, run_id="r", device=CPU, report=stop_after(5), keeper=keeper)
    before = keeper.load(device="cpu").seconds
    found = run_pack(trials, run_id="r", device=CPU, keeper=Keeper(tmp_path, trials))
    assert before > 0
    assert sum(found["trials"]["seconds"].to_pylist()) > before


def test_a_pack_shorter_than_the_interval_writes_none_and_a_finished_one_leaves_none(tmp_path, monkeypatch):
    trials = pack()
    run_pack(trials, run_id="r", device=CPU, keeper=Keeper(tmp_path, trials))
    assert not (tmp_path / "checkpoints").exists()
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    seen = []
    execute(trials, Job(tmp_path, "r", "cpu", 1), report=lambda f: seen.append(Keeper(tmp_path, trials).path.exists()))
    assert any(seen)
    assert not any((tmp_path / "checkpoints").iterdir())
    assert len(Store(tmp_path).statuses()) == 2


def test_checkpoints_are_as_rare_as_their_cost_asks_for(tmp_path, monkeypatch):
    clock = itertools.count(0, 10)  # every look at the clock is ten seconds after the last
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: next(clock))
    trials = pack()
    keeper, written = Keeper(tmp_path, trials), []
    monkeypatch.setattr(keeper, "write", lambda state, *rest, **more: written.append(state))

    class Training:
        def state(self):
            return "state"

    for _ in range(200):
        keeper.offer(Training(), {}, seconds=0.0)
    assert len(written) == 2  # due after 30 s, takes 10 s of the clock, and then 10 s / 1 % later


@pytest.mark.parametrize("damage", ["cut", "empty", "other trainer", "other format", "other order"])
def test_a_checkpoint_that_cannot_be_used_is_not(tmp_path, at_each_step, monkeypatch, damage):
    trials = pack()
    keeper = Keeper(tmp_path, trials)
    with pytest.raises(StoppedError):
        run_pack(trials, run_id="r", device=CPU, report=stop_after(4), keeper=keeper)
    content = keeper.path.read_bytes()
    if damage == "cut":
        keeper.path.write_bytes(content[:50])
    elif damage == "empty":
        keeper.path.write_bytes(b"")
    elif damage == "other trainer":
        monkeypatch.setattr(checkpoint, "TRAINER_VERSION", 2)
    elif damage == "other format":
        monkeypatch.setattr(checkpoint, "_FORMAT", 1)
    else:
        trials = trials[::-1]
    assert Keeper(tmp_path, trials).load(device="cpu") is None
    whole = run_pack(trials, run_id="r", device=CPU)
    assert rows(run_pack(trials, run_id="r", device=CPU, keeper=Keeper(tmp_path, trials))) == rows(whole)


def test_a_checkpoint_whose_content_does_not_fit_is_removed_so_that_the_next_try_starts_afresh(tmp_path, at_each_step):
    trials = pack()
    keeper = Keeper(tmp_path, trials)
    with pytest.raises(StoppedError):
        run_pack(trials, run_id="r", device=CPU, report=stop_after(4), keeper=keeper)
    kept = keeper.load(device="cpu")
    del kept.state.tensors["weight.0"]
    keeper.write(kept.state, kept.rows, seconds=kept.seconds)
    job = Job(tmp_path, "r", "cpu", 1)
    assert execute(trials, job, report=lambda f: None) == {"crashed": 2}
    assert not keeper.path.exists()
    assert execute(trials, job, report=lambda f: None) == {"done": 2}


def test_a_pack_out_of_memory_loses_its_checkpoint_so_that_a_smaller_pack_may_be_tried(tmp_path, at_each_step):
    trials = pack()

    def full(fraction):
        if fraction > 0.5:
            raise MemoryError("out of memory")

    job = Job(tmp_path, "r", "cpu", 1)
    assert execute(trials, job, report=full) == {"out_of_memory": 2}
    assert started(tmp_path) == []


def test_a_pack_over_its_time_keeps_its_checkpoint_and_a_dead_worker_takes_it_along(tmp_path, at_each_step):
    trials, job = pack(), Job(tmp_path, "r", "cpu", 1, timeout=1e-9)
    assert execute(trials, job, report=lambda fraction: None) == {"timeout": 2}
    assert len(started(tmp_path)) == 1
    record_dead_worker(trials, job, reason="worker killed by SIGKILL")
    assert started(tmp_path) == []


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_pack(tmp_path, at_each_step):
    (tmp_path / "checkpoints").write_text("a file where a folder must be")
    trials = pack()
    whole = run_pack(trials, run_id="r", device=CPU)
    assert rows(run_pack(trials, run_id="r", device=CPU, keeper=Keeper(tmp_path, trials))) == rows(whole)
    assert started(tmp_path) == []


def stopped(trials, root, *, after):
    with pytest.raises(StoppedError):
        run_pack(trials, run_id="r", device=CPU, report=stop_after(after), keeper=Keeper(root, trials))


def test_packs_go_on_as_they_were_the_furthest_first_and_the_rest_is_packed_anew(tmp_path, at_each_step):
    one, other, more = pack(), pack(scenes__layouts_per_pair=2), (small(seed=9, optim__steps=150, eval__points=6),)
    for trials, after in ((one, 2), (other, 5), (one[:1], 4)):
        stopped(trials, tmp_path, after=after)
    everything = (*one, *other, *more)
    found = started(tmp_path)
    plan = make_plan(everything, {}, workers=1, device="cpu", pack_size=2, checkpoints=found)
    assert plan.packs == (other, one[:1], (one[1], *more))  # the pack of both of `one` comes after that of the first
    assert plan.started == tuple(fraction for _, fraction in found[:2])
    assert 1 > plan.started[0] > plan.started[1] > 0
    assert plan.repacked(size=1, workers=3).packs == (other, one[:1], (one[1],), more)
    finished = {other[1].trial_id: "done"}
    plan = make_plan(everything, finished, workers=1, device="cpu", pack_size=2, checkpoints=found)
    assert plan.packs[0] == one[:1]
    Store(tmp_path).write("alone", run_pack(other[1:], run_id="r", device=CPU))
    sweep_up(Store(tmp_path))
    assert {ids for ids, _ in started(tmp_path)} == {ids for ids, _ in found[1:]}


def test_what_was_done_before_is_no_work_of_this_run():
    console = Console(file=io.StringIO(), width=200)
    display = Display((pack(), pack(scenes__layouts_per_pair=2)), started=[0.5], console=console)
    names = [pack_id(pack()), pack_id(pack(scenes__layouts_per_pair=2))]
    display.listen(Progress(names[0], 0.5))
    assert "starting workers" in display._note()
    display.listen(Progress(names[0], 1.0))
    assert display._done_work == pytest.approx(display._all_work / 3)
