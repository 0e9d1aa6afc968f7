"""From an exception to what a user reads and the exit code: the one place that decides what is a user's mistake."""

from collections.abc import Callable
from typing import Any

from lrsym.errors import file_sentence, table_sentence

FAILED = 1
"""Exit code where a verb did its work and some trials failed."""

USAGE = 2
"""Exit code for what a user can put right."""


def stopped_code(number: int) -> int:
    """Return the exit code after the signal `number`, as shells expect it: 130 after Ctrl-C."""
    return 128 + number


SENTENCES: dict[str, tuple[Callable[[Any], str | None], int]] = {
    "lrsym.errors.UsageError": (str, USAGE),
    "builtins.OSError": (file_sentence, USAGE),
    "polars.exceptions.ComputeError": (table_sentence, USAGE),
    "polars.exceptions.SchemaError": (table_sentence, USAGE),
}
"""Sentence and exit code by type of exception, which is named in full so that no library is imported for it."""


def as_sentence(error: BaseException) -> tuple[str, int] | None:
    """Return the sentence for a user and the exit code; None where `error` is a mistake of lrsym itself."""
    for kind in type(error).__mro__:
        if entry := SENTENCES.get(f"{kind.__module__}.{kind.__qualname__}"):
            sentence, code = entry
            text = sentence(error)
            return None if text is None else (text, code)
    return None
