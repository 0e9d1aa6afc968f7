"""A file of the results that is not as it was written: what is wrong with it, and what mends it."""

from dataclasses import dataclass
from typing import Literal

_MAX_LETTERS = 300
"""Of what a library says of a file."""


@dataclass(frozen=True)
class Fault:
    """A file of the results that is not as it was written, and why; `part` is None for what is no table.

    `repair` is what mends it: its part is set aside, it is written anew without the rows that no trial has, or, for
    what may pass, nothing that can be done here.
    """

    file: str
    why: str
    part: str | None = None
    repair: Literal["set aside", "write anew", "none"] = "set aside"


def fault_of(file: str, error: OSError | ValueError) -> Fault:
    """Return what is told of a file that is no table, where reading it raised `error`; what a system says may pass."""
    why = " ".join(str(error).split())[:_MAX_LETTERS]
    return Fault(file, why, repair="none" if isinstance(error, OSError) else "set aside")
