"""A pack that is stopped at any moment goes on from its checkpoint and gives the rows it would have given."""

import errno
import functools
import io
import itertools
import json
import tempfile
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import save

from lrsym.results.store.check import set_aside
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.store import Store
from lrsym.sweep.execution.checkpoint import (
    CheckpointFile,
    list_checkpoints,
    list_damaged_checkpoints,
    remove_stale_checkpoints,
)
from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.progress import Display
from lrsym.sweep.execution.tensor_file import DIGEST, read_metadata, read_tensors, tensor_bytes
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.sweep.planning.packing import PackList, make_packs
from lrsym.sweep.planning.plan import make_plan
from lrsym.testbed.data.batches import CHUNK
from lrsym.testbed.training.training import State
from tests.fitted import CPU, train
from tests.small_trials import pack_of, small, sweep_of

STEPS = CHUNK + 6

KINDS = {
    "with replacement": {},
    "epochs": {"optim__replacement": False},
    "dropout": {"model__dropout": 0.2},
    "settings of their own": {"optim__weight_decay": 0.0},
    "autoregressive": {"model__kind": "autoregressive"},
}


def pack(**changes):
    """Two trials of more steps than a chunk of batches."""
    shared = {"optim__steps": STEPS, "eval__points": 6, **changes}
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


def at_each_step(root, trials):
    """The checkpoint of `trials`, written after every step."""
    return CheckpointFile(root, pack_of(*trials), interval=0, max_overhead=1e9)


def tables_of(trials, file=None, *, report=lambda fraction: None):
    """The tables of `trials`, trained on from `file` where it is given."""
    return run_pack(trials, run_id="r", device=CPU, report=report, checkpoint=file).tables


@functools.cache
def content(trials, after):
    """What is in the checkpoint that is left of a pack stopped at its evaluation number `after`."""
    with tempfile.TemporaryDirectory() as root:
        file = at_each_step(root, trials)
        with pytest.raises(StoppedError):
            tables_of(trials, file, report=stop_after(after))
        return Path(root, file.name).read_bytes()


def stopped(trials, root, *, after):
    """The checkpoint that is left of a pack stopped at its evaluation number `after`, trained once for all tests."""
    file = at_each_step(root, trials)
    open_filesystem(root).put(file.name, content(trials, after))
    return file


@pytest.fixture(scope="module")
def whole():
    """The rows of a pack that nothing stops."""
    return rows(tables_of(pack()))


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_pack_gives_the_rows_it_would_have_given(tmp_path, kind):
    trials = pack(**KINDS[kind])
    expected = rows(tables_of(trials))
    stopped(trials, tmp_path, after=3)
    fractions = []
    resumed = tables_of(trials, CheckpointFile(tmp_path, pack_of(*trials)), report=fractions.append)
    assert rows(resumed) == expected
    assert 1 / STEPS < fractions[0] < CHUNK / STEPS < fractions[-1] == 1.0  # in the middle of a chunk of batches


@pytest.mark.slow
def test_seconds_of_a_pack_that_went_on_count_both_parts(tmp_path):
    trials = pack()
    before = stopped(trials, tmp_path, after=4).load(device="cpu").seconds
    tables = tables_of(trials, CheckpointFile(tmp_path, pack_of(*trials)))
    assert before > 0
    assert sum(tables["trials"]["seconds"].to_pylist()) > before


@pytest.mark.slow
def test_a_pack_shorter_than_the_interval_writes_no_checkpoint(tmp_path):
    train(tmp_path, pack())
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.slow
def test_a_pack_that_has_its_rows_has_no_checkpoint_any_more(tmp_path):
    trials = pack()
    stopped(trials, tmp_path, after=4)
    seen = []
    train(tmp_path, trials, report=lambda fraction: seen.append(list_checkpoints(tmp_path)))
    assert all(seen)
    assert not any((tmp_path / "checkpoints").iterdir())
    assert len(Store(tmp_path).statuses()) == 2


