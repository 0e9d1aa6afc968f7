"""What a stop rule is: a small value that travels with a pack and says which of its trials end early.

The worker that trains the pack asks it, so that every engine stops alike and a restart decides as before.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from lrsym.config.trial import Trial

Points = Sequence[Sequence[Mapping[tuple[str, str], float]]]
"""`points[member][evaluation][split, metric]`, the accuracies so far, 0..1, without those that are not defined.

A member that has diverged or was stopped has no further points."""


class StopRule(Protocol):
    """Decides after each evaluation but the last. Can be pickled; the same points give the same answer."""

    @property
    def name(self) -> str:
        """A key of vocabulary.STOP_RULES."""
        ...

    def members_to_stop(
        self, points: Points, *, trials: Sequence[Trial], steps: Sequence[int], training: Sequence[int]
    ) -> Collection[int]:
        """Return which members end now, among those in `training`: neither diverged nor stopped before.

        Members are numbers of `trials`; `steps` are the evaluation steps of the whole training, and those in `training`
        have a point for each of the first ones.
        """
        ...
