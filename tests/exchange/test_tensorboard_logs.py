"""TensorBoard: event files read record by record, and by TensorBoard itself where it is installed."""

import json
import math
import os
import struct
import time
from collections import defaultdict

import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from lrsym.errors import UsageError
from lrsym.exchange import tensorboard_logs
from lrsym.exchange.run_folders import STALE_SECONDS
from lrsym.exchange.selection import select
from lrsym.exchange.tensorboard_logs import export_tensorboard
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store


def events(folder):
    """The events of the one file in a folder."""
    (path,) = folder.glob("events.out.tfevents.*")
    data, at = path.read_bytes(), 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + size])
        at += 16 + size


def scalars(folder):
    """(step, value) by tag, and the hyperparameters."""
    curves, told = defaultdict(list), {}
    for event in events(folder):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                curves[value.tag].append((event.step, value.simple_value))
            elif value.tag == "_hparams_/session_start_info":
                data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                told = {
                    name: getattr(of, of.WhichOneof("kind")) for name, of in data.session_start_info.hparams.items()
                }
    return curves, told


def test_each_trial_is_a_run_with_its_curves_and_axes(made, tmp_path):
    sweep, root = made
    chosen = select(root, sweep)
    done = export_tensorboard(chosen, tmp_path / "logs")
    assert (done.written, done.kept, done.replaced) == (8, 0, 0)
    trial = sweep.trials[0]
    name = f"n_pair_labels=5,layouts_per_pair=1,seed=0-{trial.trial_id[:8]}"
    curves, told = scalars(tmp_path / "logs" / name)
    rows = chosen.tables["curves"].filter(trial_id=trial.trial_id, split="unseen").sort("step")
    assert [step for step, _ in curves["order/unseen_order"]] == [10, 20, 40]
    assert [value for _, value in curves["order/unseen_order"]] == pytest.approx(rows["value"].to_list())
    assert curves["seconds"] == [(40, 2.0)]
    assert told == {"n_pair_labels": 5, "layouts_per_pair": 1, "seed": 0, "status": "done"}
    _, told = scalars(next((tmp_path / "logs").glob(f"*-{sweep.trials[3].trial_id[:8]}")))
    assert told["status"] == "crashed"


def test_again_it_writes_nothing_and_a_trial_that_changed_in_place_of_the_old(made, tmp_path):
    sweep, root = made
    out = tmp_path / "logs"
    export_tensorboard(select(root, sweep, where="seed = 0"), out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("events*")}
    (label,) = out.glob(f"*-{sweep.trials[0].trial_id[:8]}/lrsym.json")
    label.write_text(json.dumps(json.loads(label.read_text()) | {"digest": "of before"}))
    done = export_tensorboard(select(root, sweep), out)
    assert (done.written, done.kept, done.replaced) == (4, 3, 1)
    after = {path: path.stat().st_mtime_ns for path in out.rglob("events*")}
    assert len([*out.iterdir()]) == len(after) == 8
    assert len({*before.items()} & {*after.items()}) == 3


def test_an_export_that_was_killed_leaves_whole_runs_and_goes_on(made, tmp_path, monkeypatch):
    sweep, root = made
    out, write, begun = tmp_path / "logs", tensorboard_logs._write, []

    def killed(run, folder):
        begun.append(run)
        if len(begun) == 3:
            (folder / run.name).mkdir()
            raise SystemExit
        return write(run, folder)

    monkeypatch.setattr(tensorboard_logs, "_write", killed)
    with pytest.raises(SystemExit):
        export_tensorboard(select(root, sweep), out)
    monkeypatch.undo()
    # Of one that had no time to tidy up, and of another that is at work.
    for name, age in (("left", 2 * STALE_SECONDS), ("at_work", 0)):
        (out / f".lrsym-export-{name}").mkdir()
        os.utime(out / f".lrsym-export-{name}", (time.time() - age,) * 2)
    assert len([*out.glob("*/lrsym.json")]) == 2
    done = export_tensorboard(select(root, sweep), out)
    assert (done.written, done.kept) == (6, 2)
    assert len([*out.glob("n_pair*")]) == 8
    assert [path.name for path in out.glob(".*")] == [".lrsym-export-at_work"]


def test_a_folder_of_another_in_the_place_of_a_run_is_left_as_it_is(made, tmp_path):
    sweep, root = made
    mine = tmp_path / f"logs/n_pair_labels=5,layouts_per_pair=1,seed=0-{sweep.trials[0].trial_id[:8]}"
    mine.mkdir(parents=True)
    (mine / "events").write_text("mine")
    with pytest.raises(UsageError, match=r"was not written by an export, .*--out"):
        export_tensorboard(select(root, sweep), tmp_path / "logs")
    assert (mine / "events").read_text() == "mine"
    assert not [*(tmp_path / "logs").glob(".lrsym*")]


def test_tensorboard_itself_reads_curves_and_hyperparameters(made, tmp_path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason='needs pip install "lrsym[tensorboard]"'
    )
    sweep, root = made
    export_tensorboard(select(root, sweep, where="seed = 0"), tmp_path / "logs")
    (folder,) = (tmp_path / "logs").glob(f"*-{sweep.trials[0].trial_id[:8]}")
    found = accumulator.EventAccumulator(str(folder)).Reload()
    assert [(one.step, one.value) for one in found.Scalars("order/train_order")] == [(10, 0.25), (20, 0.5), (40, 1.0)]
    assert "_hparams_/session_start_info" in found.summary_metadata


def test_the_loss_of_a_trial_that_diverged_is_there_and_nothing_is_said_of_it(tmp_path, caplog):
    values = {1: 1.0, 2: math.inf, 3: math.nan}
    told = {"trial_id": "a" * 32, "split": "train", "metric": "loss"}
    curves = [{**told, "step": step, "value": value} for step, value in values.items()]
    trials = [{"trial_id": "a" * 32, "seed": 0, "status": "diverged"}]
    rows = {"curves": curves, "trials": trials}
    Store(str(tmp_path / "r")).write("part", {name: TABLES[name].build(of) for name, of in rows.items()})
    export_tensorboard(select(str(tmp_path / "r")), tmp_path / "logs")
    curves, _ = scalars(tmp_path / "logs" / ("a" * 32))
    assert str(curves["train_loss"]) == str([*values.items()])
    assert not caplog.records
