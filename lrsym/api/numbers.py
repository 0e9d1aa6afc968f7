"""The numbers that options take, each with its rule and its remedy, for the command line and for Python alike."""

import re
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from lrsym.errors import UsageError
from lrsym.vocabulary import PHASE_THRESHOLD

MAX_SHOWN = 40
"""Letters of a value that a message repeats."""


@dataclass(frozen=True)
class Number:
    """What a number may be: `what` it counts, from `least` to `most`; with `above` and `below` not these themselves.

    One that is `whole` has no decimals; with `auto` it may be that word, which has it chosen.
    """

    what: str
    least: float
    most: float
    remedy: str
    whole: bool = False
    above: bool = False
    below: bool = False
    auto: bool = False

    def __call__(self, given: Any) -> Any:
        """Return the number in the words of a command, whose rule holds already; what is no text stays as it is."""
        if not isinstance(given, str) or (self.auto and given == "auto"):
            return given
        return int(given) if self.whole else float(given)

    def check_text(self, option: str, text: str) -> None:
        """Raise UsageError unless `text`, behind `option` in a command, is such a number."""
        form = r"[+-]?[0-9]+" if self.whole else r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
        # More digits than that are no number of anything, and Python refuses to read thousands of them.
        is_number = re.fullmatch(form, text, flags=re.ASCII) and len(text) <= 400
        if (self.auto and text == "auto") or (is_number and self._holds(self(text))):
            return
        raise self._error(option, text or "nothing")

    def check(self, name: str, value: object) -> None:
        """Raise UsageError unless `value`, given in Python under that name, is such a number."""
        if self.auto and value == "auto":
            return
        is_number = isinstance(value, Integral if self.whole else Real) and not isinstance(value, bool)
        if not (is_number and self._holds(value)):  # pyright: ignore[reportArgumentType]  it is a number by now
            raise self._error(name, repr(value))

    def _holds(self, value: float) -> bool:
        high_enough = value > self.least if self.above else value >= self.least
        return high_enough and (value < self.most if self.below else value <= self.most)

    def _error(self, name: str, given: str) -> UsageError:
        shown = given if len(given) <= MAX_SHOWN else f"{given[:MAX_SHOWN]}... ({len(given)} letters)"
        low = f"above {self.least:,}" if self.above else f"from {self.least:,}"
        high = f"below {self.most:,}" if self.below else f"{'at most' if self.above else 'to'} {self.most:,}"
        joined = f"{low} {'and ' if self.above or self.below else ''}{high}"
        return UsageError(f"{name} must be {'auto or ' * self.auto}{self.what} {joined}, got {shown}; {self.remedy}")


_HOURS = Number("a number of hours", 0, 10**9, "leave it out for no limit", above=True)
_CHOSEN, _USUAL = "leave it out to have it chosen", f"the usual one is {PHASE_THRESHOLD:g}"

NUMBERS = {
    "workers": Number("a number of packs trained at a time", 1, 999_999, _CHOSEN, whole=True, auto=True),
    "pack": Number("a number of trials", 1, 999_999, _CHOSEN, whole=True, auto=True),
    "timeout": Number("a number of seconds", 0, 10**9, "leave it out for no limit", above=True),
    "max_core_hours": _HOURS,
    "max_gpu_hours": _HOURS,
    "limit": Number("a number of trials", 1, 2_000_000, "leave it out for all", whole=True),
    "budget": Number("a whole number", 1, 2_000_000, "write for example 60", whole=True),
    "interval": Number("a share of the cells", 0, 1, "leave it out to spend the whole budget", below=True),
    "level": Number("an accuracy", 0, 1, _USUAL, above=True, below=True),
    "threshold": Number("an accuracy", 0, 1, _USUAL, above=True),
    "until": Number("a half-width", 0, 10**12, "write for example 0.02", above=True),
    "tolerance": Number("a difference of accuracies", 0, 1, "the usual one is 0.05"),
    "sample": Number("a number of trials", 1, 2_000_000, "write for example 20", whole=True),
    "seed": Number("a whole number", 0, 2**63 - 1, "write for example 1", whole=True),
    "n": Number("a number of cells", 1, 1_000_000, "write for example 5", whole=True),
    "port": Number("a port", 0, 65_535, "leave it out for any that is free", whole=True),
    "every": Number("a number of seconds", 0.1, 86_400, "write for example 5"),
}
"""What each number may be, by the name of its argument in Python; on the command line it has dashes."""
