"""What only a GPU can show. Without one a few small kinds train on the CPU in its place, so that the tests stay whole.

LRSYM_TEST_DEVICE=cpu has all of them there.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.inside import last_loss, step_alone, weights, without_graph
from benchmarks.gpu.steps import what_waits
from lrsym.config.trial import Trial
from lrsym.results.store.store import load_trials
from lrsym.sweep.engines.local import run_local
from lrsym.sweep.execution.checkpoint import CheckpointFile
from lrsym.sweep.execution.pack_source import PlannedPacks
from lrsym.sweep.execution.queue import PackQueue
from lrsym.sweep.execution.task import TrainTask
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training.training import Snapshot, Training
from tests.fitted import CPU
from tests.small_trials import SMALL, pack_of, small

GPU = torch.cuda.is_available()
DEVICE = torch.device(os.environ.get("LRSYM_TEST_DEVICE", "cuda" if GPU else "cpu"))
REHEARSED = GPU or "LRSYM_TEST_DEVICE" in os.environ

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("default")]
of_cuda_alone = pytest.mark.skipif(DEVICE.type != "cuda", reason="needs a GPU")

B32 = {"optim.batch_size": 32}
CHANGES = {
    "no replacement": {"optim.replacement": False},
    "pre, deep": {"model.vision_blocks": 2, "model.text_blocks": 2, "model.d_mlp": 64, "model.layer_norm": "pre"},
    "post, tied": {"model.repeats": 2, "model.layer_norm": "post"},
    "rotary": {"model.positions": "rotary"},
    "dropout": {"model.dropout": 0.1, "model.attention_dropout": 0.2},
    "dropout, deep": {"model.repeats": 2, "model.dropout": 0.1, "model.attention_dropout": 0.2},
    "grid": {"scenes.n_rows": 3, "scenes.n_positions": 4, "scenes.captions": "left+above"},
    "three objects": {"scenes.n_objects": 3},
    "autoregressive": {"model.kind": "autoregressive"},
    "pytorch's start, other decay": {
        "model.init": "pytorch", "model.cls_position": False, "model.projection_bias": True,
        "optim.decay_temperature": True, "optim.decay_biases": False,
    },
}  # fmt: skip
LARGE = {
    "recipe": {"optim.batch_size": 256},
    "batch 50": {"optim.batch_size": 50},
    "wide": {"model.d_model": 256, "optim.batch_size": 64},
    **{kind: {**B32, **changes} for kind, changes in CHANGES.items()},
}
SMALL_KINDS = {"small": SMALL, **{f"small, {kind}": {**SMALL, **changes} for kind, changes in CHANGES.items()}}
SMALL_KINDS["small, rotary"]["model.init_position_std"] = 0.0
REHEARSAL = {kind: SMALL_KINDS[kind] for kind in ("small", "small, autoregressive")}
KINDS, WITH_ROWS = (LARGE, {"recipe": {}, **SMALL_KINDS}) if REHEARSED else (REHEARSAL, REHEARSAL)
FIRST, *_, LAST = KINDS.values()


def members(axes, n=3, **changes):
    """Trials of two learning rates: two groups of the optimiser."""
    rate = axes.get("optim.learning_rate", 1e-3)
    return [
        Trial.from_axes({**axes, **changes, "seed": seed, "optim.learning_rate": rate / (1 + seed // 2)})
        for seed in range(n)
    ]


def start(trials, device=DEVICE, **options):
    return Training(trials, PackData.of(trials, device=device), device=device, **options)


def advanced(training, steps=30):
    for _ in range(steps):
        training.advance()
    return training


def difference(first, second):
    """The largest difference of weights, of trainings or snapshots of the same members."""
    pairs = zip(*([w.cpu() for w in _weights(x)] for x in (first, second)), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def _weights(x):
    return x.model.parameters() if isinstance(x, Snapshot) else weights(x)


def member(training, row):
    return training.snapshot().select([row])


@pytest.mark.slow
@pytest.mark.parametrize("axes", KINDS.values(), ids=KINDS)
def test_a_gpu_trains_as_a_core_does(axes):
    trials = members(axes)
    gpu, core = advanced(start(trials)), advanced(start(trials, CPU))
    torch.testing.assert_close(last_loss(gpu).cpu(), last_loss(core), rtol=1e-5, atol=2e-5)
    assert difference(gpu, core) < 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("axes", KINDS.values(), ids=KINDS)
def test_a_step_played_is_the_step_called(axes):
    trials = members(axes)
    assert difference(advanced(start(trials)), advanced(without_graph(start(trials)))) < 1e-5


@pytest.mark.slow
def test_a_trial_trains_alone_as_in_a_pack():
    trials = members(FIRST, 5)
    alone, together = advanced(start(trials[3:4])), advanced(start(trials))
    assert difference(member(alone, 0), member(together, 3)) < 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("axes", KINDS.values(), ids=KINDS)
def test_the_same_pack_twice_gives_the_same_bits(axes):
    trials = members(axes)
    assert difference(advanced(start(trials)), advanced(start(trials))) == 0


@pytest.mark.slow
def test_a_member_that_diverges_is_marked_at_its_step_and_its_neighbours_do_not_notice():
    calm = members(SMALL)
    wild = [calm[0], Trial.from_axes({**SMALL, "seed": 1, "optim.learning_rate": 1e20}), calm[2]]
    seen, wanted = advanced(start(wild)), advanced(start(wild, CPU))
    assert seen.snapshot().diverged_at.tolist() == wanted.snapshot().diverged_at.tolist() != [0, 0, 0]
    assert difference(member(seen, 2), member(advanced(start(calm)), 2)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("device", [*dict.fromkeys([DEVICE, CPU])], ids=str)
def test_a_pack_goes_on_from_its_checkpoint_on_either_device(tmp_path, device):
    trials = members(LAST, **{"optim.steps": 30})
    pack = pack_of(*trials)
    CheckpointFile(str(tmp_path), pack).save(advanced(start(trials), 10).state(), {}, seconds=1.0)
    saved = CheckpointFile(str(tmp_path), pack).load(device=str(device))
    assert saved is not None
    assert difference(advanced(start(trials, device, start=saved.state), 20), advanced(start(trials))) < 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("axes", WITH_ROWS.values(), ids=WITH_ROWS)
def test_rows_are_those_of_a_core(axes):
    trials = members(axes, **{"optim.steps": 8, "eval.points": 2})
    gpu, core = (run_pack(trials, run_id="r", device=device).tables for device in (DEVICE, CPU))
    assert {name: table.num_rows for name, table in gpu.items()} == {name: t.num_rows for name, t in core.items()}
    for table, tolerance in (("curves", 0.01), ("ablations", 0.01), ("measures", 1e-2)):
        names = [column for column in core[table].column_names if column not in ("trial_id", "value")]
        rows = zip(*(t[table].select([*names, "value"]).to_pylist() for t in (gpu, core)), strict=True)
        apart = [(a, b["value"]) for a, b in rows if not _close(a["value"], b["value"], tolerance)]
        assert apart == [], f"{len(apart)} rows of {table} differ, the first {apart[:3]}"


def _close(a, b, tolerance):
    return a == b or (a is not None and b is not None and abs(a - b) <= tolerance)


@of_cuda_alone
@pytest.mark.parametrize("axes", KINDS.values(), ids=KINDS)
def test_a_step_asks_nothing_of_the_device(axes):
    training = advanced(without_graph(start(members(axes))), 2)
    assert what_waits(step_alone(training)) == "none"


@of_cuda_alone
def test_memory_does_not_grow_from_pack_to_pack():
    held = []
    for seed in range(30):
        advanced(start([Trial.from_axes({**B32, "seed": seed})]), 6)
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        held.append(torch.cuda.memory_reserved())
    assert held[-1] <= held[3] * 1.05, [h >> 20 for h in held]


TASK = """
import sys
import torch
from lrsym.sweep.execution.task import TrainTask
from tests.small_trials import pack_of, small
root, device, ill = sys.argv[1:]
trials = [small(seed=0), small(seed=1)]
if ill == "out of memory":
    trials = [small(seed=seed, model__d_model=120, optim__batch_size=256) for seed in range(64)]
    torch.cuda.set_per_process_memory_fraction(5e-4)
