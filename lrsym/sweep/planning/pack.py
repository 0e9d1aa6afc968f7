"""A pack: trials of one static shape that are trained together as one stacked program."""

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

from lrsym.config.trial import Trial
from lrsym.sweep.planning.stop_rule import StopRule

Program = tuple[Hashable, ...]
"""What decides the cost of a step (`Trial.program`): trials of one program differ in steps and evaluations at most."""


@dataclass(frozen=True)
class Pack:
    """Trials of one static shape, and the fraction of their training that a checkpoint has behind it, 0..1.

    `stop` decides which of them end early; it is no part of the identity.
    """

    trials: tuple[Trial, ...]
    completed: float = 0.0
    stop: StopRule | None = None

    def __len__(self) -> int:
        return len(self.trials)

    @cached_property
    def id(self) -> str:
        """Identity: what the pack contains, in whatever order; 128 bits in hex."""
        return hashlib.sha256("".join(sorted(self.trial_ids)).encode()).hexdigest()[:32]

    @cached_property
    def trial_ids(self) -> tuple[str, ...]:
        """The trial_id of each trial, in order."""
        return tuple(trial.trial_id for trial in self.trials)

    @property
    def part(self) -> str:
        """Name of its part files: the pack that is trained in full leaves others than the one with a stop rule."""
        return self.id if self.stop is None else f"{self.id}-{self.stop.name}"

    @cached_property
    def program(self) -> Program:
        """What decides the cost of a step."""
        return self.trials[0].program

    @property
    def n_steps(self) -> int:
        """Optimiser steps of each of its trials."""
        return self.trials[0].n_steps

    @property
    def remaining(self) -> float:
        """Fraction of the training that is left, 0..1."""
        return 1 - self.completed

    def halves(self) -> "tuple[Pack, Pack]":
        """Return two packs of its trials, which start afresh. Raises ValueError for a pack of one."""
        if len(self) == 1:
            raise ValueError(f"a pack must have two trials or more to be halved, got one, {self.trial_ids[0]}")
        middle = (len(self) + 1) // 2
        return Pack(self.trials[:middle], stop=self.stop), Pack(self.trials[middle:], stop=self.stop)
