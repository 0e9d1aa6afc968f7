"""The batches of a pack: every member draws from its own stream, whatever the others do."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.testbed.data.streams import stream

CHUNK = 64
"""Number of steps drawn and sent to the device at a time, so that the step loop does not wait for the host."""


def batches(
    trials: Sequence[Trial], training_sets: Sequence[np.ndarray], *, device: torch.device, skip: int = 0
) -> Iterator[Int[Tensor, "trial batch"]]:
    """Yield the examples of one batch after the other, without end; row i is drawn from `training_sets[i]`.

    The first `skip` batches are drawn and left out.
    """
    members = [_chunks(t, s) for t, s in zip(trials, training_sets, strict=True)]
    for _ in range(skip // CHUNK):
        for member in members:
            next(member)
    skip %= CHUNK
    while True:
        chunk = torch.from_numpy(np.stack([next(m) for m in members], axis=1)[skip:])
        skip = 0
        if device.type == "cuda":  # only from pinned memory does a GPU fetch it while it works
            chunk = chunk.pin_memory()
        yield from chunk.to(device, non_blocking=True).unbind(0)


def _chunks(trial: Trial, training_set: np.ndarray) -> Iterator[np.ndarray]:
    """Yield arrays [CHUNK, batch_size] of entries of `training_set`."""
    rng, size = stream(trial.seed, "batches"), (CHUNK, trial.optim.batch_size)
    if trial.optim.replacement:
        while True:
            yield training_set[rng.integers(0, len(training_set), size)]
    # Without replacement: shuffled passes end to end, so that every scene comes once in each epoch.
    pending = np.empty(0, dtype=training_set.dtype)
    while True:
        while len(pending) < size[0] * size[1]:
            pending = np.concatenate([pending, rng.permutation(training_set)])
        yield pending[: size[0] * size[1]].reshape(size)
        pending = pending[size[0] * size[1] :]