class Training:
    """Stands for a training: each time it is asked for its state it is a step further."""

    step = 0

    def state(self):
        self.step += 1
        return State(self.step, {"weight": torch.zeros(2)}, (0, 1))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (300, 1),  # written at 30 s, in 10 s, so next due 10 s / 1 % later, at 1040 s
        (1030, 1),
        (1050, 2),
        (2060, 3),
    ],
)
def test_checkpoints_are_as_rare_as_their_cost_asks_for(tmp_path, seconds, expected):
    now, training, trials = [0.0], Training(), pack()

    class Slow(CheckpointFile):
        def save(self, *state, **more):
            super().save(*state, **more)
            now[0] += 10

    file = Slow(tmp_path, pack_of(*trials), interval=30, max_overhead=0.01, clock=lambda: now[0])
    while now[0] < seconds:
        now[0] += 1
        file.save_if_due(training, dict, seconds=0.0)
    assert training.step == expected
    assert CheckpointFile(tmp_path, pack_of(*trials)).load(device="cpu").state.step == expected


def test_a_checkpoint_that_costs_nothing_is_written_once_an_interval(tmp_path):
    now, training, asked = [0.0], Training(), []
    file = CheckpointFile(tmp_path, pack_of(*pack()), interval=30, max_overhead=0.01, clock=lambda: now[0])
    for _ in range(100):
        now[0] += 1
        file.save_if_due(training, lambda: asked.append(now[0]) or {}, seconds=0.0)
    assert training.step == len(asked) == 3  # to put the rows together costs more than the step of a small pack


def damaged(content, damage):
    return {
        "cut in its header": content[:50],
        "cut in its tensors": content[:-50],
        "empty": b"",
        "of foreign bytes": b"no tensors at all",
        "without metadata": (2).to_bytes(8, "little") + b"{}",
    }[damage]


@pytest.mark.parametrize(
    "damage", ["cut in its header", "cut in its tensors", "empty", "of foreign bytes", "without metadata"]
)
def test_a_damaged_checkpoint_is_not_used(tmp_path, damage):
    trials = pack()
    path = tmp_path / stopped(trials, tmp_path, after=4).name
    path.write_bytes(damaged(path.read_bytes(), damage))
    assert CheckpointFile(tmp_path, pack_of(*trials)).load(device="cpu") is None


def tiny(root, **metadata):
    """A checkpoint of one tensor, with what `metadata` change in what it says of itself."""
    file, files = CheckpointFile(root, pack_of(*pack())), open_filesystem(root)
    file.save(State(50, {"weight.0": torch.zeros(3)}, (0, 1)), {"points": []}, seconds=1.0)
    if metadata:
        tensors, told = read_tensors(files, file.name, device="cpu")
        said = {**json.loads(told["checkpoint"]), **metadata}
        files.put(file.name, tensor_bytes(tensors, {"checkpoint": json.dumps(said)}))
    return file


def test_wherever_a_bit_of_its_header_changes_a_checkpoint_is_named_and_not_used(tmp_path):
    file, files = tiny(tmp_path), open_filesystem(tmp_path)
    content = files.get(file.name)
    assert file.load(device="cpu").state.step == 50
    header = 8 + int.from_bytes(content[:8], "little")
    for place in range(0, header, 7):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        files.put(file.name, damaged)
        assert file.load(device="cpu") is None
        assert [*list_damaged_checkpoints(files)] == [file.name]


def test_a_step_that_is_not_that_of_the_tensors_is_found(tmp_path):
    file, files = tiny(tmp_path), open_filesystem(tmp_path)
    files.put(file.name, files.get(file.name).replace(b'step\\": 50', b'step\\": 10'))
    assert list_checkpoints(tmp_path)[0][1] == 10 / STEPS
    assert file.load(device="cpu") is None
    assert "not as it was written" in list_damaged_checkpoints(files)[file.name].why


@pytest.mark.parametrize("digest", [{}, {DIGEST: ""}, {DIGEST: "0" * 64}, {DIGEST: "a digest"}])
def test_a_checkpoint_that_does_not_tell_the_digest_of_its_file_is_named_and_not_used(tmp_path, digest):
    file, files = tiny(tmp_path), open_filesystem(tmp_path)
    tensors, told = read_tensors(files, file.name, device="cpu")
    files.put(file.name, save(tensors, metadata={"checkpoint": told["checkpoint"], **digest}))
    assert file.load(device="cpu") is None
    assert [*list_damaged_checkpoints(files)] == [file.name]


ANY = [None, True, -1, 0.5, float("inf"), 10**30, "", "x", [], [[]], [None], ["a", "a"], {}, {"a": 1}]


