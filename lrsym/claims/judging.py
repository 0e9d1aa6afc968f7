"""Claims put to the store: train what is missing, then for each arm the values, estimate and verdict of every part."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import polars as pl

from lrsym.claims.check import CheckedClaims
from lrsym.claims.claim import Claim, Part
from lrsym.claims.file import ClaimsFile
from lrsym.claims.ledger import Asked, Entry, Ledger, Standing, newest_row
from lrsym.claims.tables import Tables, holds, query_error, query_values, read_tables
from lrsym.claims.verdict import (
    INNER_CONFIDENCE,
    UNDECIDED,
    UNTESTABLE,
    Tolerance,
    combine_verdicts,
    corrected_verdict,
    judge_estimate,
    leaves_bounds,
    level_of,
    n_to_decide,
    tolerance_of,
)
from lrsym.errors import UsageError, counted
from lrsym.results.analysis.intervals import Estimate, estimate_mean, holm
from lrsym.results.store.attempts import stopped_by
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.store import load_trials
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.vocabulary import FINAL_STATUSES, VERDICTS

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class SweepResults:
    """A sweep as far as it is in the store: the tables of trials with an outcome, and what became of the others.

    What a rule stopped has an outcome where the sweep asks for that rule, else it is missing. `cells` is their digest
    for the ledger (`Asked`).
    """

    sweep: str
    trials: int
    missing: int
    diverged: int
    tables: Tables
    cells: str = ""


@dataclass(frozen=True)
class JudgedPart:
    """One number that was claimed, and what the rows say. `dropped` counts values that are no finite numbers.

    `level` is the smallest at which the interval decides; `holm` is the verdict that is left after Holm's correction
    for all parts that were asked. `standing` is what the ledger shows of it, None where the file has none.
    `n_to_decide` is how many replicates would decide what is undecided, going by those that there are. `out_of_bounds`
    tells whether the interval leaves the bounds of the part, and so decides nothing.
    `inner` has the 90 % interval of a part that asks for equivalence, None of others.
    """

    part: Part
    values: tuple[float, ...]
    dropped: int
    estimate: Estimate
    too_few: bool
    verdict: str
    tolerance: Tolerance | None = None
    level: float | None = None
    holm: str = UNDECIDED
    standing: Standing | None = None
    n_to_decide: int | None = None
    out_of_bounds: bool = False
    inner: Estimate | None = None

    @property
    def without_spread(self) -> bool:
        """Return whether all values are equal and nothing tells how far they may lie apart: that decides nothing."""
        return self.estimate.n > 1 and self.estimate.low is None


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
    def holm(self) -> str:
        """Return the verdict that is left after Holm's correction."""
        return combine_verdicts(part.holm for part in self.parts)

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
    """Return what the rows of the store at `root` say about each claim; UsageError where an estimate fails.

    Holm's correction is for all parts of the file, each in all of its arms, whichever claims are asked.
    """
    asked, checked = {claim.id for claim in checked.claims}, replace(checked, claims=checked.file.claims)
    ledger, results = Ledger.beside(checked.file), _read_sweeps(checked, root)
    judged = _corrected(
        judge_claim(
            checked.file, claim, {arm: results[sweep.source] for arm, sweep in checked.arms(claim).items()}, ledger
        )
        for claim in checked.claims
    )
    return [one for one in judged if one.claim.id in asked]


def judge_claim(
    file: ClaimsFile, claim: Claim, arms: Mapping[str, SweepResults], ledger: Ledger | None = None
) -> JudgedClaim:
    """Return what the results of `arms`, by name, say about `claim`; UsageError where an estimate fails."""

    def judge(arm: str, results: SweepResults, number: int) -> JudgedPart:
        judged = _judge_part(file, claim, number, results)
        if ledger is None or not ledger.exists:
            return judged
        standing = ledger.standing(
            claim, arm, judged.part, Asked(results.cells, results.trials), results.tables["trials"]
        )
        return replace(judged, standing=standing)

    return JudgedClaim(
        claim,
        tuple(
            JudgedArm(name, results, tuple(judge(name, results, i) for i in range(len(claim.part))))
            for name, results in arms.items()
        ),
    )


def register_claims(checked: CheckedClaims, root: str) -> tuple[Ledger, list[Entry]]:
    """Return the ledger of the claims with what it lacked of those that are asked, and that; nothing is written.

    Where there is no folder of results at `root`, there are no rows.
    """
    ledger, new = Ledger.beside(checked.file), []
    results = _read_sweeps(checked, root) if open_filesystem(root).exists() else {}
    for claim in checked.claims:
        for arm, sweep in checked.arms(claim).items():
            newest = newest_row(results[sweep.source].tables["trials"]) if results else None
            new += ledger.register(claim, arm, Asked.of(sweep), newest_row=newest)
    return ledger, new


def _read_sweeps(checked: CheckedClaims, root: str) -> dict[str, SweepResults]:
    return {
        sweep.source: read_results(
            root, sweep=sweep.name, trial_ids=sweep.trial_ids(), stop_rule=sweep.stop, cells=Asked.of(sweep).cells
        )
        for sweep in checked.sweeps()
    }


