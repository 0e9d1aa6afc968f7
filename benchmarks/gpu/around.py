"""What a pack takes besides its steps: data, start, evaluation, ablations, profiles, measures."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

from benchmarks.gpu.clock import synchronize
from benchmarks.gpu.setting import Setting
from lrsym.config.trial import Trial
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates, evaluate
from lrsym.testbed.mechanism.measures import measures
from lrsym.testbed.mechanism.mechanism import ablations, profiles
from lrsym.testbed.training.training import Training

T = TypeVar("T")


@torch.no_grad()
def around(setting: Setting) -> None:
    """Tell milliseconds a trial of each, the first time and again where it is done again."""
    size, device = 4 if setting.quick else 64, setting.device

    def timed(what: str, call: Callable[[], T]) -> T:
        started = time.perf_counter()
        result = call()
        synchronize(device)
        setting.tell("around", what=what, size=size, ms_a_trial=1e3 * (time.perf_counter() - started) / size)
        return result

    synchronize(device)
    trials = [Trial.from_axes({"seed": seed}) for seed in range(size)]
    data = timed("data", lambda: PackData.of(trials, device=device))
    candidates = timed("candidates", lambda: Candidates.of(data))
    training = timed("start", lambda: Training(trials, data, device=device))
    with torch.enable_grad():
        for _ in range(8):
            training.advance()
    snapshot = timed("snapshot", training.snapshot)
    model = snapshot.model
    for what in ("evaluation, first", "evaluation"):
        timed(what, lambda: evaluate(model, data, candidates))
    for what in ("accuracies as numbers",):
        timed(what, lambda: evaluate(model, data, candidates).members())
    for what in ("ablations, first", "ablations"):
        timed(what, lambda: [*ablations(model, data, candidates)])
    for what in ("profiles, first", "profiles"):
        timed(what, lambda: profiles(model))
    for what in ("measures, first", "measures"):
        timed(what, lambda: measures(model.map(torch.Tensor.cpu), data))
