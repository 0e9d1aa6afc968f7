"""Dropout of a pack, drawn on the host from each member's own stream."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.testbed.data.streams import stream


class Dropout:
    """Dropout of a pack, each member from its own stream "dropout" and at its own rate."""

    def __init__(self, trials: Sequence[Trial], *, device: torch.device) -> None:
        self._rates = [np.float32(t.model.dropout) for t in trials]
        self._streams = [stream(t.seed, "dropout") for t in trials]
        self._device = device

    @classmethod
    def of(cls, trials: Sequence[Trial], *, device: torch.device) -> "Dropout | None":
        """Return the dropout of `trials`; None where no rate is set."""
        return cls(trials, device=device) if any(t.model.dropout for t in trials) else None

    def __call__(self, x: Tensor) -> Tensor:
        """Return `x` [trial, ...] with entries set to 0, the others made larger."""
        factors = [
            (rng.random(x.shape[1:], dtype=np.float32) >= p) / (1 - p)
            for rng, p in zip(self._streams, self._rates, strict=True)
        ]
        return x * torch.from_numpy(np.stack(factors)).to(self._device)

    def states(self) -> list[dict[str, Any]]:
        """Return where each member's stream stands, as plain values."""
        return [dict(rng.bit_generator.state) for rng in self._streams]

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Go on from `states`."""
        for rng, state in zip(self._streams, states, strict=True):
            rng.bit_generator.state = state
