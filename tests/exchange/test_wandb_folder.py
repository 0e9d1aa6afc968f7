"""Weights & Biases: offline runs, read back with the reader of wandb itself."""

import json

import pytest

from lrsym.exchange.selection import select
from lrsym.exchange.wandb_folder import export_wandb


@pytest.fixture
def records():
    """A function that gives the records of an offline run."""
    reason = 'needs wandb: pip install "lrsym[wandb]"'
    datastore = pytest.importorskip("wandb.sdk.internal.datastore", reason=reason)
    from wandb.proto.wandb_internal_pb2 import Record

    def read(folder):
        (path,) = folder.glob("*.wandb")
        store = datastore.DataStore()
        store.open_for_scan(str(path))
        while (data := store.scan_data()) is not None:
            yield Record.FromString(data)

    return read


@pytest.mark.slow
def test_each_trial_is_an_offline_run_that_is_written_once(made, records, tmp_path):
    sweep, root = made
    chosen = select(root, sweep, where="layouts_per_pair = 20")
    done = export_wandb(chosen, tmp_path / "w")
    assert done.written == 4
    trial = sweep.trials[2]
    (folder,) = (tmp_path / "w").glob(f"offline-run-*-{trial.trial_id}")
    history, summary, config, run_id = [], {}, {}, None
    for record in records(folder):
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