def read_results(
    root: str, *, sweep: str, trial_ids: Sequence[str], stop_rule: str | None = None, cells: str = ""
) -> SweepResults:
    """Return what the store at `root` has of the trials of a sweep with these `cells`, which asks for `stop_rule`."""
    rows = load_trials(root, trial_ids=trial_ids).collect()
    return SweepResults(
        sweep=sweep,
        trials=len(trial_ids),
        missing=len(trial_ids) - rows.filter(_has_result(stop_rule)).height,
        diverged=rows.filter(status="diverged").height,
        tables=read_tables(root, rows.filter(_has_result(stop_rule), pl.col("status") != "diverged")),
        cells=cells,
    )


def _corrected(judged: Iterable[JudgedClaim]) -> list[JudgedClaim]:
    """Return the claims with the verdicts that are left after Holm's correction for all parts.

    One without a level, with too few values, or that is untestable counts as decided at no level but 1: it was asked.
    """
    judged = list(judged)
    parts = [part for claim in judged for arm in claim.arms for part in arm.parts]
    open_ = [part.level is None or part.too_few or part.verdict == UNTESTABLE for part in parts]
    levels = holm([1.0 if undecided else part.level or 0.0 for undecided, part in zip(open_, parts, strict=True)])
    by_part = {id(part): level for part, level in zip(parts, levels, strict=True)}

    def correct(part: JudgedPart) -> JudgedPart:
        return replace(part, holm=corrected_verdict(part.verdict, by_part[id(part)]))

    return [
        replace(claim, arms=tuple(replace(arm, parts=tuple(map(correct, arm.parts))) for arm in claim.arms))
        for claim in judged
    ]


def count_verdicts(judged: Iterable[JudgedClaim], *, corrected: bool = False) -> dict[str, int]:
    """Return how many claims, counted once for each arm, have which verdict, `corrected` or not."""
    counts = Counter(arm.holm if corrected else arm.verdict for claim in judged for arm in claim.arms)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def _judge_part(file: ClaimsFile, claim: Claim, number: int, results: SweepResults) -> JudgedPart:
    part = claim.part[number]
    try:
        values, dropped = query_values(part.estimate, results.tables)
        _check_bounds(part, values)
        _check_replicates(values, results)
        kind: dict[str, Any] = {"interval": claim.interval_of(part), "resolution": part.resolution}
        estimate = estimate_mean(values, **kind)
        inner = None if part.test == "range" else estimate_mean(values, **kind, confidence=INNER_CONFIDENCE[part.test])
    except UsageError as error:
        raise query_error(file, claim, number, error) from None
    claimed = {"at_least": part.at_least, "at_most": part.at_most}
    verdict = judge_estimate(estimate, **claimed, minimum_n=claim.minimum_n, bounds=part.bounds, inner=inner)
    how = {**claimed, **kind, "test": part.test}
    outside = leaves_bounds(estimate, part.bounds)
    ask = verdict == UNDECIDED and not outside
    needed = n_to_decide(values, estimate.mean, **how) if ask else None
    return JudgedPart(
        part=part,
        values=tuple(sorted(values)),
        dropped=dropped,
        estimate=estimate,
        too_few=estimate.n < claim.minimum_n,
        verdict=verdict if _testable(file, claim, number, results) else UNTESTABLE,
        tolerance=tolerance_of(estimate, **claimed, inner=inner),
        level=None if outside else level_of(values, estimate.mean, **how),
        inner=inner,
        n_to_decide=needed and max(needed, claim.minimum_n),
        out_of_bounds=outside,
    )


def _check_bounds(part: Part, values: Sequence[float]) -> None:
    low, high = part.bounds or (-math.inf, math.inf)
    if other := [value for value in values if not low <= value <= high]:
        raise UsageError(f"bounds {low:g} to {high:g} must hold every value, got {other[0]:g}; mend them or the query")


def _check_replicates(values: Sequence[float], results: SweepResults) -> None:
    """Raise UsageError where there are more values than trials: they are not one for each independent replicate."""
    if len(values) > (n := results.tables["trials"].height):
        raise UsageError(
            f"the answer must have a row for each independent replicate, it has {len(values)} values of "
            f"{counted(n, 'trial')}; choose one row of each trial with WHERE, or average them with GROUP BY seed"
        )


def _testable(file: ClaimsFile, claim: Claim, number: int, results: SweepResults) -> bool:
    """Return whether the precondition of a part holds, if it has one and there are rows to ask."""
    requires = claim.part[number].requires
    if requires is None or results.tables["trials"].is_empty():
        return True
    try:
        return holds(requires, results.tables)
    except UsageError as error:
        raise query_error(file, claim, number, error, key="requires") from None


def _has_result(stop_rule: str | None) -> pl.Expr:
    """Return whether a sweep that asks for `stop_rule` is done with a trial."""
    return pl.col("status").is_in(FINAL_STATUSES) | stopped_by(stop_rule)
