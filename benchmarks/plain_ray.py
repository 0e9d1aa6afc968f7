"""`python -m benchmarks.plain_ray`: the textbook trainer under plain Ray Tune, one Tune trial for each trial.

What a careful user would write: a function trainable, actors that are used again, fused AdamW, a thread for each core,
a C library that keeps freed memory, no dashboard and no usage report, results gathered by a callback. With `--loggers`
Tune also writes its files (CSV, JSON, TensorBoard), as it does by default. It does less than `lrsym sweep`: no term is
left out or profiled, and no table is written.
"""

import argparse
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from lrsym.sweep.workers.processes import worker_environment

Reports = list[dict[str, Any]]


def main() -> None:
    """Train one trial for each seed and write what they reported."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_ray")
    parser.add_argument("--axes", type=json.loads, required=True, help="values of axes by dotted key, as JSON")
    parser.add_argument("--trials", type=int, required=True, help="number of seeds, from 0")
    parser.add_argument("--workers", type=int, default=2, help="trials at a time")
    parser.add_argument("--gpu", type=float, default=0, help="part of a GPU for each trial: 0, or 1/n")
    parser.add_argument("--readout-only", action="store_true", help="compute attention for what is read out alone")
    parser.add_argument("--loggers", action="store_true", help="keep Tune's default loggers")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the reports, a list of dicts")
    asked = parser.parse_args()
    # Read by Ray when it is imported, and by the C library and torch when a worker starts.
    os.environ |= {"RAY_CHDIR_TO_TRIAL_DIR": "0", "RAY_AIR_NEW_OUTPUT": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "0" if asked.loggers else "1", **worker_environment(1)}
    with tempfile.TemporaryDirectory() as folder:
        fixed = {"axes": asked.axes, "device": "cuda" if asked.gpu else "cpu", "readout_only": asked.readout_only}
        reports = tune_trials(fixed, trials=asked.trials, workers=asked.workers, gpu=asked.gpu, folder=folder)
    asked.out.write_text(json.dumps(reports))


def tune_trials(fixed: dict[str, Any], *, trials: int, workers: int, gpu: float, folder: str) -> Reports:
    """All reports of `trials` trials, at most `workers` of them at a time; `fixed` is what they share."""
    import ray
    from ray import tune

    reports: Reports = []

    class Gather(tune.Callback):
        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
            told = {"step": result["step"], "loss": result["loss"], **result["accuracies"]}
            reports.append({"seed": trial.config["seed"], **told})

        def __reduce__(self) -> tuple[Any, ...]:
            return tune.Callback, ()  # Tune pickles its set-up, for a restore that nobody asks for

    ray.init(
        address="local", num_cpus=workers, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False
    )
    tuner = tune.Tuner(
        tune.with_resources(train_one, {"cpu": 1, "gpu": gpu}),
        param_space={**fixed, "seed": tune.grid_search([*range(trials)])},
        tune_config=tune.TuneConfig(max_concurrent_trials=workers, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=folder, verbose=0, callbacks=[Gather()]),
    )
    results = tuner.fit()
    ray.shutdown()
    if results.errors:
        raise RuntimeError(f"{results.num_errors} of {trials} trials failed: {results.errors[0]}")
    return reports


def train_one(config: dict[str, Any]) -> None:
    """The trainable: the trial of one seed."""
    import torch
    from ray import tune

    from benchmarks.textbook_trial import train
    from lrsym.config.trial import Trial

    torch.set_num_threads(1)
    trial = Trial.from_axes({**config["axes"], "seed": config["seed"]})
    device, readout_only = torch.device(config["device"]), config["readout_only"]
    for step, loss, accuracies in train(trial, device=device, readout_only=readout_only):
        tune.report({"step": step, "loss": loss, "accuracies": accuracies})


if __name__ == "__main__":
    main()
