"""`python -m benchmarks.plain_search`: a search by plain Ray Tune, OptunaSearch and ASHA, around the textbook trainer.

What a careful user would write: three seeds of each suggestion by Tune's Repeater, its mean told to TPE, ASHA judging
single seeds at the evaluations, fused AdamW, one thread for each core. `--reuse-actors` spares the start of a process
for each trial; Tune does not do so by itself.
"""

import argparse
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from lrsym.sweep.workers.processes import worker_environment


def main() -> None:
    """Run the search and write what each trial came to, and how many of its steps were taken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_search")
    parser.add_argument("--axes", type=json.loads, required=True, help="values of axes by dotted key, as JSON")
    parser.add_argument("--space", type=json.loads, required=True, help="lists and [low, high, log] by key, as JSON")
    parser.add_argument("--cells", type=int, required=True)
    parser.add_argument("--replicates", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reuse-actors", action="store_true")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the outcomes, a list of dicts")
    asked = parser.parse_args()
    # Read by Ray when it is imported, and by the C library and torch when a worker starts.
    os.environ |= {"RAY_CHDIR_TO_TRIAL_DIR": "0", "RAY_AIR_NEW_OUTPUT": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", **worker_environment(1)}
    with tempfile.TemporaryDirectory() as folder:
        asked.out.write_text(json.dumps(search(asked, folder)))


def search(asked: argparse.Namespace, folder: str) -> list[dict[str, Any]]:
    """The last report of every trial."""
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search import Repeater
    from ray.tune.search.optuna import OptunaSearch

    ray.init(
        address="local", num_cpus=asked.workers, include_dashboard=False, logging_level=logging.ERROR,
        log_to_driver=False,
    )  # fmt: skip
    steps = asked.axes["optim.steps"]
    sampler = OptunaSearch(define_space(asked.space), metric="unseen_order", mode="max", seed=0)
    repeater = Repeater(sampler, repeat=asked.replicates, set_index=True)
    asha = ASHAScheduler(
        time_attr="step", metric="unseen_order", mode="max", max_t=steps, grace_period=max(1, steps // 27),
        reduction_factor=3,
    )  # fmt: skip
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(train_one, axes=asked.axes), {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=repeater, scheduler=asha, num_samples=asked.cells * asked.replicates,
            max_concurrent_trials=asked.workers, reuse_actors=asked.reuse_actors,
        ),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )  # fmt: skip
    results = tuner.fit()
    ray.shutdown()
    if results.errors:
        raise RuntimeError(f"{results.num_errors} trials failed: {results.errors[0]}")
    return [{name: (result.metrics or {})[name] for name in ("step", "unseen_order")} for result in results]


def define_space(space: dict[str, Any]) -> dict[str, Any]:
    """Tune's own description of the space, for its OptunaSearch."""
    from ray import tune

    described = {}
    for key, axis in space.items():
        if isinstance(axis, list):
            described[key] = tune.choice(axis)
        elif isinstance(axis["low"], int):
            described[key] = tune.randint(axis["low"], axis["high"] + 1)
        else:
            described[key] = (tune.loguniform if axis.get("log") else tune.uniform)(axis["low"], axis["high"])
    return described


def train_one(config: dict[str, Any], *, axes: dict[str, Any]) -> None:
    """The trainable: one seed of a suggestion."""
    import torch
    from ray import tune

    from benchmarks.textbook_trial import train
    from lrsym.config.trial import Trial

    torch.set_num_threads(1)
    suggested = {key: value for key, value in config.items() if "." in key}
    trial = Trial.from_axes({**axes, **suggested, "seed": int(config["__trial_index__"])})
    for step, _, accuracies in train(trial, device=torch.device("cpu")):
        tune.report({"step": step, "unseen_order": accuracies["unseen_order"]})


if __name__ == "__main__":
    main()