if ill == "while recording":
    from benchmarks.gpu.inside import replace_loss
    def loss(*arguments, **options):
        value = before(*arguments, **options)
        if device == "cpu" or torch.cuda.is_current_stream_capturing():
            raise RuntimeError(f"a loss of {value.sum().item()}")
        return value
    before = replace_loss(loss)
outcome = TrainTask(root, "r", device, 1)(pack_of(*trials), lambda completed: None)
print("outcome", getattr(outcome, "status", None) or dict(outcome), flush=True)
"""
"""A pack in a process of its own, where something goes wrong on purpose."""


def outcome_of(root, ill):
    words = [sys.executable, "-c", TASK, str(root), str(DEVICE), ill]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    told = [line for line in done.stdout.splitlines() if line.startswith("outcome")]
    return told[0].removeprefix("outcome ") if told else f"ended with {done.returncode}: {done.stderr[-300:]}"


@of_cuda_alone
def test_out_of_memory_is_told_as_such_and_the_next_process_trains(tmp_path):
    assert outcome_of(tmp_path, "out of memory") == "out_of_memory"
    assert outcome_of(tmp_path, "") == "{'done': 2}"


@dataclass(frozen=True)
class TightTask(TrainTask):
    """Trains in 400 MB of the GPU, of which 256 of the small trials below have 420 MB of weights and moments."""

    def __call__(self, pack, report):
        if self.device == "cpu":
            if len(pack) > 128:
                raise MemoryError("Cannot allocate memory")
        else:
            torch.cuda.set_per_process_memory_fraction(4e8 / torch.cuda.get_device_properties(0).total_memory)
        return super().__call__(pack, report)


@of_cuda_alone
def test_a_pack_that_does_not_fit_into_memory_is_trained_in_parts(tmp_path):
    task = TightTask(str(tmp_path), "r", DEVICE.type, 1)
    pack = pack_of(*(small(seed=seed, model__d_model=120) for seed in range(256)))
    queue = PackQueue(PlannedPacks([pack]), recorder=task)
    run_local(queue, task, workers=1)
    assert set(load_trials(str(tmp_path)).collect()["status"]) == {"done"}
    assert len(load_trials(str(tmp_path)).collect()) == 256
    assert queue.fitting_size in (32, 64, 128)


@pytest.mark.slow
def test_after_an_exception_in_the_recording_the_next_process_trains(tmp_path):
    assert outcome_of(tmp_path, "while recording") == "crashed"
    assert outcome_of(tmp_path, "") == "{'done': 2}"
