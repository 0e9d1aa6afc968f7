"""Weights & Biases: offline runs, read back with the records of wandb itself."""

import json
import struct

import pytest

from lrsym.exchange.selection import select
from lrsym.exchange.wandb_folder import export_wandb


def records(path):
    """The records of the file of an offline run: a log of 32 KiB blocks, a record in one or several pieces."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, pieces = path.read_bytes(), 7, b""  # a head of 7 bytes
    while at + 7 <= len(data):
        size, kind = struct.unpack_from("<HB", data, at + 4)
        pieces += data[at + 7 : at + 7 + size]
        if kind in (1, 4):  # whole, or the last piece
            yield Record.FromString(pieces)
            pieces = b""
        at += 7 + size
        if (left := 32768 - at % 32768) < 7:
            at += left


@pytest.mark.slow
def test_each_trial_is_an_offline_run_that_is_written_once(made, tmp_path):
    pytest.importorskip("wandb", reason='needs wandb: pip install "lrsym[wandb]"')
    sweep, root = made
    chosen = select(root, sweep, where="layouts_per_pair = 20")
    done = export_wandb(chosen, tmp_path / "w")
    assert done.written == 4
    trial = sweep.trials[2]
    (path,) = tmp_path.glob(f"w/offline-run-*-{trial.trial_id}/*.wandb")
    history, summary, config, run_id = [], {}, {}, None
    for record in records(path):
        if record.HasField("history"):
            items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            history.append((items["_step"], items.get("unseen_order")))
        if record.HasField("summary"):
            summary |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.summary.update}
        if record.HasField("run"):
            run_id = record.run.run_id
            config |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.run.config.update}
    rows = chosen.tables["curves"].filter(trial_id=trial.trial_id, split="unseen").sort("step")
    assert history == rows.select("step", "value").rows()
    assert run_id == trial.trial_id
    assert (config["n_pair_labels"], config["lrsym.status"]) == (5, "done")
    assert summary["unseen_order"] == rows["value"][-1]
    done = export_wandb(chosen, tmp_path / "w")
    assert (done.written, done.kept) == (0, 4)
    assert len([*(tmp_path / "w").iterdir()]) == 4
