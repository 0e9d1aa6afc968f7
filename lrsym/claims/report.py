"""Verdicts in words and as plain data, for the terminal, the page and programs."""

import math
from collections.abc import Iterable
from typing import Any

from lrsym.claims.file import Claim, Part
from lrsym.claims.judging import JudgedArm, JudgedClaim, JudgedPart, Trained


def claimed(part: Part) -> str:
    """The range that `part` asserts."""
    if part.at_least is None or part.at_most is None:
        return f"at most {part.at_most:g}" if part.at_least is None else f"at least {part.at_least:g}"
    return f"{part.at_least:g} to {part.at_most:g}"


def estimated(judged: JudgedPart) -> str:
    """The estimate with its interval, as `0.617 [0.571, 0.664]`: three digits of the largest of them."""
    found = judged.found
    if found.mean is None:
        return "no values"
    numbers = [x for x in (found.mean, found.low, found.high) if x is not None]
    largest = max(map(abs, numbers))
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest else 0
    mean, *ends = (f"{x:.{decimals}f}" for x in numbers)
    return f"{mean} [{', '.join(ends)}]" if ends else mean


def shortage(claim: Claim, judged: JudgedPart) -> str:
    """That there are too few values, and that some were left out; empty where neither is so."""
    told = [f"too few: {judged.found.n} of {claim.minimum_n}"] if judged.too_few else []
    told += (
        [f"{judged.dropped} null or not finite, left out; rows older than a column lack it"] if judged.dropped else []
    )
    return ", ".join(told)


def replicates(arm: JudgedArm) -> str:
    """The number of replicates, or the range where it differs by part."""
    few, many = arm.n
    return str(few) if few == many else f"{few}-{many}"


def gaps(sweep: Trained) -> str:
    """Which trials the tables lack; empty where none."""
    told = [f"{sweep.missing} of {sweep.trials} trials missing"] if sweep.missing else []
    told += [f"{sweep.diverged} of {sweep.trials} trials diverged, not asked"] if sweep.diverged else []
    return ", ".join(told)


def lines(judged: Iterable[JudgedClaim]) -> list[tuple[str, ...]]:
    """Rows of id, arm, verdict, n and part: one for each claim and arm, its further parts on rows of their own."""
    rows = []
    for one in judged:
        for arm in one.arms:
            first = (one.claim.id, arm.name, arm.verdict, replicates(arm))
            for i, part in enumerate(arm.parts):
                rows.append((first if i == 0 else ("", "", "", "")) + (_told(one.claim, part),))
    return rows


def as_data(judged: JudgedClaim) -> dict[str, Any]:
    """Everything about one claim, as JSON holds it."""
    claim = judged.claim.model_dump(include={"id", "sentence", "source", "note", "interval", "minimum_n"})
    return {**claim, "arms": [_arm_data(judged.claim, arm) for arm in judged.arms]}


def _told(claim: Claim, judged: JudgedPart) -> str:
    verdict = f" -> {judged.verdict}" if len(claim.part) > 1 else ""
    short = shortage(claim, judged)
    return f"{judged.part.name}: {estimated(judged)}, claimed {claimed(judged.part)}{verdict}" + (
        f" ({short})" if short else ""
    )


def _arm_data(claim: Claim, arm: JudgedArm) -> dict[str, Any]:
    sweep = arm.trained
    return {
        "arm": arm.name, "sweep": sweep.sweep, "sweep_file": claim.sweeps[arm.name], "verdict": arm.verdict,
        "trials": sweep.trials, "missing": sweep.missing, "diverged": sweep.diverged,
        "parts": [_part_data(part) for part in arm.parts],
    }  # fmt: skip


def _part_data(judged: JudgedPart) -> dict[str, Any]:
    part, found = judged.part, judged.found
    return {
        "name": part.name, "sql": part.estimate, "at_least": part.at_least, "at_most": part.at_most,
        "verdict": judged.verdict, "too_few": judged.too_few, "n": found.n, "dropped": judged.dropped,
        "estimate": found.mean, "low": found.low, "high": found.high, "values": list(judged.values),
    }  # fmt: skip
