"""Verdicts in words and as plain data, for the terminal, the page and programs."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from lrsym.claims.claim import Claim, Part
from lrsym.claims.judging import JudgedArm, JudgedClaim, JudgedPart, SweepResults
from lrsym.claims.ledger import Standing
from lrsym.claims.verdict import INNER_CONFIDENCE, REFUTED, UNTESTABLE
from lrsym.errors import counted

_PLAIN = (1e-4, 1e6)
"""Between these a number is written out."""


def format_range(part: Part) -> str:
    """Return the range that `part` asserts, and how it is tested if that is not the rule."""
    if part.at_least is None or part.at_most is None:
        return f"at most {part.at_most:g}" if part.at_least is None else f"at least {part.at_least:g}"
    return f"{part.at_least:g} to {part.at_most:g}" + (" (equivalence)" if part.test == "equivalence" else "")


def format_estimate(judged: JudgedPart) -> str:
    """Return the estimate with its interval, as `0.617 [0.571, 0.664]`: three digits of the largest of them.

    Of a part that asks for equivalence it is the interval that must lie in the range, which tells its confidence,
    unless the one of 95 % lies outside.
    """
    inner = None if judged.verdict == REFUTED else judged.inner
    estimate = inner or judged.estimate
    kind = f", {round(100 * INNER_CONFIDENCE[judged.part.test])} %" if inner else ""
    if estimate.mean is None:
        return "no values"
    numbers = [x for x in (estimate.mean, estimate.low, estimate.high) if x is not None]
    largest = max(map(abs, numbers))
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest else 0
    form = f".{decimals}f" if not largest or _PLAIN[0] <= largest < _PLAIN[1] else ".3g"
    mean, *ends = (f"{x:{form}}" for x in numbers)
    return f"{mean} [{', '.join(ends)}{kind}]" if ends else mean


def describe_shortage(claim: Claim, judged: JudgedPart) -> str:
    """Return that there are too few values, that some were left out, and that the interval is of the wrong kind.

    Empty where nothing of it is so.
    """
    texts = []
    if judged.too_few:
        texts.append(f"too few: {judged.estimate.n} of {claim.minimum_n}")
    if judged.without_spread:
        remedy = "use interval wilson for shares, else t with the resolution of the values"
        texts.append(f"equal values tell no spread, so {remedy}")
    if judged.dropped:
        texts.append(f"{judged.dropped} null or not finite, left out; rows older than a column lack it")
    if judged.out_of_bounds and judged.part.bounds:
        low, high = judged.part.bounds
        remedy = "wilson" if {*judged.values} <= {0, 1} else "logit" if 0 <= low < high <= 1 else "bootstrap"
        texts.append(f"interval {claim.interval_of(judged.part)} leaves {low:g} to {high:g}, so use interval {remedy}")
    return ", ".join(texts)


def describe_tolerance(judged: JudgedPart) -> str:
    """Return how far the verdict is from another one, in the units of the claimed range; empty where there is none."""
    tolerance = judged.tolerance
    if tolerance is None or judged.verdict == UNTESTABLE or judged.out_of_bounds:
        return ""
    if tolerance.supported <= 0:
        return f"{-tolerance.supported:.2g} to spare"
    if tolerance.refuted is not None and tolerance.refuted > 0:
        return f"{tolerance.refuted:.2g} outside"
    wider = f"supported if the range were {tolerance.supported:.2g} wider at each end"
    # Fresh ones: who adds seeds until a verdict comes has one by chance far more often than one time in twenty.
    return f"{wider}; {judged.n_to_decide} fresh seeds would decide" if judged.n_to_decide else wider


def describe_holm(judged: JudgedPart) -> str:
    """Return what is left of the verdict after Holm's correction; empty where it stays."""
    return "" if judged.holm == judged.verdict else f"{judged.holm} after Holm"


def describe_ledger(judged: JudgedPart) -> str:
    """Return what the ledger has from after the rows, or not at all; empty where all of it came first."""
    standing = judged.standing
    if standing is None or standing == Standing(standing.registered_at, after_rows=False):
        return ""
    if standing.trials_added:
        return f"{counted(standing.trials_added, 'trial')} added since the range was set"
    return "interval set after rows" if standing.interval_after_rows else "range set after rows"


