"""What a GPU would meet, on a device that is emulated: nothing here says that a GPU is fast, or that it agrees."""

import pytest
import torch

from lrsym.config.trial import Trial
from lrsym.sweep.execution import train_pack
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training import training
from lrsym.testbed.training.training import Training
from tests.fitted import CPU
from tests.small_trials import SMALL
from tests.testbed.emulated_device import DEVICE, emulated_device

KINDS = {
    "rows first": {"optim.batch_size": 64},
    "heads first": {"optim.batch_size": 4},
    "folded": {"model.d_model": 96, "optim.batch_size": 40},
    "without replacement": {"optim.replacement": False},
    "norm before": {"model.vision_blocks": 2, "model.text_blocks": 2, "model.d_mlp": 8, "model.layer_norm": "pre"},
    "norm after, tied": {"model.repeats": 2, "model.layer_norm": "post"},
    "rotary": {"model.positions": "rotary", "model.init_position_std": 0.0},
    "decoder": {"model.kind": "autoregressive"},
    "grid": {"scenes.n_rows": 3, "scenes.n_positions": 4, "scenes.captions": "left+above"},
    "three objects": {"scenes.n_objects": 3},
    "dropout": {"model.dropout": 0.2, "model.attention_dropout": 0.3},
    "dropout of attention": {"model.attention_dropout": 0.3},
    "dropout, deep": {"model.dropout": 0.2, "model.attention_dropout": 0.3, "model.repeats": 2},
    "pytorch's start, other decay": {
        "model.init": "pytorch", "model.cls_position": False, "model.projection_bias": True,
        "optim.decay_temperature": True, "optim.decay_biases": False,
    },
}  # fmt: skip
QUICK = ("rows first", "heads first", "rotary", "dropout")
"""Kinds whose whole training, evaluation and mechanism the quick suite runs; their steps are all in it."""

A_SCENE = 0.06
"""An accuracy that differs by a scene or two: rounding turns what is nearly a tie."""

SETTINGS_COST = 1.3
"""Times as many launches that a step may have where every member has a learning rate of its own."""


def pack(axes, *, n=3, n_rates=2):
    rates = [0.002 / (1 + seed % n_rates) for seed in range(n)]
    return [Trial.from_axes({**SMALL, **axes, "seed": s, "optim.learning_rate": r}) for s, r in enumerate(rates)]


def recorded_steps(trials, device, *, n=4):
    """What `n` steps ask of the device, and the program of each, as a recording would see them: after a first one."""
    train = Training(trials, PackData.of(trials, device=DEVICE), device=DEVICE)
    train.advance()
    events, programs = [], []

    def record(run):
        device.clear()
        run()
        events.extend(device.events)
        programs.append([*device.program])

    train._graph = record
    for _ in range(n):
        train.advance()
    return events, programs


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("axes", KINDS.values(), ids=KINDS)
def test_a_step_asks_nothing_of_the_device_and_is_the_same_each_time(axes):
    with emulated_device() as device:
        events, programs = recorded_steps(pack(axes), device)
    assert not events
    assert all(program == programs[0] for program in programs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "axes",
    [pytest.param(axes, id=kind, marks=[] if kind in QUICK else pytest.mark.slow) for kind, axes in KINDS.items()],
)
def test_rows_are_those_of_a_core(axes):
    trials = pack(axes)
    with emulated_device():
        there = run_pack(trials, run_id="r", device=DEVICE).tables
    here = run_pack(trials, run_id="r", device=CPU).tables
    for name, table in here.items():
        near = 1e-4 if name == "terms" else A_SCENE
        for row, wanted in zip(there[name].to_pylist(), table.to_pylist(), strict=True):
            for key in {*wanted} - {"seconds", "finished_at"}:
                value = wanted[key]
                assert row[key] == (
                    pytest.approx(value, abs=near, rel=1e-3) if isinstance(value, float | list) else value
                ), key


@pytest.mark.slow
def test_measures_ask_the_device_for_the_scenes_alone(monkeypatch):
    trials = pack(KINDS["rows first"])
    with emulated_device() as device:
        monkeypatch.setattr(train_pack, "ablations", lambda *_: device.clear() or [])
        monkeypatch.setattr(train_pack, "profiles", lambda model: [[] for _ in model.trials])
        run_pack(trials, run_id="r", device=DEVICE)
    kinds = [event.kind for event in device.events if "measures" in event.line]
    assert kinds == ["transfer"] * len(kinds)
    assert len(kinds) <= 3  # which scenes, their tokens, the captions


@pytest.mark.slow
def test_a_learning_rate_for_each_member_costs_little():
    launches = {}
    with emulated_device() as device:
        for n_rates in (1, 24):
            recorded_steps(pack({}, n=24, n_rates=n_rates), device, n=1)
            launches[n_rates] = device.launches()
    assert launches[24] <= SETTINGS_COST * launches[1]


@pytest.mark.slow
def test_sums_by_token_are_the_same_bits_wherever_keys_meet():
    """On a device, unlike on the host, no operation of a step may add where two may meet: the order would vary."""
    with emulated_device() as device:
        for axes in map(KINDS.get, ("rows first", "heads first", "three objects", "dropout")):
            _, programs = recorded_steps(pack(axes), device, n=1)
            assert not [name for name, *_ in programs[0] if name.startswith(("aten.index_add", "aten.embedding_bag"))]


def _reads(monkeypatch, loss):
    monkeypatch.setattr(training, "MAX_LOG_SCALE", 1.0)
    return loss + loss.mean().item()


def _branches(monkeypatch, loss):
    return loss if (loss > 0).all() else -loss


def _selects(monkeypatch, loss):
    return loss.masked_fill(loss < 0, 0) + loss[loss > -1].mean()


def _sends(monkeypatch, loss):
    return loss * torch.ones(len(loss)).to(loss.device)


def _mixes(monkeypatch, loss):
    return loss * torch.ones(len(loss))


MUTANTS = {"read": (_reads, _branches, _selects), "transfer": (_sends,), "mixture": (_mixes,)}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mutant"), [(kind, m) for kind, mutants in MUTANTS.items() for m in mutants])
def test_what_a_gpu_would_wait_for_is_seen(kind, mutant, monkeypatch):
    right = training.batch_loss
    monkeypatch.setattr(training, "batch_loss", lambda *a, **k: mutant(monkeypatch, right(*a, **k)))
    with emulated_device() as device:
        events, _ = recorded_steps(pack({}), device)
    assert {event.kind for event in events} == {kind}
    assert {event.line for event in events} != {"?"}


@pytest.mark.slow
@pytest.mark.parametrize("change", ["number", "address", "operation"])
def test_a_step_that_changes_from_one_to_the_next_is_seen(change, monkeypatch):
    right, calls, ones = training.batch_loss, [], []

    def other(*args, **kwargs):
        calls.append(None)
        loss = right(*args, **kwargs)
        if change == "number":
            return loss * len(calls)
        if change == "operation":
            return loss if len(calls) % 2 else loss + loss
        ones.append(torch.ones(len(loss), device=DEVICE))
        return loss * ones[len(calls) // 2 - 1]

    monkeypatch.setattr(training, "batch_loss", other)
    with emulated_device() as device:
        ones += [torch.ones(3, device=DEVICE) for _ in range(20)]
        _, programs = recorded_steps(pack({}), device)
    assert any(program != programs[0] for program in programs)