@pytest.mark.parametrize("key", ["format", "trainer_version", "trials", "stop_rule", "step", "steps"])
def test_whatever_stands_in_its_metadata_a_checkpoint_does_not_end_a_plan(tmp_path, key):
    trials = pack()
    for value in [*ANY, [trials[0].trial_id] * 2]:
        file = tiny(tmp_path, **{key: value})
        plan = make_plan(
            sweep_of(trials), {}, workers=1, device="cpu", checkpoints=list_checkpoints(tmp_path, stop_rule=None)
        )
        assert plan.pending == 2
        file.load(device="cpu")
        assert list_damaged_checkpoints(open_filesystem(tmp_path)) == {}
        remove_stale_checkpoints(Store(tmp_path))


def safetensors_of(header, payload=b"a"):
    """A file with that header, whatever it says."""
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + payload


@pytest.mark.parametrize("dtype", ["F4", "F8_E8M0", "F8_E5M2", "C64", "F6_E2M3", "BOOL", "no type"])
def test_tensors_of_any_type_are_read_or_told_as_damaged(tmp_path, dtype):
    files, described = open_filesystem(tmp_path), {"dtype": dtype, "shape": [2], "data_offsets": [0, 1]}
    for shape, size in (([1], 1), ([2], 1), ([1], 8), ([4], 3), ([8], 6)):
        described |= {"shape": shape, "data_offsets": [0, size]}
        files.put("checkpoints/x.safetensors", safetensors_of({"__metadata__": {}, "x": described}, b"a" * size))
        assert {*list_damaged_checkpoints(files)} <= {"checkpoints/x.safetensors"}


