"""When the ranges of a claims file were set: a ledger beside it, which is committed before the rows exist that decide.

A range counts as set before the rows where the ledger has it, with the same query, asked of the same cells, from before
the first of them, and when there were none. An entry is never changed: who changes a range registers it anew, and the
date of the first entry like it counts.
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
from lrsym.results.store.sql_text import canonical_sql
from lrsym.sweep.spec.sweep import Sweep
from lrsym.vocabulary import INTERVALS


@dataclass(frozen=True)
class Entry:
    """A part of a claim in one of its arms, the digest of its range and query, and when it was registered.

    `newest_row` is when the last row that the arm then had was written, None where it had none. `cells` and
    `trials` are what the arm was asked of (`Asked`); None in entries from before these were kept.
    """

    claim: str
    arm: str
    part: str
    digest: str
    registered_at: AwareDatetime
    newest_row: AwareDatetime | None
    cells: str | None = None
    trials: int | None = None

    def precedes(self, first_row: datetime) -> bool:
        """Return whether it was there before `first_row`, and before any other row that its arm had."""
        return self.newest_row is None and self.registered_at < first_row


@dataclass(frozen=True)
class Standing:
    """What a ledger shows of a part in an arm: when its range was registered, and what was set after the first row.

    `after_rows` is true of the range, `interval_after_rows` where the range came first, but with another interval;
    `trials_added` counts trials by which the arm has grown since.
    """

    registered_at: datetime | None
    after_rows: bool
    interval_after_rows: bool = False
    trials_added: int = 0


@dataclass(frozen=True)
class Asked:
    """What an arm is asked of: the digest of its cells, each with its first seed, and how many trials it has."""

    cells: str
    trials: int

    @classmethod
    def of(cls, sweep: Sweep) -> "Asked":
        """Return that of a sweep."""
        of_cells = sweep.trial_ids()[:: sweep.replicates]
        return cls(hashlib.sha256("".join(sorted(of_cells)).encode()).hexdigest()[:16], len(sweep))


_ENTRIES = TypeAdapter(list[Entry])
_LATER = {"cells", "trials"}
"""What the first entries did not have."""


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

    def standing(self, claim: Claim, arm: str, part: Part, asked: Asked, trials: pl.DataFrame) -> Standing:
        """Return what is known of `part` in `arm`, whose ended trials are `trials`."""
        first, entries = trials["finished_at"].min(), self._entries_of(claim, arm, {digest_of(claim, part)}, asked)
        at = min((one.registered_at for one in entries), default=None)
        if not isinstance(first, datetime):
            return Standing(at, after_rows=False)
        before = [one for one in entries if one.precedes(first)]
        if before:
            planned = max((one.trials for one in before if one.trials is not None), default=asked.trials)
            return Standing(at, after_rows=False, trials_added=max(0, asked.trials - planned))
        otherwise = self._entries_of(claim, arm, _digests_with_any_interval(claim, part), asked)
        range_first = any(one.precedes(first) for one in otherwise)
        return Standing(at, after_rows=not range_first, interval_after_rows=range_first)

    def register(self, claim: Claim, arm: str, asked: Asked, *, newest_row: datetime | None) -> list[Entry]:
        """Add entries for those parts of `claim` in `arm` that have none as they are now; return them."""
        now = datetime.now(UTC)
        new = [
            Entry(claim.id, arm, part.name, digest, now, newest_row, asked.cells, asked.trials)
            for part, digest in ((part, digest_of(claim, part)) for part in claim.part)
            if not any(
                one.trials is None or one.trials >= asked.trials
                for one in self._entries_of(claim, arm, {digest}, asked)
            )
        ]
        self.entries += new
        return new

    def _entries_of(self, claim: Claim, arm: str, digests: set[str], asked: Asked) -> list[Entry]:
        return [
            one
            for one in self.entries
            if (one.claim, one.arm) == (claim.id, arm) and one.digest in digests and one.cells in (None, asked.cells)
        ]

    def text(self) -> str:
        """Return the file: JSON, a line for each entry."""
        entries = ({k: v for k, v in asdict(one).items() if k not in _LATER or v is not None} for one in self.entries)
        lines = [json.dumps(entry, default=datetime.isoformat) for entry in entries]
        return "[\n" + ",\n".join(lines) + "\n]\n"


def digest_of(claim: Claim, part: Part) -> str:
    """Return the digest of what a verdict on `part` hangs on besides the rows: range, queries, interval, lowest n,
    and where it has them bounds, a resolution, and a test other than that of a range."""
    queries = [sql and canonical_sql(sql) for sql in (part.estimate, part.requires)]
    said = [*queries, part.at_least, part.at_most, claim.interval_of(part), claim.minimum_n]
    said += [] if part.bounds is None else [part.bounds]
    said += [["resolution", part.resolution]] if part.resolution else []
    said += [] if part.test == "range" else [part.test]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def _digests_with_any_interval(claim: Claim, part: Part) -> set[str]:
    """Return the digests of the same range and query, however its interval was taken."""
    return {
        digest_of(claim, part.model_copy(update={"interval": interval, "bounds": bounds, "resolution": resolution}))
        for interval in INTERVALS
        for bounds in {None, part.bounds}
        for resolution in {0.0, part.resolution}
    }


def newest_row(trials: pl.DataFrame) -> datetime | None:
    """Return when the last of `trials` was written; None where there is none."""
    last = trials["finished_at"].max()
    return last if isinstance(last, datetime) else None
