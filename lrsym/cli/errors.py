"""From an exception to what a user reads and the exit code: the one place that decides what is a user's mistake."""

from collections.abc import Callable
from typing import Any

FAILED = 1
"""Exit code where a verb did its work and some trials failed."""

USAGE = 2
"""Exit code for what a user can put right."""


def stopped_code(number: int) -> int:
    """Return the exit code after the signal `number`, as shells expect it: 130 after Ctrl-C."""
    return 128 + number


def _table_sentence(error: Exception) -> str:
    from lrsym.results.store.part_file import table_sentence

    return table_sentence(error)


def _file_sentence(error: OSError) -> str:
    from lrsym.results.store.object_access import sentence

    return sentence(error)


SENTENCES: dict[str, tuple[Callable[[Any], str], int]] = {
    "lrsym.errors.UsageError": (str, USAGE),
    "builtins.OSError": (_file_sentence, USAGE),
    "polars.exceptions.ComputeError": (_table_sentence, USAGE),
    "polars.exceptions.SchemaError": (_table_sentence, USAGE),
}
"""Sentence and exit code by type of exception, which is named in full so that no library is imported for it."""


def as_sentence(error: BaseException) -> tuple[str, int] | None:
    """Return the sentence for a user and the exit code; None where `error` is a mistake of lrsym itself."""
    for kind in type(error).__mro__:
        if entry := SENTENCES.get(f"{kind.__module__}.{kind.__qualname__}"):
            sentence, code = entry
            return sentence(error), code
    return None