@pytest.mark.parametrize("value", ANY)
def test_headers_that_hold_anything_are_told_as_damaged(tmp_path, value):
    files, sound = open_filesystem(tmp_path), {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    headers = [{"__metadata__": value, "x": sound}, {"__metadata__": {"checkpoint": value}, "x": sound}, value]
    headers += [{"__metadata__": {}, "x": {**sound, key: value}} for key in sound] + [{"__metadata__": {}, "x": value}]
    for header in headers:
        files.put("checkpoints/x.safetensors", safetensors_of(header))
        assert {*list_damaged_checkpoints(files)} <= {"checkpoints/x.safetensors"}
        assert list_checkpoints(tmp_path) == []


def test_a_checkpoint_of_another_user_that_cannot_be_removed_stays(tmp_path, monkeypatch):
    file, files = tiny(tmp_path, format=-1), open_filesystem(tmp_path)
    monkeypatch.setattr(type(files), "delete", lambda *_: (_ for _ in ()).throw(PermissionError(1, "no")))
    remove_stale_checkpoints(Store(tmp_path))
    assert files.exists(file.name)


@pytest.mark.slow
def test_a_pack_whose_checkpoint_is_damaged_starts_afresh(tmp_path, whole):
    trials = pack()
    (tmp_path / stopped(trials, tmp_path, after=4).name).write_bytes(b"")
    assert rows(tables_of(trials, CheckpointFile(tmp_path, pack_of(*trials)))) == whole


@pytest.mark.parametrize("key", ["trainer_version", "format"])
def test_a_checkpoint_of_another_trainer_or_format_is_neither_used_nor_listed_and_goes(tmp_path, key):
    files, trials = open_filesystem(tmp_path), pack()
    file = stopped(trials, tmp_path, after=4)
    metadata = json.loads(read_metadata(files, file.name)["checkpoint"])
    assert metadata["step"] > 0
    changed = {"checkpoint": json.dumps({**metadata, key: -1})}
    files.put(file.name, tensor_bytes(read_tensors(files, file.name, device="cpu")[0], changed))
    assert file.load(device="cpu") is None
    assert list_checkpoints(tmp_path) == []
    remove_stale_checkpoints(Store(tmp_path))
    assert not files.exists(file.name)


def test_a_checkpoint_of_the_trials_in_another_order_is_not_used(tmp_path):
    trials = pack()
    file = stopped(trials, tmp_path, after=4)
    other = CheckpointFile(tmp_path, pack_of(*trials[::-1]))
    (tmp_path / file.name).rename(tmp_path / other.name)
    assert other.load(device="cpu") is None


@pytest.mark.slow
def test_a_checkpoint_whose_content_does_not_fit_is_removed_so_that_the_next_try_starts_afresh(tmp_path):
    trials = pack()
    file = stopped(trials, tmp_path, after=4)
    last = file.load(device="cpu")
    del last.state.tensors["weight.0"]
    file.save(last.state, last.rows, seconds=last.seconds)
    assert train(tmp_path, trials) == {"crashed": 2}
    assert list_checkpoints(tmp_path) == []
    assert train(tmp_path, trials) == {"done": 2}


def test_a_pack_out_of_memory_loses_its_checkpoint_so_that_a_smaller_pack_may_be_tried(tmp_path):
    trials = pack()
    stopped(trials, tmp_path, after=4)

    def full(fraction):
        raise MemoryError("out of memory")

    assert train(tmp_path, trials, report=full) == {"out_of_memory": 2}
    assert list_checkpoints(tmp_path) == []


def test_a_pack_over_its_time_keeps_its_checkpoint(tmp_path):
    stopped(pack(), tmp_path, after=4)
    assert train(tmp_path, pack(), timeout=1e-9) == {"timeout": 2}
    assert len(list_checkpoints(tmp_path)) == 1


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_written_does_not_end_the_pack(tmp_path, whole):
    (tmp_path / "checkpoints").write_text("a file where a folder must be")
    trials = pack()
    assert rows(tables_of(trials, at_each_step(tmp_path, trials))) == whole
    assert list_checkpoints(tmp_path) == []


@pytest.mark.slow
def test_packs_go_on_as_they_were_the_furthest_first_and_the_rest_is_packed_anew(tmp_path):
    one, other, more = pack(), pack(scenes__layouts_per_pair=2), (small(seed=9, optim__steps=STEPS, eval__points=6),)
    for trials, after in ((one, 2), (other, 5), (one[:1], 4)):
        stopped(trials, tmp_path, after=after)
    everything = (*one, *other, *more)
    checkpoints = list_checkpoints(tmp_path)
    plan = make_plan(sweep_of(everything), {}, workers=1, device="cpu", pack_size=2, checkpoints=checkpoints)
    # The pack of both of `one` comes after that of the first.
    assert [pack.trials for pack in plan.packs] == [other, one[:1], (one[1], *more)]
    assert [pack.completed for pack in plan.packs] == [*(fraction for _, fraction in checkpoints[:2]), 0.0]
    assert 1 > plan.packs[0].completed > plan.packs[1].completed > 0
    assert [pack.trials for pack in plan.repacked(size=1, workers=3).packs] == [other, one[:1], (one[1],), more]
    finished = {other[1].trial_id: "done"}
    plan = make_plan(sweep_of(everything), finished, workers=1, device="cpu", pack_size=2, checkpoints=checkpoints)
    assert plan.packs[0].trials == one[:1]
    Store(tmp_path).write("alone", tables_of(other[1:]))
    remove_stale_checkpoints(Store(tmp_path))
    assert {ids for ids, _ in list_checkpoints(tmp_path)} == {ids for ids, _ in checkpoints[1:]}


def test_what_was_done_before_is_no_work_of_this_run():
    console = Console(file=io.StringIO(), width=200)
    started, new = pack_of(*pack(), completed=0.5), pack(scenes__layouts_per_pair=2)
    display = Display(PackList(new, make_packs(new, size=2).groups, size=2, started=[started]), console=console)
    display.update(started, PackEvent(started.id, 0.5))
    assert display._note() == "training"
    display.update(started, PackEvent(started.id, 1.0))
    assert display._done_work == pytest.approx(display._all_work / 3)


def test_what_the_system_would_not_read_now_is_named_and_not_set_aside(tmp_path, monkeypatch):
    file, files = tiny(tmp_path), open_filesystem(tmp_path)

    def fail(*_args, **_options):
        raise OSError(errno.EIO, "Input/output error", file.name)

    with monkeypatch.context() as patch:
        patch.setattr(type(files), "get", fail)
        faults = list_damaged_checkpoints(files)
    assert [(fault.file, fault.repair) for fault in faults.values()] == [(file.name, "none")]
    assert set_aside(files, faults.values()) == []
    assert file.load(device="cpu").state.step == 50
