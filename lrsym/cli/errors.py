"""From an exception to what a user reads and the exit code: the one place that decides what is a user's mistake."""

import itertools
import sys
from collections.abc import Callable
from typing import Any

FAILED = 1
"""Exit code where a verb did its work and some trials failed."""

USAGE = 2
"""Exit code for what a user can put right."""


def stopped_code(number: int) -> int:
    """Return the exit code after the signal `number`, as shells expect it: 130 after Ctrl-C."""
    return 128 + number


def _table_sentence(error: BaseException) -> str:
    from lrsym.results.store.part_file import table_sentence

    return table_sentence(error)


def _damage_sentence(error: BaseException) -> str | None:
    from lrsym.results.store.part_file import damage_sentence

    return damage_sentence(error)


def _file_sentence(error: OSError) -> str:
    from lrsym.results.store.object_access import sentence

    return sentence(error)


def _option_sentence(error: Any) -> str:
    """Return what is wrong with the words of a command; nothing for a lack of any, where the help is printed."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    what, command, near = error.format_message(), "lrsym", ""
    if error.ctx is not None:
        command = error.ctx.command_path
    if (option := getattr(error, "option_name", None)) and error.ctx is not None:
        from lrsym.toml_source import suggest

        what = error.message
        near = suggest(option, [name for parameter in error.ctx.command.params for name in parameter.opts])
    words = " ".join(what.split()).rstrip(".") + _given(error)
    return "; ".join(filter(None, (f"{words[:1].lower()}{words[1:]}", near, f"{command} -h lists what there is")))


def _given(error: Any) -> str:
    """Return the value that an option was refused for, as it stands in the command."""
    names = getattr(getattr(error, "param", None), "opts", ())
    for word, following in itertools.pairwise([*sys.argv, ""]):
        name, equals, value = word.partition("=")
        if name in names:
            return f", got {(value if equals else following)[:60]}"
    return ""


SENTENCES: dict[str, tuple[Callable[[Any], str | None], int]] = {
    "lrsym.errors.UsageError": (str, USAGE),
    "typer._click.exceptions.UsageError": (_option_sentence, USAGE),
    "click.exceptions.UsageError": (_option_sentence, USAGE),  # of older releases of typer
    "builtins.OSError": (_file_sentence, USAGE),
    "polars.exceptions.ComputeError": (_table_sentence, USAGE),
    "polars.exceptions.SchemaError": (_table_sentence, USAGE),
    "polars.exceptions.PolarsError": (_damage_sentence, USAGE),
    "pyo3_runtime.PanicException": (_damage_sentence, USAGE),  # of polars, at a bit that has changed
}
"""Sentence and exit code by type of exception, which is named in full so that no library is imported for it. There
is no sentence where it is nothing that a user can put right."""


def as_sentence(error: BaseException) -> tuple[str, int] | None:
    """Return the sentence for a user and the exit code; None where `error` is a mistake of lrsym itself."""
    for kind in type(error).__mro__:
        if entry := SENTENCES.get(f"{kind.__module__}.{kind.__qualname__}"):
            sentence, code = entry
            said = sentence(error)
            return None if said is None else (said, code)
    return None
