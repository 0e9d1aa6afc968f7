"""Messages in the words of Python: options of the command line become arguments, their values what Python writes.

Rooms word their messages once, for the command line (`--where "seed = 0"`); a function says `where='seed = 0'`.
Commands in a message stay as they are, so that they can be typed.
"""

import re

ARGUMENTS = {"set": "changes", "claim": "ids"}
"""Arguments that have another name than their option."""

_COMMAND = re.compile(
    r"""(\b(?:lrsym [a-z]|ray job |mlflow ui |tensorboard )(?:"[^"]*"|'[^']*'|(?![,;:)] |[,;:)]$)[^"'\n])*)"""
)
"""A command, of ours or of another tool: up to a mark, not in quotes, behind which the sentence goes on."""

_OPTION = re.compile(r"""(?<![\w-])--([a-z][a-z-]*)(?:[ ]("[^"]*"|'[^']*'|[\w./-]*[=/_\d][\w./=-]*))?""")
"""An option, with its value if what follows is in quotes, or looks like no word of a sentence."""


def in_python(message: str) -> str:
    """Return `message` with options of the command line named as arguments; commands in it stay as they are."""
    parts = _COMMAND.split(message.replace("name another place with --out", "name another place"))
    parts[::2] = [_OPTION.sub(_argument, part) for part in parts[::2]]
    return "".join(parts)


def _argument(found: re.Match[str]) -> str:
    option, given = found[1], found[2]
    name = ARGUMENTS.get(option, option.replace("-", "_"))
    if given is None:
        return name
    value = given[1:-1] if given[0] in "\"'" else given
    axis, equals, of = value.partition("=")
    if option in ("of", "against") and equals:
        return f"{name}={{{axis!r}: {_literal(of)}}}"
    return f"{name}={[value] if option == 'set' else _literal(value)}"


def _literal(value: str) -> str:
    return value if re.fullmatch(r"-?\d+(\.\d+)?", value) else repr(value)
