"""When the ranges of a claims file were set: a ledger beside it, which is committed before the rows exist that decide.

A range counts as set before the rows where the ledger has it, with the same query, from before the first of them. An
entry is never changed: who changes a range registers it anew, and the date of the first entry like it counts.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from lrsym.claims.claim import Claim, Part
from lrsym.claims.file import ClaimsFile
from lrsym.errors import UsageError


@dataclass(frozen=True)
class Entry:
    """A part of a claim in one of its arms, the digest of its range and query, and when it was registered.

    `newest_row` is when the last row that the arm then had was written, None where it had none.
    """

    claim: str
    arm: str
    part: str
    digest: str
    registered_at: AwareDatetime
    newest_row: AwareDatetime | None


_ENTRIES = TypeAdapter(list[Entry])


@dataclass
class Ledger:
    """The entries of one file, oldest first; `exists` tells whether there is such a file."""

    path: Path
    entries: list[Entry] = field(default_factory=list)
    exists: bool = False

    @classmethod
    def beside(cls, file: ClaimsFile) -> "Ledger":
        """Return the ledger of a claims file. Raises UsageError where it cannot be read."""
        path = file.path.with_suffix(".ledger.json")
        try:
            return cls(path, _ENTRIES.validate_json(path.read_bytes()), exists=True)
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValidationError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error.errors(include_url=False)[0]["msg"])
            raise UsageError(
                f"the ledger {path} cannot be read: {why}; "
                "take it from version control, as a new one would have new dates"
            ) from None

    def registered_at(self, claim: Claim, arm: str, part: Part) -> datetime | None:
        """Return when the range of `part` was first registered as it is now; None where it was not."""
        digest = digest_of(claim, part)
        dates = [
            one.registered_at for one in self.entries if (one.claim, one.arm, one.digest) == (claim.id, arm, digest)
        ]
        return min(dates, default=None)

    def register(self, claim: Claim, arm: str, *, newest_row: datetime | None) -> list[Entry]:
        """Add entries for those parts of `claim` in `arm` that have none as they are now; return them."""
        now = datetime.now(UTC)
        new = [
            Entry(claim.id, arm, part.name, digest_of(claim, part), now, newest_row)
            for part in claim.part
            if self.registered_at(claim, arm, part) is None
        ]
        self.entries += new
        return new

    def text(self) -> str:
        """Return the file: JSON, a line for each entry."""
        lines = [json.dumps(asdict(one), default=datetime.isoformat) for one in self.entries]
        return "[\n" + ",\n".join(lines) + "\n]\n"


def digest_of(claim: Claim, part: Part) -> str:
    """Return the digest of what a verdict on `part` hangs on besides the rows: range, queries, interval, lowest n,
    and where it has them bounds, a resolution, and a test other than that of a range."""
    queries = [sql and " ".join(sql.split()) for sql in (part.estimate, part.requires)]
    said = [*queries, part.at_least, part.at_most, claim.interval, claim.minimum_n]
    said += [] if part.bounds is None else [part.bounds]
    said += [["resolution", part.resolution]] if part.resolution else []
    said += [] if part.test == "range" else [part.test]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def is_after_rows(registered_at: datetime | None, trials: pl.DataFrame) -> bool:
    """Return whether a range that was registered at that time was set after the first of `trials` was written."""
    first = trials["finished_at"].min()
    return isinstance(first, datetime) and (registered_at is None or first <= registered_at)


def newest_row(trials: pl.DataFrame) -> datetime | None:
    """Return when the last of `trials` was written; None where there is none."""
    last = trials["finished_at"].max()
    return last if isinstance(last, datetime) else None
