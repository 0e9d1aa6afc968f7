"""A pack that is stopped at any moment goes on from its checkpoint and gives the rows it would have given."""

import itertools

import pytest

from lrsym.results.store import Store
from lrsym.sweep import checkpoint
from lrsym.sweep.checkpoint import Keeper, started, sweep_up
from lrsym.sweep.job import Job, execute
from lrsym.sweep.plan import pack_id
from lrsym.sweep.run import run_pack
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
    monkeypatch.setattr(keeper, "_write", lambda state, *rest: written.append(state))

    class Training:
        def state(self):
            return "state"

    for _ in range(200):
        keeper.offer(Training(), {}, seconds=0.0)
    assert len(written) == 2  # due after 30 s, takes 10 s of the clock, and then 10 s / 1 % later


@pytest.mark.parametrize("damage", ["cut", "empty", "other trainer", "other order"])
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
    keeper._write(kept.state, kept.rows, kept.seconds)
    job = Job(tmp_path, "r", "cpu", 1)
    assert execute(trials, job, report=lambda f: None) == {"crashed": 2}
    assert execute(trials, job, report=lambda f: None) == {"done": 2}


def test_started_packs_are_those_whose_trials_are_all_pending_the_furthest_first(tmp_path, at_each_step):
    one, other = pack(), pack(scenes__layouts_per_pair=2)
    for trials, n in ((one, 2), (other, 5), ((one[0],), 4)):
        with pytest.raises(StoppedError):
            run_pack(trials, run_id="r", device=CPU, report=stop_after(n), keeper=Keeper(tmp_path, trials))
    ids = [t.trial_id for t in (*one, *other)]
    found = started(tmp_path, ids)
    assert [p.trial_ids for p in found] == [(ids[2], ids[3]), (ids[0],)]  # the pack of both loses to the further one
    assert 1 > found[0].fraction > found[1].fraction > 0
    assert started(tmp_path, ids[1:2]) == []
    sweep_up(tmp_path, ids[:2])
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == [f"{pack_id(other)}.safetensors"]
