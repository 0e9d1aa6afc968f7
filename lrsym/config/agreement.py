"""What the trials of a pack must share, compared by value, whatever their axes are declared to be.

The declaration of an axis (`per_member`) decides who is packed together; here a wrong one is noticed.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from lrsym.config.trial import Trial

T = TypeVar("T")


def agreed(name: str, trials: Sequence[Trial], make: Callable[[Trial], T]) -> T:
    """Return what `make` gives for every one of `trials`. Raises ValueError, naming two trials, if it is not the same.

    `name` says in the message what it is that they must share.
    """
    first, *others = trials
    value = make(first)
    for other in others:
        if make(other) != value:
            raise disagreement(name, first, other)
    return value


def disagreement(name: str, first: Trial, other: Trial) -> ValueError:
    """Return (do not raise) the error of a pack with two trials that do not share their `name`."""
    values, others = first.values(), other.values()
    axes = [
        f"{key} {value} and {others[key]}" for key, value in values.items() if key != "seed" and value != others[key]
    ]
    return ValueError(
        f"trials of a pack must share their {name}, those of {first.trial_id[:8]} and {other.trial_id[:8]} differ "
        f"({', '.join(axes)}); group trials by Trial.static_shape, and declare an axis that changes this without "
        "per_member"
    )
