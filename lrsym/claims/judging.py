"""Claims put to the store: for each arm the values, the estimate and the verdict of every part."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lrsym.claims.file import Claim, ClaimsFile, Part
from lrsym.claims.tables import Tables, tables_of, values_of, wrong_estimate
from lrsym.claims.verdict import Estimate, estimate, judge, together
from lrsym.errors import UsageError
from lrsym.results.store.store import load_trials
from lrsym.vocabulary import FINAL_STATUSES, VERDICTS


@dataclass(frozen=True)
class Trained:
    """A sweep as far as it is in the store: the tables of its done trials, and what became of the others."""

    sweep: str
    trials: int
    missing: int
    diverged: int
    tables: Tables


@dataclass(frozen=True)
class JudgedPart:
    """One number that was claimed, and what the rows say. `dropped` counts values that are no finite numbers."""

    part: Part
    values: tuple[float, ...]
    dropped: int
    found: Estimate
    too_few: bool
    verdict: str


@dataclass(frozen=True)
class JudgedArm:
    """A claim asked of one sweep."""

    name: str
    trained: Trained
    parts: tuple[JudgedPart, ...]

    @property
    def verdict(self) -> str:
        """That of all parts together."""
        return together(part.verdict for part in self.parts)

    @property
    def n(self) -> tuple[int, int]:
        """The lowest and the highest number of replicates behind a part."""
        counts = [part.found.n for part in self.parts]
        return min(counts), max(counts)


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with what each of its arms says."""

    claim: Claim
    arms: tuple[JudgedArm, ...]


def trained(root: Path, *, sweep: str, trial_ids: Sequence[str]) -> Trained:
    """The trials with `trial_ids` in the store at `root`; missing are those without a result."""
    rows = load_trials(root, trial_ids=trial_ids).collect()
    statuses = Counter(rows["status"])
    return Trained(
        sweep=sweep,
        trials=len(trial_ids),
        missing=len(trial_ids) - sum(statuses[status] for status in FINAL_STATUSES),
        diverged=statuses["diverged"],
        tables=tables_of(root, rows.filter(pl.col("status") == "done")),
    )


def judge_claim(file: ClaimsFile, claim: Claim, arms: Iterable[tuple[str, Trained]]) -> JudgedClaim:
    """What `arms`, trained sweeps with their names, say about `claim`; UsageError where an estimate fails."""
    return JudgedClaim(
        claim,
        tuple(
            JudgedArm(name, sweep, tuple(_part(file, claim, i, sweep.tables) for i in range(len(claim.part))))
            for name, sweep in arms
        ),
    )


def counts(judged: Iterable[JudgedClaim]) -> dict[str, int]:
    """How many claims, counted once for each arm, have which verdict."""
    found = Counter(arm.verdict for one in judged for arm in one.arms)
    return {verdict: found[verdict] for verdict in VERDICTS}


def _part(file: ClaimsFile, claim: Claim, number: int, tables: Tables) -> JudgedPart:
    part = claim.part[number]
    try:
        values, dropped = values_of(part.estimate, tables)
        found = estimate(values, interval=claim.interval)
    except UsageError as error:
        raise wrong_estimate(file, claim, number, error) from None
    return JudgedPart(
        part=part,
        values=tuple(sorted(values)),
        dropped=dropped,
        found=found,
        too_few=found.n < claim.minimum_n,
        verdict=judge(found, at_least=part.at_least, at_most=part.at_most, minimum_n=claim.minimum_n),
    )
