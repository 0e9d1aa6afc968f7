"""Small trials that train in a moment, and packs, sweeps and checkpoints of them. Loads no torch."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from lrsym.config.trial import TRAINER_VERSION, Trial
from lrsym.sweep.planning.pack import Pack

SMALL = {
    "scenes.n_positions": 5,
    "scenes.n_labels": 7,
    "scenes.n_pair_labels": 3,
    "scenes.n_heldout_labels": 3,
    "scenes.positions_per_label": 2,
    "scenes.layouts_per_pair": 4,
    "model.d_model": 12,
    "model.n_heads": 3,
    "model.init_token_std": 0.3,
    "model.init_position_std": 0.3,
    "optim.batch_size": 11,
    "optim.steps": 6,
    "optim.warmup_steps": 2,
    "optim.learning_rate": 0.01,
    "eval.points": 2,
}

# Values that change one axis alone; what is not listed here takes its default plus one, or times 0.5.
OTHER: dict[str, dict[str, Any]] = {
    "scenes.captions": {"scenes.captions": "both"},
    "scenes.n_objects": {"scenes.n_objects": 3},
    "scenes.pair_orders": {"scenes.pair_orders": "one"},
    "scenes.label_captions": {"scenes.label_captions": True},
    "model.kind": {"model.kind": "autoregressive"},
    "model.layer_norm": {"model.layer_norm": "pre"},
    "model.cls_position": {"model.cls_position": False},
    "model.projection_bias": {"model.projection_bias": True},
    "model.init_bias_gain": {"model.init_bias_gain": 0.5},
    "model.init_distribution": {"model.init_distribution": "uniform"},
    "model.init_scaling": {"model.init_scaling": "depth"},
    "model.dropout": {"model.dropout": 0.1},
    "model.attention_dropout": {"model.attention_dropout": 0.1},
    "model.positions": {"model.positions": "rotary"},
    "optim.epochs": {"optim.epochs": 7},
    "optim.decay_biases": {"optim.decay_biases": False},
    "optim.decay_temperature": {"optim.decay_temperature": True},
    "optim.replacement": {"optim.replacement": False},
    "optim.multi_positive": {"optim.multi_positive": True},
    "eval.schedule": {"eval.schedule": "linear"},
    "eval.mechanism": {"eval.mechanism": "points"},
    "model.d_model": {"model.d_model": 64},
    "model.n_heads": {"model.n_heads": 2},
    "scenes.n_pair_labels": {"scenes.n_pair_labels": 14, "scenes.n_labels": 20},
    "scenes.n_heldout_labels": {"scenes.n_heldout_labels": 4, "scenes.n_labels": 20},
}


def small(**changes):
    """A small trial; keyword `optim__steps=3` sets the axis "optim.steps"."""
    return Trial.from_axes({**SMALL, **{key.replace("__", "."): value for key, value in changes.items()}})


def pack_of(*trials, completed=0.0):
    """A pack of these trials."""
    return Pack(tuple(trials), completed)


def sweep_of(trials, *, name="small"):
    """What planning reads of a sweep of these trials, each a cell of its own."""
    return SimpleNamespace(
        name=name,
        stop=None,
        trials=trials,
        seeds=range(1),
        trial_ids=lambda: [trial.trial_id for trial in trials],
        shape_numbers=lambda: [trial.static_shape for trial in trials],
    )


def write_sweep(folder: Path, *, steps: int, seeds: int = 4) -> Path:
    """A sweep file of 2 x `seeds` small trials."""
    base = {**SMALL, "optim.steps": steps, "eval.points": 10}
    del base["scenes.layouts_per_pair"]
    lines = [
        "# Question: does it run?", "# Cost: about nothing", "# Command: lrsym sweep small.toml",
        'name = "small"', f"replicates = {seeds}", "[base]",
        *(f'"{key}" = {json.dumps(value)}' for key, value in base.items()),
        "[grid]", '"scenes.layouts_per_pair" = [1, 4]',
    ]  # fmt: skip
    path = folder / "small.toml"
    path.write_text("\n".join(lines))
    return path


def write_checkpoint(root, trials, *, step, steps):
    """A checkpoint of one pack as `trials` leave it after `step` of `steps`, without its tensors."""
    metadata = {
        "format": 4, "trainer_version": TRAINER_VERSION, "trials": [t.trial_id for t in trials], "stop_rule": None,
        "step": step, "steps": steps,
    }  # fmt: skip
    folder = root / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{trials[0].trial_id}.safetensors"
    save_file({"rest": np.zeros(1)}, path, metadata={"checkpoint": json.dumps(metadata)})
