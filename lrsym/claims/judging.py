"""Claims put to the store: train what is missing, then for each arm the values, estimate and verdict of every part."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from lrsym.claims.check import CheckedClaims
from lrsym.claims.claim import Claim, Part
from lrsym.claims.file import ClaimsFile
from lrsym.claims.tables import Tables, estimate_error, query_values, read_tables
from lrsym.claims.verdict import combine_verdicts, judge_estimate
from lrsym.errors import UsageError
from lrsym.results.analysis.intervals import Estimate, estimate_mean
from lrsym.results.store.store import load_trials, stopped_by
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.vocabulary import FINAL_STATUSES, VERDICTS

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class SweepResults:
    """A sweep as far as it is in the store: the tables of trials with an outcome, and what became of the others.

    What a rule stopped has an outcome where the sweep asks for that rule, else it is missing.
    """

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
    estimate: Estimate
    too_few: bool
    verdict: str


@dataclass(frozen=True)
class JudgedArm:
    """A claim asked of one sweep."""

    name: str
    results: SweepResults
    parts: tuple[JudgedPart, ...]

    @property
    def verdict(self) -> str:
        """Return that of all parts together."""
        return combine_verdicts(part.verdict for part in self.parts)

    @property
    def n(self) -> tuple[int, int]:
        """Return the lowest and the highest number of replicates behind a part."""
        counts = [part.estimate.n for part in self.parts]
        return min(counts), max(counts)


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with what each of its arms says."""

    claim: Claim
    arms: tuple[JudgedArm, ...]


def train_missing(checked: CheckedClaims, root: str, train: Callable[[Sweep], Outcome]) -> list[Outcome]:
    """Call `train` with each sweep of the claims that lacks results in the store at `root`; return its outcomes."""
    outcomes = []
    for sweep in checked.sweeps():
        trial_ids = sweep.trial_ids()
        trials = load_trials(root, trial_ids=trial_ids).select("status", "stop_rule").collect()
        if trials.filter(_has_result(sweep.stop)).height < len(trial_ids):
            outcomes.append(train(sweep))
    return outcomes


def judge_claims(checked: CheckedClaims, root: str) -> list[JudgedClaim]:
    """Return what the rows of the store at `root` say about each claim; UsageError where an estimate fails."""
    results = {
        sweep.source: read_results(root, sweep=sweep.name, trial_ids=sweep.trial_ids(), stop_rule=sweep.stop)
        for sweep in checked.sweeps()
    }
    return [
        judge_claim(checked.file, claim, {arm: results[sweep.source] for arm, sweep in checked.arms(claim).items()})
        for claim in checked.claims
    ]


def judge_claim(file: ClaimsFile, claim: Claim, arms: Mapping[str, SweepResults]) -> JudgedClaim:
    """Return what the results of `arms`, by name, say about `claim`; UsageError where an estimate fails."""
    return JudgedClaim(
        claim,
        tuple(
            JudgedArm(name, results, tuple(_judge_part(file, claim, i, results) for i in range(len(claim.part))))
            for name, results in arms.items()
        ),
    )


def read_results(root: str, *, sweep: str, trial_ids: Sequence[str], stop_rule: str | None = None) -> SweepResults:
    """Return what the store at `root` has of the trials of a sweep, which asks for `stop_rule`."""
    rows = load_trials(root, trial_ids=trial_ids).collect()
    return SweepResults(
        sweep=sweep,
        trials=len(trial_ids),
        missing=len(trial_ids) - rows.filter(_has_result(stop_rule)).height,
        diverged=rows.filter(status="diverged").height,
        tables=read_tables(root, rows.filter(_has_result(stop_rule), pl.col("status") != "diverged")),
    )


def count_verdicts(judged: Iterable[JudgedClaim]) -> dict[str, int]:
    """Return how many claims, counted once for each arm, have which verdict."""
    counts = Counter(arm.verdict for claim in judged for arm in claim.arms)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def _judge_part(file: ClaimsFile, claim: Claim, number: int, results: SweepResults) -> JudgedPart:
    part = claim.part[number]
    try:
        values, dropped = query_values(part.estimate, results.tables)
        estimate = estimate_mean(values, interval=claim.interval)
    except UsageError as error:
        raise estimate_error(file, claim, number, error) from None
    return JudgedPart(
        part=part,
        values=tuple(sorted(values)),
        dropped=dropped,
        estimate=estimate,
        too_few=estimate.n < claim.minimum_n,
        verdict=judge_estimate(estimate, at_least=part.at_least, at_most=part.at_most, minimum_n=claim.minimum_n),
    )


def _has_result(stop_rule: str | None) -> pl.Expr:
    """Return whether a sweep that asks for `stop_rule` is done with a trial."""
    return pl.col("status").is_in(FINAL_STATUSES) | stopped_by(stop_rule)
