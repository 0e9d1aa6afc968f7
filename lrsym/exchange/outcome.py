"""What an export did, and what a user is told who lacks the tool for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from lrsym.errors import UsageError


@dataclass(frozen=True)
class Exported:
    """What was written of so many trials to `place`: rows by table, or runs, some `kept` as they were or `replaced`.

    `look` says how it is looked at.
    """

    place: str
    look: str
    rows: Mapping[str, int] = field(default_factory=dict)
    written: int = 0
    kept: int = 0
    replaced: int = 0
    trials: int = 0


def tool(name: str, *, to: str) -> Any:
    """Return the module `name`, which the export `to` needs; raises UsageError where it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        lacking, extra = (error.name or name).partition(".")[0], to.partition("-")[0]
        raise UsageError(f'--to {to} needs {lacking}, which is missing; pip install "lrsym[{extra}]"') from None


def taken(place: object, why: str) -> UsageError:
    """Return the error for what is there already and was not written by an export, or was changed since."""
    return UsageError(f"{place} {why}, and is left as it is; move it away, or name another place with --out")