def format_n(arm: JudgedArm) -> str:
    """Return the number of replicates, or the range where it differs by part."""
    few, many = arm.n
    return str(few) if few == many else f"{few}-{many}"


def describe_gaps(results: SweepResults) -> str:
    """Return which trials of a sweep the tables lack; empty where none."""
    texts = []
    if results.missing:
        texts.append(f"{results.missing} of {results.trials} trials missing")
    if results.diverged:
        texts.append(f"{results.diverged} of {results.trials} trials diverged, not asked")
    return ", ".join(texts)


def gap_lines(judged: Iterable[JudgedClaim], *, train: str) -> list[str]:
    """Return a line for each sweep that the tables lack trials of; `train` is the command that trains them."""
    by_sweep = {id(arm.results): arm.results for claim in judged for arm in claim.arms}.values()
    gaps = [(results, describe_gaps(results)) for results in by_sweep]
    return [f"{r.sweep}: {gap}" + (f"; run: {train}" if r.missing else "") for r, gap in gaps if gap]


def table_rows(judged: Iterable[JudgedClaim]) -> list[tuple[str, ...]]:
    """Return rows of id, arm, verdict, n and part: one for each claim and arm, its further parts on their own rows."""
    rows = []
    for one in judged:
        for arm in one.arms:
            first = (one.claim.id, arm.name, arm.verdict, format_n(arm))
            for i, part in enumerate(arm.parts):
                rows.append((first if i == 0 else ("", "", "", "")) + (describe_part(one.claim, part),))
    return rows


def as_data(judged: JudgedClaim) -> dict[str, Any]:
    """Return everything about one claim, as JSON holds it."""
    claim = judged.claim.model_dump(include={"id", "sentence", "source", "note", "interval", "minimum_n"})
    return {**claim, "arms": [_arm_data(judged.claim, arm) for arm in judged.arms]}


def describe_part(claim: Claim, judged: JudgedPart) -> str:
    """Return one part in words: estimate, range, its verdict where there are several, and all that qualifies it."""
    verdict = f" -> {judged.verdict}" if len(claim.part) > 1 else ""
    further = [
        describe_tolerance(judged), describe_holm(judged), describe_shortage(claim, judged), describe_ledger(judged)
    ]  # fmt: skip
    remarks = f" ({', '.join(filter(None, further))})" if any(further) else ""
    return f"{judged.part.name}: {format_estimate(judged)}, claimed {format_range(judged.part)}{verdict}{remarks}"


def _arm_data(claim: Claim, arm: JudgedArm) -> dict[str, Any]:
    results = arm.results
    return {
        "arm": arm.name, "sweep": results.sweep, "sweep_file": claim.sweeps[arm.name], "verdict": arm.verdict,
        "holm": arm.holm,
        "trials": results.trials, "missing": results.missing, "diverged": results.diverged,
        "parts": [_part_data(part, claim.interval_of(part.part)) for part in arm.parts],
    }  # fmt: skip


def _standing_data(standing: Standing | None) -> dict[str, Any]:
    if standing is None:
        return {"registered_at": None, "after_rows": None, "interval_after_rows": None, "trials_added": None}
    return {**asdict(standing), "registered_at": standing.registered_at and standing.registered_at.isoformat()}


def _part_data(judged: JudgedPart, interval: str) -> dict[str, Any]:
    part, estimate = judged.part, judged.estimate
    return {
        "name": part.name, "sql": part.estimate, "at_least": part.at_least, "at_most": part.at_most,
        "test": part.test, "equivalence_interval": judged.inner and [judged.inner.low, judged.inner.high],
        "requires": part.requires, "verdict": judged.verdict, "p": judged.level, "holm": judged.holm,
        "tolerance": judged.tolerance and asdict(judged.tolerance), "too_few": judged.too_few, "n": estimate.n,
        "bounds": part.bounds, "resolution": part.resolution, "out_of_bounds": judged.out_of_bounds,
        "interval": interval, "dropped": judged.dropped, "n_to_decide": judged.n_to_decide,
        **_standing_data(judged.standing),
        "estimate": estimate.mean, "low": estimate.low, "high": estimate.high, "values": list(judged.values),
    }  # fmt: skip
