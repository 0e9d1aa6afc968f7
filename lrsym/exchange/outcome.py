"""What an export did, and what a user is told who lacks the tool for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lrsym.errors import UsageError


@dataclass(frozen=True)
class Exported:
    """What was written to `place`: rows by table, or runs; how many were `kept` as they were or `replaced`.

    `look` says how it is looked at.
    """

    place: str
    look: str
    rows: Mapping[str, int] = field(default_factory=dict)
    written: int = 0
    kept: int = 0
    replaced: int = 0


def missing(target: str, package: str, error: ImportError) -> UsageError:
    """Return the error for a package that an export needs; `error` says what could not be imported."""
    name = (error.name or package).partition(".")[0]
    return UsageError(f'--to {target} needs {name}, which is missing; pip install "lrsym[{target.partition("-")[0]}]"')


def taken(place: object, why: str) -> UsageError:
    """Return the error for what is there already and was not written by an export, or was changed since."""
    return UsageError(f"{place} {why}, and is left as it is; move it away, or name another place with --out")
